// SPDX-License-Identifier: GPL-2.0
/*
 * Every request is answered once, by what a bare loop decides for the numbers
 * that the training would have made of it, in the same batches.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "count.h"
#include "torch-loop.h"

#define TOTAL	20000

/* By the rules of the interface, not by the agent's code. */
static void expect(const struct bench *b, const float *out,
		   struct standin_answer *a)
{
	const struct case_head *h = b->c.head;

	memset(a, 0, sizeof(*a));
	a->times = 1;
	for (unsigned int i = 0; i < h->nr_outputs; i++) {
		const struct ml_lib_field *f = &b->c.field[h->nr_features + i];
		double v = rint((double)out[i] * f->scale);

		if (!(v >= f->min && v <= f->max)) {
			memset(a->out, 0, sizeof(a->out));
			a->flags = ML_LIB_DECISION_DECLINED;
			return;
		}
		a->out[i] = v;
	}
}

static bool same(const struct standin_answer *a, const struct standin_answer *b)
{
	return a->times == b->times && a->flags == b->flags &&
	       !memcmp(a->out, b->out, sizeof(a->out));
}

static long compare(const struct bench *b, struct torch_loop *loop)
{
	const struct case_head *h = b->c.head;
	long right = 0, declined = 0, other = 0;
	uint64_t pos = 0;

	for (uint64_t i = 0; i < count.batches; i++) {
		unsigned int nr = count.size[i];
		const float *in = b->c.input +
				  pos % h->nr_rows * h->nr_features;
		const float *out = torch_loop_forward(loop, in, nr,
						      h->nr_features);

		if (!out)
			return -1;
		for (unsigned int j = 0; j < nr && pos < TOTAL; j++, pos++) {
			struct standin_answer want;

			expect(b, out + j * h->nr_outputs, &want);
			right += same(&want, &b->order->answer[pos]);
			declined += want.flags;
			other += want.out[0] != b->order->answer[0].out[0];
		}
	}
	fprintf(stderr, "%s: %ld of %d right, %ld declined, %ld unlike the first, %llu batches\n",
		b->name, right, TOTAL, declined, other,
		(unsigned long long)count.batches);
	/* A model that always says the same would prove nothing. */
	return other ? right : -1;
}

int bench_check(struct bench *b)
{
	static const unsigned int batch[] = { 1, 7, 32, 256 };
	struct torch_loop *loop = torch_loop_open(b->file, TORCH_AGENT);
	int ret = loop ? 0 : -1;

	for (unsigned int i = 0; loop && i < 4; i++) {
		char name[64];
		long right;

		b->order->total = TOTAL;
		b->order->inflight = batch[i] > 16 ? 4 * batch[i] : 64;
		b->order->keep = true;
		if (bench_serve(b, batch[i]))
			return -1;
		right = compare(b, loop);
		snprintf(name, sizeof(name), "agent-%s", b->name);
		print_figure(&(struct figure) {
			.transport = name, .payload = b->c.head->feature_bytes,
			.depth = batch[i], .metric = "delivered",
			.value = (double)right / TOTAL, .unit = "share",
			.n = TOTAL, .ci = -1,
		});
		if (right != TOTAL)
			ret = -1;
	}
	return ret;
}
