/* SPDX-License-Identifier: GPL-2.0 */
/* Counts what asks the C library for memory: libtorch, or the agent itself. */
#ifndef _ML_BENCH_COUNT_H
#define _ML_BENCH_COUNT_H

#include <stdint.h>

#define COUNT_BATCHES	(1U << 20)	/* sizes of batches that are kept */

/**
 * struct count - what happened since the caller cleared it
 * @agent: allocations outside of libtorch
 * @torch: allocations while a model was evaluated
 * @batches: forwards
 * @size: rows of each
 */
extern struct count {
	uint64_t agent;
	uint64_t torch;
	uint64_t batches;
	uint16_t size[COUNT_BATCHES];
} count;

/* Allocations are libtorch's from here to count_torch(0). */
void count_torch(int inside);

#endif /* _ML_BENCH_COUNT_H */
