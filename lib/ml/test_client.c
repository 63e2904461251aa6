// SPDX-License-Identifier: GPL-2.0
/*
 * Test client: the proxy test/echo, for the selftests.
 *
 * Its features are a number, its complement and a sequence; the answer that is
 * right is the number modulo 1000. Parameters in
 * /sys/module/ml_test/parameters/:
 *
 *	context	0 process, 1 softirq (timer), 2 hardirq (irq_work)
 *	submit	write N: submit N requests from that context, spread over objects
 *	sync	write N: ask N times with ml_decide(), 1 s each
 *	good	read: advice that was right; write: look at all advice
 *	bad	advice that was wrong
 *	dropped	requests that were refused
 */

#define pr_fmt(fmt) "ml_test: " fmt
#undef KBUILD_MODNAME
#define KBUILD_MODNAME "ml_test"

#include <linux/completion.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/ml_lib.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/timer.h>

#define NR_OBJECTS	64
#define CHUNK		32	/* requests in one softirq or hardirq */

struct test_features {
	u64 number;
	s64 complement;
	u32 seq;
	u32 __pad;
};

static const struct ml_lib_field test_in[] = {
	ML_FEATURE(struct test_features, number, ML_LIB_U64, "", 1, 0, 1 << 20),
	ML_FEATURE(struct test_features, complement, ML_LIB_S64, "", 1,
		   -(1 << 20), 0),
	ML_FEATURE(struct test_features, seq, ML_LIB_U32, "", 1, 0, U32_MAX),
};

static const struct ml_lib_field test_out[] = {
	ML_OUTPUT(0, "rest", "", 1, 0, 999),
};

static const struct ml_schema test_schema = {
	.features = test_in,
	.nr_features = ARRAY_SIZE(test_in),
	.feature_bytes = sizeof(struct test_features),
	.outputs = test_out,
	.nr_outputs = ARRAY_SIZE(test_out),
};

static struct ml_proxy test_proxy = {
	.name = "test/echo",
	.schema = &test_schema,
	.nr_objects = NR_OBJECTS,
	.rate = 1000000,
	.deadline_us = 1000000,
	.ttl_ms = 1000,
};

static DEFINE_MUTEX(test_lock);		/* one writer of parameters at a time */
static u32 context;
static u32 seq;
static u32 left;			/* requests still to be submitted */
static u64 good, bad, dropped;
static DECLARE_COMPLETION(chunk_done);

static u32 number_of(u32 obj)
{
	return (obj * 7919) & 0xfffff;
}

/* Fill in the features of the next object's request. */
static u32 next_object(struct test_features *f)
{
	u32 obj = ++seq % NR_OBJECTS;

	*f = (struct test_features){
		.number = number_of(obj),
		.complement = -(s64)number_of(obj),
		.seq = seq,
	};
	return obj;
}

static void submit_chunk(void)
{
	for (u32 n = min_t(u32, left, CHUNK); n; n--, left--) {
		struct test_features f;
		u32 obj = next_object(&f);

		if (!ml_submit(&test_proxy, obj, obj + 1, &f))
			dropped++;
	}
}

static void submit_timer(struct timer_list *unused)
{
	submit_chunk();
	complete(&chunk_done);
}

static void submit_hardirq(struct irq_work *unused)
{
	WARN_ON_ONCE(!in_hardirq());
	submit_chunk();
	complete(&chunk_done);
}

static DEFINE_TIMER(test_timer, submit_timer);
static struct irq_work test_irq = IRQ_WORK_INIT_HARD(submit_hardirq);

static int set_submit(const char *val, const struct kernel_param *kp)
{
	int err;
	u32 n;

	err = kstrtou32(val, 0, &n);
	if (err)
		return err;
	mutex_lock(&test_lock);
	left = n;
	while (left && !signal_pending(current)) {
		switch (context) {
		case 0:
			submit_chunk();
			break;
		case 1:
			mod_timer(&test_timer, jiffies);
			wait_for_completion(&chunk_done);
			break;
		default:
			irq_work_queue(&test_irq);
			wait_for_completion(&chunk_done);
		}
		cond_resched();
	}
	mutex_unlock(&test_lock);
	return left ? -EINTR : 0;
}

static int set_sync(const char *val, const struct kernel_param *kp)
{
	int err;
	u32 n;

	err = kstrtou32(val, 0, &n);
	if (err)
		return err;
	mutex_lock(&test_lock);
	while (n-- && !signal_pending(current)) {
		struct test_features f;
		u32 obj = next_object(&f);
		s32 out = -1;

		if (!ml_decide(&test_proxy, obj, obj + 1, &f, 1000000, &out))
			dropped++;
		else if (out == number_of(obj) % 1000)
			good++;
		else
			bad++;
	}
	mutex_unlock(&test_lock);
	return 0;
}

static int set_good(const char *val, const struct kernel_param *kp)
{
	mutex_lock(&test_lock);
	good = 0;
	bad = 0;
	dropped = 0;
	for (u32 obj = 0; obj < NR_OBJECTS; obj++) {
		s32 out;

		if (!ml_advice_read(&test_proxy, obj, &out))
			continue;
		if (out == number_of(obj) % 1000)
			good++;
		else
			bad++;
	}
	mutex_unlock(&test_lock);
	return 0;
}

static int get_good(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%llu\n", good);
}

static const struct kernel_param_ops submit_ops = { .set = set_submit };
static const struct kernel_param_ops sync_ops = { .set = set_sync };
static const struct kernel_param_ops good_ops = {
	.set = set_good, .get = get_good,
};

module_param(context, uint, 0600);
module_param_cb(submit, &submit_ops, NULL, 0200);
module_param_cb(sync, &sync_ops, NULL, 0200);
module_param_cb(good, &good_ops, NULL, 0600);
module_param(bad, ullong, 0400);
module_param(dropped, ullong, 0400);

static int __init test_init(void)
{
	return ml_proxy_register(&test_proxy);
}
late_initcall(test_init);
