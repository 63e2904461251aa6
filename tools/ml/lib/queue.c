// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Queues: the agent's half of the rings, and the two wake-up protocols.
 *
 * Sleeping. An odd need_wakeup asks the kernel for one wake-up; each sleep uses
 * a new odd number, so the kernel can tell a new request to be woken from one
 * that it has already answered. Between that store and the sleep there has to be
 * a poll(), (D) of ring.h: either the kernel sees the number, or poll() sees the
 * record. The look at the rings before it mostly saves the call; with a barrier it
 * is (C), all that a stand-in for the kernel without the lock needs.
 *
 * Kicking. Decisions are fetched for free whenever the kernel submits to the
 * same queue. KICK is for the other times: a thread sleeps for the decision
 * (need_kick, with barrier (C) of ring.h), or nothing has been
 * submitted for a while.
 */
#include <string.h>

#include "internal.h"

#define LINE	64	/* or a multiple of it */

void mlagent_queue_init(struct mlagent_queue *q, const void *ro, void *rw,
			u32 nr_slots, u32 slot_size)
{
	memset(q, 0, sizeof(*q));
	q->ro = ro;
	q->rw = rw;
	q->req = (struct ml_ring_cons) {
		.slots = q->ro->req,
		.cons = &q->rw->req_cons,
		.mask = nr_slots - 1,
		.slot_size = slot_size,
	};
	q->dec = (struct ml_ring_prod) {
		.slots = q->rw->dec,
		.cons = &q->ro->dec_cons,
		.mask = nr_slots - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
}

uint32_t mlagent_nr_queues(const struct mlagent *agent)
{
	return agent->nr_queues;
}

uint32_t mlagent_nr_slots(const struct mlagent *agent)
{
	return agent->setup.nr_slots;
}

const struct ml_lib_request *mlagent_peek(const struct mlagent *agent,
					  uint32_t queue, uint32_t ahead)
{
	return ml_ring_cons_peek(&agent->queue[queue].req, ahead);
}

static void fetch(const struct ml_ring_cons *r, u32 ahead, u32 off)
{
	const char *slot = (const char *)r->slots +
			   (size_t)((r->pos + ahead) & r->mask) * r->slot_size;

	for (; off < r->slot_size; off += LINE)
		__builtin_prefetch(slot + off);
}

/*
 * A line that the kernel wrote last takes as long to come as some hundred
 * instructions, so many are asked for at a time: those of the records behind
 * these come while these are worked on. A line that is still to be written had
 * better stay with the kernel; so all depends on the last one of them, which
 * the call before has asked for.
 */
uint32_t mlagent_peek_batch(const struct mlagent *agent, uint32_t queue,
			    const struct ml_lib_request **req, uint32_t max)
{
	const struct ml_ring_cons *r = &agent->queue[queue].req;
	u32 n, i;

	for (n = 0; n < max; n++) {
		req[n] = ml_ring_cons_peek(r, n);
		if (!req[n])
			return n;
		fetch(r, n, LINE);
	}
	if (ml_ring_cons_peek(r, 2 * max - 1)) {
		for (i = max; i < 2 * max; i++)
			fetch(r, i, 0);
		fetch(r, 3 * max - 1, 0);
	}
	return n;
}

void mlagent_release(struct mlagent *agent, uint32_t queue, uint32_t nr)
{
	ml_ring_cons_release(&agent->queue[queue].req, nr);
}

int mlagent_decide(struct mlagent *agent, uint32_t queue, uint64_t cookie,
		   uint32_t flags, const int32_t *out, uint32_t nr)
{
	struct mlagent_queue *q = &agent->queue[queue];
	struct ml_lib_decision *dec;
	void *slot;
	int err;

	err = ml_ring_prod_next(&q->dec, &slot);
	if (err)
		return err;

	dec = slot;
	dec->flags = flags;
	dec->cookie = cookie;
	for (u32 i = 0; i < ML_LIB_MAX_OUTPUTS; i++)
		dec->out[i] = i < nr ? out[i] : 0;
	ml_ring_prod_publish(&q->dec, slot);
	return 0;
}

static inline void claim(const struct ml_ring_prod *r, u32 ahead)
{
	prefetchw((char *)r->slots +
		  (size_t)((r->pos + ahead) & r->mask) * r->slot_size);
}

/*
 * The kernel looks at the next decision whenever it submits: to take that line
 * away for as long as a model runs would cost it a miss.
 */
void mlagent_decide_soon(struct mlagent *agent, uint32_t queue, uint32_t nr)
{
	const u32 step = LINE / sizeof(struct ml_lib_decision);

	for (u32 i = step; i < nr; i += step)
		claim(&agent->queue[queue].dec, i);
}

void mlagent_decide_now(struct mlagent *agent, uint32_t queue)
{
	claim(&agent->queue[queue].dec, 0);
}

int mlagent_decide_batch(struct mlagent *agent, uint32_t queue,
			 const struct ml_lib_decision *dec, uint32_t nr)
{
	struct ml_ring_prod *r = &agent->queue[queue].dec;

	for (u32 i = 0; i < nr; i++) {
		const size_t seq = sizeof(dec[i].seq);
		void *slot;
		int err = ml_ring_prod_next(r, &slot);

		if (err)
			return i ? (int)i : err;
		memcpy((char *)slot + seq, (const char *)&dec[i] + seq,
		       sizeof(dec[i]) - seq);
		ml_ring_prod_publish(r, slot);
	}
	return nr;
}

uint32_t mlagent_pending(const struct mlagent *agent, uint32_t queue)
{
	const struct mlagent_queue *q = &agent->queue[queue];

	return q->dec.pos - READ_ONCE(q->ro->dec_cons);
}

/*
 * Each load of the kernel's position takes that cache line away from the kernel,
 * which has to get it back before it can go on. So look only when somebody
 * sleeps, or once in MLAGENT_KICK_NS.
 */
bool mlagent_kick_due(struct mlagent *agent, uint32_t queue, uint64_t now_ns)
{
	struct mlagent_queue *q = &agent->queue[queue];
	bool waiting;
	u32 cons;

	smp_mb();							/* (C) */
	waiting = READ_ONCE(q->ro->need_kick);
	if (!waiting && q->seen == q->dec.pos)
		return false;
	if (!waiting && !q->seen_ns) {
		q->seen_ns = now_ns;
		return false;
	}
	if (!waiting && now_ns - q->seen_ns < MLAGENT_KICK_NS)
		return false;

	cons = READ_ONCE(q->ro->dec_cons);
	if (cons == q->dec.pos) {
		q->seen = cons;
		q->seen_ns = 0;
		return false;
	}
	if (!waiting && cons != q->seen) {
		q->seen = cons;
		q->seen_ns = now_ns;
		return false;
	}
	q->seen_ns = 0;
	return true;
}

bool mlagent_sleep_begin(struct mlagent *agent)
{
	u32 i;

	for (i = 0; i < agent->nr_queues; i++) {
		struct mlagent_queue *q = &agent->queue[i];

		q->sleep |= 1;
		WRITE_ONCE(q->rw->need_wakeup, q->sleep);
	}

	smp_mb();							/* (C) */

	for (i = 0; i < agent->nr_queues; i++)
		if (mlagent_peek(agent, i, 0))
			return false;
	return true;
}

void mlagent_sleep_end(struct mlagent *agent)
{
	for (u32 i = 0; i < agent->nr_queues; i++) {
		struct mlagent_queue *q = &agent->queue[i];

		q->sleep++;
		WRITE_ONCE(q->rw->need_wakeup, q->sleep);
	}
}

int mlagent_state(const struct mlagent *agent)
{
	const struct ml_lib_queue_ro *ro = agent->queue[0].ro;

	switch (READ_ONCE(ro->state)) {
	case ML_LIB_SESSION_RUNNING:
		return READ_ONCE(ro->epoch) == agent->epoch ? 0 : -ESTALE;
	case ML_LIB_SESSION_BROKEN:
		return -EPROTO;
	default:
		return -ESHUTDOWN;
	}
}
