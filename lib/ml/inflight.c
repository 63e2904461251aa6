// SPDX-License-Identifier: GPL-2.0
/* The in-flight table. inflight.h explains cookies and the life of an entry. */

#include <linux/errno.h>
#include <linux/mm.h>
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
