// SPDX-License-Identifier: GPL-2.0
/* Counters and latency, at a moment or as rates. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "mlctl.h"

#define BAR	40

static uint64_t total(const uint64_t *bucket)
{
	uint64_t sum = 0;

	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++)
		sum += bucket[i];
	return sum;
}

/*
 * Estimate a quantile in ns: find its bucket, and take the values in it as
 * evenly spread. The error is at most a factor of two.
 */
static double quantile(const uint64_t *bucket, double q)
{
	double rank = q * total(bucket);

	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++) {
		if (bucket[i] && rank <= bucket[i])
			return (double)(1ULL << i) * (1 + rank / bucket[i]);
		rank -= bucket[i];
	}
	return 0;
}

static const char *format_ns(double ns, char *buf, size_t size)
{
	if (ns < 1e3)
		snprintf(buf, size, "%.0f ns", ns);
	else if (ns < 1e6)
		snprintf(buf, size, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(buf, size, "%.1f ms", ns / 1e6);
	else
		snprintf(buf, size, "%.1f s", ns / 1e9);
	return buf;
}

static void print_latency(const uint64_t *bucket)
{
	uint64_t sum = total(bucket), most = 0;
	char a[24], b[24];
	int first = -1, last = -1;

	if (!sum) {
		printf("latency: no decisions yet\n");
		return;
	}
	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++) {
		if (!bucket[i])
			continue;
		if (first < 0)
			first = i;
		last = i;
		if (bucket[i] > most)
			most = bucket[i];
	}
	printf("latency: p50 ~%s, p99 ~%s\n",
	       format_ns(quantile(bucket, 0.5), a, sizeof(a)),
	       format_ns(quantile(bucket, 0.99), b, sizeof(b)));
	for (int i = first; i <= last; i++) {
		int len = bucket[i] * BAR / most;

		printf("  %9s.. %12" PRIu64 " %.*s\n",
		       format_ns(1ULL << i, a, sizeof(a)), bucket[i], len,
		       "########################################");
	}
}

int show_stats(struct mlagent *agent, const char *name)
{
	struct ml_lib_stats stats;
	struct ml_lib_proxy p;
	uint64_t bucket[ML_LIB_NR_BUCKETS];
	int err;

	err = mlagent_proxy_find(agent, name, &p);
	if (!err)
		err = mlagent_stats(agent, p.id, &stats);
	if (err)
		return err;

	for (uint32_t i = 0; mlagent_counter_name(i); i++)
		printf("%-14s %20" PRIu64 "\n", mlagent_counter_name(i),
		       (uint64_t)stats.counter[i]);
	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++)
		bucket[i] = stats.latency[i];
	print_latency(bucket);
	return 0;
}

/* One line: what moved, per second, and the latency of the interval. */
static void print_rates(const struct ml_lib_stats *old,
			const struct ml_lib_stats *new, uint32_t sec)
{
	uint64_t bucket[ML_LIB_NR_BUCKETS];
	char a[24], b[24];
	bool any = false;

	for (uint32_t i = 0; mlagent_counter_name(i); i++) {
		uint64_t delta = new->counter[i] - old->counter[i];

		if (!delta)
			continue;
		printf("%s%s=%.0f/s", any ? " " : "", mlagent_counter_name(i),
		       (double)delta / sec);
		any = true;
	}
	for (int i = 0; i < ML_LIB_NR_BUCKETS; i++)
		bucket[i] = new->latency[i] - old->latency[i];
	if (total(bucket))
		printf(" p50~%s p99~%s",
		       format_ns(quantile(bucket, 0.5), a, sizeof(a)),
		       format_ns(quantile(bucket, 0.99), b, sizeof(b)));
	puts(any ? "" : "idle");
	fflush(stdout);
}

int watch_stats(struct mlagent *agent, const char *name, uint32_t sec)
{
	struct ml_lib_stats stats[2];
	struct ml_lib_proxy p;
	int now = 0, err;

	err = mlagent_proxy_find(agent, name, &p);
	if (!err)
		err = mlagent_stats(agent, p.id, &stats[now]);
	while (!err) {
		nanosleep(&(struct timespec) { .tv_sec = sec }, NULL);
		now ^= 1;
		err = mlagent_stats(agent, p.id, &stats[now]);
		if (!err)
			print_rates(&stats[now ^ 1], &stats[now], sec);
	}
	return err;
}
