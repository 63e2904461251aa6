// SPDX-License-Identifier: GPL-2.0
/* KUnit tests of the ring: order, wrap-around, full, forged positions. */

#include <kunit/test.h>
#include <linux/ml_lib.h>

#include "../ring.h"

#define NR_SLOTS	8

struct ring {
	struct ml_ring_prod prod;
	struct ml_ring_cons cons;
	u32 pos;		/* the word that the consumer publishes */
	struct ml_lib_decision slot[NR_SLOTS];
};

/* Positions to begin at: the slots look as if one lap had been done. */
static const u32 starts[] = { 0, 5, U32_MAX - 3, U32_MAX, S32_MAX - 2 };

static void start_desc(const u32 *start, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "from %#x", *start);
}

KUNIT_ARRAY_PARAM(start, starts, start_desc);

static struct ring *ring_new(struct kunit *test)
{
	const u32 *start = test->param_value;
	struct ring *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	u32 first = start ? *start : 0;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->pos = first;
	r->prod = (struct ml_ring_prod){
		.slots = r->slot, .cons = &r->pos, .mask = NR_SLOTS - 1,
		.slot_size = sizeof(r->slot[0]), .pos = first, .seen = first,
	};
	r->cons = (struct ml_ring_cons){
		.slots = r->slot, .cons = &r->pos, .mask = NR_SLOTS - 1,
		.slot_size = sizeof(r->slot[0]), .pos = first,
	};
	for (u32 i = 0; i < NR_SLOTS; i++)
		r->slot[(first + i) % NR_SLOTS].seq = first + i + 1 - NR_SLOTS;
	return r;
}

static int put(struct ring *r, u64 cookie)
{
	void *slot;
	int err = ml_ring_prod_next(&r->prod, &slot);

	if (!err) {
		((struct ml_lib_decision *)slot)->cookie = cookie;
		ml_ring_prod_publish(&r->prod, slot);
	}
	return err;
}

static void ring_order(struct kunit *test)
{
	struct ring *r = ring_new(test);
	u64 in = 0, out = 0;

	KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));
	for (int lap = 0; lap < 40; lap++) {
		u32 burst = lap % NR_SLOTS + 1;

		for (u32 i = 0; i < burst; i++)
			KUNIT_ASSERT_EQ(test, put(r, in++), 0);
		for (u32 i = 0; i < burst; i++) {
			const struct ml_lib_decision *d;

			d = ml_ring_cons_peek(&r->cons, i);
			KUNIT_ASSERT_NOT_NULL(test, d);
			KUNIT_EXPECT_EQ(test, d->cookie, out++);
		}
		if (burst < NR_SLOTS)
			KUNIT_EXPECT_NULL(test,
					  ml_ring_cons_peek(&r->cons, burst));
		ml_ring_cons_release(&r->cons, burst);
		KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));
	}
	KUNIT_EXPECT_EQ(test, r->prod.pos, r->cons.pos);
}

static void ring_full(struct kunit *test)
{
	struct ring *r = ring_new(test);

	for (u32 i = 0; i < NR_SLOTS; i++)
		KUNIT_ASSERT_EQ(test, put(r, i), 0);
	KUNIT_EXPECT_EQ(test, put(r, 99), -ENOSPC);
	KUNIT_EXPECT_EQ(test, put(r, 99), -ENOSPC);
	ml_ring_cons_release(&r->cons, 3);
	for (u32 i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, put(r, 8 + i), 0);
	KUNIT_EXPECT_EQ(test, put(r, 99), -ENOSPC);
	for (u32 i = 0; i < NR_SLOTS; i++) {
		const struct ml_lib_decision *d = ml_ring_cons_peek(&r->cons, i);

		KUNIT_ASSERT_NOT_NULL(test, d);
		KUNIT_EXPECT_EQ(test, d->cookie, (u64)i + 3);
	}
}

static void ring_forged_consumer(struct kunit *test)
{
	static const s32 off[] = { 1, 2, 1000, S32_MAX, -(NR_SLOTS + 1), -1000 };

	for (int i = 0; i < ARRAY_SIZE(off); i++) {
		struct ring *r = ring_new(test);

		for (u32 n = 0; n < NR_SLOTS; n++)
			KUNIT_ASSERT_EQ(test, put(r, n), 0);
		r->pos = r->prod.pos + off[i];
		KUNIT_EXPECT_EQ_MSG(test, put(r, 99), -EPROTO, "offset %d",
				    off[i]);
		/* And it stays so: a forged position is never taken over. */
		KUNIT_EXPECT_EQ(test, put(r, 99), -EPROTO);
	}
}

static void ring_sequence(struct kunit *test)
{
	struct ring *r = ring_new(test);
	u32 pos = r->cons.pos;
	u32 *seq = &r->slot[pos % NR_SLOTS].seq;
	void *first, *again;

	/* Neither an earlier nor a later lap is ready. */
	*seq = pos + 1 - NR_SLOTS;
	KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));
	*seq = pos + 1 + NR_SLOTS;
	KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));
	*seq = pos;
	KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));

	/* A slot that was not published is handed out again. */
	KUNIT_EXPECT_EQ(test, ml_ring_prod_next(&r->prod, &first), 0);
	KUNIT_EXPECT_EQ(test, ml_ring_prod_next(&r->prod, &again), 0);
	KUNIT_EXPECT_PTR_EQ(test, first, again);
	KUNIT_EXPECT_NULL(test, ml_ring_cons_peek(&r->cons, 0));

	ml_ring_prod_publish(&r->prod, again);
	KUNIT_EXPECT_EQ(test, *seq, pos + 1);
	KUNIT_EXPECT_PTR_EQ(test, ml_ring_cons_peek(&r->cons, 0),
			    (const void *)again);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE_PARAM(ring_order, start_gen_params),
	KUNIT_CASE_PARAM(ring_full, start_gen_params),
	KUNIT_CASE_PARAM(ring_forged_consumer, start_gen_params),
	KUNIT_CASE_PARAM(ring_sequence, start_gen_params),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "ml_ring",
	.test_cases = ring_cases,
};
kunit_test_suite(ring_suite);
