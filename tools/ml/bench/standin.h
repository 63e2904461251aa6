/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stand-in for the device and the kernel behind it: rings in shared memory,
 * and a process of its own that submits and drains with the kernel's ring.h.
 */
#ifndef _ML_BENCH_STANDIN_H
#define _ML_BENCH_STANDIN_H

#include <stdbool.h>
#include <stdint.h>

#include "case.h"

#define STANDIN_MAX	(1U << 19)	/* requests of an order whose answers are kept */

/* What came back for a request */
struct standin_answer {
	uint32_t flags;
	uint32_t times;			/* how many answers; 1 is right */
	uint32_t latency_ns;		/* since it was due */
	int32_t out[ML_LIB_MAX_OUTPUTS];
};

/**
 * struct standin_order - what to submit, and what came of it
 * @total: requests; the stream is repeated
 * @inflight: most that are unanswered: above, a request waits (or, with a
 *	rate, is dropped as the kernel drops it)
 * @rate: per second, at random moments; 0: as fast as there is room
 * @burst: submit so many at once, and no more before all are answered; 0: one
 *	by one
 * @keep: keep the answers; at most STANDIN_MAX
 * @sent: out: requests submitted
 * @dropped: out: requests that found no room
 * @foreign: out: decisions with a cookie that was not submitted
 * @first_ns: out: when the first request was submitted
 * @offered_ns: out: when the last request was submitted or dropped
 * @last_ns: out: when the last decision came
 * @best_ns: out: time from burst to last decision: the least of all bursts but
 *	the first
 * @answer: out: by position in the stream
 */
struct standin_order {
	uint64_t total;
	uint32_t inflight;
	uint32_t burst;
	bool keep;
	double rate;
	uint64_t sent;
	uint64_t dropped;
	uint64_t foreign;
	uint64_t first_ns;
	uint64_t offered_ns;
	uint64_t last_ns;
	uint64_t best_ns;
	struct standin_answer answer[STANDIN_MAX];
};

/**
 * standin_open() - make the device and start the process
 * @c: what to submit
 * @nr_slots: of each ring, a power of two
 * @cpu: where the process is pinned; -1: anywhere
 *
 * Before anything makes threads. Afterwards the path that standin_path()
 * gives can be opened by mlagent_open().
 *
 * Return: the place for orders, or NULL after a message.
 */
struct standin_order *standin_open(const struct bench_case *c,
				   uint32_t nr_slots, int cpu);
const char *standin_path(void);

/* Carry out the order; standin_done() tells when. */
void standin_begin(void);
bool standin_done(void);

#endif /* _ML_BENCH_STANDIN_H */
