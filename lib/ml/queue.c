// SPDX-License-Identifier: GPL-2.0
/*
 * Queues: submitting requests, and draining decisions.
 *
 * Whatever the agent writes is taken for garbage: a slot is copied word by word
 * before anything looks at it, the copy is validated, and all that a decision
 * can do is to set one advice word to a value that the schema allows.
 */

#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <trace/events/ml_lib.h>

#include "advice.h"
#include "proxy.h"
#include "queue.h"
#include "schema.h"
#include "session.h"

/*
 * How often a submitter looks for decisions. Each look takes the cache line away
 * from the agent that is about to write it.
 */
#define LOOK_NS		NSEC_PER_USEC

/*
 * The clock of deadlines is local_clock(): a read of CLOCK_MONOTONIC waits until
 * all loads before it are done, among them those of lines that another CPU has
 * written, and was the largest cost of a submission. Records tell CLOCK_MONOTONIC
 * all the same, because agents have no other: by a difference that is worked
 * out again before the two can drift apart by more than SYNC_NS * 500 ppm.
 */
#define SYNC_NS		(100 * NSEC_PER_MSEC)

static void sync_clocks(struct ml_queue *q)
{
	/* One right after the other: what is between them is a future time. */
	q->synced_ns = local_clock();
	q->mono = ktime_get_mono_fast_ns() - q->synced_ns;
}

static u64 monotonic(struct ml_queue *q, u64 now)
{
	if (unlikely(now - q->synced_ns >= SYNC_NS))
		sync_clocks(q);
	return now + q->mono;
}

/* From one CPU to another the clock may step back a little. */
static u64 elapsed(u64 now, u64 since)
{
	return max_t(s64, now - since, 1);
}

/**
 * ml_queue_init() - set up the kernel's side of a queue
 * @q: the queue
 * @s: its session
 * @index: its number
 * @ro: pages that the kernel writes, zeroed
 * @rw: pages that the agent writes
 * @nr_slots: slots of each ring, a power of two
 * @slot_size: bytes of a request slot
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int ml_queue_init(struct ml_queue *q, struct ml_session *s, u16 index,
		  void *ro, void *rw, u32 nr_slots, u32 slot_size)
{
	raw_spin_lock_init(&q->lock);
	q->session = s;
	sync_clocks(q);
	q->ro = ro;
	q->rw = rw;
	q->req = (struct ml_ring_prod){
		.slots = q->ro->req,
		.cons = &q->rw->req_cons,
		.mask = nr_slots - 1,
		.slot_size = slot_size,
	};
	q->dec = (struct ml_ring_cons){
		.slots = q->rw->dec,
		.cons = &q->ro->dec_cons,
		.mask = nr_slots - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
	return ml_inflight_init(&q->inflight, index, nr_slots);
}

/**
 * ml_queue_destroy() - free what ml_queue_init() made
 * @q: the queue
 */
void ml_queue_destroy(struct ml_queue *q)
{
	ml_inflight_destroy(&q->inflight);
}

/* The agent writes while we read: every word is loaded exactly once. */
static void copy_decision(struct ml_lib_decision *d, const void *slot)
{
	const u64 *from = slot;
	u64 *to = (u64 *)d;

	BUILD_BUG_ON(sizeof(*d) != 4 * sizeof(u64));
	to[0] = READ_ONCE(from[0]);
	to[1] = READ_ONCE(from[1]);
	to[2] = READ_ONCE(from[2]);
	to[3] = READ_ONCE(from[3]);
}

/* Why a decision cannot be used, or ML_LIB_CNT_DECIDE with the outputs packed. */
static enum ml_lib_counter judge(const struct ml_proxy_core *core,
				 const struct ml_inflight_entry *e,
				 const struct ml_lib_decision *d, u64 now,
				 u32 *value)
{
	if (now > e->deadline_ns)
		return ML_LIB_CNT_DEADLINE;
	if (d->flags & ~ML_LIB_DECISION_ALL)
		return ML_LIB_CNT_RANGE;
	if (d->flags & ML_LIB_DECISION_DECLINED)
		return ML_LIB_CNT_DECLINED;
	if (!ml_schema_pack(&core->packing, d->out, value))
		return ML_LIB_CNT_RANGE;
	return ML_LIB_CNT_DECIDE;
}

static void decide(struct ml_queue *q, const struct ml_lib_decision *d, u64 now)
{
	struct ml_inflight_entry *e = ml_inflight_find(&q->inflight, d->cookie);
	struct ml_proxy_core *core;
	enum ml_lib_counter verdict;
	u32 obj, value = 0;
	u64 ns;

	if (unlikely(!e || ml_inflight_settled(e))) {
		q->unmatched++;
		return;
	}
	core = q->session->attached[e->slot];
	obj = e->obj;
	ns = elapsed(now, e->time_ns);
	verdict = judge(core, e, d, now, &value);
	ml_count(core, verdict);
	if (likely(verdict == ML_LIB_CNT_DECIDE)) {
		this_cpu_inc(core->cpu->latency[min(ilog2(ns),
						    ML_LIB_NR_BUCKETS - 1)]);
		if (!ml_mode_applies(core, d->flags, d->cookie)) {
			verdict = ML_LIB_CNT_MODE;
			ml_count(core, verdict);
		}
	}

	if (unlikely(e->wait == ML_INFLIGHT_WAITING)) {
		/* The waiter frees the entry. */
		e->value = value;
		e->wait = verdict == ML_LIB_CNT_DECIDE ? ML_INFLIGHT_ANSWERED :
							 ML_INFLIGHT_REFUSED;
		ml_session_wake(q->session);
	} else {
		e->cookie = 0;
		if (verdict == ML_LIB_CNT_DECIDE &&
		    !ml_advice_set(core->advice, obj, e->gen, value, jiffies,
				   READ_ONCE(core->ttl))) {
			verdict = ML_LIB_CNT_UNMATCHED;
			ml_count(core, verdict);
		}
	}
	trace_ml_decide(core, obj, d, verdict, ns);
}

/*
 * Take decisions in. All are copied before the first is looked at: their lines come
 * from another CPU, and so they come side by side.
 */
static noinline u32 take_in(struct ml_queue *q, u64 now)
{
	/* A copy, so that stores do not have it loaded again. */
	const struct ml_ring_cons dec = q->dec;
	u32 n, most = min(ML_DRAIN_BATCH, dec.mask + 1);
	const void *slot;

	for (n = 0; n < most; n++) {
		slot = ml_ring_cons_peek(&dec, n);
		if (!slot)
			break;
		copy_decision(&q->batch[n], slot);
	}
	/* None, if the agent has taken back what drain() saw: nothing happens. */
	ml_ring_cons_release(&q->dec, n);
	for (u32 i = 0; i < n; i++)
		decide(q, &q->batch[i], now);
	return n;
}

/* Take decisions from the ring. Returns how many there were; mostly there are none. */
static inline u32 drain(struct ml_queue *q, u64 now)
{
	lockdep_assert_held(&q->lock);
	return ml_ring_cons_peek(&q->dec, 0) ? take_in(q, now) : 0;
}

/*
 * Behind ml_ring_prod_publish(): wake the agent if it asked for that. No barrier,
 * because the agent asks first and calls ml_queue_ready() then, under the same
 * lock: either that sees the record, or this sees what the agent stored.
 */
static void wake(struct ml_queue *q)
{
	u32 token = READ_ONCE(q->rw->need_wakeup);		/* (D) */

	if (unlikely((token & 1) && token != q->woken)) {
		q->woken = token;
		ml_session_wake(q->session);
	}
}

/*
 * Get a slot and fill all of its header but the cookie. Inline, because a third
 * of its instructions would be the call.
 */
static __always_inline bool
reserve(struct ml_queue *q, struct ml_proxy_core *core, u8 type, u32 bytes,
	u64 id, u64 now, struct ml_lib_request **slot)
{
	struct ml_lib_request *r;
	enum ml_lib_counter why;
	void *next;
	int err;

	if (unlikely(READ_ONCE(q->session->state) != ML_LIB_SESSION_RUNNING)) {
		why = ML_LIB_CNT_NO_AGENT;
		goto drop;
	}
	err = ml_ring_prod_next(&q->req, &next);
	if (err) {
		why = ML_LIB_CNT_RING_FULL;
		if (err == -EPROTO) {
			why = ML_LIB_CNT_BROKEN;
			ml_session_break(q->session);
		}
		goto drop;
	}
	/* Only what there is room for: a full ring is no use of the budget. */
	if (!ml_proxy_charge(core)) {
		why = ML_LIB_CNT_BUDGET;
		goto drop;
	}
	r = next;
	*slot = r;
	r->proxy = core->id;
	r->type = type;
	r->words = bytes / 8;
	r->time_ns = monotonic(q, now);
	r->object = id;
	return true;
drop:
	ml_drop(core, why);
	return false;
}

/* Find an in-flight entry where the next one is in use. */
static noinline bool make_room(struct ml_queue *q, u64 now)
{
	bool room, again = false;
	s32 evicted;

	do {
		room = ml_inflight_make_room(&q->inflight, now, &evicted);
		if (evicted >= 0)
			ml_drop(q->session->attached[evicted],
				ML_LIB_CNT_DEADLINE);
		/* Behind a look that was put off, some wait to be freed. */
		again = !room && !again && drain(q, now);
	} while (again);
	return room;
}

/**
 * ml_queue_submit() - send a request
 * @q: the queue
 * @core: a proxy of the queue's session
 * @obj: advice index, checked
 * @id: random number for the object
 * @features: as the schema says
 * @timeout_us: zero, or how long the caller is going to wait
 *
 * Context: Any but NMI. RCU read lock held.
 * Return: the request's cookie, or 0 if it was dropped and counted.
 */
u64 ml_queue_submit(struct ml_queue *q, struct ml_proxy_core *core, u32 obj,
		    u64 id, const void *features, u32 timeout_us)
{
	u32 bytes = core->feature_bytes;
	struct ml_inflight_entry *e;
	struct ml_lib_request *r;
	unsigned long flags;
	u64 cookie = 0, now;

	raw_spin_lock_irqsave(&q->lock, flags);
	/* Under the lock, so that no request is younger than now. */
	now = local_clock();
	/* Where there are more than a batch, the next submission looks again. */
	if (now - q->looked_ns >= LOOK_NS && drain(q, now) < ML_DRAIN_BATCH)
		q->looked_ns = now;
	if (!reserve(q, core, ML_LIB_RECORD_REQUEST, bytes, id, now, &r))
		goto out;
	if (unlikely(!ml_inflight_has_room(&q->inflight)) && !make_room(q, now)) {
		ml_drop(core, ML_LIB_CNT_INFLIGHT_FULL);
		goto out;	/* an unpublished slot is simply used again */
	}
	e = ml_inflight_take(&q->inflight);
	cookie = e->cookie;
	r->cookie = cookie;
	memcpy(r->payload, features, bytes);
	ml_ring_prod_publish(&q->req, r);
	/*
	 * The agent can begin. Its decision waits for the lock, so the entry may
	 * be filled in while the slot's cache lines are on their way.
	 */
	e->time_ns = now;
	e->deadline_ns = now + (u64)NSEC_PER_USEC *
			 (timeout_us ?: READ_ONCE(core->deadline_us));
	e->obj = obj;
	e->gen = ml_advice_gen(core->advice, obj);
	e->slot = core->slot;
	e->wait = timeout_us ? ML_INFLIGHT_WAITING : ML_INFLIGHT_ASYNC;
	ml_count(core, ML_LIB_CNT_SUBMIT);
	wake(q);
	trace_ml_submit(core, obj, cookie);
out:
	raw_spin_unlock_irqrestore(&q->lock, flags);
	return cookie;
}

/**
 * ml_queue_report() - send a feedback record
 * @q: the queue
 * @core: a proxy of the queue's session
 * @cookie: the request it belongs to
 * @id: random number for the object
 * @fb: the feedback
 *
 * Context: Any but NMI. RCU read lock held.
 * Return: false if it was dropped and counted.
 */
bool ml_queue_report(struct ml_queue *q, struct ml_proxy_core *core, u64 cookie,
		     u64 id, const struct ml_lib_feedback *fb)
{
	struct ml_lib_request *r;
	unsigned long flags;
	bool room;

	BUILD_BUG_ON(sizeof(*fb) % 8);
	raw_spin_lock_irqsave(&q->lock, flags);
	room = reserve(q, core, ML_LIB_RECORD_FEEDBACK, sizeof(*fb), id,
		       local_clock(), &r);
	if (room) {
		r->cookie = cookie;
		memcpy(r->payload, fb, sizeof(*fb));
		ml_ring_prod_publish(&q->req, r);
		ml_count(core, ML_LIB_CNT_FEEDBACK);
		wake(q);
	}
	raw_spin_unlock_irqrestore(&q->lock, flags);
	return room;
}

/**
 * ml_queue_poll() - take in a few decisions, if there are any
 * @q: the queue
 *
 * Looks at one word if there is none, and leaves it to others if they hold the
 * lock.
 *
 * Context: Any but NMI. RCU read lock held.
 * Return: true if there were decisions.
 */
bool ml_queue_poll(struct ml_queue *q)
{
	unsigned long flags;
	bool found;

	/* Whoever moves the position meanwhile has taken them in. */
	if (!data_race(ml_ring_cons_peek(&q->dec, 0)))
		return false;
	if (!raw_spin_trylock_irqsave(&q->lock, flags))
		return false;
	found = drain(q, local_clock());
	raw_spin_unlock_irqrestore(&q->lock, flags);
	return found;
}

/**
 * ml_queue_kick() - drain on behalf of the agent
 * @q: the queue
 *
 * Bounded by the size of the ring, at the expense of the caller.
 *
 * Context: Process. May sleep.
 * Return: the number of decisions taken.
 */
u32 ml_queue_kick(struct ml_queue *q)
{
	u32 n, sum = 0;

	do {
		raw_spin_lock_irq(&q->lock);
		n = drain(q, local_clock());
		raw_spin_unlock_irq(&q->lock);
		sum += n;
		cond_resched();
	} while (n == ML_DRAIN_BATCH && sum <= q->dec.mask);
	return sum;
}

/**
 * ml_queue_purge() - forget requests
 * @q: the queue
 * @slot: those of this proxy slot, or -1 for all
 * @why: what their waiters are told to have been refused for
 *
 * Waiters are told, so none may begin to wait for these proxies any more: they
 * have been unpublished or turned off, and an RCU grace period has passed. Who only
 * submits to a proxy that is turned off may go on.
 *
 * Context: Process.
 */
void ml_queue_purge(struct ml_queue *q, int slot, enum ml_lib_counter why)
{
	raw_spin_lock_irq(&q->lock);
	for (u32 i = 0; i <= q->inflight.mask; i++) {
		struct ml_inflight_entry *e = &q->inflight.entry[i];

		if (i % ML_PURGE_BATCH == ML_PURGE_BATCH - 1) {
			raw_spin_unlock_irq(&q->lock);
			cond_resched();
			raw_spin_lock_irq(&q->lock);
		}
		if (slot >= 0 && e->slot != slot)
			continue;
		if (e->wait == ML_INFLIGHT_WAITING) {
			e->wait = ML_INFLIGHT_REFUSED;
			ml_drop(q->session->attached[e->slot], why);
		} else if (e->wait == ML_INFLIGHT_ASYNC) {
			e->cookie = 0;
		}
	}
	raw_spin_unlock_irq(&q->lock);
}

/**
 * ml_queue_ready() - is there something for the agent?
 * @q: the queue
 *
 * What is published after this sees need_wakeup as the caller of poll() left it,
 * and wakes the caller if there is nothing now. Also one who has been woken with
 * that number already: by a record that it took before poll() looked for it.
 *
 * Context: Process. Wrong while the agent moves on, which is its own affair.
 */
bool ml_queue_ready(struct ml_queue *q)
{
	bool ready;

	raw_spin_lock_irq(&q->lock);				/* (D) */
	ready = q->req.pos != READ_ONCE(q->rw->req_cons);
	if (!ready)
		q->woken = 0;
	raw_spin_unlock_irq(&q->lock);
	return ready;
}

/**
 * ml_queue_wait_begin() - ask the agent to kick as soon as it has decided
 * @q: the queue
 *
 * Context: Process. The caller drains before it sleeps.
 */
void ml_queue_wait_begin(struct ml_queue *q)
{
	raw_spin_lock_irq(&q->lock);
	q->waiters++;
	WRITE_ONCE(q->ro->need_kick, 1);
	raw_spin_unlock_irq(&q->lock);
	smp_mb();							/* (C) */
}

/**
 * ml_queue_wait_end() - stop waiting and forget the request
 * @q: the queue
 * @cookie: the request
 * @value: set to the packed outputs if there is an answer
 *
 * Context: Process.
 * Return: ML_INFLIGHT_ANSWERED; _REFUSED if there is no answer for a reason that
 * has been counted; _WAITING if none has come until now.
 */
enum ml_inflight_wait ml_queue_wait_end(struct ml_queue *q, u64 cookie,
					u32 *value)
{
	enum ml_inflight_wait wait = ML_INFLIGHT_REFUSED;
	struct ml_inflight_entry *e;

	raw_spin_lock_irq(&q->lock);
	e = ml_inflight_find(&q->inflight, cookie);
	if (e) {
		wait = e->wait;
		*value = e->value;
		e->cookie = 0;
		e->wait = ML_INFLIGHT_ASYNC;
	}
	if (!--q->waiters)
		WRITE_ONCE(q->ro->need_kick, 0);
	raw_spin_unlock_irq(&q->lock);
	return wait;
}

/**
 * ml_queue_settled() - drain, and is a request settled then?
 * @q: the queue
 * @cookie: the request
 *
 * The answer may be behind those of others, and nobody kicks again for it.
 *
 * Context: Process. Does not sleep.
 * Return: true if it was answered or refused.
 */
bool ml_queue_settled(struct ml_queue *q, u64 cookie)
{
	struct ml_inflight_entry *e;
	u32 n, sum = 0;
	bool settled;

	do {
		raw_spin_lock_irq(&q->lock);
		n = drain(q, local_clock());
		e = ml_inflight_find(&q->inflight, cookie);
		settled = !e || e->wait != ML_INFLIGHT_WAITING;
		raw_spin_unlock_irq(&q->lock);
		sum += n;
	} while (!settled && n == ML_DRAIN_BATCH && sum <= q->dec.mask);
	return settled;
}
