/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring: fixed-size slots, one producer, one consumer, one of them hostile.
 *
 * This file is the ordering contract between kernel and agent, and both sides
 * are built from it: lib/ml uses it as the producer of requests and consumer of
 * decisions, tools/ml the other way round. Producers that share a ring take
 * turns under a lock of their own; the ring knows of one.
 *
 * A position is a free-running u32; position & mask selects the slot. The first
 * word of a slot is its sequence:
 *
 *	producer				consumer
 *
 *	if (pos - cons >= size)			if (seq != pos + 1)
 *		LOAD-ACQUIRE cons	(B)		LOAD-ACQUIRE seq  (A)
 *	write slot				read slot
 *	STORE-RELEASE seq = pos + 1	(A)	STORE-RELEASE cons	(B)
 *
 * (A) orders the slot's content before its sequence: a consumer that sees the
 *     sequence sees the content.
 * (B) orders the consumer's reads before the slot is written again.
 *
 * Before it sleeps, a side raises a flag in a word of its own; the other side
 * looks at the flag after it has published. A consumer without a lock in common
 * with the producer (the kernel, waiting for a decision) does it so:
 *
 *	store flag				STORE-RELEASE seq
 *	smp_mb()			(C)	smp_mb()		(C)
 *	LOAD-ACQUIRE seq; sleep if none		load flag; wake up if set
 *
 * (C) is the store-buffering pattern: at least one side sees what the other
 *     wrote, so a wake-up is never lost.
 *
 * The kernel publishes requests under a lock, and the agent cannot sleep without
 * the kernel. So there the sleeper pays, and no submission has a barrier:
 *
 *	store flag				lock
 *	poll(): lock			(D)	STORE-RELEASE seq
 *		load position			load flag; wake up if set
 *		unlock				unlock			(D)
 *	sleep if nothing was published
 *
 * (D) whoever has the lock second sees what the first wrote before.
 *
 * tools/testing/ml/wakeup.pml is a model of both.
 *
 * What the peer writes is the consumer's position (towards a producer) and
 * sequences and content (towards a consumer). Each is loaded once. A position
 * that claims more than was produced is refused with -EPROTO. A forged sequence
 * only makes garbage available early, and garbage is what content has to be
 * taken for anyway: copy a slot, then validate the copy. Positions, mask and
 * slot size are private to each side and never read from shared memory.
 */
#ifndef _ML_RING_H
#define _ML_RING_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/prefetch.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/rwonce.h>
#else
#include "ml_kernel.h"		/* the same names in user space */
#endif

/*
 * How many slots ahead a producer asks for the cache lines that it is going to
 * write. They are with the consumer. Where caches are far apart, fewer would come
 * too late, and the lock of the next submission waits for them; where they are
 * near, the consumer's prefetcher takes back what was asked for much earlier.
 */
#define ML_RING_AHEAD	4
#define ML_RING_LINE	64	/* bytes; where lines are longer, one is asked for twice */

/**
 * struct ml_ring_prod - private state of a producer
 * @slots: first slot
 * @cons: where the consumer publishes its position
 * @mask: number of slots - 1
 * @slot_size: distance of slots in bytes
 * @pos: position to be written next
 * @seen: consumer position last loaded
 */
struct ml_ring_prod {
	void *slots;
	const u32 *cons;
	u32 mask;
	u32 slot_size;
	u32 pos;
	u32 seen;
};

/**
 * struct ml_ring_cons - private state of a consumer
 * @slots: first slot
 * @cons: where to publish the position
 * @mask: number of slots - 1
 * @slot_size: distance of slots in bytes
 * @pos: position to be read next
 */
struct ml_ring_cons {
	const void *slots;
	u32 *cons;
	u32 mask;
	u32 slot_size;
	u32 pos;
};

/**
 * ml_ring_prod_next() - get the slot to write next
 * @r: the producer
 * @slot: set to the slot; its first word is not to be written
 *
 * Return: 0, -ENOSPC if the ring is full, -EPROTO if the consumer's position is
 * impossible.
 */
static inline int ml_ring_prod_next(struct ml_ring_prod *r, void **slot)
{
	if (r->pos - r->seen > r->mask) {
		r->seen = smp_load_acquire(r->cons);			/* (B) */
		if (r->pos - r->seen > r->mask + 1)
			return -EPROTO;
		if (r->pos - r->seen > r->mask)
			return -ENOSPC;
	}
	*slot = (char *)r->slots + (size_t)(r->pos & r->mask) * r->slot_size;
	return 0;
}

/**
 * ml_ring_prod_publish() - hand the slot from ml_ring_prod_next() over
 * @r: the producer
 * @slot: the slot
 */
static inline void ml_ring_prod_publish(struct ml_ring_prod *r, void *slot)
{
	u32 size = r->slot_size;
	char *ahead = (char *)r->slots +
		      (size_t)((r->pos + ML_RING_AHEAD) & r->mask) * size;

	r->pos++;
	smp_store_release((u32 *)slot, r->pos);				/* (A) */
	prefetchw(ahead);
	prefetchw(ahead + size - 1);
	for (u32 at = ML_RING_LINE; at + ML_RING_LINE < size; at += ML_RING_LINE)
		prefetchw(ahead + at);
}

/**
 * ml_ring_cons_peek() - get a slot that is ready
 * @r: the consumer
 * @ahead: how many slots behind the first, less than the ring's size
 *
 * Return: the slot, or NULL if it is not ready.
 */
static inline const void *ml_ring_cons_peek(const struct ml_ring_cons *r,
					    u32 ahead)
{
	u32 pos = r->pos + ahead;
	const void *slot = (const char *)r->slots +
			   (size_t)(pos & r->mask) * r->slot_size;

	if (smp_load_acquire((const u32 *)slot) != pos + 1)		/* (A) */
		return NULL;
	return slot;
}

/**
 * ml_ring_cons_release() - give slots back to the producer
 * @r: the consumer
 * @n: how many, at most as many as were peeked at
 */
static inline void ml_ring_cons_release(struct ml_ring_cons *r, u32 n)
{
	r->pos += n;
	smp_store_release(r->cons, r->pos);				/* (B) */
}

#endif /* _ML_RING_H */
