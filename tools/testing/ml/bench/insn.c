// SPDX-License-Identifier: GPL-2.0
/*
 * insn-bench BATCHES: one thread takes both parts in turn, for callgrind, which
 * counts what happens in op_submit(), op_gather(), op_decide() and op_drain().
 * scripts/bench-native runs it and divides by the number of requests.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "internal.h"
#include "kside.h"

#define BATCH	32
#define PAYLOAD	64

static u64 features[BATCH][PAYLOAD / 8];
static struct ml_lib_decision decision[BATCH];
static struct mlagent_queue queue;
static struct mlagent agent = { .nr_queues = 1, .queue = &queue };

static __attribute__((noinline)) void op_submit(struct kside *k, u64 n)
{
	kside_submit(k, n, features[n % BATCH]);
}

static __attribute__((noinline)) u32 op_gather(void)
{
	const struct ml_lib_request *req[BATCH];
	u32 nr = mlagent_peek_batch(&agent, 0, req, BATCH);

	for (u32 n = 0; n < nr; n++) {
		decision[n].cookie = req[n]->cookie;
		memcpy(features[n], req[n]->payload, PAYLOAD);
	}
	mlagent_release(&agent, 0, nr);
	return nr;
}

static __attribute__((noinline)) void op_decide(u32 nr)
{
	for (u32 n = 0; n < nr; n++) {
		decision[n].out[0] = 1;
		decision[n].out[1] = 2;
	}
	mlagent_decide_batch(&agent, 0, decision, nr);
}

static __attribute__((noinline)) u32 op_drain(struct kside *k)
{
	return kside_kick(k, 0);
}

int main(int argc, char **argv)
{
	u32 batches = argc > 1 ? atoi(argv[1]) : 100, good = 0;
	struct kside_map map;
	struct kside *k;

	bench_init();
	k = kside_new(1, RING_SLOTS, PAYLOAD, &map);
	if (!k)
		errx(2, "no memory");
	mlagent_queue_init(&queue, map.ro, map.rw, RING_SLOTS, map.slot_size);
	for (u32 b = 0; b < batches; b++) {
		for (u32 i = 0; i < BATCH; i++)
			op_submit(k, (u64)b * BATCH + i);
		op_decide(op_gather());
		good += op_drain(k);
	}
	printf("%u of %u\n", good, batches * BATCH);
	return good != batches * BATCH;
}
