// SPDX-License-Identifier: GPL-2.0
/*
 * Transports that are shared memory: a word, ML_LIB's rings. And a tracepoint.
 */

#include <linux/bug.h>
#include <linux/ml_lib.h>
#include <linux/mutex.h>

#include "bench.h"
#define CREATE_TRACE_POINTS
#include "trace.h"

/*
 * Ping-pong. A word changes hands: nothing that crosses two processors can take
 * less time than the two transfers of its cache line.
 */

static u32 ball;

static int pingpong_begin(const struct ml_bench_run *run)
{
	ball = 0;
	return run->depth == 1 && run->mode == ML_BENCH_SPIN ? 0 : -EINVAL;
}

static bool pingpong_submit(u32 obj, const u64 *word)
{
	/* As a ring does it, in both directions; pairs with the agent. */
	smp_store_release(&ml_bench_page->ball, ++ball);
	return true;
}

static bool pingpong_receive(u32 obj, s32 *value)
{
	/* Pairs with the agent's release. */
	if (smp_load_acquire(&ml_bench_page->ball) != ball + 1)
		return false;
	ball++;
	return true;
}

const struct ml_bench_ops ml_bench_pingpong_ops = {
	.begin = pingpong_begin,
	.submit = pingpong_submit,
	.receive = pingpong_receive,
	.bare = true,
};

/*
 * ML_LIB, as its clients use it. The proxy is there while /dev/ml_bench is open.
 */

struct features {
	u64 word[ML_BENCH_WORDS];
};

#define WORD(_i)						\
	{							\
		.name = "word" #_i, .type = ML_LIB_U64,		\
		.offset = (_i) * sizeof(u64), .scale = 1,	\
		.min = 0, .max = S64_MAX,			\
	}

static const struct ml_lib_field fields_in[] = {
	WORD(0), WORD(1), WORD(2), WORD(3), WORD(4), WORD(5), WORD(6), WORD(7),
};

static const struct ml_lib_field fields_out[] = {
	ML_OUTPUT(0, "value", "", 1, 0, ML_BENCH_RANGE - 1),
};

const struct ml_schema ml_bench_schema = {
	.features = fields_in,
	.nr_features = ARRAY_SIZE(fields_in),
	.feature_bytes = sizeof(struct features),
	.outputs = fields_out,
	.nr_outputs = ARRAY_SIZE(fields_out),
};

static struct ml_proxy proxy = {
	.name = ML_BENCH_PROXY,
	.schema = &ml_bench_schema,
	.nr_objects = ML_BENCH_OBJECTS,
	.rate = 1000000,
	.deadline_us = 1000000,
	.ttl_ms = 10000,
};

static DEFINE_MUTEX(proxy_lock);
static u32 proxy_users;

/* Requests under way; and whether there may be advice for the oldest. */
static u32 under_way;
static bool look;

/**
 * ml_bench_proxy_get() - register the proxy, if nobody has
 *
 * Context: Process. May sleep.
 * Return: 0 or an error of ml_proxy_register().
 */
int ml_bench_proxy_get(void)
{
	int err = 0;

	mutex_lock(&proxy_lock);
	if (!proxy_users)
		err = ml_proxy_register(&proxy);
	if (!err)
		proxy_users++;
	mutex_unlock(&proxy_lock);
	return err;
}

/**
 * ml_bench_proxy_put() - unregister the proxy, if nobody needs it any more
 *
 * Context: Process. May sleep.
 */
void ml_bench_proxy_put(void)
{
	mutex_lock(&proxy_lock);
	if (!--proxy_users)
		ml_proxy_unregister(&proxy);
	mutex_unlock(&proxy_lock);
}

/* The advice of the last request for this object has been used up. */
static void ring_prepare(u32 obj)
{
	ml_advice_reset(&proxy, obj);
}

static int ring_begin(const struct ml_bench_run *run)
{
	under_way = 0;
	look = false;
	return 0;
}

static bool ring_submit(u32 obj, const u64 *word)
{
	if (!ml_submit(&proxy, obj, obj + 1, word))
		return false;
	/* It may have taken decisions in on its way. */
	if (under_way++)
		look = true;
	return true;
}

static bool ring_receive(u32 obj, s32 *value)
{
	while (look || ml_advice_poll(&proxy)) {
		look = ml_advice_read(&proxy, obj, value);
		if (look) {
			under_way--;
			return true;
		}
	}
	return false;
}

static bool ring_call(u32 obj, const u64 *word, s32 *value)
{
	return ml_decide(&proxy, obj, obj + 1, word, 1000000, value);
}

const struct ml_bench_ops ml_bench_ring_ops = {
	.begin = ring_begin,
	.prepare = ring_prepare,
	.submit = ring_submit,
	.receive = ring_receive,
	.call = ring_call,
};

/*
 * A tracepoint, into the trace buffer if tracing is on. There is no way back.
 */

static bool trace_submit(u32 obj, const u64 *word)
{
	trace_ml_bench_request(obj, word);
	return true;
}

const struct ml_bench_ops ml_bench_trace_ops = {
	.submit = trace_submit,
};
