// SPDX-License-Identifier: GPL-2.0
/* Percentiles, confidence intervals, and the JSON lines that report them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kbench.h"

FILE *json;
const char *where = "guest";

static int compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void sort_u32(u32 *sample, size_t nr)
{
	qsort(sample, nr, sizeof(*sample), compare_u32);
}

double percentile(u32 *sample, size_t nr, double p)
{
	size_t i = ceil(p / 100 * nr);

	return nr ? sample[i ? i - 1 : 0] : 0;
}

/*
 * The median of repeated runs, and half of its 95 % confidence interval: the
 * order statistics between which the true median lies, whatever the
 * distribution. An interval needs six runs; with less, @ci is negative.
 */
double median(const double *value, size_t nr, double *ci)
{
	double sorted[nr];
	size_t low;

	memcpy(sorted, value, sizeof(sorted));
	qsort(sorted, nr, sizeof(*sorted), compare_double);
	*ci = -1;
	if (nr >= 6) {
		low = (nr - 1.96 * sqrt(nr)) / 2;
		*ci = (sorted[nr - 1 - low] - sorted[low]) / 2;
	}
	return nr % 2 ? sorted[nr / 2] :
			(sorted[nr / 2 - 1] + sorted[nr / 2]) / 2;
}

static void begin(const struct key *k, const char *metric)
{
	fprintf(json, "{\"where\": \"%s\", \"transport\": \"%s\", \"payload\": %d, \"depth\": %u, \"cpus\": 1, \"metric\": \"%s\", \"value\": ",
		where, k->transport, ML_BENCH_WORDS * 8, k->depth, metric);
}

static void end(const struct key *k, const char *unit, u64 n, double ci)
{
	fprintf(json, ", \"unit\": \"%s\", \"n\": %lu, \"ci\": ", unit, n);
	if (ci < 0)
		fprintf(json, "null");
	else
		fprintf(json, "%.6g", ci);
	if (k->note)
		fprintf(json, ", \"note\": \"%s\"", k->note);
	fprintf(json, "}\n");
	fflush(json);
}

void emit(const struct key *k, const char *metric, double value,
	  const char *unit, u64 n, double ci)
{
	begin(k, metric);
	fprintf(json, "%.6g", value);
	end(k, unit, n, ci);
}

void emit_cdf(const struct key *k, u32 *sample, size_t nr, double ns_per_cycle)
{
	static const double at[] = { 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 100 };

	begin(k, "cdf");
	fprintf(json, "[");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		fprintf(json, "%s[%g, %.6g]", i ? ", " : "", at[i],
			percentile(sample, nr, at[i]) * ns_per_cycle);
	fprintf(json, "]");
	end(k, "ns", nr, -1);
}

void emit_skip(const char *transport, const char *why)
{
	fprintf(json, "{\"where\": \"%s\", \"transport\": \"%s\", \"skipped\": \"%s\"}\n",
		where, transport, why);
	fprintf(stderr, "kbench: skipped %s: %s\n", transport, why);
}
