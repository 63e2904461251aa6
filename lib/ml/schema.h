/* SPDX-License-Identifier: GPL-2.0 */
/* Schemas: checking and hashing them, and packing outputs into advice. */
#ifndef _ML_SCHEMA_H
#define _ML_SCHEMA_H

#include <linux/ml_lib.h>

/**
 * struct ml_packing - how outputs are packed into an advice word
 * @nr: number of outputs
 * @out: for each, its least value, its greatest minus that, where it is in the
 *	word, and the bits that it has there
 */
struct ml_packing {
	u32 nr;
	struct {
		s32 min;
		u32 span;
		u32 shift;
		u32 mask;
	} out[ML_LIB_MAX_OUTPUTS];
};

int ml_schema_check(const char *name, const struct ml_schema *s);
u64 ml_schema_hash(const char *name, const struct ml_schema *s);
void ml_schema_packing(const struct ml_schema *s, struct ml_packing *p);

/**
 * ml_schema_pack() - validate outputs and pack them
 * @p: from ml_schema_packing()
 * @out: the outputs
 * @value: set to the packed outputs
 *
 * Return: false if an output is out of its range.
 */
static inline bool ml_schema_pack(const struct ml_packing *p, const s32 *out,
				  u32 *value)
{
	u32 packed = 0;

	for (u32 i = 0; i < p->nr; i++) {
		/* What is less than the minimum becomes a large number. */
		u32 above = (u32)out[i] - (u32)p->out[i].min;

		if (above > p->out[i].span)
			return false;
		packed |= above << p->out[i].shift;
	}
	*value = packed;
	return true;
}

/**
 * ml_schema_unpack() - undo ml_schema_pack()
 * @p: from ml_schema_packing()
 * @value: packed outputs
 * @out: set to the outputs
 */
static inline void ml_schema_unpack(const struct ml_packing *p, u32 value,
				    s32 *out)
{
	u32 nr = p->nr;		/* or it is loaded again after each store */

	for (u32 i = 0; i < nr; i++)
		out[i] = p->out[i].min + ((value >> p->out[i].shift) &
					  p->out[i].mask);
}

#endif /* _ML_SCHEMA_H */
