/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Advice: the last valid decision for each object of a proxy.
 *
 * One 64-bit word per object, stored and loaded as a whole from any context. There
 * is no lock, and where words have 64 bits no read-modify-write for a decision.
 *
 *	63      48 47          24  23   22           0
 *	+---------+--------------+-----+--------------+
 *	|   gen   |    expiry    |valid|    value     |
 *	+---------+--------------+-----+--------------+
 *
 * The object's generation is beside the word. It changes when the index is given
 * to another object or all advice is dropped, so that a decision for what was
 * there before does not match: neither when it is stored, nor, if it was about to
 * be stored just then, when it is read. Each change also clears the word, so
 * nothing is left when the 16 bits wrap. expiry is in jiffies modulo 2^24, compared
 * on read. Since that wraps (after 4.6 hours at HZ=1000), somebody has to call
 * ml_advice_expire() at least every hour.
 */
#ifndef _ML_ADVICE_H
#define _ML_ADVICE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/ml_lib.h>
#include <linux/types.h>

/**
 * struct ml_advice_object - advice for an object
 * @word: see above
 * @gen: the object's generation, of which the word has the lower 16 bits
 */
struct ml_advice_object {
	atomic64_t word;
	atomic_t gen;
};

/**
 * struct ml_advice - advice of a proxy
 * @nr: number of objects
 * @object: the objects
 */
struct ml_advice {
	u32 nr;
	struct ml_advice_object object[] __counted_by(nr);
};

#define ML_ADVICE_VALUE		GENMASK_ULL(ML_ADVICE_VALUE_BITS - 1, 0)
#define ML_ADVICE_VALID		BIT_ULL(23)
#define ML_ADVICE_EXPIRY	24
#define ML_ADVICE_GEN		48
#define ML_ADVICE_TIME		GENMASK(23, 0)

static inline u16 ml_advice_word_gen(u64 word)
{
	return word >> ML_ADVICE_GEN;
}

static inline bool ml_advice_word_expired(u64 word, u32 now)
{
	/* Signed distance of two 24-bit times. */
	return (s32)(((u32)(word >> ML_ADVICE_EXPIRY) - now) << 8) <= 0;
}

struct ml_advice *ml_advice_alloc(u32 nr);
void ml_advice_free(struct ml_advice *a);
void ml_advice_renew(struct ml_advice *a, u32 obj);
void ml_advice_drop_all(struct ml_advice *a);
void ml_advice_expire(struct ml_advice *a, u32 now);

/* What follows is on the path of every request, hence inline. */

/**
 * ml_advice_gen() - generation of an object
 * @a: the table
 * @obj: index of the object, less than @a->nr
 *
 * Context: Any.
 * Return: what to give to ml_advice_set() when the decision comes.
 */
static inline u16 ml_advice_gen(const struct ml_advice *a, u32 obj)
{
	return atomic_read(&a->object[obj].gen);
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
static inline bool ml_advice_set(struct ml_advice *a, u32 obj, u16 gen,
				 u32 value, u32 now, u32 ttl)
{
	u64 expiry = (now + ttl) & ML_ADVICE_TIME;

	if (ml_advice_gen(a, obj) != gen)
		return false;
	/*
	 * If it changes now, the reader refuses the word. Should that take the
	 * place of a valid one, there is no advice until the next decision.
	 */
	atomic64_set(&a->object[obj].word,
		     (u64)gen << ML_ADVICE_GEN | expiry << ML_ADVICE_EXPIRY |
		     ML_ADVICE_VALID | (value & ML_ADVICE_VALUE));
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
static inline int ml_advice_get(const struct ml_advice *a, u32 obj, u32 now,
				u32 *value)
{
	u64 word = atomic64_read(&a->object[obj].word);

	if (!(word & ML_ADVICE_VALID) ||
	    ml_advice_word_gen(word) != ml_advice_gen(a, obj))
		return -ENODATA;
	if (ml_advice_word_expired(word, now))
		return -ESTALE;
	*value = word & ML_ADVICE_VALUE;
	return 0;
}

#endif /* _ML_ADVICE_H */
