// SPDX-License-Identifier: GPL-2.0
/* Proxies: the registry, the operator's settings, and the counters. */

#define pr_fmt(fmt) "ml_lib: " fmt

#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>
#include <trace/events/ml_lib.h>

#include "advice.h"
#include "proxy.h"
#include "schema.h"
#include "session.h"

/* Protects the registry, settings and who is attached; see proxy.h. */
DEFINE_MUTEX(ml_mutex);
LIST_HEAD(ml_proxies);

/* For what hot paths find, but cannot do. */
struct workqueue_struct *ml_wq;

static u16 last_id;

static bool settings_ok(u32 rate, u32 deadline_us, u32 ttl_ms)
{
	return rate && rate <= 1000000 && deadline_us &&
	       deadline_us <= 10 * USEC_PER_SEC && ttl_ms && ttl_ms <= 60000;
}

static void set_rate(struct ml_proxy_core *core, u32 rate)
{
	core->rate = rate;
	WRITE_ONCE(core->allowance, max(rate / 10, 1U));
}

static void set_ttl(struct ml_proxy_core *core, u32 ttl_ms)
{
	core->ttl_ms = ttl_ms;
	WRITE_ONCE(core->ttl, msecs_to_jiffies(ttl_ms));
}

static void core_free(struct ml_proxy_core *core)
{
	free_percpu(core->cpu);
	ml_advice_free(core->advice);
	kfree(core);
}

/**
 * ml_proxy_register() - make a proxy known
 * @p: the proxy; stays in use until ml_proxy_unregister() returns
 *
 * The proxy starts in mode EMERGENCY: its default algorithm decides until an
 * agent has attached and the operator has turned it on.
 *
 * Context: Process. May sleep.
 * Return: 0, -EINVAL if the proxy or its schema is not sound (the log says why),
 * -EEXIST if there is one of this name, -ENOSPC if all ids have been used,
 * -ENOMEM.
 */
int ml_proxy_register(struct ml_proxy *p)
{
	struct ml_proxy_core *core, *other;
	int err;

	err = ml_schema_check(p->name, p->schema);
	if (err)
		return err;
	if (!p->nr_objects || p->nr_objects > 65536 ||
	    !settings_ok(p->rate, p->deadline_us, p->ttl_ms)) {
		pr_err("proxy %s: %u objects (1 to 65536), rate %u (1 to 1000000), deadline %u us (1 to 10000000) or ttl %u ms (1 to 60000)\n",
		       p->name, p->nr_objects, p->rate, p->deadline_us,
		       p->ttl_ms);
		return -EINVAL;
	}

	core = kzalloc(sizeof(*core), GFP_KERNEL);
	if (!core)
		return -ENOMEM;
	core->proxy = p;
	core->hash = ml_schema_hash(p->name, p->schema);
	ml_schema_packing(p->schema, &core->packing);
	core->feature_bytes = p->schema->feature_bytes;
	core->nr_objects = p->nr_objects;
	set_rate(core, p->rate);
	core->deadline_us = p->deadline_us;
	set_ttl(core, p->ttl_ms);
	core->advice = ml_advice_alloc(p->nr_objects);
	core->cpu = alloc_percpu(struct ml_proxy_cpu);
	if (!core->advice || !core->cpu) {
		core_free(core);
		return -ENOMEM;
	}

	mutex_lock(&ml_mutex);
	err = -EEXIST;
	list_for_each_entry(other, &ml_proxies, list)
		if (!strcmp(other->proxy->name, p->name))
			goto out;
	err = -ENOSPC;
	if (last_id == U16_MAX)
		goto out;
	core->id = ++last_id;
	list_add_tail(&core->list, &ml_proxies);
	p->core = core;
	core = NULL;
	err = 0;
out:
	mutex_unlock(&ml_mutex);
	if (core)
		core_free(core);
	return err;
}
EXPORT_SYMBOL_GPL(ml_proxy_register);

/**
 * ml_proxy_unregister() - take a proxy out
 * @p: a registered proxy
 *
 * Requests in flight are forgotten. The caller makes sure that it calls nothing
 * else for this proxy any more; when this returns, the core does not use @p.
 *
 * Context: Process. May sleep.
 */
void ml_proxy_unregister(struct ml_proxy *p)
{
	struct ml_proxy_core *core = p->core;

	mutex_lock(&ml_mutex);
	if (core->attached)
		ml_session_detach(core->attached, core);
	list_del(&core->list);
	p->core = NULL;
	mutex_unlock(&ml_mutex);
	core_free(core);
}
EXPORT_SYMBOL_GPL(ml_proxy_unregister);

/**
 * ml_proxy_next() - go through the proxies
 * @id: least id wanted
 *
 * Context: ml_mutex.
 * Return: the proxy with the least id from @id on, or NULL.
 */
struct ml_proxy_core *ml_proxy_next(u32 id)
{
	struct ml_proxy_core *core;

	lockdep_assert_held(&ml_mutex);
	list_for_each_entry(core, &ml_proxies, list)
		if (core->id >= id)
			return core;
	return NULL;
}

/**
 * ml_proxy_find() - find a proxy
 * @id: its id
 *
 * Context: ml_mutex.
 * Return: the proxy, or NULL.
 */
struct ml_proxy_core *ml_proxy_find(u32 id)
{
	struct ml_proxy_core *core = ml_proxy_next(id);

	return core && core->id == id ? core : NULL;
}

/**
 * ml_proxy_count() - count the proxies
 *
 * Context: Process.
 * Return: the number of proxies.
 */
u32 ml_proxy_count(void)
{
	guard(mutex)(&ml_mutex);
	return list_count_nodes(&ml_proxies);
}

/**
 * ml_proxy_update_key() - switch the client's static branch
 * @core: a proxy whose mode or session has changed
 *
 * Context: Process, under ml_mutex. Sleeps if the branch changes.
 */
void ml_proxy_update_key(struct ml_proxy_core *core)
{
	lockdep_assert_held(&ml_mutex);
	if (core->mode != ML_LIB_MODE_EMERGENCY &&
	    rcu_access_pointer(core->session))
		static_branch_enable(&core->proxy->active);
	else
		static_branch_disable(&core->proxy->active);
}

/**
 * ml_proxy_control() - set mode and budgets
 * @c: what to set, reserved fields and unknown bits already refused
 *
 * Context: Process, under ml_mutex. May sleep.
 * Return: 0, or an error of struct ml_lib_control with nothing changed.
 */
int ml_proxy_control(const struct ml_lib_control *c)
{
	struct ml_proxy_core *core = ml_proxy_find(c->id);
	const struct ml_schema *s;

	if (!core)
		return -ENOENT;
	s = core->proxy->schema;

	if ((c->set & ML_LIB_SET_MODE) &&
	    c->mode > ML_LIB_MODE_RECOMMENDATION)
		return -EINVAL;
	if ((c->set & ML_LIB_SET_MODE) &&
	    c->mode == ML_LIB_MODE_COLLABORATION)
		return -EOPNOTSUPP;
	if (!settings_ok(c->set & ML_LIB_SET_RATE ? c->rate : 1,
			 c->set & ML_LIB_SET_DEADLINE ? c->deadline_us : 1,
			 c->set & ML_LIB_SET_TTL ? c->ttl_ms : 1))
		return -EINVAL;
	if ((c->set & ML_LIB_SET_EXPLORE) && c->explore_permille > 1000)
		return -EINVAL;
	for (u32 i = 0; (c->set & ML_LIB_SET_CAP) && i < ML_LIB_MAX_OUTPUTS; i++)
		if (c->cap[i] && (i >= s->nr_outputs ||
				  c->cap[i] < s->outputs[i].min ||
				  c->cap[i] > s->outputs[i].max))
			return -EINVAL;

	if (c->set & ML_LIB_SET_RATE)
		set_rate(core, c->rate);
	if (c->set & ML_LIB_SET_DEADLINE)
		WRITE_ONCE(core->deadline_us, c->deadline_us);
	if (c->set & ML_LIB_SET_TTL)
		set_ttl(core, c->ttl_ms);
	if (c->set & ML_LIB_SET_EXPLORE)
		WRITE_ONCE(core->explore, c->explore_permille);
	for (u32 i = 0; (c->set & ML_LIB_SET_CAP) && i < ML_LIB_MAX_OUTPUTS; i++)
		WRITE_ONCE(core->cap[i], c->cap[i]);
	if ((c->set & ML_LIB_SET_MODE) && core->mode != c->mode) {
		WRITE_ONCE(core->mode, c->mode);
		ml_proxy_update_key(core);
		if (c->mode == ML_LIB_MODE_EMERGENCY && core->attached)
			ml_session_refuse(core->attached, core);
		/* What the old mode let through must not outlive it. */
		ml_advice_drop_all(core->advice);
	}
	return 0;
}

/**
 * ml_drop() - count a record that was not sent, or a request without an answer
 * @core: the proxy
 * @why: the reason
 *
 * Context: Any.
 */
void ml_drop(struct ml_proxy_core *core, enum ml_lib_counter why)
{
	ml_count(core, why);
	trace_ml_drop(core, why);
}

/**
 * ml_proxy_stats() - sum the counters up
 * @core: the proxy
 * @st: filled in
 *
 * Context: Process.
 */
void ml_proxy_stats(const struct ml_proxy_core *core, struct ml_lib_stats *st)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct ml_proxy_cpu *c = per_cpu_ptr(core->cpu, cpu);

		for (int i = 0; i < ML_LIB_NR_COUNTERS; i++)
			st->counter[i] += READ_ONCE(c->counter[i]);
		for (int i = 0; i < ML_LIB_NR_BUCKETS; i++)
			st->latency[i] += READ_ONCE(c->latency[i]);
	}
}

/**
 * ml_proxy_drop_advice() - drop the advice of all proxies
 *
 * Context: Process. May sleep.
 */
void ml_proxy_drop_advice(void)
{
	struct ml_proxy_core *core;

	guard(mutex)(&ml_mutex);
	list_for_each_entry(core, &ml_proxies, list)
		ml_advice_drop_all(core->advice);
}

/*
 * jiffies stand still in suspend, the world does not: advice from before is
 * worth nothing. It is dropped before, so that who thaws first finds none, and
 * after, because the agent goes on until it is frozen.
 */
static int ml_pm_notify(struct notifier_block *nb, unsigned long event,
			void *data)
{
	ml_proxy_drop_advice();
	return NOTIFY_DONE;
}

static struct notifier_block ml_pm_nb = { .notifier_call = ml_pm_notify };

/* Expiry times wrap, so what has expired is cleared away now and then. */
static void ml_expire(struct work_struct *work);
static DECLARE_DELAYED_WORK(ml_expire_work, ml_expire);

static void ml_expire(struct work_struct *work)
{
	struct ml_proxy_core *core;

	mutex_lock(&ml_mutex);
	list_for_each_entry(core, &ml_proxies, list)
		ml_advice_expire(core->advice, jiffies);
	mutex_unlock(&ml_mutex);
	queue_delayed_work(ml_wq, &ml_expire_work, 600 * HZ);
}

static int __init ml_proxy_init(void)
{
	ml_wq = alloc_workqueue("ml_lib", WQ_UNBOUND, 0);
	if (!ml_wq)
		return -ENOMEM;
	queue_delayed_work(ml_wq, &ml_expire_work, 600 * HZ);
	return register_pm_notifier(&ml_pm_nb);
}
subsys_initcall(ml_proxy_init);
