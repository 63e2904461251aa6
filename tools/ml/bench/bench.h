/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the benchmark of the agent share. */
#ifndef _ML_BENCH_H
#define _ML_BENCH_H

#include "case.h"
#include "run.h"
#include "standin.h"

#define SLOTS		1024	/* of each ring; as many rows as a case repeats */
#define MAX_BATCH	256

/**
 * struct bench - the agent in this process, and its kernel in another
 * @name: of the case
 * @file: of the model
 * @c: what is replayed
 * @order: what to submit next
 * @model: the agent's
 * @run: the agent's
 * @hold_ns: wait this long for a full batch; 0: as the agent does, not at all
 */
struct bench {
	const char *name;
	const char *file;
	struct bench_case c;
	struct standin_order *order;
	struct model model;
	struct run run;
	uint64_t hold_ns;
};

/**
 * bench_serve() - carry out @b->order with batches of at most @batch
 * @b: the benchmark
 * @batch: 1 to MAX_BATCH
 *
 * Return: 0 when every request was answered, -1 after a message.
 */
int bench_serve(struct bench *b, unsigned int batch);

/* The parts; each returns 0 or -1 after a message. */
int bench_check(struct bench *b);
int bench_overhead(struct bench *b);
int bench_policy(struct bench *b);
int bench_settings(struct bench *b, const char *note);

/**
 * median() - of some values, which it sorts
 * @v: the values
 * @n: how many
 * @ci: set to half the width of its 95 % confidence interval; negative: too few
 */
double median(double *v, int n, double *ci);

/**
 * struct figure - a measurement, as printed in one line of JSON
 * @transport: what was measured
 * @payload: bytes, or 0
 * @depth: batch, or 0
 * @metric: what about it
 * @value: the figure
 * @unit: its unit
 * @n: number of samples
 * @ci: half width of its confidence interval, or negative
 * @note: a remark, or NULL
 */
struct figure {
	const char *transport;
	unsigned int payload;
	unsigned int depth;
	const char *metric;
	double value;
	const char *unit;
	unsigned int n;
	double ci;
	const char *note;
};

void print_figure(const struct figure *f);

#endif /* _ML_BENCH_H */
