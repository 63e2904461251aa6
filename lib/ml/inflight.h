/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In-flight table: the requests of a queue that wait for a decision.
 *
 * Protected by the queue's lock. An entry names what it is for by indices and a
 * generation, never by a pointer. Its cookie goes out with the request and has
 * to come back unchanged:
 *
 *	63    48 47                       0
 *	+-------+-----------------+-------+	index has as many bits as the
 *	| queue |   generation    | index |	number of entries needs, and
 *	+-------+-----------------+-------+	cookies are counted up
 *
 * An entry is freed by the first decision that names its cookie, so a second
 * one, or one for an entry that has been given away since, does not match. An
 * entry whose deadline has passed can be given away, unless it is settled and
 * somebody who waited is about to fetch the answer. That frees it.
 */
#ifndef _ML_INFLIGHT_H
#define _ML_INFLIGHT_H

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
 * @next: cookie of the next request, and by that the next entry
 */
struct ml_inflight {
	struct ml_inflight_entry *entry;
	u32 mask;
	u64 next;
};

/* How many entries ml_inflight_make_room() looks at. */
#define ML_INFLIGHT_PROBES	8

int ml_inflight_init(struct ml_inflight *t, u16 queue, u32 nr);
void ml_inflight_destroy(struct ml_inflight *t);
bool ml_inflight_make_room(struct ml_inflight *t, u64 now, s32 *evicted);

/* What follows is on the path of every request, hence inline. */

/**
 * ml_inflight_has_room() - is the next entry free?
 * @t: the table
 *
 * Decisions come back roughly in order, so that it usually is; otherwise see
 * ml_inflight_make_room().
 *
 * Context: Any, under the queue's lock.
 * Return: true if ml_inflight_take() can take it.
 */
static inline bool ml_inflight_has_room(const struct ml_inflight *t)
{
	return !t->entry[t->next & t->mask].cookie;
}

/**
 * ml_inflight_take() - take the next entry
 * @t: the table; there is room
 *
 * Context: Any, under the queue's lock.
 * Return: the entry, with its cookie set.
 */
static inline struct ml_inflight_entry *ml_inflight_take(struct ml_inflight *t)
{
	struct ml_inflight_entry *e = &t->entry[t->next & t->mask];

	e->cookie = t->next++;
	return e;
}

/**
 * ml_inflight_find() - find the entry that a cookie names
 * @t: the table
 * @cookie: what the agent sent
 *
 * The mask bounds the index, also of speculative loads.
 *
 * Context: Any, under the queue's lock.
 * Return: the entry, or NULL. The caller frees it by clearing its cookie.
 */
static inline struct ml_inflight_entry *
ml_inflight_find(struct ml_inflight *t, u64 cookie)
{
	struct ml_inflight_entry *e = &t->entry[cookie & t->mask];

	return cookie && e->cookie == cookie ? e : NULL;
}

#endif /* _ML_INFLIGHT_H */
