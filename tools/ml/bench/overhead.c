// SPDX-License-Identifier: GPL-2.0
/*
 * The time of the agent for rings full of requests against that of loops over
 * the same batches of numbers in memory, in turns. A ring is filled at once, so
 * that nobody waits for the stand-in of the kernel; what it wrote is in its
 * cache and has to come over from there. Of the rings full in a turn the first,
 * with cold caches, is not counted, and the fastest of the others is, because
 * one during which something else ran is no use; of the turns the median.
 *
 * Between them stands a loop that takes requests from the rings and puts
 * decisions there, record by record and without a library, but is given the
 * features as numbers like the others: what the rings cost an agent that was
 * written for one model.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "clock.h"
#include "count.h"
#include "internal.h"
#include "torch-loop.h"

#define ROUNDS		101
#define BURSTS		6	/* in a turn, besides the first */

enum { AGENT, OWN, RINGS, LOOP, PLAIN, NR_WAYS };

static const char *const way_name[NR_WAYS] = {
	"agent", "agent-without-model", "libtorch-loop-rings", "libtorch-loop",
	"libtorch-loop-plain"
};

/* Return: ns, or negative on failure. */
static double agent(struct bench *b, unsigned int batch)
{
	if (bench_serve(b, batch))
		return -1;
	return b->order->best_ns;
}

/* The agent's own work: the same requests without evaluating anything. */
static double own(struct bench *b, unsigned int batch)
{
	const struct backend *torch = b->model.backend;
	uint64_t batches = count.batches;
	double ns;

	b->model.backend = &backend_null;
	ns = agent(b, batch);
	b->model.backend = torch;
	/* The sizes are still those of the forwards before. */
	count.batches = batches;
	return ns;
}

/* Return: how many requests were copied to @payload and @cookie. */
static unsigned int copy(struct ml_ring_cons *req, unsigned int max,
			 uint8_t *payload, size_t bytes, uint64_t *cookie)
{
	const struct ml_lib_request *r;
	unsigned int nr = 0;

	while (nr < max && (r = ml_ring_cons_peek(req, nr))) {
		memcpy(payload + nr * bytes, r->payload, bytes);
		cookie[nr++] = r->cookie;
	}
	if (nr)
		ml_ring_cons_release(req, nr);
	return nr;
}

/* From ring to ring with nothing but the model. Return: ns, or negative. */
static double rings(struct bench *b, unsigned int batch,
		    struct torch_loop *loop)
{
	static uint8_t payload[MAX_BATCH * UINT8_MAX * 8];
	static uint64_t cookie[MAX_BATCH];
	const struct case_head *h = b->c.head;
	struct mlagent_queue *q = &b->run.agent->queue[0];

	standin_begin();
	while (!standin_done()) {
		unsigned int nr = copy(&q->req, batch, payload,
				       h->feature_bytes, cookie);
		const float *out;

		if (!nr)
			continue;
		/* A cookie is the place in the stream. */
		out = torch_loop_forward(loop, b->c.input + cookie[0] %
					 h->nr_rows * h->nr_features, nr,
					 h->nr_features);
		if (!out)
			return -1;
		for (unsigned int i = 0; i < nr; i++) {
			struct ml_lib_decision *dec;
			void *slot;

			if (ml_ring_prod_next(&q->dec, &slot))
				return -1;
			dec = slot;
			dec->flags = 0;
			dec->cookie = cookie[i];
			for (unsigned int j = 0; j < h->nr_outputs; j++)
				dec->out[j] = lrintf(*out++);
			ml_ring_prod_publish(&q->dec, slot);
		}
	}
	return b->order->best_ns;
}

/* Return: ns, or negative on failure. */
static double bare(const struct bench *b, struct torch_loop *loop)
{
	const struct case_head *h = b->c.head;
	uint64_t pos = 0, begin = 0, end = b->order->burst, best = UINT64_MAX;

	for (uint64_t i = 0; i < count.batches; i++) {
		unsigned int nr = count.size[i];

		if (!torch_loop_forward(loop, b->c.input + pos % h->nr_rows *
					h->nr_features, nr, h->nr_features))
			return -1;
		pos += nr;
		if (pos == end) {
			uint64_t now = now_ns();

			if (begin && now - begin < best)
				best = now - begin;
			begin = now;
			end += b->order->burst;
		}
	}
	return best;
}

static void print(const struct bench *b, const char *transport,
		  unsigned int batch, const char *metric, double *v,
		  const char *unit, const char *note)
{
	double ci, value = median(v, ROUNDS, &ci);
	char name[64];

	snprintf(name, sizeof(name), "%s-%s", transport, b->name);
	print_figure(&(struct figure) {
		.transport = name, .payload = b->c.head->feature_bytes,
		.depth = batch, .metric = metric, .value = value, .unit = unit,
		.n = ROUNDS, .ci = ci, .note = note,
	});
}

/* @per: ns per request of each way in each round */
static void print_all(const struct bench *b, unsigned int batch,
		      double per[][ROUNDS], double rows)
{
	static const struct {
		const char *metric;
		int way, against;
	} ratio[] = {
		{ "overhead", AGENT, LOOP },
		{ "overhead_plain", AGENT, PLAIN },
		{ "overhead_of_agent", AGENT, RINGS },
		{ "overhead_of_rings", RINGS, LOOP },
	};
	double v[ROUNDS];
	char note[64];

	for (size_t i = 0; i < sizeof(ratio) / sizeof(ratio[0]); i++) {
		for (int r = 0; r < ROUNDS; r++)
			v[r] = per[ratio[i].way][r] / per[ratio[i].against][r];
		snprintf(note, sizeof(note), "time / that of %s",
			 way_name[ratio[i].against]);
		print(b, way_name[ratio[i].way], batch, ratio[i].metric, v, "x",
		      note);
	}
	snprintf(note, sizeof(note), "%.1f requests per forward", rows);
	for (int way = 0; way < NR_WAYS; way++)
		print(b, way_name[way], batch, "request_time", per[way], "ns",
		      note);
}

static int measure(struct bench *b, unsigned int batch,
		   struct torch_loop *loop[])
{
	static double per[NR_WAYS][ROUNDS], own_mem[ROUNDS], torch_mem[ROUNDS];
	struct standin_order *o = b->order;
	double rows = 0;

	o->burst = batch < SLOTS / 32 ? 32 * batch : SLOTS;
	o->total = (1 + BURSTS) * o->burst;
	for (int r = -3; r < ROUNDS; r++) {
		double ns[NR_WAYS];
		int at = r < 0 ? 0 : r;	/* at first, warm up */

		ns[AGENT] = agent(b, batch);
		rows = (double)o->total / count.batches;
		own_mem[at] = (double)count.agent / count.batches;
		torch_mem[at] = (double)count.torch / count.batches;
		ns[OWN] = own(b, batch);
		ns[RINGS] = rings(b, batch, loop[LOOP]);
		ns[LOOP] = bare(b, loop[LOOP]);
		ns[PLAIN] = bare(b, loop[PLAIN]);
		for (int way = 0; way < NR_WAYS; way++) {
			if (ns[way] < 0)
				return -1;
			per[way][at] = ns[way] / o->burst;
		}
	}
	print_all(b, batch, per, rows);
	print(b, "agent", batch, "allocations_own", own_mem, "1/batch", NULL);
	print(b, "agent", batch, "allocations_libtorch", torch_mem, "1/batch",
	      NULL);
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

	for (unsigned int i = 0; !ret && i < 4; i++)
		ret = measure(b, batch[i], loop);
	return ret;
}
