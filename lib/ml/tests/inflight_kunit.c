// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the in-flight table. */

#include <kunit/test.h>
#include <linux/ml_lib.h>

#include "../inflight.h"

#define NR_ENTRIES	16
#define QUEUE		3
#define DEADLINE	1000

static int inflight_init(struct kunit *test)
{
	struct ml_inflight *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	test->priv = t;
	return ml_inflight_init(t, QUEUE, NR_ENTRIES);
}

static void inflight_exit(struct kunit *test)
{
	if (test->priv)
		ml_inflight_destroy(test->priv);
}

static struct ml_inflight_entry *take(struct ml_inflight *t, u64 now)
{
	s32 evicted;
	struct ml_inflight_entry *e = ml_inflight_take(t, now, &evicted);

	if (e)
		e->deadline_ns = DEADLINE;
	return e;
}

static void inflight_find(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e[NR_ENTRIES];

	for (int i = 0; i < NR_ENTRIES; i++) {
		e[i] = take(t, 0);
		KUNIT_ASSERT_NOT_NULL(test, e[i]);
		KUNIT_EXPECT_EQ(test, e[i]->cookie >> 48, (u64)QUEUE);
		KUNIT_EXPECT_NE(test, (u32)e[i]->cookie, 0);
		for (int j = 0; j < i; j++) {
			KUNIT_EXPECT_PTR_NE(test, e[i], e[j]);
			KUNIT_EXPECT_NE(test, e[i]->cookie, e[j]->cookie);
		}
	}
	for (int i = 0; i < NR_ENTRIES; i++)
		KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, e[i]->cookie),
				    e[i]);
}

static void inflight_once(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e = take(t, 0), *again;
	u64 cookie;

	KUNIT_ASSERT_NOT_NULL(test, e);
	cookie = e->cookie;
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, cookie), e);
	e->cookie = 0;
	/* The second decision does not match... */
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, cookie));
	/* ...nor does one for an entry that has been given away. */
	do {
		again = take(t, 0);
		KUNIT_ASSERT_NOT_NULL(test, again);
	} while (again != e);
	KUNIT_EXPECT_NE(test, e->cookie, cookie);
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, cookie));
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, e->cookie), e);
}

static void inflight_foreign(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e = take(t, 0);
	u64 c;

	KUNIT_ASSERT_NOT_NULL(test, e);
	c = e->cookie;
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, 0));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, U64_MAX));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c ^ (1ULL << 48)));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c ^ (1ULL << 63)));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c ^ (1ULL << 32)));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c + (16ULL << 32)));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c | 0xffffULL << 32));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c + 1));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c & ~0xffffffffULL));
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, c), e);
}

static void inflight_deadline(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e;
	s32 evicted;
	u64 old;

	for (int i = 0; i < NR_ENTRIES; i++) {
		e = take(t, 0);
		KUNIT_ASSERT_NOT_NULL(test, e);
		e->slot = i + 10;
	}
	old = t->entry[0].cookie;
	KUNIT_EXPECT_NULL(test, ml_inflight_take(t, DEADLINE, &evicted));
	KUNIT_EXPECT_EQ(test, evicted, -1);
	KUNIT_EXPECT_NULL(test, ml_inflight_take(t, DEADLINE, &evicted));

	e = ml_inflight_take(t, DEADLINE + 1, &evicted);
	KUNIT_ASSERT_PTR_EQ(test, e, &t->entry[0]);
	KUNIT_EXPECT_EQ(test, evicted, 10);
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, old));
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, e->cookie), e);
}

/* Overdue, but somebody still has to fetch the answer. */
static void inflight_deadline_answered(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e;
	s32 evicted;

	for (int i = 0; i < NR_ENTRIES; i++) {
		e = take(t, 0);
		KUNIT_ASSERT_NOT_NULL(test, e);
		e->wait = i % 2 ? ML_INFLIGHT_REFUSED : ML_INFLIGHT_ANSWERED;
	}
	for (int i = 0; i < NR_ENTRIES; i++) {
		KUNIT_EXPECT_NULL(test, ml_inflight_take(t, DEADLINE + 1,
							 &evicted));
		KUNIT_EXPECT_EQ(test, evicted, -1);
	}
}

static void inflight_full(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	s32 evicted;

	for (int i = 0; i < NR_ENTRIES; i++)
		KUNIT_ASSERT_NOT_NULL(test, take(t, 0));
	t->entry[ML_INFLIGHT_PROBES + 1].cookie = 0;
	KUNIT_EXPECT_EQ(test, t->next, NR_ENTRIES);
	/* Looks at the first eight only, and at the next eight after that. */
	KUNIT_EXPECT_NULL(test, take(t, 0));
	KUNIT_EXPECT_EQ(test, t->next, NR_ENTRIES + ML_INFLIGHT_PROBES);
	KUNIT_EXPECT_PTR_EQ(test, take(t, 0),
			    &t->entry[ML_INFLIGHT_PROBES + 1]);
	KUNIT_EXPECT_NULL(test, ml_inflight_take(t, 0, &evicted));
	KUNIT_EXPECT_EQ(test, evicted, -1);
}

static void inflight_sequence_wraps(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *e;

	t->seq = U32_MAX - 1;
	t->next = U32_MAX;
	e = take(t, 0);
	KUNIT_ASSERT_PTR_EQ(test, e, &t->entry[NR_ENTRIES - 1]);
	KUNIT_EXPECT_EQ(test, (u32)e->cookie, U32_MAX);
	e = take(t, 0);
	KUNIT_ASSERT_PTR_EQ(test, e, &t->entry[0]);
	KUNIT_EXPECT_EQ(test, (u32)e->cookie, 1);
}

static struct kunit_case inflight_cases[] = {
	KUNIT_CASE(inflight_find),
	KUNIT_CASE(inflight_once),
	KUNIT_CASE(inflight_foreign),
	KUNIT_CASE(inflight_deadline),
	KUNIT_CASE(inflight_deadline_answered),
	KUNIT_CASE(inflight_full),
	KUNIT_CASE(inflight_sequence_wraps),
	{}
};

static struct kunit_suite inflight_suite = {
	.name = "ml_inflight",
	.init = inflight_init,
	.exit = inflight_exit,
	.test_cases = inflight_cases,
};
kunit_test_suite(inflight_suite);
