// SPDX-License-Identifier: GPL-2.0
/*
 * How large a batch may be, and whether to wait for it to fill: what that does
 * to latency at several loads, and to the most that can be decided.
 *
 * Requests come at random moments (exponential gaps) and are due then, whether
 * or not the agent keeps up. Latency is from then to the fetched decision. The
 * rings have room for as many as ml-agent's have by default; a request that
 * finds none is dropped, as by the kernel. Where fewer are offered than the
 * load asks for, the process that offers them was late, and so is each answer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "count.h"

#define DEFAULT_SLOTS	256
#define ROUNDS		5
#define ROUND_S		0.15

static const struct policy {
	const char *name;
	unsigned int batch;
	uint64_t hold_ns;
} policies[] = {
	{ "at most 1",			1,	0 },
	{ "at most 4",			4,	0 },
	{ "at most 8",			8,	0 },
	{ "at most 16",			16,	0 },
	{ "at most 32",			32,	0 },
	{ "at most 64 (default)",	64,	0 },
	{ "at most 128",		128,	0 },
	{ "at most 256",		256,	0 },
	{ "wait 20 us for 64",		64,	20000 },
	{ "wait 100 us for 64",		64,	100000 },
};

#define DEFAULT		64

#define NR_POLICIES	(sizeof(policies) / sizeof(policies[0]))

static const double loads[] = { 0.1, 0.5, 0.8, 1.2 };

#define NR_LOADS	(sizeof(loads) / sizeof(loads[0]))

enum { P50, P99, P999, OFFERED, ANSWERED, ROWS, DROPPED, NR_FIGURES };

static const struct {
	const char *metric;
	const char *unit;
} figures[NR_FIGURES] = {
	{ "latency_p50", "ns" }, { "latency_p99", "ns" },
	{ "latency_p99.9", "ns" }, { "load_offered", "1/s" },
	{ "load_answered", "1/s" }, { "load_batch", "requests" },
	{ "load_dropped", "share" },
};

static int serve(struct bench *b, const struct policy *p)
{
	b->hold_ns = p->hold_ns;
	return bench_serve(b, p->batch);
}

/* Return: requests per second when there are always some, or 0 on failure. */
static double capacity(struct bench *b, const struct policy *p)
{
	struct standin_order *o = b->order;

	o->rate = 0;
	o->keep = false;
	o->inflight = 2 * MAX_BATCH;
	o->total = 20000;
	if (serve(b, p))
		return 0;
	return o->total * 1e9 / (o->last_ns - o->first_ns);
}

static int by_latency(const void *a, const void *b)
{
	const struct standin_answer *x = a, *y = b;

	return x->latency_ns < y->latency_ns ? -1 :
	       x->latency_ns > y->latency_ns;
}

static int load(struct bench *b, const struct policy *p, double rate,
		double *value)
{
	struct standin_order *o = b->order;

	o->rate = rate;
	o->keep = true;
	o->inflight = DEFAULT_SLOTS;
	o->total = rate * ROUND_S;
	if (o->total > STANDIN_MAX)
		o->total = STANDIN_MAX;
	if (serve(b, p))
		return -1;
	qsort(o->answer, o->sent, sizeof(o->answer[0]), by_latency);
	value[P50] = o->answer[o->sent / 2].latency_ns;
	value[P99] = o->answer[o->sent * 99 / 100].latency_ns;
	value[P999] = o->answer[o->sent * 999 / 1000].latency_ns;
	value[OFFERED] = o->total * 1e9 / (o->offered_ns - o->first_ns);
	value[ANSWERED] = value[OFFERED] * o->sent / o->total;
	value[ROWS] = (double)o->sent / count.batches;
	value[DROPPED] = (double)o->dropped / o->total;
	return 0;
}

static void print(const struct bench *b, const struct policy *p,
		  const char *metric, const char *unit, double *v)
{
	double ci, value = median(v, ROUNDS, &ci);
	char name[64];

	snprintf(name, sizeof(name), "%s: %s", b->name, p->name);
	print_figure(&(struct figure) {
		.transport = name, .payload = b->c.head->feature_bytes,
		.depth = p->batch, .metric = metric, .value = value,
		.unit = unit, .n = ROUNDS, .ci = ci,
	});
}

static int at_load(struct bench *b, double share, double full)
{
	static double v[NR_POLICIES][NR_FIGURES][ROUNDS];
	double rate = share * full;

	for (int r = 0; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < NR_POLICIES; i++) {
			double value[NR_FIGURES];

			if (load(b, &policies[i], rate, value))
				return -1;
			for (int f = 0; f < NR_FIGURES; f++)
				v[i][f][r] = value[f];
		}
	}
	for (unsigned int i = 0; i < NR_POLICIES; i++) {
		for (int f = 0; f < NR_FIGURES; f++) {
			char metric[64];

			snprintf(metric, sizeof(metric), "%s_at_%.0f%%",
				 figures[f].metric, share * 100);
			print(b, &policies[i], metric, figures[f].unit,
			      v[i][f]);
		}
	}
	return 0;
}

int bench_policy(struct bench *b)
{
	static double most[NR_POLICIES][ROUNDS];
	double full = 0, ci;

	for (int r = -1; r < ROUNDS; r++) {
		for (unsigned int i = 0; i < NR_POLICIES; i++) {
			double c = capacity(b, &policies[i]);

			if (!c)
				return -1;
			if (r >= 0)
				most[i][r] = c;
		}
	}
	for (unsigned int i = 0; i < NR_POLICIES; i++) {
		print(b, &policies[i], "throughput", "1/s", most[i]);
		if (policies[i].batch == DEFAULT && !policies[i].hold_ns)
			full = median(most[i], ROUNDS, &ci);
	}
	for (unsigned int i = 0; i < NR_LOADS; i++)
		if (at_load(b, loads[i], full))
			return -1;
	return 0;
}
