// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the whole loop: a client and its proxy, a session, and an
 * agent that is played by the test on the shared memory.
 */

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "../advice.h"
#include "../proxy.h"
#include "../schema.h"
#include "../session.h"

#define NR_SLOTS	8
#define NR_OBJECTS	16
#define ID		0x1234567890abcdefULL

struct loop_features {
	u32 a;
	s32 b;
	u64 c;
};

static const struct ml_lib_field loop_in[] = {
	ML_FEATURE(struct loop_features, a, ML_LIB_U32, "pages", 1, 0, 1000),
	ML_FEATURE(struct loop_features, b, ML_LIB_S32, "", 1, -5, 5),
	ML_FEATURE(struct loop_features, c, ML_LIB_U64, "ns", 1, 0, S64_MAX),
};

static const struct ml_lib_field loop_out[] = {
	ML_OUTPUT(0, "x", "pages", 1, 1, 100),
	ML_OUTPUT(1, "y", "", 1, -5, 5),
};

static const struct ml_schema loop_schema = {
	.features = loop_in,
	.nr_features = ARRAY_SIZE(loop_in),
	.feature_bytes = sizeof(struct loop_features),
	.outputs = loop_out,
	.nr_outputs = ARRAY_SIZE(loop_out),
};

static const struct ml_schema wide_schema = {
	.features = loop_in,
	.nr_features = ARRAY_SIZE(loop_in),
	.feature_bytes = ML_LIB_MAX_PAYLOAD,
	.outputs = loop_out,
	.nr_outputs = ARRAY_SIZE(loop_out),
};

#define PROXY(_name, _schema) {						\
	.name = _name, .schema = _schema, .nr_objects = NR_OBJECTS,	\
	.rate = 1000000, .deadline_us = 10000000, .ttl_ms = 60000 }

static struct ml_proxy loop_proxy = PROXY("kunit/loop", &loop_schema);
static struct ml_proxy second_proxy = PROXY("kunit/second", &loop_schema);
static struct ml_proxy wide_proxy = PROXY("kunit/wide", &wide_schema);

static const struct loop_features features = { 7, -3, 0x1122334455667788 };

/* The agent's side of a session with one queue. */
struct loop {
	struct ml_session *s;
	struct ml_lib_setup setup;
	struct ml_ring_cons req;
	struct ml_ring_prod dec;
};

/* An address that is nobody's file table. */
#define OWNER	((fl_owner_t)&loop_schema)

#define LOCKED(_call) ({						\
	int __err;							\
									\
	mutex_lock(&ml_mutex);						\
	__err = (_call);						\
	mutex_unlock(&ml_mutex);					\
	__err; })

static int setup_slots(struct loop *l, u32 nr_slots, u32 payload)
{
	struct ml_queue *q;
	int err;

	l->setup = (struct ml_lib_setup){
		.nr_queues = 1, .nr_slots = nr_slots, .payload = payload,
	};
	err = LOCKED(ml_session_setup(l->s, &l->setup));
	if (err)
		return err;
	q = &l->s->queues[0];
	l->req = (struct ml_ring_cons){
		.slots = q->ro->req, .cons = &q->rw->req_cons,
		.mask = nr_slots - 1, .slot_size = l->setup.slot_size,
	};
	l->dec = (struct ml_ring_prod){
		.slots = q->rw->dec, .cons = &q->ro->dec_cons,
		.mask = nr_slots - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
	return 0;
}

static int setup(struct loop *l, u32 payload)
{
	return setup_slots(l, NR_SLOTS, payload);
}

static int attach(struct ml_session *s, struct ml_proxy *p)
{
	return LOCKED(ml_session_attach(s, p->core->id, p->core->hash));
}

static void session_end(struct ml_session *s)
{
	mutex_lock(&ml_mutex);
	ml_session_close(s);
	mutex_unlock(&ml_mutex);
	ml_session_put(s);
}

static int control(struct ml_lib_control c)
{
	c.id = loop_proxy.core->id;
	return LOCKED(ml_proxy_control(&c));
}

#define SET(_bit, ...)	\
	control((struct ml_lib_control){ .set = ML_LIB_SET_##_bit, __VA_ARGS__ })

static u64 count(struct kunit *test, struct ml_proxy *p,
		 enum ml_lib_counter counter)
{
	struct ml_lib_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, st);
	ml_proxy_stats(p->core, st);
	return st->counter[counter];
}

#define EXPECT_COUNT(_test, _counter, _n)				\
	KUNIT_EXPECT_EQ_MSG(_test, count(_test, &loop_proxy,		\
					 ML_LIB_CNT_##_counter),	\
			    (u64)(_n), #_counter)

/* Take the next request; returns its cookie or 0. */
static u64 agent_take(struct loop *l)
{
	const struct ml_lib_request *r = ml_ring_cons_peek(&l->req, 0);
	u64 cookie = r ? r->cookie : 0;

	if (r)
		ml_ring_cons_release(&l->req, 1);
	return cookie;
}

static int agent_send(struct loop *l, u64 cookie, u32 flags, s32 x, s32 y)
{
	struct ml_lib_decision *d;
	void *slot;
	int err = ml_ring_prod_next(&l->dec, &slot);

	if (err)
		return err;
	d = slot;
	d->flags = flags;
	d->cookie = cookie;
	d->out[0] = x;
	d->out[1] = y;
	d->out[2] = S32_MIN;		/* ignored */
	ml_ring_prod_publish(&l->dec, slot);
	return 0;
}

static u32 kick(struct loop *l)
{
	return ml_queue_kick(&l->s->queues[0]);
}

/* One request and one decision on it, fetched. */
static void ask(struct kunit *test, struct loop *l, u32 obj, u32 flags, s32 x,
		s32 y)
{
	u64 cookie = ml_submit(&loop_proxy, obj, ID, &features);

	KUNIT_ASSERT_NE(test, cookie, 0ULL);
	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	KUNIT_ASSERT_EQ(test, agent_send(l, cookie, flags, x, y), 0);
	KUNIT_ASSERT_EQ(test, kick(l), 1);
}

static int loop_init(struct kunit *test)
{
	struct loop *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	int err;

	if (!l)
		return -ENOMEM;
	test->priv = l;
	err = ml_proxy_register(&loop_proxy);
	if (err)
		return err;
	l->s = ml_session_create();
	if (!l->s)
		return -ENOMEM;
	err = setup(l, loop_schema.feature_bytes) ?:
	      attach(l->s, &loop_proxy) ?:
	      LOCKED(ml_session_start(l->s, OWNER));
	return err ?: SET(MODE, .mode = ML_LIB_MODE_RECOMMENDATION);
}

static void loop_exit(struct kunit *test)
{
	struct loop *l = test->priv;

	if (l && l->s)
		session_end(l->s);
	if (wide_proxy.core)
		ml_proxy_unregister(&wide_proxy);
	if (second_proxy.core)
		ml_proxy_unregister(&second_proxy);
	if (loop_proxy.core)
		ml_proxy_unregister(&loop_proxy);
}

static void loop_register(struct kunit *test)
{
	struct ml_proxy bad = PROXY("kunit/bad", &loop_schema);
	struct ml_proxy same = PROXY("kunit/loop", &loop_schema);

	KUNIT_EXPECT_EQ(test, ml_proxy_register(&same), -EEXIST);
	bad.nr_objects = 0;
	KUNIT_EXPECT_EQ(test, ml_proxy_register(&bad), -EINVAL);
	bad.nr_objects = 65537;
	KUNIT_EXPECT_EQ(test, ml_proxy_register(&bad), -EINVAL);
	bad.nr_objects = 1;
	bad.rate = 0;
	KUNIT_EXPECT_EQ(test, ml_proxy_register(&bad), -EINVAL);
	bad.rate = 1;
	bad.ttl_ms = 60001;
	KUNIT_EXPECT_EQ(test, ml_proxy_register(&bad), -EINVAL);
	bad.ttl_ms = 1;
	bad.name = "bad";
	KUNIT_EXPECT_EQ(test, ml_proxy_register(&bad), -EINVAL);
	KUNIT_EXPECT_NULL(test, bad.core);
	/* Calls for what is not registered are safe. */
	KUNIT_EXPECT_EQ(test, ml_submit(&bad, 0, ID, &features), 0ULL);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&bad, 0, NULL));
	KUNIT_EXPECT_FALSE(test, ml_report(&bad, 1, ID, NULL));
	KUNIT_EXPECT_FALSE(test, ml_decide(&bad, 0, ID, &features, 1, NULL));
	ml_advice_reset(&bad, 0);
}

static void loop_setup(struct kunit *test)
{
	static const struct ml_lib_setup bad[] = {
		{ .nr_slots = 8, .flags = 1 },
		{ .nr_slots = 0 }, { .nr_slots = 4 }, { .nr_slots = 12 },
		{ .nr_slots = 2 * ML_SESSION_MAX_SLOTS },
		{ .nr_slots = 0x80000000 },
		{ .nr_slots = 8, .payload = ML_LIB_MAX_PAYLOAD + 1 },
		{ .nr_slots = 8, .payload = U32_MAX },
		{ .nr_slots = 8, .nr_queues = U32_MAX },
	};
	struct loop *l = test->priv;
	struct ml_session *s = ml_session_create();
	struct ml_lib_setup arg;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (int i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = bad[i];
		KUNIT_EXPECT_EQ_MSG(test, LOCKED(ml_session_setup(s, &arg)),
				    -EINVAL, "case %d", i);
	}
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_start(s, OWNER)), -EBADFD);
	arg = (struct ml_lib_setup){ .nr_slots = 64, .payload = 100 };
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_setup(s, &arg)), 0);
	KUNIT_EXPECT_EQ(test, arg.nr_queues, nr_cpu_ids);
	KUNIT_EXPECT_EQ(test, arg.payload, 104);
	KUNIT_EXPECT_EQ(test, arg.slot_size, 192);
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(arg.stride_ro));
	KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(arg.stride_rw));
	KUNIT_EXPECT_EQ(test, arg.bytes_ro, (u64)arg.stride_ro * nr_cpu_ids);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_setup(s, &arg)), -EBADFD);
	session_end(s);

	/* Every slot can hold feedback. */
	KUNIT_EXPECT_GE(test, l->setup.payload, sizeof(struct ml_lib_feedback));
}

static void loop_attach(struct kunit *test)
{
	struct ml_session *s = ml_session_create();
	struct loop *l = test->priv;
	struct loop m = { .s = s };

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_EQ(test, attach(s, &loop_proxy), -EBADFD);
	KUNIT_ASSERT_EQ(test, setup(&m, 16), 0);
	KUNIT_EXPECT_EQ(test, attach(s, &loop_proxy), -EBUSY);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_attach(s, 0, 0)), -ENOENT);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_attach(s, U32_MAX, 0)),
			-ENOENT);

	KUNIT_ASSERT_EQ(test, ml_proxy_register(&wide_proxy), 0);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_attach(s, wide_proxy.core->id,
						       loop_proxy.core->hash)),
			-EKEYREJECTED);
	KUNIT_EXPECT_EQ(test, attach(s, &wide_proxy), -EMSGSIZE);
	KUNIT_EXPECT_NULL(test, wide_proxy.core->attached);

	/* What the first session leaves, the second can have. */
	mutex_lock(&ml_mutex);
	ml_session_detach(l->s, loop_proxy.core);
	mutex_unlock(&ml_mutex);
	KUNIT_EXPECT_EQ(test, attach(s, &loop_proxy), 0);
	KUNIT_EXPECT_FALSE(test, ml_proxy_active(&loop_proxy));
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_start(s, OWNER)), 0);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_start(s, OWNER)), -EBADFD);
	KUNIT_EXPECT_TRUE(test, ml_proxy_active(&loop_proxy));
	session_end(s);
	KUNIT_EXPECT_FALSE(test, ml_proxy_active(&loop_proxy));
	KUNIT_EXPECT_EQ(test, attach(l->s, &loop_proxy), 0);
	KUNIT_EXPECT_TRUE(test, ml_proxy_active(&loop_proxy));
}

static void loop_good(struct kunit *test)
{
	struct loop *l = test->priv;
	const struct ml_lib_request *r;
	struct ml_lib_stats *st;
	u64 sum = 0, cookie, before;
	s32 out[2] = { 111, 222 };

	KUNIT_EXPECT_TRUE(test, ml_proxy_active(&loop_proxy));
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 3, out));
	KUNIT_EXPECT_EQ(test, out[0], 111);
	EXPECT_COUNT(test, NO_ADVICE, 1);

	KUNIT_EXPECT_FALSE(test, ml_queue_ready(&l->s->queues[0]));
	before = ktime_get_ns();
	cookie = ml_submit(&loop_proxy, 3, ID, &features);
	KUNIT_ASSERT_NE(test, cookie, 0ULL);
	KUNIT_EXPECT_TRUE(test, ml_queue_ready(&l->s->queues[0]));
	r = ml_ring_cons_peek(&l->req, 0);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_EQ(test, r->proxy, loop_proxy.core->id);
	KUNIT_EXPECT_EQ(test, r->type, ML_LIB_RECORD_REQUEST);
	KUNIT_EXPECT_EQ(test, r->words, sizeof(features) / 8);
	KUNIT_EXPECT_EQ(test, r->cookie, cookie);
	KUNIT_EXPECT_EQ(test, r->object, ID);
	/* The clock of submissions may go by jiffies. */
	KUNIT_EXPECT_GE(test, r->time_ns, before - 2 * TICK_NSEC);
	KUNIT_EXPECT_LE(test, r->time_ns, ktime_get_ns() + 2 * TICK_NSEC);
	KUNIT_EXPECT_MEMEQ(test, r->payload, &features, sizeof(features));
	KUNIT_EXPECT_EQ(test, agent_take(l), cookie);
	KUNIT_EXPECT_FALSE(test, ml_queue_ready(&l->s->queues[0]));

	KUNIT_EXPECT_EQ(test, agent_send(l, cookie, 0, 42, -5), 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 3, out));
	KUNIT_EXPECT_EQ(test, kick(l), 1);
	KUNIT_EXPECT_EQ(test, kick(l), 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 3, out));
	KUNIT_EXPECT_EQ(test, out[0], 42);
	KUNIT_EXPECT_EQ(test, out[1], -5);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 4, out));
	EXPECT_COUNT(test, SUBMIT, 1);
	EXPECT_COUNT(test, DECIDE, 1);
	EXPECT_COUNT(test, APPLY, 1);

	st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, st);
	ml_proxy_stats(loop_proxy.core, st);
	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++)
		sum += st->latency[i];
	KUNIT_EXPECT_EQ(test, sum, 1ULL);
}

static void loop_drain_on_submit(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 cookie = ml_submit(&loop_proxy, 0, ID, &features);
	s32 out[2];

	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	KUNIT_ASSERT_EQ(test, agent_send(l, cookie, 0, 1, 0), 0);
	/* Submitters look once in a microsecond, by a clock that may be jiffies. */
	msleep(20);
	KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 1, ID, &features), 0ULL);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 1);
	/* It is seen by the agent that this has been fetched. */
	KUNIT_EXPECT_EQ(test, READ_ONCE(*l->dec.cons), 1);
}

static void loop_poll(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 cookie = ml_submit(&loop_proxy, 0, ID, &features);
	s32 out[2];

	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	KUNIT_EXPECT_FALSE(test, ml_advice_poll(&loop_proxy));
	KUNIT_ASSERT_EQ(test, agent_send(l, cookie, 0, 1, 0), 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_TRUE(test, ml_advice_poll(&loop_proxy));
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 1);
	KUNIT_EXPECT_EQ(test, READ_ONCE(*l->dec.cons), 1);
	KUNIT_EXPECT_FALSE(test, ml_advice_poll(&loop_proxy));
}

static void loop_refused(struct kunit *test)
{
	struct loop *l = test->priv;
	s32 out[2];

	ask(test, l, 0, 0, 0, 0);
	ask(test, l, 0, 0, 101, 0);
	ask(test, l, 0, 0, 50, 6);
	ask(test, l, 0, 0, S32_MIN, S32_MAX);
	EXPECT_COUNT(test, RANGE, 4);
	ask(test, l, 0, 1U << 31, 50, 0);
	EXPECT_COUNT(test, RANGE, 5);
	ask(test, l, 0, ML_LIB_DECISION_DECLINED, 50, 0);
	EXPECT_COUNT(test, DECLINED, 1);
	EXPECT_COUNT(test, DECIDE, 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	/* A refused decision leaves earlier advice alone. */
	ask(test, l, 0, 0, 50, 0);
	ask(test, l, 0, 0, 101, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 50);
}

static void loop_late(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 cookie;
	s32 out[2];

	KUNIT_ASSERT_EQ(test, SET(DEADLINE, .deadline_us = 1), 0);
	cookie = ml_submit(&loop_proxy, 0, ID, &features);
	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	KUNIT_ASSERT_EQ(test, agent_send(l, cookie, 0, 50, 0), 0);
	msleep(20);
	KUNIT_EXPECT_EQ(test, kick(l), 1);
	EXPECT_COUNT(test, DEADLINE, 1);
	EXPECT_COUNT(test, DECIDE, 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));

	/* What never comes is counted when its entry is needed. */
	for (int i = 0; i < 2 * NR_SLOTS; i++) {
		KUNIT_ASSERT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				0ULL);
		KUNIT_ASSERT_NE(test, agent_take(l), 0ULL);
		msleep(20);
	}
	EXPECT_COUNT(test, DEADLINE, 1 + NR_SLOTS);
}

static void loop_unmatched(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	u64 cookie = ml_submit(&loop_proxy, 0, ID, &features);
	s32 out[2];

	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	/* Forged: nothing is decided, nothing is counted against the proxy. */
	agent_send(l, 0, 0, 50, 0);
	agent_send(l, ~0ULL, 0, 50, 0);
	agent_send(l, cookie + 1, 0, 50, 0);
	agent_send(l, cookie | 1ULL << 48, 0, 50, 0);
	agent_send(l, cookie ^ 1ULL << 32, 0, 50, 0);
	KUNIT_EXPECT_EQ(test, kick(l), 5);
	KUNIT_EXPECT_EQ(test, q->unmatched, 5);
	EXPECT_COUNT(test, DECIDE, 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));

	/* Double: the first counts. */
	agent_send(l, cookie, 0, 50, 0);
	agent_send(l, cookie, 0, 51, 0);
	KUNIT_EXPECT_EQ(test, kick(l), 2);
	KUNIT_EXPECT_EQ(test, q->unmatched, 6);
	EXPECT_COUNT(test, DECIDE, 1);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 50);
	KUNIT_EXPECT_EQ(test, l->s->state, ML_LIB_SESSION_RUNNING);
}

static void loop_reset(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 cookie = ml_submit(&loop_proxy, 0, ID, &features);
	s32 out[2];

	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	ml_advice_reset(&loop_proxy, 0);
	KUNIT_ASSERT_EQ(test, agent_send(l, cookie, 0, 50, 0), 0);
	KUNIT_EXPECT_EQ(test, kick(l), 1);
	EXPECT_COUNT(test, UNMATCHED, 1);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
}

static void loop_no_object(struct kunit *test)
{
	struct ml_proxy none = {};

	ml_no_object(&loop_proxy);
	EXPECT_COUNT(test, NO_OBJECT, 1);
	ml_no_object(&none);
}

static void loop_modes(struct kunit *test)
{
	struct loop *l = test->priv;
	s32 out[2];

	KUNIT_EXPECT_EQ(test, SET(MODE, .mode = ML_LIB_MODE_COLLABORATION),
			-EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, SET(MODE, .mode = 4), -EINVAL);
	KUNIT_EXPECT_EQ(test, loop_proxy.core->mode,
			ML_LIB_MODE_RECOMMENDATION);

	ask(test, l, 0, 0, 50, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	/* Advice of the old mode does not outlive it. */
	KUNIT_EXPECT_EQ(test, SET(MODE, .mode = ML_LIB_MODE_LEARNING), 0);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_TRUE(test, ml_proxy_active(&loop_proxy));
	ask(test, l, 0, 0, 50, 0);
	EXPECT_COUNT(test, MODE, 1);
	ask(test, l, 0, ML_LIB_DECISION_EXPLORE, 50, 0);
	EXPECT_COUNT(test, MODE, 2);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, SET(EXPLORE, .explore_permille = 1000), 0);
	ask(test, l, 0, 0, 50, 0);
	EXPECT_COUNT(test, MODE, 3);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	ask(test, l, 0, ML_LIB_DECISION_EXPLORE, 51, 0);
	EXPECT_COUNT(test, MODE, 3);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 51);

	KUNIT_EXPECT_EQ(test, SET(MODE, .mode = ML_LIB_MODE_EMERGENCY), 0);
	KUNIT_EXPECT_FALSE(test, ml_proxy_active(&loop_proxy));
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	ask(test, l, 0, ML_LIB_DECISION_EXPLORE, 50, 0);
	EXPECT_COUNT(test, MODE, 4);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	EXPECT_COUNT(test, DECIDE, 6);
}

static void loop_explore_share(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 kept;

	KUNIT_ASSERT_EQ(test, SET(MODE, .mode = ML_LIB_MODE_LEARNING), 0);
	KUNIT_ASSERT_EQ(test, SET(EXPLORE, .explore_permille = 250), 0);
	for (int i = 0; i < 2000; i++)
		ask(test, l, 0, ML_LIB_DECISION_EXPLORE, 50, 0);
	kept = count(test, &loop_proxy, ML_LIB_CNT_MODE);
	KUNIT_EXPECT_GT(test, kept, 1350ULL);
	KUNIT_EXPECT_LT(test, kept, 1650ULL);
}

static void loop_control(struct kunit *test)
{
	struct ml_lib_control c = { .id = loop_proxy.core->id + 1 };

	KUNIT_EXPECT_EQ(test, LOCKED(ml_proxy_control(&c)), -ENOENT);
	KUNIT_EXPECT_EQ(test, SET(RATE, .rate = 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(RATE, .rate = 1000001), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(DEADLINE, .deadline_us = 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(DEADLINE, .deadline_us = 10000001), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(TTL, .ttl_ms = 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(TTL, .ttl_ms = 60001), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(EXPLORE, .explore_permille = 1001), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(CAP, .cap = { 101 }), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(CAP, .cap = { -1 }), -EINVAL);
	KUNIT_EXPECT_EQ(test, SET(CAP, .cap = { 0, 0, 1 }), -EINVAL);
	KUNIT_EXPECT_EQ(test, ml_proxy_cap(&loop_proxy, 0), 0);
	KUNIT_EXPECT_EQ(test, SET(CAP, .cap = { 100, -5 }), 0);
	KUNIT_EXPECT_EQ(test, ml_proxy_cap(&loop_proxy, 0), 100);
	KUNIT_EXPECT_EQ(test, ml_proxy_cap(&loop_proxy, 1), -5);
	KUNIT_EXPECT_EQ(test, ml_proxy_cap(&loop_proxy, ML_LIB_MAX_OUTPUTS), 0);

	/* All or nothing. */
	c = (struct ml_lib_control){
		.set = ML_LIB_SET_RATE | ML_LIB_SET_TTL, .rate = 5,
		.ttl_ms = 60001,
	};
	KUNIT_EXPECT_EQ(test, control(c), -EINVAL);
	KUNIT_EXPECT_EQ(test, loop_proxy.core->rate, 1000000);
	/* What is not to be set does not matter. */
	KUNIT_EXPECT_EQ(test, SET(RATE, .rate = 5, .ttl_ms = 60001), 0);
	KUNIT_EXPECT_EQ(test, loop_proxy.core->ttl_ms, 60000);
}

static void loop_full(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 cookie, last = 0;

	for (int i = 0; i < NR_SLOTS; i++)
		KUNIT_ASSERT_NE(test, ml_submit(&loop_proxy, i, ID, &features),
				0ULL);
	KUNIT_EXPECT_EQ(test, ml_submit(&loop_proxy, 0, ID, &features), 0ULL);
	EXPECT_COUNT(test, RING_FULL, 1);
	/* Taken but not answered: now there is room, but no free entry. */
	while ((cookie = agent_take(l)))
		last = cookie;
	KUNIT_EXPECT_EQ(test, ml_submit(&loop_proxy, 0, ID, &features), 0ULL);
	EXPECT_COUNT(test, INFLIGHT_FULL, 1);
	EXPECT_COUNT(test, SUBMIT, NR_SLOTS);
	/* A look is not put off where an entry is needed. */
	KUNIT_ASSERT_EQ(test, agent_send(l, last, 0, 1, 0), 0);
	l->s->queues[0].looked_ns = local_clock();
	KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features), 0ULL);
	EXPECT_COUNT(test, INFLIGHT_FULL, 1);
	KUNIT_EXPECT_EQ(test, l->s->state, ML_LIB_SESSION_RUNNING);
}

static void loop_budget(struct kunit *test)
{
	int sent = 0;

	KUNIT_ASSERT_EQ(test, SET(RATE, .rate = 10), 0);
	for (int i = 0; i < NR_SLOTS; i++)
		sent += !!ml_submit(&loop_proxy, 0, ID, &features);
	/* One in 100 ms, and this may have been the edge of a window. */
	KUNIT_EXPECT_GE(test, sent, 1);
	KUNIT_EXPECT_LE(test, sent, 2);
	EXPECT_COUNT(test, BUDGET, NR_SLOTS - sent);
	msleep(150);
	KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features), 0ULL);
}

/* What finds no room is no use of the budget. */
static void loop_budget_full(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_lib_feedback fb = {};

	KUNIT_ASSERT_EQ(test, SET(RATE, .rate = 10 * (NR_SLOTS + 1)), 0);
	for (int i = 0; i < 2 * NR_SLOTS; i++)
		ml_report(&loop_proxy, 0, ID, &fb);
	EXPECT_COUNT(test, FEEDBACK, NR_SLOTS);
	EXPECT_COUNT(test, RING_FULL, NR_SLOTS);
	ml_ring_cons_release(&l->req, NR_SLOTS);
	KUNIT_EXPECT_TRUE(test, ml_report(&loop_proxy, 0, ID, &fb));
	EXPECT_COUNT(test, BUDGET, 0);
}

static void loop_stale(struct kunit *test)
{
	struct loop *l = test->priv;
	s32 out[2];

	KUNIT_ASSERT_EQ(test, SET(TTL, .ttl_ms = 1), 0);
	ask(test, l, 0, 0, 50, 0);
	msleep(100);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	EXPECT_COUNT(test, STALE, 1);
	EXPECT_COUNT(test, APPLY, 0);
}

static void loop_report(struct kunit *test)
{
	struct loop *l = test->priv;
	const struct ml_lib_request *r;
	struct ml_lib_feedback fb = {
		.cost = 5, .units = 6, .extra = 7, .applied = { 1, 2 },
		.arm = ML_LIB_ARM_MODEL,
	};

	KUNIT_EXPECT_TRUE(test, ml_report(&loop_proxy, 99, ID, &fb));
	r = ml_ring_cons_peek(&l->req, 0);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_EQ(test, r->type, ML_LIB_RECORD_FEEDBACK);
	KUNIT_EXPECT_EQ(test, r->words, sizeof(fb) / 8);
	KUNIT_EXPECT_EQ(test, r->cookie, 99ULL);
	KUNIT_EXPECT_EQ(test, r->object, ID);
	KUNIT_EXPECT_MEMEQ(test, r->payload, &fb, sizeof(fb));
	EXPECT_COUNT(test, FEEDBACK, 1);
	EXPECT_COUNT(test, SUBMIT, 0);
	/* Feedback takes no entry: the ring is what limits it. */
	for (int i = 1; i < NR_SLOTS; i++)
		KUNIT_EXPECT_TRUE(test, ml_report(&loop_proxy, i, ID, &fb));
	KUNIT_EXPECT_FALSE(test, ml_report(&loop_proxy, 9, ID, &fb));
	EXPECT_COUNT(test, RING_FULL, 1);
}

/* NMI context cannot take the lock: refused and counted. */
static void loop_nmi(struct kunit *test)
{
	struct ml_lib_feedback fb = {};
	unsigned long flags;
	bool reported;
	u64 cookie;

	local_irq_save(flags);
	nmi_enter();
	cookie = ml_submit(&loop_proxy, 0, ID, &features);
	reported = ml_report(&loop_proxy, 1, ID, &fb);
	nmi_exit();
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, cookie, 0ULL);
	KUNIT_EXPECT_FALSE(test, reported);
	EXPECT_COUNT(test, NMI, 2);
	EXPECT_COUNT(test, SUBMIT, 0);
	EXPECT_COUNT(test, FEEDBACK, 0);
}

static void loop_forged_position(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_session *s = ml_session_create();
	struct loop m = { .s = s };
	s32 out[2];

	KUNIT_ASSERT_NOT_NULL(test, s);
	ask(test, l, 0, 0, 50, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	WRITE_ONCE(*l->req.cons, 1000);
	for (int i = 0; i < 3 * NR_SLOTS; i++)
		ml_submit(&loop_proxy, 1, ID, &features);
	EXPECT_COUNT(test, BROKEN, 1);
	EXPECT_COUNT(test, SUBMIT, 1 + NR_SLOTS - 1);
	/* A work item that an irq_work queues does the rest. */
	for (int i = 0; i < 1000 && READ_ONCE(l->s->owner); i++)
		msleep(20);
	flush_work(&l->s->broken);
	KUNIT_ASSERT_NULL(test, l->s->owner);
	KUNIT_EXPECT_EQ(test, l->s->state, ML_LIB_SESSION_BROKEN);
	KUNIT_EXPECT_EQ(test, l->s->queues[0].ro->state, ML_LIB_SESSION_BROKEN);
	KUNIT_EXPECT_EQ(test, l->s->queues[0].ro->epoch, 1);
	KUNIT_EXPECT_FALSE(test, ml_proxy_active(&loop_proxy));
	KUNIT_EXPECT_EQ(test, ml_submit(&loop_proxy, 1, ID, &features), 0ULL);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_start(l->s, OWNER)), -EBADFD);
	KUNIT_ASSERT_EQ(test, ml_proxy_register(&second_proxy), 0);
	KUNIT_EXPECT_EQ(test, attach(l->s, &second_proxy), -EBADFD);

	/* A new session works once the broken one has gone. */
	KUNIT_ASSERT_EQ(test, setup(&m, 16), 0);
	KUNIT_EXPECT_EQ(test, attach(s, &loop_proxy), -EBUSY);
	session_end(l->s);
	l->s = s;
	l->req = m.req;
	l->dec = m.dec;
	KUNIT_ASSERT_EQ(test, attach(s, &loop_proxy), 0);
	KUNIT_ASSERT_EQ(test, LOCKED(ml_session_start(s, OWNER)), 0);
	ask(test, l, 0, 0, 51, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, out[0], 51);
}

static void loop_unregister(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	u64 cookie[4];

	for (int i = 0; i < 4; i++) {
		cookie[i] = ml_submit(&loop_proxy, i, ID, &features);
		KUNIT_ASSERT_EQ(test, agent_take(l), cookie[i]);
	}
	agent_send(l, cookie[0], 0, 50, 0);
	ml_proxy_unregister(&loop_proxy);
	KUNIT_EXPECT_NULL(test, loop_proxy.core);
	KUNIT_EXPECT_FALSE(test, ml_proxy_active(&loop_proxy));
	for (int i = 1; i < 4; i++)
		agent_send(l, cookie[i], 0, 50, 0);
	KUNIT_EXPECT_EQ(test, kick(l), 4);
	KUNIT_EXPECT_EQ(test, q->unmatched, 4);
	KUNIT_EXPECT_EQ(test, l->s->state, ML_LIB_SESSION_RUNNING);
}

static void loop_restart(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	u64 cookie;
	s32 out[2];

	ask(test, l, 0, 0, 50, 0);
	cookie = ml_submit(&loop_proxy, 1, ID, &features);
	KUNIT_ASSERT_EQ(test, agent_take(l), cookie);
	KUNIT_EXPECT_EQ(test, q->ro->state, ML_LIB_SESSION_RUNNING);
	KUNIT_EXPECT_EQ(test, q->ro->epoch, 0);
	mutex_lock(&ml_mutex);
	ml_session_stop(l->s, ML_LIB_SESSION_STOPPED);
	mutex_unlock(&ml_mutex);
	KUNIT_EXPECT_EQ(test, q->ro->state, ML_LIB_SESSION_STOPPED);
	KUNIT_EXPECT_EQ(test, q->ro->epoch, 1);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	KUNIT_EXPECT_EQ(test, ml_submit(&loop_proxy, 0, ID, &features), 0ULL);
	EXPECT_COUNT(test, NO_AGENT, 2);
	KUNIT_EXPECT_EQ(test, LOCKED(ml_session_start(l->s, OWNER)), 0);
	KUNIT_EXPECT_TRUE(test, ml_proxy_active(&loop_proxy));
	agent_send(l, cookie, 0, 50, 0);
	KUNIT_EXPECT_EQ(test, kick(l), 1);
	KUNIT_EXPECT_EQ(test, q->unmatched, 1);
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 1, out));
	ask(test, l, 1, 0, 52, 0);
	KUNIT_EXPECT_TRUE(test, ml_advice_read(&loop_proxy, 1, out));
}

/* Stands in poll_wq for an agent and counts how often it is woken. */
struct sleeper {
	struct wait_queue_entry entry;
	u32 wakes;
};

static int sleeper_wake(struct wait_queue_entry *entry, unsigned int mode,
			int flags, void *key)
{
	container_of(entry, struct sleeper, entry)->wakes++;
	return 0;
}

static void loop_wakeup(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	static const struct {
		u32 token, woken, wakes;
	} steps[] = {
		{ 0, 0, 0 }, { 2, 0, 0 }, { 1, 1, 1 }, { 1, 1, 1 }, { 2, 1, 1 },
		{ 3, 3, 2 }, { U32_MAX, U32_MAX, 3 },
	};
	struct sleeper sleeper = {};

	init_waitqueue_func_entry(&sleeper.entry, sleeper_wake);
	add_wait_queue(&l->s->poll_wq, &sleeper.entry);
	for (int i = 0; i < ARRAY_SIZE(steps); i++) {
		u64 cookie;

		WRITE_ONCE(q->rw->need_wakeup, steps[i].token);
		cookie = ml_submit(&loop_proxy, 0, ID, &features);
		irq_work_sync(&l->s->wake);
		KUNIT_EXPECT_NE(test, cookie, 0ULL);
		KUNIT_EXPECT_EQ_MSG(test, q->woken, steps[i].woken, "step %d",
				    i);
		KUNIT_EXPECT_EQ_MSG(test, sleeper.wakes, steps[i].wakes,
				    "step %d", i);
	}
	remove_wait_queue(&l->s->poll_wq, &sleeper.entry);
}

/*
 * The agent takes a record before the submitter looks whether it sleeps. It is woken
 * for nothing, and has to be woken again with the same number.
 */
static void loop_wakes_again(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	struct sleeper sleeper = {};

	init_waitqueue_func_entry(&sleeper.entry, sleeper_wake);
	add_wait_queue(&l->s->poll_wq, &sleeper.entry);
	WRITE_ONCE(q->rw->need_wakeup, 1);
	for (u32 i = 1; i <= 3; i++) {
		KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				0ULL);
		/* What it has not taken, it need not be woken for again. */
		KUNIT_EXPECT_TRUE(test, ml_queue_ready(q));
		KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				0ULL);
		irq_work_sync(&l->s->wake);
		KUNIT_EXPECT_EQ(test, sleeper.wakes, i);
		while (agent_take(l))
			;
		KUNIT_EXPECT_FALSE(test, ml_queue_ready(q));
	}
	remove_wait_queue(&l->s->poll_wq, &sleeper.entry);
}

/* An agent that answers as soon as somebody waits. */
static int decide_agent(void *data)
{
	struct loop *l = data;

	while (!kthread_should_stop()) {
		u64 cookie = agent_take(l);

		if (cookie) {
			agent_send(l, cookie, 0, 77, 4);
			smp_mb();					/* (C) */
			if (READ_ONCE(l->s->queues[0].ro->need_kick))
				kick(l);
		}
		msleep(20);
	}
	return 0;
}

static void loop_decide(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	struct task_struct *agent;
	unsigned long start = jiffies;
	s32 out[2] = { 1, 1 };

	/* Nobody answers: the default, in time. */
	KUNIT_EXPECT_FALSE(test, ml_decide(&loop_proxy, 0, ID, &features, 20000,
					   out));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 5 * HZ));
	KUNIT_EXPECT_EQ(test, out[0], 1);
	EXPECT_COUNT(test, DEADLINE, 1);
	KUNIT_EXPECT_EQ(test, q->ro->need_kick, 0);
	KUNIT_EXPECT_NE(test, agent_take(l), 0ULL);

	agent = kthread_run(decide_agent, l, "ml_kunit_agent");
	KUNIT_ASSERT_FALSE(test, IS_ERR(agent));
	for (int i = 0; i < 20; i++) {
		out[0] = 1;
		KUNIT_EXPECT_TRUE(test, ml_decide(&loop_proxy, 0, ID, &features,
						  5000000, out));
		KUNIT_EXPECT_EQ(test, out[0], 77);
		KUNIT_EXPECT_EQ(test, out[1], 4);
	}
	/* It does not become advice. */
	KUNIT_EXPECT_FALSE(test, ml_advice_read(&loop_proxy, 0, out));
	/* In shadow, the default is the answer, at once. */
	KUNIT_EXPECT_EQ(test, SET(MODE, .mode = ML_LIB_MODE_LEARNING), 0);
	KUNIT_EXPECT_FALSE(test, ml_decide(&loop_proxy, 0, ID, &features,
					   5000000, out));
	EXPECT_COUNT(test, MODE, 1);
	kthread_stop(agent);
	EXPECT_COUNT(test, DEADLINE, 1);
	KUNIT_EXPECT_EQ(test, q->ro->need_kick, 0);
	KUNIT_EXPECT_EQ(test, q->waiters, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&l->s->ref), 1);

	/* The agent itself never waits. */
	l->s->owner = current->files;
	start = jiffies;
	KUNIT_EXPECT_FALSE(test, ml_decide(&loop_proxy, 0, ID, &features,
					   5000000, out));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 2 * HZ));
	l->s->owner = OWNER;
	EXPECT_COUNT(test, NO_AGENT, 1);
}

/* The answer may be behind those of others, more than are taken at a time. */
static void loop_answer_last(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q;
	u64 cookie, last;
	u32 value;

	session_end(l->s);
	l->s = ml_session_create();
	KUNIT_ASSERT_NOT_NULL(test, l->s);
	KUNIT_ASSERT_EQ(test, setup_slots(l, 4 * ML_DRAIN_BATCH,
					  loop_schema.feature_bytes), 0);
	KUNIT_ASSERT_EQ(test, attach(l->s, &loop_proxy), 0);
	KUNIT_ASSERT_EQ(test, LOCKED(ml_session_start(l->s, OWNER)), 0);
	q = &l->s->queues[0];
	for (int i = 0; i < 3 * ML_DRAIN_BATCH; i++)
		KUNIT_ASSERT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				0ULL);
	rcu_read_lock();
	last = ml_queue_submit(q, loop_proxy.core, 0, ID, &features, 10000000);
	rcu_read_unlock();
	KUNIT_ASSERT_NE(test, last, 0ULL);
	ml_queue_wait_begin(q);
	KUNIT_EXPECT_FALSE(test, ml_queue_settled(q, last));
	while ((cookie = agent_take(l)))
		KUNIT_ASSERT_EQ(test, agent_send(l, cookie, 0, 1, 0), 0);
	KUNIT_EXPECT_TRUE(test, ml_queue_settled(q, last));
	KUNIT_EXPECT_EQ(test, ml_queue_wait_end(q, last, &value),
			ML_INFLIGHT_ANSWERED);
}

/* A waiter whose proxy went away still has its entry when that is overdue. */
static void loop_detached_waiter(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	u64 cookie;
	u32 value;

	KUNIT_ASSERT_EQ(test, ml_proxy_register(&second_proxy), 0);
	KUNIT_ASSERT_EQ(test, attach(l->s, &second_proxy), 0);
	cookie = ml_queue_submit(q, loop_proxy.core, 0, ID, &features, 1);
	KUNIT_ASSERT_NE(test, cookie, 0ULL);
	ml_queue_wait_begin(q);
	KUNIT_EXPECT_FALSE(test, ml_queue_settled(q, cookie));
	mutex_lock(&ml_mutex);
	ml_session_detach(l->s, loop_proxy.core);
	mutex_unlock(&ml_mutex);
	KUNIT_EXPECT_TRUE(test, ml_queue_settled(q, cookie));
	EXPECT_COUNT(test, NO_AGENT, 1);
	msleep(20);
	for (int i = 0; i < NR_SLOTS; i++) {
		ml_submit(&second_proxy, 0, ID, &features);
		agent_take(l);
	}
	KUNIT_EXPECT_EQ(test, count(test, &second_proxy, ML_LIB_CNT_DEADLINE),
			0ULL);
	KUNIT_EXPECT_EQ(test, ml_queue_wait_end(q, cookie, &value),
			ML_INFLIGHT_REFUSED);
	EXPECT_COUNT(test, NO_AGENT, 1);
}

/* What one proxy leaves behind is forgotten, and nothing of another. */
static void loop_detach_spares_others(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 gone, kept;

	KUNIT_ASSERT_EQ(test, ml_proxy_register(&second_proxy), 0);
	KUNIT_ASSERT_EQ(test, attach(l->s, &second_proxy), 0);
	gone = ml_submit(&loop_proxy, 0, ID, &features);
	kept = ml_submit(&second_proxy, 0, ID, &features);
	mutex_lock(&ml_mutex);
	ml_session_detach(l->s, loop_proxy.core);
	mutex_unlock(&ml_mutex);
	KUNIT_ASSERT_EQ(test, agent_take(l), gone);
	KUNIT_ASSERT_EQ(test, agent_take(l), kept);
	KUNIT_ASSERT_EQ(test, agent_send(l, gone, 0, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, agent_send(l, kept, 0, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, kick(l), 2);
	KUNIT_EXPECT_EQ(test, l->s->queues[0].unmatched, 1);
	KUNIT_EXPECT_EQ(test, count(test, &second_proxy, ML_LIB_CNT_DECIDE),
			1ULL);
}

struct waiter {
	struct completion done;
	bool decided;
};

static int wait_long(void *data)
{
	struct waiter *w = data;
	s32 out[2];

	w->decided = ml_decide(&loop_proxy, 0, ID, &features, 10000000, out);
	complete(&w->done);
	return 0;
}

/* Whatever ends the service ends the waiting. */
static void loop_waiter_let_go(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];
	unsigned long left;
	struct waiter w;

	init_completion(&w.done);
	for (int way = 0; way < 3; way++) {
		KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(wait_long, &w,
							    "ml_kunit_wait")));
		for (int i = 0; i < 200 && !READ_ONCE(q->waiters); i++)
			msleep(20);
		KUNIT_EXPECT_EQ(test, READ_ONCE(q->waiters), 1);
		switch (way) {
		case 0:
			SET(MODE, .mode = ML_LIB_MODE_EMERGENCY);
			break;
		case 1:
			mutex_lock(&ml_mutex);
			ml_session_detach(l->s, loop_proxy.core);
			mutex_unlock(&ml_mutex);
			break;
		default:
			mutex_lock(&ml_mutex);
			ml_session_stop(l->s, ML_LIB_SESSION_STOPPED);
			mutex_unlock(&ml_mutex);
		}
		left = wait_for_completion_timeout(&w.done, 5 * HZ);
		KUNIT_EXPECT_NE(test, left, 0);
		/* It is on this stack. */
		if (!left)
			wait_for_completion(&w.done);
		KUNIT_EXPECT_FALSE(test, w.decided);
		EXPECT_COUNT(test, MODE, way ? 2 : 1);
		EXPECT_COUNT(test, NO_AGENT, way);
		if (!way) {
			/* Nor does anybody wait for what is off. */
			wait_long(&w);
			EXPECT_COUNT(test, MODE, 2);
			wait_for_completion(&w.done);
			SET(MODE, .mode = ML_LIB_MODE_RECOMMENDATION);
		} else if (way == 1) {
			KUNIT_EXPECT_EQ(test, attach(l->s, &loop_proxy), 0);
		}
	}
	EXPECT_COUNT(test, DEADLINE, 0);
}

/* What is reported with a cookie of the session before names no request. */
static void loop_sessions_differ(struct kunit *test)
{
	struct loop *l = test->priv;
	u64 old = ml_submit(&loop_proxy, 0, ID, &features);

	session_end(l->s);
	l->s = ml_session_create();
	KUNIT_ASSERT_NOT_NULL(test, l->s);
	KUNIT_ASSERT_EQ(test, setup(l, loop_schema.feature_bytes), 0);
	KUNIT_ASSERT_EQ(test, attach(l->s, &loop_proxy), 0);
	KUNIT_ASSERT_EQ(test, LOCKED(ml_session_start(l->s, OWNER)), 0);
	for (int i = 0; i < NR_SLOTS; i++)
		KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				old);
}

/* The next owner of a session counts its wake-ups from the start again. */
static void loop_wakes_next_owner(struct kunit *test)
{
	struct loop *l = test->priv;
	struct ml_queue *q = &l->s->queues[0];

	for (int owner = 0; owner < 2; owner++) {
		WRITE_ONCE(q->rw->need_wakeup, 1);
		KUNIT_EXPECT_EQ(test, q->woken, 0);
		KUNIT_EXPECT_NE(test, ml_submit(&loop_proxy, 0, ID, &features),
				0ULL);
		KUNIT_EXPECT_EQ(test, q->woken, 1);
		mutex_lock(&ml_mutex);
		ml_session_stop(l->s, ML_LIB_SESSION_STOPPED);
		mutex_unlock(&ml_mutex);
		KUNIT_ASSERT_EQ(test, LOCKED(ml_session_start(l->s, OWNER)), 0);
	}
}

static struct kunit_case loop_cases[] = {
	KUNIT_CASE(loop_register),
	KUNIT_CASE(loop_setup),
	KUNIT_CASE(loop_attach),
	KUNIT_CASE(loop_good),
	KUNIT_CASE(loop_drain_on_submit),
	KUNIT_CASE(loop_poll),
	KUNIT_CASE(loop_refused),
	KUNIT_CASE(loop_late),
	KUNIT_CASE(loop_unmatched),
	KUNIT_CASE(loop_reset),
	KUNIT_CASE(loop_no_object),
	KUNIT_CASE(loop_modes),
	KUNIT_CASE(loop_explore_share),
	KUNIT_CASE(loop_control),
	KUNIT_CASE(loop_full),
	KUNIT_CASE(loop_budget),
	KUNIT_CASE(loop_budget_full),
	KUNIT_CASE(loop_stale),
	KUNIT_CASE(loop_report),
	KUNIT_CASE(loop_nmi),
	KUNIT_CASE(loop_forged_position),
	KUNIT_CASE(loop_unregister),
	KUNIT_CASE(loop_restart),
	KUNIT_CASE(loop_wakeup),
	KUNIT_CASE(loop_wakes_again),
	KUNIT_CASE(loop_decide),
	KUNIT_CASE(loop_answer_last),
	KUNIT_CASE(loop_detached_waiter),
	KUNIT_CASE(loop_detach_spares_others),
	KUNIT_CASE(loop_waiter_let_go),
	KUNIT_CASE(loop_sessions_differ),
	KUNIT_CASE(loop_wakes_next_owner),
	{}
};

static struct kunit_suite loop_suite = {
	.name = "ml_loop",
	.init = loop_init,
	.exit = loop_exit,
	.test_cases = loop_cases,
};
kunit_test_suite(loop_suite);
