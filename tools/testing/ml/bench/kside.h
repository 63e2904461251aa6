/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's side of ML_LIB in user space: lib/ml as it is, see kernel.h.
 * Apart from the agent's side, because the two include different ml_lib.h.
 */
#ifndef _BENCH_KSIDE_H
#define _BENCH_KSIDE_H

#include <stdbool.h>
#include <stdint.h>

#define KSIDE_OBJECTS	4096	/* more than are ever under way */

struct kside;

/**
 * struct kside_map - what SETUP would answer
 * @ro: what the kernel writes
 * @rw: what the agent writes
 * @stride_ro: distance of queues in @ro
 * @stride_rw: distance of queues in @rw
 * @slot_size: of a request
 */
struct kside_map {
	void *ro, *rw;
	uint32_t stride_ro, stride_rw, slot_size;
};

struct kside *kside_new(uint32_t nr_queues, uint32_t nr_slots,
			uint32_t payload, struct kside_map *map);
void kside_free(struct kside *k);

/* What wakes agent and waiters, and what a thread in ml_decide() sleeps in. */
void kside_on_sleep(struct kside *k, void (*wake)(void *arg),
		    void (*wait)(void *arg), void *arg);

/* The calling thread is this CPU from now on. */
void kside_cpu(uint32_t cpu);

/* ml_submit(), ml_report(), ml_advice_poll(), ml_advice_read(), ml_decide() */
bool kside_submit(struct kside *k, uint64_t n, const void *features);
bool kside_report(struct kside *k, uint64_t n);
bool kside_poll(struct kside *k);
bool kside_advice(struct kside *k, uint64_t n, int32_t *out);

bool kside_decide(struct kside *k, uint64_t n, const void *features,
		  int32_t *out);

/* What poll() does: is there something for the agent? */
bool kside_ready(struct kside *k);

/* What KICK does */
uint32_t kside_kick(struct kside *k, uint32_t queue);

/* How many decisions have been drained, by whomever. */
uint32_t kside_drained(struct kside *k, uint32_t queue);

/* One counter of the proxy, over all CPUs. */
uint64_t kside_count(struct kside *k, uint32_t counter);

#endif /* _BENCH_KSIDE_H */
