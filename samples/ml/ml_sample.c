// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest complete client of ML_LIB: the proxy sample/threshold.
 *
 * Once a second it wants a threshold that is as close as possible to the free
 * memory of the next second, in permille of all memory. Its default algorithm is
 * a constant. It shows the five steps of any client and changes nothing in the
 * system:
 *
 *	measure		what did the last decision cost?	ml_report()
 *	look up		is there advice?			ml_advice_read()
 *	fall back	if not, the default decides
 *	apply		override at the moment of use
 *	ask		submit the features and go on		ml_submit()
 *
 * Everything runs in one work item, so there is no lock.
 * Documentation/core-api/ml_lib.rst walks through this file; samples/ml/agent.c
 * is the other side.
 */

#define pr_fmt(fmt) "ml_sample: " fmt

#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/ml_lib.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/stat.h>
#include <linux/workqueue.h>

#define DEFAULT_THRESHOLD	100

/* What the model sees. No padding: all of it is copied to the agent. */
struct sample_features {
	u32 running;
	u32 free;
};

static const struct ml_lib_field sample_in[] = {
	ML_FEATURE(struct sample_features, running, ML_LIB_U32, "tasks", 1,
		   0, U32_MAX),
	ML_FEATURE(struct sample_features, free, ML_LIB_U32, "permille", 1,
		   0, 1000),
};

static const struct ml_lib_field sample_out[] = {
	ML_OUTPUT(0, "threshold", "permille", 1, 0, 1000),
};

static const struct ml_schema sample_schema = {
	.features = sample_in,
	.nr_features = ARRAY_SIZE(sample_in),
	.feature_bytes = sizeof(struct sample_features),
	.outputs = sample_out,
	.nr_outputs = ARRAY_SIZE(sample_out),
};

/* One object, two records a second; advice outlives a missed decision or two. */
static struct ml_proxy sample_proxy = {
	.name = "sample/threshold",
	.schema = &sample_schema,
	.nr_objects = 1,
	.rate = 20,
	.deadline_us = 500000,
	.ttl_ms = 3000,
};

static u64 sample_id;		/* names the object in records */
static u64 asked;		/* cookie of the last request */
static u64 used;		/* and of the one that @threshold answers */
static s32 threshold = DEFAULT_THRESHOLD;
static u32 arm = ML_LIB_ARM_DEFAULT;

static u32 free_permille(void)
{
	struct sysinfo i;

	si_meminfo(&i);
	return min(i.freeram / max(i.totalram / 1000, 1UL), 1000UL);
}

static void apply(s32 value, u32 by)
{
	threshold = value;
	if (arm != by)
		pr_info("%s decides\n",
			by == ML_LIB_ARM_MODEL ? "the model" : "the default");
	arm = by;
}

/* The cost is the distance between the threshold and what came. */
static void report(u32 free)
{
	struct ml_lib_feedback fb = {
		.cost = abs((s32)free - threshold),
		.units = 1,
		.applied = { threshold },
		.arm = arm,
	};

	if (used)
		ml_report(&sample_proxy, used, sample_id, &fb);
}

static void decide_and_ask(void)
{
	struct sample_features f = {
		.running = nr_running(),
		.free = free_permille(),
	};
	s32 out[ML_LIB_MAX_OUTPUTS];

	report(f.free);
	if (ml_advice_read(&sample_proxy, 0, out))
		apply(out[0], ML_LIB_ARM_MODEL);
	else
		apply(DEFAULT_THRESHOLD, ML_LIB_ARM_DEFAULT);
	/* What is applied now answers the request of a second ago. */
	used = asked;
	asked = ml_submit(&sample_proxy, 0, sample_id, &f);
}

static void sample_tick(struct work_struct *work)
{
	if (ml_proxy_active(&sample_proxy)) {
		decide_and_ask();
	} else {
		apply(DEFAULT_THRESHOLD, ML_LIB_ARM_DEFAULT);
		asked = 0;
		used = 0;
	}
	schedule_delayed_work(to_delayed_work(work), HZ);
}

static DECLARE_DELAYED_WORK(sample_work, sample_tick);

static int __init sample_init(void)
{
	int err;

	sample_id = get_random_u64();
	err = ml_proxy_register(&sample_proxy);
	if (err)
		return err;
	schedule_delayed_work(&sample_work, HZ);
	return 0;
}
late_initcall(sample_init);
