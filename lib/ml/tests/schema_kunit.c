// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of schemas: what is refused, the hash, packing. */

#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>

#include "../schema.h"

/* A sound schema that each case changes in one place. */
struct model {
	char name[ML_LIB_NAME_LEN + 8];
	struct ml_lib_field in[3];
	struct ml_lib_field out[2];
	struct ml_schema s;
};

static struct model *model_new(struct kunit *test)
{
	static const struct model sound = {
		.name = "kunit/schema",
		.in = {
			{ "a", "pages", ML_LIB_U32, 0, 1, 0, 0, 100 },
			{ "b", "", ML_LIB_S16, 4, 1000, 0, -5, 5 },
			{ "c", "ns", ML_LIB_U64, 8, 1, 0, 0, S64_MAX },
		},
		.out = {
			{ "x", "pages", ML_LIB_S32, 0, 1, 0, 1, 1000 },
			{ "y", "", ML_LIB_S32, 1, 1, 0, -8, 7 },
		},
		.s = { .nr_features = 3, .feature_bytes = 16, .nr_outputs = 2 },
	};
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	*m = sound;
	m->s.features = m->in;
	m->s.outputs = m->out;
	return m;
}

struct change {
	const char *what;
	void (*make)(struct model *m);
};

static void change_desc(const struct change *c, char *desc)
{
	strscpy(desc, c->what, KUNIT_PARAM_DESC_SIZE);
}

#define CHANGE(_id, _code)						\
	static void change_##_id(struct model *m) { _code; }

CHANGE(no_slash, strscpy(m->name, "schema"))
CHANGE(long_name, memset(m->name + 6, 'x', ML_LIB_NAME_LEN - 6))
CHANGE(no_features, m->s.nr_features = 0)
CHANGE(many_features, m->s.nr_features = ML_LIB_MAX_FEATURES + 1)
CHANGE(no_outputs, m->s.nr_outputs = 0)
CHANGE(many_outputs, m->s.nr_outputs = ML_LIB_MAX_OUTPUTS + 1)
CHANGE(no_bytes, m->s.feature_bytes = 0)
CHANGE(odd_bytes, m->s.feature_bytes = 20)
CHANGE(many_bytes, m->s.feature_bytes = ML_LIB_MAX_PAYLOAD + 8)
CHANGE(in_type, m->in[0].type = ML_LIB_S64 + 1)
CHANGE(in_scale, m->in[0].scale = 0)
CHANGE(in_reserved, m->in[0].__reserved = 1)
CHANGE(in_unnamed, m->in[1].name[0] = 0)
CHANGE(in_name, memset(m->in[1].name, 'x', ML_LIB_NAME_LEN))
CHANGE(in_unit, memset(m->in[1].unit, 'x', ML_LIB_UNIT_LEN))
CHANGE(in_range, m->in[1].min = 6)
CHANGE(in_unaligned, m->in[1].offset = 5)
CHANGE(in_outside, m->in[2].offset = 16)
CHANGE(in_overhang, m->s.feature_bytes = 8)
CHANGE(in_offset_wraps, m->in[2].offset = 0xfffffff8)
CHANGE(out_type, m->out[0].type = ML_LIB_U32)
CHANGE(out_index, m->out[1].offset = 0)
CHANGE(out_scale, m->out[1].scale = 0)
CHANGE(out_reserved, m->out[1].__reserved = 1)
CHANGE(out_range, m->out[0].max = 0)
CHANGE(out_low, m->out[0].min = (s64)S32_MIN - 1)
CHANGE(out_high, m->out[0].max = (s64)S32_MAX + 1)
CHANGE(out_wide, m->out[0].max = (1 << 19) + 1)

static const struct change bad[] = {
	{ "name without slash", change_no_slash },
	{ "name too long", change_long_name },
	{ "no features", change_no_features },
	{ "too many features", change_many_features },
	{ "no outputs", change_no_outputs },
	{ "too many outputs", change_many_outputs },
	{ "no feature bytes", change_no_bytes },
	{ "feature bytes not in eights", change_odd_bytes },
	{ "too many feature bytes", change_many_bytes },
	{ "feature of unknown type", change_in_type },
	{ "feature of scale zero", change_in_scale },
	{ "feature reserved", change_in_reserved },
	{ "feature without name", change_in_unnamed },
	{ "feature name not terminated", change_in_name },
	{ "feature unit not terminated", change_in_unit },
	{ "feature range empty", change_in_range },
	{ "feature unaligned", change_in_unaligned },
	{ "feature outside", change_in_outside },
	{ "feature hangs over", change_in_overhang },
	{ "feature offset wraps", change_in_offset_wraps },
	{ "output not S32", change_out_type },
	{ "output index", change_out_index },
	{ "output of scale zero", change_out_scale },
	{ "output reserved", change_out_reserved },
	{ "output range empty", change_out_range },
	{ "output below S32", change_out_low },
	{ "output above S32", change_out_high },
	{ "outputs too wide", change_out_wide },
};
KUNIT_ARRAY_PARAM(bad, bad, change_desc);

static void schema_refuses(struct kunit *test)
{
	const struct change *c = test->param_value;
	struct model *m = model_new(test);

	KUNIT_ASSERT_EQ(test, ml_schema_check(m->name, &m->s), 0);
	c->make(m);
	KUNIT_EXPECT_EQ(test, ml_schema_check(m->name, &m->s), -EINVAL);
}

static void schema_accepts(struct kunit *test)
{
	struct model *m = model_new(test);

	KUNIT_EXPECT_EQ(test, ml_schema_check(NULL, &m->s), -EINVAL);
	/* 19 bits and 4 are what fits. */
	m->out[0].max = 1 + (1 << 19) - 1;
	KUNIT_EXPECT_EQ(test, ml_schema_check(m->name, &m->s), 0);
	m->out[0].max++;
	KUNIT_EXPECT_EQ(test, ml_schema_check(m->name, &m->s), -EINVAL);
	/* Ranges wider than S64 hold, unsigned. */
	m = model_new(test);
	m->in[2].min = S64_MIN;
	KUNIT_EXPECT_EQ(test, ml_schema_check(m->name, &m->s), 0);
}

CHANGE(hash_name, m->name[0] = 'K')
CHANGE(hash_bytes, m->s.feature_bytes = 24)
CHANGE(hash_nr_in, m->s.nr_features = 2)
CHANGE(hash_nr_out, m->s.nr_outputs = 1)
CHANGE(hash_in_name, m->in[1].name[0] = 'B')
CHANGE(hash_in_unit, m->in[1].unit[0] = 's')
CHANGE(hash_in_type, m->in[1].type = ML_LIB_U16)
CHANGE(hash_in_offset, m->in[1].offset = 6)
CHANGE(hash_in_scale, m->in[1].scale = 1)
CHANGE(hash_in_min, m->in[1].min = -6)
CHANGE(hash_in_max, m->in[1].max = 6)
CHANGE(hash_in_order, swap(m->in[0], m->in[1]))
CHANGE(hash_out_name, m->out[1].name[0] = 'Y')
CHANGE(hash_out_unit, m->out[1].unit[0] = 's')
CHANGE(hash_out_scale, m->out[1].scale = 2)
CHANGE(hash_out_min, m->out[1].min = -9)
CHANGE(hash_out_max, m->out[1].max = 8)
CHANGE(hash_split, strscpy(m->in[0].name, "ap"); strscpy(m->in[0].unit, "ages"))

static const struct change hashed[] = {
	{ "name", change_hash_name },
	{ "feature bytes", change_hash_bytes },
	{ "number of features", change_hash_nr_in },
	{ "number of outputs", change_hash_nr_out },
	{ "feature name", change_hash_in_name },
	{ "feature unit", change_hash_in_unit },
	{ "feature type", change_hash_in_type },
	{ "feature offset", change_hash_in_offset },
	{ "feature scale", change_hash_in_scale },
	{ "feature min", change_hash_in_min },
	{ "feature max", change_hash_in_max },
	{ "order of features", change_hash_in_order },
	{ "output name", change_hash_out_name },
	{ "output unit", change_hash_out_unit },
	{ "output scale", change_hash_out_scale },
	{ "output min", change_hash_out_min },
	{ "output max", change_hash_out_max },
	{ "border of two strings", change_hash_split },
};
KUNIT_ARRAY_PARAM(hashed, hashed, change_desc);

static void schema_hash_changes(struct kunit *test)
{
	const struct change *c = test->param_value;
	struct model *m = model_new(test), *n = model_new(test);
	u64 hash = ml_schema_hash(m->name, &m->s);

	KUNIT_EXPECT_NE(test, hash, 0ULL);
	KUNIT_EXPECT_EQ(test, ml_schema_hash(n->name, &n->s), hash);
	c->make(m);
	KUNIT_EXPECT_NE(test, ml_schema_hash(m->name, &m->s), hash);
}

static void schema_pack(struct kunit *test)
{
	struct model *m = model_new(test);
	struct ml_packing p;

	ml_schema_packing(&m->s, &p);
	for (s32 x = 1; x <= 1000; x += 37) {
		for (s32 y = -8; y <= 7; y++) {
			s32 in[2] = { x, y }, out[2] = {};
			u32 value;

			KUNIT_ASSERT_TRUE(test, ml_schema_pack(&p, in, &value));
			KUNIT_EXPECT_LT(test, value,
					1U << ML_ADVICE_VALUE_BITS);
			ml_schema_unpack(&p, value, out);
			KUNIT_EXPECT_EQ(test, out[0], x);
			KUNIT_EXPECT_EQ(test, out[1], y);
		}
	}
}

static void schema_pack_range(struct kunit *test)
{
	static const struct {
		s32 out[2];
		bool good;
	} cases[] = {
		{ { 1, -8 }, true }, { { 1000, 7 }, true },
		{ { 0, 0 }, false }, { { 1001, 0 }, false },
		{ { 1, -9 }, false }, { { 1, 8 }, false },
		{ { S32_MIN, 0 }, false }, { { S32_MAX, 0 }, false },
		{ { 1, S32_MIN }, false }, { { 1, S32_MAX }, false },
	};
	struct model *m = model_new(test);
	struct ml_packing p;
	u32 value;

	ml_schema_packing(&m->s, &p);
	for (int i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    ml_schema_pack(&p, cases[i].out, &value),
				    cases[i].good, "case %d", i);
}

static void schema_pack_extremes(struct kunit *test)
{
	struct model *m = model_new(test);
	s32 low[2] = { S32_MIN, 3 };
	s32 high[2] = { S32_MIN + 1000, 3 };
	struct ml_packing p;
	s32 out[2];
	u32 value;

	/* At the end of the type, and an output with a single value. */
	m->out[0].min = S32_MIN;
	m->out[0].max = S32_MIN + 1000;
	m->out[1].min = 3;
	m->out[1].max = 3;
	KUNIT_ASSERT_EQ(test, ml_schema_check(m->name, &m->s), 0);
	ml_schema_packing(&m->s, &p);
	KUNIT_ASSERT_TRUE(test, ml_schema_pack(&p, low, &value));
	ml_schema_unpack(&p, value, out);
	KUNIT_EXPECT_EQ(test, out[0], low[0]);
	KUNIT_EXPECT_EQ(test, out[1], 3);
	KUNIT_ASSERT_TRUE(test, ml_schema_pack(&p, high, &value));
	ml_schema_unpack(&p, value, out);
	KUNIT_EXPECT_EQ(test, out[0], high[0]);
	KUNIT_EXPECT_EQ(test, out[1], 3);
	/* 23 bits in one output. */
	m->s.nr_outputs = 1;
	m->out[0].min = -1;
	m->out[0].max = (1 << 23) - 2;
	KUNIT_ASSERT_EQ(test, ml_schema_check(m->name, &m->s), 0);
	ml_schema_packing(&m->s, &p);
	out[0] = (1 << 23) - 2;
	KUNIT_ASSERT_TRUE(test, ml_schema_pack(&p, out, &value));
	KUNIT_EXPECT_EQ(test, value, (1U << 23) - 1);
	out[0] = 0;
	ml_schema_unpack(&p, value, out);
	KUNIT_EXPECT_EQ(test, out[0], (1 << 23) - 2);
}

static struct kunit_case schema_cases[] = {
	KUNIT_CASE(schema_accepts),
	KUNIT_CASE_PARAM(schema_refuses, bad_gen_params),
	KUNIT_CASE_PARAM(schema_hash_changes, hashed_gen_params),
	KUNIT_CASE(schema_pack),
	KUNIT_CASE(schema_pack_range),
	KUNIT_CASE(schema_pack_extremes),
	{}
};

static struct kunit_suite schema_suite = {
	.name = "ml_schema",
	.test_cases = schema_cases,
};
kunit_test_suite(schema_suite);
