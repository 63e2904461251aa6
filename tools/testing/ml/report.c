// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

FILE *report_to;
const char *report_where = "native";

static int by_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void sort_u32(u32 *sample, size_t nr)
{
	qsort(sample, nr, sizeof(*sample), by_u32);
}

double percentile(const u32 *sorted, size_t nr, double p)
{
	size_t i = ceil(p / 100 * nr);

	return nr ? sorted[i ? i - 1 : 0] : 0;
}

/*
 * The median of repeated runs, and half of its 95 % confidence interval: the
 * order statistics between which the true median lies, whatever the
 * distribution. An interval needs six runs; with less, @ci is negative. @ci may
 * be NULL.
 */
double median(const double *value, size_t nr, double *ci)
{
	double *sorted = malloc(nr * sizeof(*sorted) + 1), m;
	size_t low;

	if (!sorted)
		abort();
	memcpy(sorted, value, nr * sizeof(*sorted));
	qsort(sorted, nr, sizeof(*sorted), by_double);
	if (ci)
		*ci = -1;
	if (ci && nr >= 6) {
		low = (nr - 1.96 * sqrt(nr)) / 2;
		*ci = (sorted[nr - 1 - low] - sorted[low]) / 2;
	}
	m = nr % 2 ? sorted[nr / 2] : (sorted[nr / 2 - 1] + sorted[nr / 2]) / 2;
	free(sorted);
	return m;
}

static FILE *to(void)
{
	return report_to ? report_to : stdout;
}

static void number(const char *key, u32 value)
{
	if (value)
		fprintf(to(), "\"%s\": %u, ", key, value);
	else
		fprintf(to(), "\"%s\": null, ", key);
}

static void begin(const struct measured *m, const char *metric)
{
	fprintf(to(), "{\"where\": \"%s\", \"transport\": \"%s\", ",
		report_where, m->transport);
	number("payload", m->payload);
	number("depth", m->depth);
	number("cpus", m->cpus);
	fprintf(to(), "\"metric\": \"%s\", \"value\": ", metric);
}

static void end(const struct measured *m, const char *unit, u64 n, double ci)
{
	fprintf(to(), ", \"unit\": \"%s\", \"n\": %llu, \"ci\": ", unit,
		(unsigned long long)n);
	if (ci < 0)
		fprintf(to(), "null");
	else
		fprintf(to(), "%.6g", ci);
	if (m->note)
		fprintf(to(), ", \"note\": \"%s\"", m->note);
	fprintf(to(), "}\n");
	fflush(to());
}

void report(const struct measured *m, const char *metric, double value,
	    const char *unit, u64 n, double ci)
{
	begin(m, metric);
	fprintf(to(), "%.9g", value);
	end(m, unit, n, ci);
}

/* @ns_each: what one unit of a sample is in ns */
void report_cdf(const struct measured *m, const u32 *sorted, size_t nr,
		double ns_each)
{
	static const double at[] = { 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90,
				     95, 98, 99, 99.5, 99.9, 99.99, 100 };

	begin(m, "cdf");
	fprintf(to(), "[");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		fprintf(to(), "%s[%g, %.6g]", i ? ", " : "", at[i],
			percentile(sorted, nr, at[i]) * ns_each);
	fprintf(to(), "]");
	end(m, "ns", nr, -1);
}

void report_skip(const char *transport, const char *why)
{
	fprintf(to(), "{\"where\": \"%s\", \"transport\": \"%s\", \"skipped\": \"%s\"}\n",
		report_where, transport, why);
	fflush(to());
	fprintf(stderr, "%s: skipped %s: %s\n", report_where, transport, why);
}
