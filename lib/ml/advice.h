/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Advice: the last valid decision for each object of a proxy.
 *
 * One 64-bit word per object, changed by cmpxchg from any context and read with
 * one load; there is no lock.
 *
 *	63      48 47          24  23   22           0
 *	+---------+--------------+-----+--------------+
 *	|   gen   |    expiry    |valid|    value     |
 *	+---------+--------------+-----+--------------+
 *
 * gen changes when the index is given to another object or all advice is
 * dropped, so that a decision for what was there before does not match. expiry
 * is in jiffies modulo 2^24, compared on read. Since that wraps (after 4.6 hours
 * at HZ=1000), somebody has to call ml_advice_expire() at least every hour.
 */
#ifndef _ML_ADVICE_H
#define _ML_ADVICE_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * struct ml_advice - advice of a proxy
 * @nr: number of objects
 * @word: one for each
 */
struct ml_advice {
	u32 nr;
	atomic64_t word[] __counted_by(nr);
};

struct ml_advice *ml_advice_alloc(u32 nr);
void ml_advice_free(struct ml_advice *a);
u16 ml_advice_gen(const struct ml_advice *a, u32 obj);
bool ml_advice_set(struct ml_advice *a, u32 obj, u16 gen, u32 value, u32 now,
		   u32 ttl);
int ml_advice_get(const struct ml_advice *a, u32 obj, u32 now, u32 *value);
void ml_advice_renew(struct ml_advice *a, u32 obj);
void ml_advice_drop_all(struct ml_advice *a);
void ml_advice_expire(struct ml_advice *a, u32 now);

#endif /* _ML_ADVICE_H */
