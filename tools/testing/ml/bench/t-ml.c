// SPDX-License-Identifier: GPL-2.0
/*
 * ML_LIB: lib/ml as the kernel, libmlagent as the agent; and ring.h alone.
 *
 *	ml_lib		ml_submit() ... ml_advice_read(); both sides spin
 *	ml_lib-sleep	the same; the agent sleeps by the protocol of its library
 *	ml_report	ml_report(), which needs no answer; both sides spin
 *	ml_decide	the synchronous call; the caller sleeps, the agent spins
 *	ml_decide-sleep	both sleep
 *	ml_ring		the two rings without what the core does around them
 *	ml_ring+...	the same with one thing of a kernel's side, or of a peer's,
 *			that is otherwise, which shows what that costs
 */
#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"
#include "internal.h"
#include "kside.h"

struct ml {
	struct kside *k;
	struct mlagent agent;
	struct mlagent_queue queue;
	int agent_fd, answer_fd;
	bool agent_sleeps;
};

static void ring_bell(int fd)
{
	if (eventfd_write(fd, 1))
		err(2, "eventfd");
}

/* As session_wake(): whoever sleeps is woken. */
static void wake(void *arg)
{
	struct ml *m = arg;

	if (m->agent_sleeps)
		ring_bell(m->agent_fd);
	if (m->answer_fd >= 0)
		ring_bell(m->answer_fd);
}

static void wait_for_answer(void *arg)
{
	struct ml *m = arg;
	eventfd_t v;

	if (eventfd_read(m->answer_fd, &v))
		err(2, "eventfd");
}

static const char *ml_open_how(struct chan *c, bool agent_sleeps, bool caller_sleeps)
{
	struct ml *m = shared_zalloc(sizeof(*m));
	struct kside_map map;

	m->k = kside_new(1, RING_SLOTS, c->payload, &map);
	if (!m->k)
		return "no memory";
	m->agent_sleeps = agent_sleeps;
	m->agent_fd = eventfd(0, EFD_NONBLOCK);
	m->answer_fd = caller_sleeps ? eventfd(0, 0) : -1;
	kside_on_sleep(m->k, wake, caller_sleeps ? wait_for_answer : NULL, m);
	mlagent_queue_init(&m->queue, map.ro, map.rw, RING_SLOTS, map.slot_size);
	m->agent = (struct mlagent) {
		.fd = m->agent_fd, .nr_queues = 1, .queue = &m->queue,
		.setup.nr_slots = RING_SLOTS,
	};
	c->priv = m;
	return NULL;
}

static const char *ml_open(struct chan *c)
{
	return ml_open_how(c, false, false);
}

static const char *ml_sleep_open(struct chan *c)
{
	return ml_open_how(c, true, false);
}

static const char *decide_open(struct chan *c)
{
	return ml_open_how(c, false, true);
}

static const char *decide_sleep_open(struct chan *c)
{
	return ml_open_how(c, true, true);
}

static void ml_close(struct chan *c)
{
	struct ml *m = c->priv;

	kside_free(m->k);
	close(m->agent_fd);
	if (m->answer_fd >= 0)
		close(m->answer_fd);
}

static u32 ml_put(struct chan *c, u32 nr)
{
	struct ml *m = c->priv;
	u32 n;

	for (n = 0; n < nr; n++) {
		const struct record *r = next_record(c);

		if (!kside_submit(m->k, c->sent, r->word))
			break;
		c->sent++;
	}
	return n;
}

static void ml_sleep(struct ml *m)
{
	struct pollfd pfd = { .fd = m->agent.fd, .events = POLLIN };
	eventfd_t v;

	if (mlagent_sleep_begin(&m->agent) && !kside_ready(m->k)) {
		if (poll(&pfd, 1, -1) != 1)
			err(2, "poll");
		if (eventfd_read(m->agent.fd, &v))
			err(2, "eventfd");
	}
	mlagent_sleep_end(&m->agent);
}

static u32 report_put(struct chan *c, u32 nr)
{
	struct ml *m = c->priv;
	u32 n;

	for (n = 0; n < nr && kside_report(m->k, c->sent); n++)
		c->sent++;
	return n;
}

/* As the agent: copy the features into the batch, then give the slots back. */
static inline u32 take_records(struct chan *c, struct record *rec, u32 nr, bool feedback)
{
	const struct ml_lib_request *req[MAX_BATCH];
	struct ml *m = c->priv;
	u32 n = mlagent_peek_batch(&m->agent, 0, req, nr);

	for (u32 i = 0; i < n; i++) {
		rec[i].n = req[i]->object;
		rec[i].cookie = req[i]->cookie;
		rec[i].proxy = req[i]->proxy;
		memcpy(rec[i].word, req[i]->payload, c->payload);
		/* The inverted number is not the last that feedback has, but @extra. */
		if (feedback)
			rec[i].word[FEEDBACK_BYTES / 8 - 1] = rec[i].word[2];
		check_record(c, &rec[i]);
	}
	if (n)
		mlagent_release(&m->agent, 0, n);
	else if (m->agent_sleeps)
		ml_sleep(m);
	return n;
}

static u32 ml_take(struct chan *c, struct record *rec, u32 nr)
{
	return take_records(c, rec, nr, false);
}

static u32 report_take(struct chan *c, struct record *rec, u32 nr)
{
	return take_records(c, rec, nr, true);
}

static bool ml_ready(struct chan *c, u32 nr)
{
	struct ml *m = c->priv;

	return mlagent_peek(&m->agent, 0, nr - 1);
}

static void ml_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct ml_lib_decision dec[MAX_BATCH];
	struct ml *m = c->priv;
	u32 done = 0;

	for (u32 n = 0; n < nr; n++)
		dec[n] = (struct ml_lib_decision) {
			.cookie = rec[n].cookie,
			.out = { answer_to(rec[n].n), rec[n].n & 63 },
		};
	while (done < nr) {
		int n = mlagent_decide_batch(&m->agent, 0, dec + done, nr - done);

		done += n > 0 ? n : 0;
	}
	if (mlagent_kick_due(&m->agent, 0, clock_ns(CLOCK_MONOTONIC)))
		kside_kick(m->k, 0);
}

/* What was decided became advice, also while requests were submitted. */
static u32 ml_fetch(struct chan *c, u32 nr)
{
	struct ml *m = c->priv;
	u64 got = c->got;
	u32 drained;
	s32 out[2];

	(void)nr;
	kside_poll(m->k);
	drained = kside_drained(m->k, 0);
	while ((u32)c->got != drained) {
		bool valid = kside_advice(m->k, c->got, out);

		check_answer(c, c->got, valid ? (u32)out[0] : ~0U);
	}
	return c->got - got;
}

static void decide_rtt(struct chan *c, u32 nr, u32 *ns)
{
	struct ml *m = c->priv;

	for (u32 i = 0; i < nr; i++) {
		u64 t = tsc();
		const struct record *r = next_record(c);
		s32 out[2] = { -1 };

		kside_decide(m->k, c->sent, r->word, out);
		check_answer(c, c->sent++, out[0]);
		ns[i] = tsc_ns(tsc() - t);
	}
}

static const struct ops ml_lib = {
	.name = "ml_lib", .open = ml_open, .close = ml_close,
	.put = ml_put, .ready = ml_ready, .take = ml_take, .reply = ml_reply,
	.fetch = ml_fetch,
};

static const struct ops ml_report_ops = {
	.name = "ml_report", .payload = FEEDBACK_BYTES, .put_only = true,
	.note = "ml_report: feedback records of 48 bytes, the one thing that goes up and needs no answer",
	.open = ml_open, .close = ml_close,
	.put = report_put, .ready = ml_ready, .take = report_take,
};

static const struct ops ml_lib_sleep = {
	.name = "ml_lib-sleep", .sleeps = true, .rtt_only = true,
	.note = "ml_lib-sleep: the agent sleeps in poll() and is woken, unless the next request is there before",
	.open = ml_sleep_open, .close = ml_close,
	.put = ml_put, .take = ml_take, .reply = ml_reply, .fetch = ml_fetch,
};

static const struct ops ml_decide_spin = {
	.name = "ml_decide", .sleeps = true, .rtt_only = true,
	.note = "ml_decide: the caller sleeps, the agent spins and kicks",
	.open = decide_open, .close = ml_close,
	.take = ml_take, .reply = ml_reply, .rtt = decide_rtt,
};

static const struct ops ml_decide_sleep = {
	.name = "ml_decide-sleep", .sleeps = true, .rtt_only = true,
	.note = "ml_decide-sleep: caller and agent sleep",
	.open = decide_sleep_open, .close = ml_close,
	.take = ml_take, .reply = ml_reply, .rtt = decide_rtt,
};

/*
 * What is added to ring.h: the barrier and the look at the peer's flag after each
 * record, by which both sides can sleep (C) and which ML_LIB does without; the lock
 * by which any context can submit; the clock, for deadline and latency.
 */
#define WITH_BARRIER	1
#define WITH_LOCK	2
#define WITH_CLOCK	4

/* ring.h alone: slots as those of ML_LIB, content straight into and out of it */
struct rings {
	_Alignas(128) u32 up_cons;
	_Alignas(128) u32 down_cons;
	_Alignas(128) u32 asleep;
	_Alignas(128) struct ml_ring_prod up_prod;
	struct ml_ring_cons down_take;
	u32 with, lock;
	u64 now;
	_Alignas(128) struct ml_ring_cons up_take;
	struct ml_ring_prod down_prod;
};

static const char *ring_open_with(struct chan *c, u32 with)
{
	u32 size = (c->bytes + 63) & ~63U;
	struct rings *r = shared_zalloc(sizeof(*r));
	void *up = shared_zalloc((size_t)size * RING_SLOTS);
	void *down = shared_zalloc(sizeof(struct ml_lib_decision) * RING_SLOTS);

	r->up_prod = (struct ml_ring_prod) {
		.slots = up, .cons = &r->up_cons, .mask = RING_SLOTS - 1,
		.slot_size = size,
	};
	r->up_take = (struct ml_ring_cons) {
		.slots = up, .cons = &r->up_cons, .mask = RING_SLOTS - 1,
		.slot_size = size,
	};
	r->down_prod = (struct ml_ring_prod) {
		.slots = down, .cons = &r->down_cons, .mask = RING_SLOTS - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
	r->down_take = (struct ml_ring_cons) {
		.slots = down, .cons = &r->down_cons, .mask = RING_SLOTS - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
	r->with = with;
	c->priv = r;
	return NULL;
}

static const char *ring_open(struct chan *c)
{
	return ring_open_with(c, 0);
}

static const char *ring_barrier_open(struct chan *c)
{
	return ring_open_with(c, WITH_BARRIER);
}

static const char *ring_lock_open(struct chan *c)
{
	return ring_open_with(c, WITH_LOCK);
}

static const char *ring_clock_open(struct chan *c)
{
	return ring_open_with(c, WITH_LOCK | WITH_CLOCK);
}

/* Begin and end what the core does under a queue's lock; nobody contends. */
static inline void ring_begin(struct rings *r)
{
	if (r->with & WITH_LOCK)
		while (__atomic_exchange_n(&r->lock, 1, __ATOMIC_ACQUIRE))
			;
	if (r->with & WITH_CLOCK)
		r->now = __rdtsc();	/* as local_clock(): no fence */
}

static inline void ring_end(struct rings *r)
{
	if (r->with & WITH_LOCK)
		smp_store_release(&r->lock, 0);
}

static u32 ring_put(struct chan *c, u32 nr)
{
	struct rings *r = c->priv;
	void *slot;
	u32 n;

	for (n = 0; n < nr; n++) {
		const struct record *rec = next_record(c);
		struct ml_lib_request *req;

		ring_begin(r);
		if (ml_ring_prod_next(&r->up_prod, &slot)) {
			ring_end(r);
			break;
		}
		req = slot;
		req->cookie = rec->cookie;
		req->time_ns = r->now;
		req->object = rec->n;
		memcpy(req->payload, rec->word, c->payload);
		ml_ring_prod_publish(&r->up_prod, slot);
		if (r->with & WITH_BARRIER) {
			smp_mb();
			if (READ_ONCE(r->asleep))
				errx(2, "nobody sleeps here");
		}
		ring_end(r);
		c->sent++;
	}
	return n;
}

static u32 ring_take(struct chan *c, struct record *rec, u32 nr)
{
	struct rings *r = c->priv;
	u32 n;

	for (n = 0; n < nr; n++) {
		const struct ml_lib_request *req = ml_ring_cons_peek(&r->up_take, n);

		if (!req)
			break;
		rec[n].n = req->object;
		rec[n].cookie = req->cookie;
		memcpy(rec[n].word, req->payload, c->payload);
		check_record(c, &rec[n]);
	}
	if (n)
		ml_ring_cons_release(&r->up_take, n);
	return n;
}

static bool ring_ready(struct chan *c, u32 nr)
{
	struct rings *r = c->priv;

	return ml_ring_cons_peek(&r->up_take, nr - 1);
}

static void ring_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct rings *r = c->priv;
	void *slot;

	for (u32 n = 0; n < nr; n++) {
		struct ml_lib_decision *d;

		while (ml_ring_prod_next(&r->down_prod, &slot))
			;
		d = slot;
		d->cookie = rec[n].n;
		d->out[0] = answer_to(rec[n].n);
		ml_ring_prod_publish(&r->down_prod, slot);
	}
}

static u32 ring_fetch(struct chan *c, u32 nr)
{
	struct rings *r = c->priv;
	u32 n;

	if (!ml_ring_cons_peek(&r->down_take, 0))
		return 0;
	ring_begin(r);
	for (n = 0; n < nr; n++) {
		const struct ml_lib_decision *d = ml_ring_cons_peek(&r->down_take, n);

		if (!d)
			break;
		check_answer(c, d->cookie, (u32)d->out[0]);
	}
	if (n)
		ml_ring_cons_release(&r->down_take, n);
	ring_end(r);
	return n;
}

static const struct ops ml_ring = {
	.name = "ml_ring", .open = ring_open, .put_only = true,
	.note = "ml_ring: ring.h alone, no lock, checks, clock or in-flight table",
	.put = ring_put, .ready = ring_ready, .take = ring_take,
	.reply = ring_reply, .fetch = ring_fetch,
};

static const struct ops ml_ring_eager = {
	.name = "ml_ring+eager", .open = ring_open, .few = true,
	.note = "ml_ring+eager: the peer takes what is there, not a whole batch",
	.put = ring_put, .take = ring_take, .reply = ring_reply,
	.fetch = ring_fetch,
};

static const struct ops ml_ring_barrier = {
	.name = "ml_ring+barrier", .open = ring_barrier_open, .few = true,
	.note = "ml_ring+barrier: a full barrier and a look at the peer's flag after each record",
	.put = ring_put, .ready = ring_ready, .take = ring_take,
	.reply = ring_reply, .fetch = ring_fetch,
};

static const struct ops ml_ring_lock = {
	.name = "ml_ring+lock", .open = ring_lock_open, .few = true,
	.note = "ml_ring+lock: a lock around each record and each batch of decisions",
	.put = ring_put, .ready = ring_ready, .take = ring_take,
	.reply = ring_reply, .fetch = ring_fetch,
};

static const struct ops ml_ring_clock = {
	.name = "ml_ring+clock", .open = ring_clock_open, .few = true,
	.note = "ml_ring+clock: the same lock, and the cycle counter, read under it",
	.put = ring_put, .ready = ring_ready, .take = ring_take,
	.reply = ring_reply, .fetch = ring_fetch,
};

const struct ops *const ml_ops[] = {
	&ml_lib, &ml_report_ops, &ml_ring, &ml_ring_eager, &ml_ring_barrier, &ml_ring_lock,
	&ml_ring_clock, &ml_lib_sleep, &ml_decide_spin, &ml_decide_sleep, NULL
};
