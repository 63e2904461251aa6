// SPDX-License-Identifier: GPL-2.0
/* The in-flight table. inflight.h explains cookies and the life of an entry. */

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/random.h>
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
	*t = (struct ml_inflight){ .mask = nr - 1 };
	/*
	 * Clients may still report with the cookies of the session before, so
	 * begin somewhere else. No cookie is zero.
	 */
	t->next = (u64)queue << 48 | get_random_u64() >> 17 | 1;
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
 * ml_inflight_make_room() - look for an entry to be taken
 * @t: the table
 * @now: time in ns
 * @evicted: set to the proxy slot of an overdue entry that had to go, or -1
 *
 * Steps over a few entries that are still in use.
 *
 * Context: Any, under the queue's lock.
 * Return: true if there is room now.
 */
bool ml_inflight_make_room(struct ml_inflight *t, u64 now, s32 *evicted)
{
	*evicted = -1;
	for (int probe = 0; probe < ML_INFLIGHT_PROBES; probe++, t->next++) {
		struct ml_inflight_entry *e = &t->entry[t->next & t->mask];

		if (!e->cookie)
			return true;
		if (now > e->deadline_ns && !ml_inflight_settled(e)) {
			*evicted = e->slot;
			e->cookie = 0;
			return true;
		}
	}
	return false;
}
