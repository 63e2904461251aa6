// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark client: how the cost of ml_submit() grows with the number of
 * proxies, the payload, the number of queues and the rate.
 *
 * It registers as many proxies as it is told, bench/scale-0 and so on, and
 * submits to them in turn. The features are a number, its complement and
 * padding; the answer that is right is the number modulo 1000. Parameters in
 * /sys/module/ml_scale/parameters/:
 *
 *	payload	bytes of features, 16 to 256; holds for proxies made later
 *	proxies	write N: have N proxies
 *	cpus	how many CPUs submit
 *	period	clock ticks from one submission to the next on each CPU; 0: none
 *	submit	write N: submit N requests from each CPU
 *	result	read: of the last run, in this order: requests sent and dropped;
 *		ticks of a call that sent, median, 99 %, 99.9 % and greatest; of
 *		one that dropped, the same; advice that is right, and wrong
 *
 * A tick is one of the CPU's cycle counter where there is one, otherwise a
 * nanosecond. Interrupts are off during the calls that are timed.
 */

#define pr_fmt(fmt) "ml_scale: " fmt
#undef KBUILD_MODNAME
#define KBUILD_MODNAME "ml_scale"

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/ml_lib.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#define MAX_PROXIES	1024
#define MAX_SAMPLES	(1 << 22)
#define NR_OBJECTS	64
#define DROPPED		BIT(31)		/* in a sample: the call sent nothing */

struct scale_features {
	u64 number;
	s64 complement;
	u8 padding[ML_LIB_MAX_PAYLOAD - 16];
};

/* A proxy with its own schema, because the payload may differ. */
struct scale_proxy {
	struct ml_proxy proxy;
	struct ml_schema schema;
	char name[ML_LIB_NAME_LEN];
};

struct scale_run {
	struct work_struct work;
	u32 nr;
	u32 first;
	u32 *sample;
};

static const struct ml_lib_field scale_in[] = {
	ML_FEATURE(struct scale_features, number, ML_LIB_U64, "", 1, 0, 1 << 20),
	ML_FEATURE(struct scale_features, complement, ML_LIB_S64, "", 1,
		   -(1 << 20), 0),
};

static const struct ml_lib_field scale_out[] = {
	ML_OUTPUT(0, "rest", "", 1, 0, 999),
};

static DEFINE_MUTEX(scale_lock);	/* of all below */
static struct scale_proxy *scale_proxies[MAX_PROXIES];
static u32 nr_proxies;
static u32 payload = 64;
static u32 cpus = 1;
static u32 period;
static u32 good, bad;
static u32 nr_sent, nr_dropped;
static u32 sent_ticks[4], drop_ticks[4];

static u64 clock_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	u32 low, high;

	/* get_cycles() is zero in user mode Linux, which runs on the same CPU. */
	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) :: "memory");
	return (u64)high << 32 | low;
#else
	return ktime_get_mono_fast_ns();
#endif
}

static u32 number_of(u32 proxy, u32 obj)
{
	return (proxy * NR_OBJECTS + obj) * 7919 & 0xfffff;
}

static struct scale_proxy *make_proxy(u32 index)
{
	struct scale_proxy *sp = kzalloc(sizeof(*sp), GFP_KERNEL);

	if (!sp)
		return NULL;
	snprintf(sp->name, sizeof(sp->name), "bench/scale-%u", index);
	sp->schema = (struct ml_schema){
		.features = scale_in,
		.nr_features = ARRAY_SIZE(scale_in),
		.feature_bytes = payload,
		.outputs = scale_out,
		.nr_outputs = ARRAY_SIZE(scale_out),
	};
	sp->proxy = (struct ml_proxy){
		.name = sp->name,
		.schema = &sp->schema,
		.nr_objects = NR_OBJECTS,
		.rate = 1000000,
		.deadline_us = 10 * USEC_PER_SEC,
		.ttl_ms = 60000,
	};
	if (ml_proxy_register(&sp->proxy)) {
		kfree(sp);
		return NULL;
	}
	return sp;
}

static int set_proxies(const char *val, const struct kernel_param *kp)
{
	int err;
	u32 n;

	err = kstrtou32(val, 0, &n);
	if (err)
		return err;
	if (n > MAX_PROXIES || payload < 16 || payload > ML_LIB_MAX_PAYLOAD ||
	    payload % 8)
		return -EINVAL;
	mutex_lock(&scale_lock);
	while (nr_proxies > n) {
		struct scale_proxy *sp = scale_proxies[--nr_proxies];

		ml_proxy_unregister(&sp->proxy);
		kfree(sp);
	}
	while (nr_proxies < n && !err) {
		scale_proxies[nr_proxies] = make_proxy(nr_proxies);
		if (scale_proxies[nr_proxies])
			nr_proxies++;
		else
			err = -ENOMEM;
	}
	mutex_unlock(&scale_lock);
	return err;
}

/* Submit a request and return its sample. */
static u32 submit_one(u32 seq)
{
	u32 index = seq % nr_proxies, obj = seq / nr_proxies % NR_OBJECTS;
	u32 number = number_of(index, obj), ticks;
	struct scale_features f = {
		.number = number,
		.complement = -(s64)number,
	};
	unsigned long flags;
	u64 begin, cookie;

	local_irq_save(flags);
	begin = clock_ticks();
	cookie = ml_submit(&scale_proxies[index]->proxy, obj, number + 1, &f);
	ticks = min_t(u64, clock_ticks() - begin, DROPPED - 1);
	local_irq_restore(flags);
	return cookie ? ticks : ticks | DROPPED;
}

static void scale_work(struct work_struct *work)
{
	struct scale_run *run = container_of(work, struct scale_run, work);
	u64 next = clock_ticks();

	for (u32 i = 0; i < run->nr; i++) {
		run->sample[i] = submit_one(run->first + i);
		next += period;
		do
			cond_resched();
		while (period && (s64)(next - clock_ticks()) > 0);
	}
}

static int compare(const void *a, const void *b)
{
	const u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Median, 99 %, 99.9 % and greatest of sorted samples. */
static void quantiles(const u32 *sample, u32 nr, u32 *q)
{
	static const u32 permille[] = { 500, 990, 999, 1000 };

	for (int i = 0; i < ARRAY_SIZE(permille); i++)
		q[i] = nr ? sample[div_u64((u64)(nr - 1) * permille[i], 1000)] &
			   ~DROPPED : 0;
}

static void evaluate(u32 *sample, u32 nr)
{
	sort(sample, nr, sizeof(*sample), compare, NULL);
	nr_sent = nr;
	while (nr_sent && (sample[nr_sent - 1] & DROPPED))
		nr_sent--;
	nr_dropped = nr - nr_sent;
	quantiles(sample, nr_sent, sent_ticks);
	quantiles(sample + nr_sent, nr_dropped, drop_ticks);
}

static int set_submit(const char *val, const struct kernel_param *kp)
{
	u32 n, nr_cpus, i = 0;
	struct scale_run *runs;
	u32 *sample;
	int cpu, err;

	err = kstrtou32(val, 0, &n);
	if (err)
		return err;
	mutex_lock(&scale_lock);
	nr_cpus = clamp(cpus, 1U, num_online_cpus());
	err = -EINVAL;
	if (!nr_proxies || !n || n > MAX_SAMPLES / nr_cpus)
		goto unlock;
	sample = kvcalloc(n * nr_cpus, sizeof(*sample), GFP_KERNEL);
	runs = kcalloc(nr_cpus, sizeof(*runs), GFP_KERNEL);
	err = -ENOMEM;
	if (!sample || !runs)
		goto free;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		if (i == nr_cpus)
			break;
		runs[i] = (struct scale_run){
			.nr = n,
			.first = i * n,
			.sample = sample + i * n,
		};
		INIT_WORK(&runs[i].work, scale_work);
		queue_work_on(cpu, system_long_wq, &runs[i].work);
		i++;
	}
	cpus_read_unlock();
	while (i--)
		flush_work(&runs[i].work);
	evaluate(sample, n * nr_cpus);
	err = 0;
free:
	kvfree(sample);
	kfree(runs);
unlock:
	mutex_unlock(&scale_lock);
	return err;
}

/* Look at all advice. */
static void check_advice(void)
{
	good = 0;
	bad = 0;
	for (u32 index = 0; index < nr_proxies; index++) {
		for (u32 obj = 0; obj < NR_OBJECTS; obj++) {
			s32 out;

			if (!ml_advice_read(&scale_proxies[index]->proxy, obj,
					    &out))
				continue;
			if (out == number_of(index, obj) % 1000)
				good++;
			else
				bad++;
		}
	}
}

static int get_result(char *buf, const struct kernel_param *kp)
{
	int len = 0;

	mutex_lock(&scale_lock);
	check_advice();
	len += sysfs_emit_at(buf, len, "%u %u", nr_sent, nr_dropped);
	for (int i = 0; i < ARRAY_SIZE(sent_ticks); i++)
		len += sysfs_emit_at(buf, len, " %u", sent_ticks[i]);
	for (int i = 0; i < ARRAY_SIZE(drop_ticks); i++)
		len += sysfs_emit_at(buf, len, " %u", drop_ticks[i]);
	len += sysfs_emit_at(buf, len, " %u %u\n", good, bad);
	mutex_unlock(&scale_lock);
	return len;
}

static const struct kernel_param_ops proxies_ops = { .set = set_proxies };
static const struct kernel_param_ops submit_ops = { .set = set_submit };
static const struct kernel_param_ops result_ops = { .get = get_result };

module_param(payload, uint, 0600);
module_param(cpus, uint, 0600);
module_param(period, uint, 0600);
module_param_cb(proxies, &proxies_ops, NULL, 0200);
module_param_cb(submit, &submit_ops, NULL, 0200);
module_param_cb(result, &result_ops, NULL, 0400);
