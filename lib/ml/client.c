// SPDX-License-Identifier: GPL-2.0
/*
 * What clients call. None of it takes a sleeping lock, and all of it is safe at
 * any time between ml_proxy_register() and ml_proxy_unregister().
 */

#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <trace/events/ml_lib.h>

#include "advice.h"
#include "proxy.h"
#include "schema.h"
#include "session.h"

static void fallback(struct ml_proxy_core *core, u32 obj,
		     enum ml_lib_counter why)
{
	ml_count(core, why);
	trace_ml_fallback(core, obj, why);
}

/**
 * ml_submit() - ask for a decision and go on
 * @p: the proxy
 * @obj: index of the object that the advice is for, less than p->nr_objects
 * @id: a random number that names the object in records
 * @features: the feature structure, p->schema->feature_bytes long
 *
 * The decision, if it comes in time and is valid, becomes the object's advice.
 *
 * Context: Any but NMI. Takes a raw spinlock for the copy of the features.
 * Return: a cookie for ml_report(), or 0 if the request was dropped: no agent,
 * ring full, too many unanswered, over budget, session broken, NMI. Every reason
 * has its counter.
 */
u64 ml_submit(struct ml_proxy *p, u32 obj, u64 id, const void *features)
{
	struct ml_proxy_core *core = p->core;
	struct ml_session *s;
	u64 cookie = 0;

	if (!core || WARN_ON_ONCE(obj >= core->nr_objects))
		return 0;
	if (in_nmi()) {
		ml_drop(core, ML_LIB_CNT_NMI);
		return 0;
	}
	rcu_read_lock();
	s = rcu_dereference(core->session);
	if (s)
		cookie = ml_queue_submit(ml_session_queue(s), core, obj, id,
					 features, 0);
	else
		ml_drop(core, ML_LIB_CNT_NO_AGENT);
	rcu_read_unlock();
	return cookie;
}
EXPORT_SYMBOL_GPL(ml_submit);

/**
 * ml_advice_poll() - take in decisions that have come
 * @p: the proxy
 *
 * A decision becomes advice when this CPU submits the next time (but not twice in
 * a microsecond), or when the agent sees that nobody fetches it. A client that
 * looks for advice soon after it has submitted can call this first: it costs a
 * load if nothing has come.
 *
 * Context: Any.
 * Return: true if this took decisions in, for whatever proxy of the same agent;
 * false if there were none, or if another CPU is about to take them in.
 */
bool ml_advice_poll(struct ml_proxy *p)
{
	struct ml_proxy_core *core = p->core;
	struct ml_session *s;
	bool found = false;

	if (!core || in_nmi())
		return false;
	rcu_read_lock();
	s = rcu_dereference(core->session);
	if (s)
		found = ml_queue_poll(ml_session_queue(s));
	rcu_read_unlock();
	return found;
}
EXPORT_SYMBOL_GPL(ml_advice_poll);

/**
 * ml_advice_read() - look an object's advice up
 * @p: the proxy
 * @obj: index of the object, less than p->nr_objects
 * @out: set to the outputs, p->schema->nr_outputs of them
 *
 * Context: Any but NMI. Takes no lock.
 * Return: true if there is valid advice; otherwise @out is untouched, the
 * reason is counted, and the default algorithm has to decide.
 */
bool ml_advice_read(struct ml_proxy *p, u32 obj, s32 *out)
{
	struct ml_proxy_core *core = p->core;
	enum ml_lib_counter why;
	u32 value;

	if (!core || WARN_ON_ONCE(obj >= core->nr_objects))
		return false;
	switch (ml_advice_get(core->advice, obj, jiffies, &value)) {
	case 0:
		ml_schema_unpack(&core->packing, value, out);
		ml_count(core, ML_LIB_CNT_APPLY);
		return true;
	case -ESTALE:
		why = ML_LIB_CNT_STALE;
		break;
	default:
		why = rcu_access_pointer(core->session) ?
		      ML_LIB_CNT_NO_ADVICE : ML_LIB_CNT_NO_AGENT;
	}
	fallback(core, obj, why);
	return false;
}
EXPORT_SYMBOL_GPL(ml_advice_read);

/**
 * ml_no_object() - count an object that the client has no index for
 * @p: the proxy
 *
 * For a client that keeps a limited number of objects, when the default
 * algorithm has to decide because there is no room for another.
 *
 * Context: Any.
 */
void ml_no_object(struct ml_proxy *p)
{
	if (p->core)
		fallback(p->core, U32_MAX, ML_LIB_CNT_NO_OBJECT);
}
EXPORT_SYMBOL_GPL(ml_no_object);

/**
 * ml_advice_reset() - give an index to another object
 * @p: the proxy
 * @obj: the index, less than p->nr_objects
 *
 * Drops the advice, and decisions that are still under way do not match.
 *
 * Context: Any but NMI. Takes no lock.
 */
void ml_advice_reset(struct ml_proxy *p, u32 obj)
{
	struct ml_proxy_core *core = p->core;

	if (core && !WARN_ON_ONCE(obj >= core->nr_objects))
		ml_advice_renew(core->advice, obj);
}
EXPORT_SYMBOL_GPL(ml_advice_reset);

/**
 * ml_report() - tell what a decision cost
 * @p: the proxy
 * @cookie: from ml_submit()
 * @id: a random number that names the object in records
 * @fb: the feedback
 *
 * Context: Any but NMI.
 * Return: false if it was dropped and counted.
 */
bool ml_report(struct ml_proxy *p, u64 cookie, u64 id,
	       const struct ml_lib_feedback *fb)
{
	struct ml_proxy_core *core = p->core;
	struct ml_session *s;
	bool sent = false;

	if (!core)
		return false;
	if (in_nmi()) {
		ml_drop(core, ML_LIB_CNT_NMI);
		return false;
	}
	rcu_read_lock();
	s = rcu_dereference(core->session);
	if (s)
		sent = ml_queue_report(ml_session_queue(s), core, cookie, id,
				       fb);
	else
		ml_drop(core, ML_LIB_CNT_NO_AGENT);
	rcu_read_unlock();
	return sent;
}
EXPORT_SYMBOL_GPL(ml_report);

/**
 * ml_decide() - ask for a decision and wait for it
 * @p: the proxy
 * @obj: index of the object, less than p->nr_objects
 * @id: a random number that names the object in records
 * @features: the feature structure
 * @timeout_us: how long to wait at most, rounded up to jiffies, up to ten seconds
 * @out: set to the outputs if the model decided; otherwise untouched, so put
 *	the default there first
 *
 * For callers that can afford it; never for I/O, reclaim or scheduling. Returns
 * at once when the agent itself is the caller, and when the operator has turned
 * the proxy off, also meanwhile. The answer does not become advice.
 *
 * Context: Process. Sleeps; a fatal signal ends that.
 * Return: true if the model decided.
 */
bool ml_decide(struct ml_proxy *p, u32 obj, u64 id, const void *features,
	       u32 timeout_us, s32 *out)
{
	enum ml_lib_counter why = ML_LIB_CNT_NO_AGENT;
	struct ml_proxy_core *core = p->core;
	enum ml_inflight_wait wait;
	struct ml_session *s;
	struct ml_queue *q;
	u32 value = 0;
	u64 cookie;

	might_sleep();
	if (!core || !timeout_us || WARN_ON_ONCE(obj >= core->nr_objects))
		return false;
	timeout_us = min(timeout_us, 10 * USEC_PER_SEC);
	rcu_read_lock();
	s = rcu_dereference(core->session);
	if (s && READ_ONCE(core->mode) == ML_LIB_MODE_EMERGENCY) {
		why = ML_LIB_CNT_MODE;
		s = NULL;
	} else if (s && (READ_ONCE(s->owner) == current->files ||
			 !refcount_inc_not_zero(&s->ref))) {
		s = NULL;
	}
	if (!s) {
		rcu_read_unlock();
		fallback(core, obj, why);
		return false;
	}

	/* As in ml_submit(): whoever detaches finds the request and purges it. */
	q = ml_session_queue(s);
	cookie = ml_queue_submit(q, core, obj, id, features, timeout_us);
	rcu_read_unlock();
	wait = ML_INFLIGHT_REFUSED;
	if (cookie) {
		ml_queue_wait_begin(q);
		wait_event_killable_timeout(s->answer_wq,
					    ml_queue_settled(q, cookie),
					    usecs_to_jiffies(timeout_us) + 1);
		wait = ml_queue_wait_end(q, cookie, &value);
	}
	if (wait == ML_INFLIGHT_ANSWERED) {
		ml_schema_unpack(&core->packing, value, out);
		ml_count(core, ML_LIB_CNT_APPLY);
	} else if (wait == ML_INFLIGHT_WAITING) {
		fallback(core, obj, ML_LIB_CNT_DEADLINE);
	}
	ml_session_put_soon(s);
	return wait == ML_INFLIGHT_ANSWERED;
}
EXPORT_SYMBOL_GPL(ml_decide);

/**
 * ml_proxy_cap() - how far the operator lets an output go
 * @p: the proxy
 * @output: index of the output
 *
 * Context: Any.
 * Return: a value in the output's range, or 0 if the operator has not raised
 * the limit of the default algorithm.
 */
s32 ml_proxy_cap(struct ml_proxy *p, u32 output)
{
	struct ml_proxy_core *core = p->core;

	return core && output < ML_LIB_MAX_OUTPUTS ?
	       READ_ONCE(core->cap[output]) : 0;
}
EXPORT_SYMBOL_GPL(ml_proxy_cap);
