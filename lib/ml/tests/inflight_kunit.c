// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the in-flight table. */

#include <kunit/test.h>
#include <linux/minmax.h>

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

/* The entry whose turn it is after so many others. */
static struct ml_inflight_entry *ahead(struct ml_inflight *t, u32 n)
{
	return &t->entry[(t->next + n) % NR_ENTRIES];
}

static void inflight_exit(struct kunit *test)
{
	if (test->priv)
		ml_inflight_destroy(test->priv);
}

static struct ml_inflight_entry *take(struct ml_inflight *t, u64 now)
{
	struct ml_inflight_entry *e;
	s32 evicted;

	if (!ml_inflight_has_room(t) && !ml_inflight_make_room(t, now, &evicted))
		return NULL;
	e = ml_inflight_take(t);
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
	/* Of the same entry and of others, taken or not. */
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c + NR_ENTRIES));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c - NR_ENTRIES));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c + 1));
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, c % NR_ENTRIES));
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
	e = ahead(t, 0);
	old = e->cookie;
	for (int i = 0; i < NR_ENTRIES / ML_INFLIGHT_PROBES; i++) {
		KUNIT_EXPECT_FALSE(test, ml_inflight_make_room(t, DEADLINE,
							       &evicted));
		KUNIT_EXPECT_EQ(test, evicted, -1);
	}
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_find(t, old), e);

	KUNIT_EXPECT_TRUE(test, ml_inflight_make_room(t, DEADLINE + 1, &evicted));
	KUNIT_EXPECT_EQ(test, evicted, 10);
	KUNIT_EXPECT_NULL(test, ml_inflight_find(t, old));
	KUNIT_EXPECT_TRUE(test, ml_inflight_has_room(t));
	KUNIT_EXPECT_PTR_EQ(test, ml_inflight_take(t), e);
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
		KUNIT_EXPECT_FALSE(test, ml_inflight_make_room(t, DEADLINE + 1,
							       &evicted));
		KUNIT_EXPECT_EQ(test, evicted, -1);
	}
}

static void inflight_full(struct kunit *test)
{
	struct ml_inflight *t = test->priv;
	struct ml_inflight_entry *hole;
	s32 evicted;
	u64 first;

	for (int i = 0; i < NR_ENTRIES; i++)
		KUNIT_ASSERT_NOT_NULL(test, take(t, 0));
	hole = ahead(t, ML_INFLIGHT_PROBES + 1);
	hole->cookie = 0;
	first = t->next;
	/* Looks at the first eight only, and at the next eight after that. */
	KUNIT_EXPECT_NULL(test, take(t, 0));
	KUNIT_EXPECT_EQ(test, t->next, first + ML_INFLIGHT_PROBES);
	KUNIT_EXPECT_PTR_EQ(test, take(t, 0), hole);
	KUNIT_EXPECT_FALSE(test, ml_inflight_make_room(t, 0, &evicted));
	KUNIT_EXPECT_EQ(test, evicted, -1);
}

/* Two tables that a client may report to in turn have no cookie in common. */
static void inflight_another(struct kunit *test)
{
	struct ml_inflight *t = test->priv, other;
	u64 apart;

	KUNIT_ASSERT_EQ(test, ml_inflight_init(&other, QUEUE, NR_ENTRIES), 0);
	ml_inflight_destroy(&other);
	KUNIT_EXPECT_EQ(test, other.next >> 48, (u64)QUEUE);
	apart = max(t->next, other.next) - min(t->next, other.next);
	KUNIT_EXPECT_GT(test, apart, 1ULL << 20);
}

static struct kunit_case inflight_cases[] = {
	KUNIT_CASE(inflight_find),
	KUNIT_CASE(inflight_once),
	KUNIT_CASE(inflight_foreign),
	KUNIT_CASE(inflight_deadline),
	KUNIT_CASE(inflight_deadline_answered),
	KUNIT_CASE(inflight_full),
	KUNIT_CASE(inflight_another),
	{}
};

static struct kunit_suite inflight_suite = {
	.name = "ml_inflight",
	.init = inflight_init,
	.exit = inflight_exit,
	.test_cases = inflight_cases,
};
kunit_test_suite(inflight_suite);
