// SPDX-License-Identifier: GPL-2.0
/* The advice table. advice.h explains the words. */

#include <linux/mm.h>
#include <linux/overflow.h>

#include "advice.h"

/**
 * ml_advice_alloc() - make an empty table
 * @nr: number of objects
 *
 * Context: May sleep.
 * Return: the table, or NULL.
 */
struct ml_advice *ml_advice_alloc(u32 nr)
{
	struct ml_advice *a = kvzalloc(struct_size(a, object, nr), GFP_KERNEL);

	if (a)
		a->nr = nr;
	return a;
}

/**
 * ml_advice_free() - free a table
 * @a: the table, or NULL
 */
void ml_advice_free(struct ml_advice *a)
{
	kvfree(a);
}

/**
 * ml_advice_renew() - give an index to another object
 * @a: the table
 * @obj: the index, less than @a->nr
 *
 * Drops the advice and moves on to the next generation.
 *
 * Context: Any.
 */
void ml_advice_renew(struct ml_advice *a, u32 obj)
{
	/*
	 * After what the caller changed, the mode for instance: a request of the
	 * new generation is decided by that.
	 */
	atomic_fetch_inc_release(&a->object[obj].gen);
	atomic64_set(&a->object[obj].word, 0);
}

/**
 * ml_advice_drop_all() - drop all advice, and all that is under way
 * @a: the table
 *
 * Context: Any, but takes time in proportion to the number of objects.
 */
void ml_advice_drop_all(struct ml_advice *a)
{
	for (u32 obj = 0; obj < a->nr; obj++)
		ml_advice_renew(a, obj);
}

/**
 * ml_advice_expire() - forget what has expired
 * @a: the table
 * @now: jiffies
 *
 * Context: Any, but takes time in proportion to the number of objects.
 */
void ml_advice_expire(struct ml_advice *a, u32 now)
{
	for (u32 obj = 0; obj < a->nr; obj++) {
		s64 old = atomic64_read(&a->object[obj].word);

		/* Losing the race means that there is new advice. */
		if ((old & ML_ADVICE_VALID) && ml_advice_word_expired(old, now))
			atomic64_cmpxchg(&a->object[obj].word, old, 0);
	}
}
