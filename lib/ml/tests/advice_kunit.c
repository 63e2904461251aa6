// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the advice table. */

#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/ml_lib.h>

#include "../advice.h"

#define NR_OBJECTS	4
#define TTL		16

/* Times at which 24 or 32 bits wrap soon, among others. */
static const u32 times[] = {
	0, 1000, 0x7ffff8, 0x800000, 0xfffff8, 0xffffff, 0x1000000, 0xfffffff8,
};

static void time_desc(const u32 *now, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "at %#x", *now);
}

KUNIT_ARRAY_PARAM(time, times, time_desc);

static int advice_init(struct kunit *test)
{
	test->priv = ml_advice_alloc(NR_OBJECTS);
	return test->priv ? 0 : -ENOMEM;
}

static void advice_exit(struct kunit *test)
{
	ml_advice_free(test->priv);
}

static void advice_set_get(struct kunit *test)
{
	struct ml_advice *a = test->priv;
	u32 value = 77, most = (1U << ML_ADVICE_VALUE_BITS) - 1;

	for (u32 obj = 0; obj < NR_OBJECTS; obj++)
		KUNIT_EXPECT_EQ(test, ml_advice_get(a, obj, 0, &value),
				-ENODATA);
	KUNIT_EXPECT_EQ(test, value, 77);

	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 1, ml_advice_gen(a, 1), 5, 0,
					      TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 5);
	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 1, ml_advice_gen(a, 1), most,
					      0, TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, most);
	/* A value that is too wide spoils nothing else. */
	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 2, ml_advice_gen(a, 2),
					      U32_MAX, 0, TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_gen(a, 2), 0);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 2, TTL, &value), -ESTALE);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), -ENODATA);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 3, 0, &value), -ENODATA);
}

static void advice_stale_generation(struct kunit *test)
{
	struct ml_advice *a = test->priv;
	u16 gen = ml_advice_gen(a, 0);
	u32 value;
	s64 word;

	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 0, gen, 5, 0, TTL));
	word = atomic64_read(&a->object[0].word);
	ml_advice_renew(a, 0);
	KUNIT_EXPECT_NE(test, ml_advice_gen(a, 0), gen);
	KUNIT_EXPECT_EQ(test, ml_advice_gen(a, 1), gen);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), -ENODATA);
	KUNIT_EXPECT_FALSE(test, ml_advice_set(a, 0, gen, 6, 0, TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), -ENODATA);
	/* The generation changed between the check and the store. */
	atomic64_set(&a->object[0].word, word);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), -ENODATA);
	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 0, ml_advice_gen(a, 0), 7, 0,
					      TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 7);

	/* No word is left when the generation wraps within its 16 bits. */
	gen = ml_advice_gen(a, 0);
	for (u32 i = 0; i < 0xffff; i++)
		ml_advice_renew(a, 0);
	KUNIT_EXPECT_EQ(test, ml_advice_gen(a, 0), (u16)(gen - 1));
	ml_advice_renew(a, 0);
	KUNIT_EXPECT_EQ(test, ml_advice_gen(a, 0), gen);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, 0, &value), -ENODATA);
}

static void advice_expiry(struct kunit *test)
{
	struct ml_advice *a = test->priv;
	u32 now = *(const u32 *)test->param_value;
	u32 longest = (1U << 23) - 1;
	u32 value;

	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 0, 0, 5, now, TTL));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now, &value), 0);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + TTL - 1, &value), 0);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + TTL, &value), -ESTALE);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + 10 * TTL, &value),
			-ESTALE);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + longest, &value),
			-ESTALE);

	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 1, 0, 5, now, longest));
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, now, &value), 0);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, now + longest - 1, &value),
			0);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, now + longest, &value),
			-ESTALE);
}

static void advice_drop_all(struct kunit *test)
{
	struct ml_advice *a = test->priv;
	u32 value;

	for (u32 obj = 0; obj < NR_OBJECTS; obj++)
		KUNIT_EXPECT_TRUE(test, ml_advice_set(a, obj, 0, obj, 0, TTL));
	ml_advice_drop_all(a);
	for (u32 obj = 0; obj < NR_OBJECTS; obj++) {
		KUNIT_EXPECT_EQ(test, ml_advice_get(a, obj, 0, &value),
				-ENODATA);
		KUNIT_EXPECT_EQ(test, ml_advice_gen(a, obj), 1);
		KUNIT_EXPECT_FALSE(test, ml_advice_set(a, obj, 0, obj, 0, TTL));
	}
}

static void advice_expire(struct kunit *test)
{
	struct ml_advice *a = test->priv;
	u32 now = *(const u32 *)test->param_value;
	u32 value;

	ml_advice_renew(a, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 0, 1, 5, now, TTL));
	KUNIT_EXPECT_TRUE(test, ml_advice_set(a, 1, 0, 6, now, 4 * TTL));
	ml_advice_expire(a, now + TTL - 1);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now, &value), 0);
	ml_advice_expire(a, now + TTL);
	/* Forgotten, so that it does not come back when the time wraps. */
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + TTL, &value), -ENODATA);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 0, now + (1U << 24), &value),
			-ENODATA);
	KUNIT_EXPECT_EQ(test, ml_advice_gen(a, 0), 1);
	KUNIT_EXPECT_EQ(test, ml_advice_get(a, 1, now + TTL, &value), 0);
	KUNIT_EXPECT_EQ(test, value, 6);
}

static struct kunit_case advice_cases[] = {
	KUNIT_CASE(advice_set_get),
	KUNIT_CASE(advice_stale_generation),
	KUNIT_CASE_PARAM(advice_expiry, time_gen_params),
	KUNIT_CASE(advice_drop_all),
	KUNIT_CASE_PARAM(advice_expire, time_gen_params),
	{}
};

static struct kunit_suite advice_suite = {
	.name = "ml_advice",
	.init = advice_init,
	.exit = advice_exit,
	.test_cases = advice_cases,
};
kunit_test_suite(advice_suite);
