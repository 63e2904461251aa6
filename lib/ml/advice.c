// SPDX-License-Identifier: GPL-2.0
/* The advice table. advice.h explains the words. */

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/ml_lib.h>
#include <linux/overflow.h>

#include "advice.h"

#define ADVICE_VALUE	GENMASK_ULL(ML_ADVICE_VALUE_BITS - 1, 0)
#define ADVICE_VALID	BIT_ULL(23)
#define ADVICE_EXPIRY	24
#define ADVICE_GEN	48
#define ADVICE_TIME	GENMASK(23, 0)

static u16 word_gen(u64 word)
{
	return word >> ADVICE_GEN;
}

static bool word_expired(u64 word, u32 now)
{
	/* Signed distance of two 24-bit times. */
	return (s32)(((u32)(word >> ADVICE_EXPIRY) - now) << 8) <= 0;
}

/**
 * ml_advice_alloc() - make an empty table
 * @nr: number of objects
 *
 * Context: May sleep.
 * Return: the table, or NULL.
 */
struct ml_advice *ml_advice_alloc(u32 nr)
{
	struct ml_advice *a = kvzalloc(struct_size(a, word, nr), GFP_KERNEL);

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
 * ml_advice_gen() - generation of an object
 * @a: the table
 * @obj: index of the object, less than @a->nr
 *
 * Context: Any.
 * Return: what to give to ml_advice_set() when the decision comes.
 */
u16 ml_advice_gen(const struct ml_advice *a, u32 obj)
{
	return word_gen(atomic64_read(&a->word[obj]));
}

/**
 * ml_advice_set() - store a decision
 * @a: the table
 * @obj: index of the object, less than @a->nr
 * @gen: its generation when the decision was asked for
 * @value: outputs as packed by ml_schema_pack()
 * @now: jiffies
 * @ttl: life in jiffies, less than 2^23
 *
 * Context: Any.
 * Return: false if the generation has changed: the object is gone.
 */
bool ml_advice_set(struct ml_advice *a, u32 obj, u16 gen, u32 value, u32 now,
		   u32 ttl)
{
	u64 expiry = (now + ttl) & ADVICE_TIME;
	u64 new = (u64)gen << ADVICE_GEN | expiry << ADVICE_EXPIRY |
		  ADVICE_VALID | (value & ADVICE_VALUE);
	s64 old = atomic64_read(&a->word[obj]);

	do {
		if (word_gen(old) != gen)
			return false;
	} while (!atomic64_try_cmpxchg(&a->word[obj], &old, new));
	return true;
}

/**
 * ml_advice_get() - look advice up
 * @a: the table
 * @obj: index of the object, less than @a->nr
 * @now: jiffies
 * @value: set to the packed outputs
 *
 * Context: Any.
 * Return: 0, -ENODATA if there is no advice, -ESTALE if it has expired.
 */
int ml_advice_get(const struct ml_advice *a, u32 obj, u32 now, u32 *value)
{
	u64 word = atomic64_read(&a->word[obj]);

	if (!(word & ADVICE_VALID))
		return -ENODATA;
	if (word_expired(word, now))
		return -ESTALE;
	*value = word & ADVICE_VALUE;
	return 0;
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
	s64 old = atomic64_read(&a->word[obj]);

	while (!atomic64_try_cmpxchg(&a->word[obj], &old,
				     (u64)(u16)(word_gen(old) + 1) << ADVICE_GEN))
		;
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
		s64 old = atomic64_read(&a->word[obj]);

		/* Losing the race means that there is new advice. */
		if ((old & ADVICE_VALID) && word_expired(old, now))
			atomic64_try_cmpxchg(&a->word[obj], &old,
					     (u64)word_gen(old) << ADVICE_GEN);
	}
}
