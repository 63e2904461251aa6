/* SPDX-License-Identifier: GPL-2.0 */
/* Schemas: checking and hashing them, and packing outputs into advice. */
#ifndef _ML_SCHEMA_H
#define _ML_SCHEMA_H

#include <linux/bitops.h>
#include <linux/ml_lib.h>

int ml_schema_check(const char *name, const struct ml_schema *s);
u64 ml_schema_hash(const char *name, const struct ml_schema *s);

/* Bits that an output takes in the advice word. */
static inline u32 ml_schema_bits(const struct ml_lib_field *f)
{
	return fls64(f->max - f->min);
}

/**
 * ml_schema_pack() - validate outputs and pack them
 * @s: the schema
 * @out: the outputs
 * @value: set to the packed outputs
 *
 * Return: false if an output is out of its range.
 */
static inline bool ml_schema_pack(const struct ml_schema *s, const s32 *out,
				  u32 *value)
{
	u32 shift = 0, packed = 0;

	for (u32 i = 0; i < s->nr_outputs; i++) {
		const struct ml_lib_field *f = &s->outputs[i];
		u32 bits = ml_schema_bits(f);

		if (out[i] < f->min || out[i] > f->max)
			return false;
		if (bits)
			packed |= (u32)(out[i] - f->min) << shift;
		shift += bits;
	}
	*value = packed;
	return true;
}

/**
 * ml_schema_unpack() - undo ml_schema_pack()
 * @s: the schema
 * @value: packed outputs
 * @out: set to the outputs
 */
static inline void ml_schema_unpack(const struct ml_schema *s, u32 value,
				    s32 *out)
{
	for (u32 i = 0; i < s->nr_outputs; i++) {
		const struct ml_lib_field *f = &s->outputs[i];
		u32 bits = ml_schema_bits(f);

		out[i] = f->min + (value & ((1U << bits) - 1));
		value >>= bits;
	}
}

#endif /* _ML_SCHEMA_H */
