// SPDX-License-Identifier: GPL-2.0
/* The in-flight table. inflight.h explains cookies and the life of an entry. */

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "inflight.h"

/**
 * ml_inflight_init() - make an empty table
 * @t: the table
 * @queue: index of the queue
 * @nr: number of entries, a power of two, at most 65536
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int ml_inflight_init(struct ml_inflight *t, u16 queue, u32 nr)
{
	*t = (struct ml_inflight){ .mask = nr - 1, .queue = queue };
	t->entry = kvcalloc(nr, sizeof(*t->entry), GFP_KERNEL_ACCOUNT);
	return t->entry ? 0 : -ENOMEM;
}

/**
 * ml_inflight_destroy() - free what ml_inflight_init() made
 * @t: the table
 */
void ml_inflight_destroy(struct ml_inflight *t)
{
	kvfree(t->entry);
}

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
struct ml_inflight_entry *ml_inflight_take(struct ml_inflight *t, u64 now,
					   s32 *evicted)
{
	*evicted = -1;
	for (int probe = 0; probe < ML_INFLIGHT_PROBES; probe++) {
		u32 index = t->next++ & t->mask;
		struct ml_inflight_entry *e = &t->entry[index];

		if (e->cookie) {
			if (now <= e->deadline_ns)
				continue;
			/* A synchronous one that is settled has been counted. */
			if (e->wait <= ML_INFLIGHT_WAITING)
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
struct ml_inflight_entry *ml_inflight_find(struct ml_inflight *t, u64 cookie)
{
	u32 index = (cookie >> 32) & 0xffff;
	struct ml_inflight_entry *e;

	if (!cookie || index > t->mask)
		return NULL;
	index = array_index_nospec(index, t->mask + 1);
	e = &t->entry[index];
	return e->cookie == cookie ? e : NULL;
}
