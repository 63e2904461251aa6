// SPDX-License-Identifier: GPL-2.0
/*
 * The time of the agent for a stream of requests, from the first one submitted
 * to the last decision fetched, against that of loops over the same batches of
 * numbers in memory, in turns.
 */
#include <stdio.h>

#include "bench.h"
#include "clock.h"
#include "count.h"
#include "torch-loop.h"

#define ROUNDS		15
#define ROUND_NS	40000000.0

enum { AGENT, LOOP, PLAIN, NR_WAYS };

static const char *const way_name[NR_WAYS] = {
	"agent", "libtorch-loop", "libtorch-loop-plain"
};

/* Return: ns, or negative on failure. */
static double bare(const struct bench *b, struct torch_loop *loop)
{
	const struct case_head *h = b->c.head;
	uint64_t pos = 0, begin = now_ns();

	for (uint64_t i = 0; i < count.batches; i++) {
		unsigned int nr = count.size[i % COUNT_BATCHES];

		if (!torch_loop_forward(loop, b->c.input + pos % h->nr_rows *
					h->nr_features, nr, h->nr_features))
			return -1;
		pos += nr;
	}
	return now_ns() - begin;
}

static void print_time(const struct bench *b, int way, unsigned int batch,
		       double *ns, double rows)
{
	char name[64], note[64];
	double ci = ci95(ns, ROUNDS);

	snprintf(name, sizeof(name), "%s-%s", way_name[way], b->name);
	snprintf(note, sizeof(note), "%.1f requests per forward", rows);
	print_figure(&(struct figure) {
		.transport = name, .payload = b->c.head->feature_bytes,
		.depth = batch, .metric = "request_time",
		.value = median(ns, ROUNDS), .unit = "ns", .n = ROUNDS,
		.ci = ci, .note = note,
	});
}

static void print_ratio(const struct bench *b, const char *metric, int against,
			unsigned int batch, double ns[][ROUNDS])
{
	double ratio[ROUNDS], ci;
	char name[64], note[64];

	for (int r = 0; r < ROUNDS; r++)
		ratio[r] = ns[AGENT][r] / ns[against][r];
	ci = ci95(ratio, ROUNDS);
	snprintf(name, sizeof(name), "agent-%s", b->name);
	snprintf(note, sizeof(note), "time / that of %s", way_name[against]);
	print_figure(&(struct figure) {
		.transport = name, .payload = b->c.head->feature_bytes,
		.depth = batch, .metric = metric,
		.value = median(ratio, ROUNDS), .unit = "x", .n = ROUNDS,
		.ci = ci, .note = note,
	});
}

static void print_count(const struct bench *b, const char *metric,
			unsigned int batch, uint64_t nr, uint64_t batches)
{
	char name[64];

	snprintf(name, sizeof(name), "agent-%s", b->name);
	print_figure(&(struct figure) {
		.transport = name, .payload = b->c.head->feature_bytes,
		.depth = batch, .metric = metric,
		.value = (double)nr / batches, .unit = "1/batch", .n = batches,
		.ci = -1,
	});
}

static int measure(struct bench *b, unsigned int batch,
		   struct torch_loop *loop[])
{
	double ns[NR_WAYS][ROUNDS], rows = 0;
	uint64_t own = 0, torch = 0, batches = 0;
	struct standin_order *o = b->order;

	o->inflight = batch > 16 ? 4 * batch : 64;
	o->total = 64 * batch;
	for (int r = -3; r < ROUNDS; r++) {
		double t;

		if (bench_serve(b, batch))
			return -1;
		t = o->last_ns - o->first_ns;
		if (r < 0) {	/* how many make a round? */
			o->total *= ROUND_NS / t > 1 ? ROUND_NS / t : 1;
			if (o->total > COUNT_BATCHES / 2)
				o->total = COUNT_BATCHES / 2;
			continue;
		}
		own += count.agent;
		torch += count.torch;
		batches += count.batches;
		ns[AGENT][r] = t / o->total;
		rows = (double)o->total / count.batches;
		for (int way = LOOP; way < NR_WAYS; way++) {
			t = bare(b, loop[way]);
			if (t < 0)
				return -1;
			ns[way][r] = t / o->total;
		}
	}
	/* First the ratios of the rounds: medians sort. */
	print_ratio(b, "overhead", LOOP, batch, ns);
	print_ratio(b, "overhead_plain", PLAIN, batch, ns);
	for (int way = 0; way < NR_WAYS; way++)
		print_time(b, way, batch, ns[way], rows);
	print_count(b, "allocations_own", batch, own, batches);
	print_count(b, "allocations_libtorch", batch, torch, batches);
	return 0;
}

int bench_overhead(struct bench *b)
{
	static const unsigned int batch[] = { 1, 8, 32, 128 };
	struct torch_loop *loop[NR_WAYS] = {
		[LOOP] = torch_loop_open(b->file, TORCH_AGENT),
		[PLAIN] = torch_loop_open(b->file,
					  TORCH_ONE_THREAD | TORCH_NO_GRAD),
	};
	int ret = loop[LOOP] && loop[PLAIN] ? 0 : -1;

	b->order->keep = false;
	b->order->rate = 0;
	for (unsigned int i = 0; !ret && i < 4; i++)
		ret = measure(b, batch[i], loop);
	return ret;
}
