/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In-flight table: the requests of a queue that wait for a decision.
 *
 * Protected by the queue's lock. An entry names what it is for by indices and a
 * generation, never by a pointer. Its cookie goes out with the request and has
 * to come back unchanged:
 *
 *	63    48 47    32 31             0
 *	+-------+--------+----------------+
 *	| queue | index  |      seq       |	seq is never 0
 *	+-------+--------+----------------+
 *
 * An entry is freed by the first decision that names its cookie, so a second
 * one, or one for an entry that has been given away since, does not match. An
 * entry whose deadline has passed can be given away, unless it is settled and
 * somebody who waited is about to fetch the answer. That frees it.
 */
#ifndef _ML_INFLIGHT_H
#define _ML_INFLIGHT_H

#include <linux/nospec.h>
#include <linux/types.h>

/**
 * struct ml_inflight_entry - a request that waits for a decision, half a line
 * @cookie: zero if the entry is free
 * @time_ns: when it was submitted
 * @deadline_ns: when it is too late
 * @obj: advice index
 * @value: instead of it, the answer for a waiter, packed
 * @gen: generation of the advice
 * @slot: which of the session's proxies
 * @wait: somebody waits for the answer (enum ml_inflight_wait)
 */
struct ml_inflight_entry {
	u64 cookie;
	u64 time_ns;
	u64 deadline_ns;
	union {
		u32 obj;
		u32 value;
	};
	u16 gen;
	u8 slot;
	u8 wait;
};

/**
 * enum ml_inflight_wait - is an entry synchronous? From ANSWERED on it is settled.
 * @ML_INFLIGHT_ASYNC: no: the decision becomes advice
 * @ML_INFLIGHT_WAITING: yes, and its answer has not come
 * @ML_INFLIGHT_ANSWERED: yes, and @value is the answer
 * @ML_INFLIGHT_REFUSED: yes, and there will be no answer
 */
enum ml_inflight_wait {
	ML_INFLIGHT_ASYNC,
	ML_INFLIGHT_WAITING,
	ML_INFLIGHT_ANSWERED,
	ML_INFLIGHT_REFUSED,
};

/* Has the answer come, or is there none to come, and the waiter has not seen it? */
static inline bool ml_inflight_settled(const struct ml_inflight_entry *e)
{
	return e->wait >= ML_INFLIGHT_ANSWERED;
}

/**
 * struct ml_inflight - in-flight table
 * @entry: the entries
 * @mask: their number - 1
 * @next: where to look for a free entry
 * @seq: last sequence number given out
 * @queue: index of the queue
 */
struct ml_inflight {
	struct ml_inflight_entry *entry;
	u32 mask;
	u32 next;
	u32 seq;
	u16 queue;
};

/* How many entries ml_inflight_take() looks at. */
#define ML_INFLIGHT_PROBES	8

int ml_inflight_init(struct ml_inflight *t, u16 queue, u32 nr);
void ml_inflight_destroy(struct ml_inflight *t);

/* Both are on the path of every request, hence inline. */

/**
 * ml_inflight_take() - take an entry
 * @t: the table
 * @now: time in ns
 * @evicted: set to the proxy slot of an overdue entry that had to go, or -1
 *
 * Decisions come back roughly in order, so the entries are taken in turn; a few
 * that are still in use are stepped over.
 *
 * Context: Any, under the queue's lock.
 * Return: an entry with its cookie set, or NULL if none is free.
 */
static inline struct ml_inflight_entry *
ml_inflight_take(struct ml_inflight *t, u64 now, s32 *evicted)
{
	*evicted = -1;
	for (int probe = 0; probe < ML_INFLIGHT_PROBES; probe++) {
		u32 index = t->next++ & t->mask;
		struct ml_inflight_entry *e = &t->entry[index];

		if (e->cookie) {
			if (now <= e->deadline_ns || ml_inflight_settled(e))
				continue;
			*evicted = e->slot;
		}
		if (!++t->seq)
			t->seq = 1;
		e->cookie = (u64)t->queue << 48 | (u64)index << 32 | t->seq;
		return e;
	}
	return NULL;
}

/**
 * ml_inflight_find() - find the entry that a cookie names
 * @t: the table
 * @cookie: what the agent sent
 *
 * Context: Any, under the queue's lock.
 * Return: the entry, or NULL. The caller frees it by clearing its cookie.
 */
static inline struct ml_inflight_entry *
ml_inflight_find(struct ml_inflight *t, u64 cookie)
{
	u32 index = (cookie >> 32) & 0xffff;
	struct ml_inflight_entry *e;

	if (!cookie || index > t->mask)
		return NULL;
	index = array_index_nospec(index, t->mask + 1);
	e = &t->entry[index];
	return e->cookie == cookie ? e : NULL;
}

#endif /* _ML_INFLIGHT_H */
