/* SPDX-License-Identifier: GPL-2.0 */
/* Statistics of measurements, and the JSON lines that report them. */
#ifndef _ML_REPORT_H
#define _ML_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "ml_kernel.h"

extern FILE *report_to;			/* standard output */
extern const char *report_where;	/* what the measurements are taken on */

/**
 * struct measured - what a measurement is of
 * @transport: name
 * @payload: bytes, or 0 if it does not apply
 * @depth: requests under way or in a batch, or 0
 * @cpus: producers or CPUs, or 0
 * @note: a remark, or NULL
 */
struct measured {
	const char *transport;
	u32 payload;
	u32 depth;
	u32 cpus;
	const char *note;
};

void sort_u32(u32 *sample, size_t nr);
double percentile(const u32 *sorted, size_t nr, double p);
double median(const double *value, size_t nr, double *ci);
void report(const struct measured *m, const char *metric, double value,
	    const char *unit, u64 n, double ci);
void report_cdf(const struct measured *m, const u32 *sorted, size_t nr,
		double ns_each);
void report_skip(const char *transport, const char *why);

#endif /* _ML_REPORT_H */
