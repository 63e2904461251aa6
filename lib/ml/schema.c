// SPDX-License-Identifier: GPL-2.0
/*
 * Schemas: checking and hashing them, and packing outputs into advice.
 *
 * A schema is what kernel and model agree upon. Its hash covers the proxy's
 * name and every property of every field, so a model that was made for anything
 * else cannot attach.
 */

#define pr_fmt(fmt) "ml_lib: " fmt

#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "schema.h"

static const u8 type_bytes[] = {
	[ML_LIB_U8] = 1, [ML_LIB_S8] = 1, [ML_LIB_U16] = 2, [ML_LIB_S16] = 2,
	[ML_LIB_U32] = 4, [ML_LIB_S32] = 4, [ML_LIB_U64] = 8, [ML_LIB_S64] = 8,
};

static bool field_ok(const struct ml_lib_field *f)
{
	return f->type < ARRAY_SIZE(type_bytes) && f->scale && !f->__reserved &&
	       f->name[0] && strnlen(f->name, sizeof(f->name)) < sizeof(f->name) &&
	       strnlen(f->unit, sizeof(f->unit)) < sizeof(f->unit) &&
	       f->min <= f->max;
}

/* Bits that an output takes in the advice word. */
static u32 output_bits(const struct ml_lib_field *f)
{
	return fls64(f->max - f->min);
}

static bool feature_ok(const struct ml_lib_field *f, u32 feature_bytes)
{
	return field_ok(f) && f->offset % type_bytes[f->type] == 0 &&
	       f->offset < feature_bytes &&
	       f->offset + type_bytes[f->type] <= feature_bytes;
}

static bool output_ok(const struct ml_lib_field *f, u32 index)
{
	return field_ok(f) && f->type == ML_LIB_S32 && f->offset == index &&
	       f->min >= S32_MIN && f->max <= S32_MAX;
}

static int bad_field(const char *name, const char *what, u32 index,
		     const struct ml_lib_field *f)
{
	pr_err("proxy %s: %s %u (%.31s) has a wrong name, unit, type, place, scale or range\n",
	       name, what, index, f->name);
	return -EINVAL;
}

/**
 * ml_schema_check() - is a schema sound?
 * @name: the proxy's name
 * @s: the schema
 *
 * Says what is wrong.
 *
 * Return: 0, or -EINVAL: a name is missing or too long, a field is outside of
 * the feature structure or unaligned, a range is empty, the outputs do not fit
 * into an advice word, ...
 */
int ml_schema_check(const char *name, const struct ml_schema *s)
{
	u32 bits = 0;

	if (!name || !strchr(name, '/') || strlen(name) >= ML_LIB_NAME_LEN) {
		pr_err("proxy %s: a name is subsystem/purpose, of up to %d characters\n",
		       name ?: "without name", ML_LIB_NAME_LEN - 1);
		return -EINVAL;
	}
	if (!s->nr_features || s->nr_features > ML_LIB_MAX_FEATURES ||
	    !s->nr_outputs || s->nr_outputs > ML_LIB_MAX_OUTPUTS ||
	    !s->feature_bytes || s->feature_bytes % 8 ||
	    s->feature_bytes > ML_LIB_MAX_PAYLOAD) {
		pr_err("proxy %s: %u features (1 to %d), %u outputs (1 to %d) or %u bytes (a multiple of 8, up to %d)\n",
		       name, s->nr_features, ML_LIB_MAX_FEATURES, s->nr_outputs,
		       ML_LIB_MAX_OUTPUTS, s->feature_bytes, ML_LIB_MAX_PAYLOAD);
		return -EINVAL;
	}
	for (u32 i = 0; i < s->nr_features; i++)
		if (!feature_ok(&s->features[i], s->feature_bytes))
			return bad_field(name, "feature", i, &s->features[i]);
	for (u32 i = 0; i < s->nr_outputs; i++) {
		if (!output_ok(&s->outputs[i], i))
			return bad_field(name, "output", i, &s->outputs[i]);
		bits += output_bits(&s->outputs[i]);
	}
	if (bits > ML_ADVICE_VALUE_BITS) {
		pr_err("proxy %s: the outputs' ranges need %u bits, and there are %d\n",
		       name, bits, ML_ADVICE_VALUE_BITS);
		return -EINVAL;
	}
	return 0;
}

/**
 * ml_schema_packing() - work out how outputs are packed
 * @s: a schema that ml_schema_check() accepts
 * @p: set to that
 */
void ml_schema_packing(const struct ml_schema *s, struct ml_packing *p)
{
	u32 shift = 0;

	p->nr = s->nr_outputs;
	for (u32 i = 0; i < s->nr_outputs; i++) {
		const struct ml_lib_field *f = &s->outputs[i];
		u32 bits = output_bits(f);

		p->out[i].min = f->min;
		p->out[i].span = f->max - f->min;
		p->out[i].shift = shift;
		p->out[i].mask = (1U << bits) - 1;
		shift += bits;
	}
}

/* FNV-1a, see http://www.isthe.com/chongo/tech/comp/fnv/ */
static u64 fnv1a(u64 hash, const void *data, size_t len)
{
	const u8 *p = data;

	while (len--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	return hash;
}

static u64 hash_string(u64 hash, const char *s)
{
	return fnv1a(hash, s, strlen(s) + 1);
}

/* Little endian whatever the machine, so that models are portable. */
static u64 hash_number(u64 hash, u64 n)
{
	__le64 le = cpu_to_le64(n);

	return fnv1a(hash, &le, sizeof(le));
}

static u64 hash_fields(u64 hash, const struct ml_lib_field *f, u32 nr)
{
	hash = hash_number(hash, nr);
	for (; nr--; f++) {
		hash = hash_string(hash, f->name);
		hash = hash_string(hash, f->unit);
		hash = hash_number(hash, f->type);
		hash = hash_number(hash, f->offset);
		hash = hash_number(hash, f->scale);
		hash = hash_number(hash, f->min);
		hash = hash_number(hash, f->max);
	}
	return hash;
}

/**
 * ml_schema_hash() - hash a schema
 * @name: the proxy's name
 * @s: the schema
 *
 * Return: 64-bit FNV-1a of the name, the size of the feature structure, the
 * features and the outputs; never zero.
 */
u64 ml_schema_hash(const char *name, const struct ml_schema *s)
{
	u64 hash = hash_string(0xcbf29ce484222325ULL, name);

	hash = hash_number(hash, s->feature_bytes);
	hash = hash_fields(hash, s->features, s->nr_features);
	hash = hash_fields(hash, s->outputs, s->nr_outputs);
	return hash ?: 1;
}
