// SPDX-License-Identifier: GPL-2.0
/* Figures: statistics, and one JSON object a line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

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

void sort_u32(u32 *v, u64 n)
{
	qsort(v, n, sizeof(*v), by_u32);
}

double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_double);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* Half width of the 95 % confidence interval of the mean of @n values. */
double ci95(const double *v, int n)
{
	static const double t[] = { 0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45,
				    2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16,
				    2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09 };
	double sum = 0, square = 0;

	if (n < 2)
		return -1;
	for (int i = 0; i < n; i++)
		sum += v[i];
	for (int i = 0; i < n; i++)
		square += (v[i] - sum / n) * (v[i] - sum / n);
	return (n <= 21 ? t[n - 1] : 1.96) * sqrt(square / (n - 1) / n);
}

static void number(const char *key, int value)
{
	if (value)
		printf(", \"%s\": %d", key, value);
	else
		printf(", \"%s\": null", key);
}

static void head(const struct where *w, const char *metric)
{
	printf("{\"where\": \"native\", \"transport\": \"%s\"", w->transport);
	number("payload", w->payload);
	number("depth", w->depth);
	number("cpus", w->cpus);
	printf(", \"metric\": \"%s\"", metric);
}

static void tail(const struct where *w, const char *unit, u64 n, double ci)
{
	printf(", \"unit\": \"%s\", \"n\": %llu", unit, (unsigned long long)n);
	if (ci >= 0)
		printf(", \"ci\": %.6g", ci);
	else
		printf(", \"ci\": null");
	if (w->note)
		printf(", \"note\": \"%s\"", w->note);
	printf("}\n");
	fflush(stdout);
}

void out_value(const struct where *w, const char *metric, double value,
	       const char *unit, u64 n, double ci)
{
	head(w, metric);
	printf(", \"value\": %.9g", value);
	tail(w, unit, n, ci);
}

void out_cdf(const struct where *w, const u32 *sorted, u64 n)
{
	static const double at[] = { 0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80,
				     90, 95, 98, 99, 99.5, 99.9, 99.99, 100 };

	head(w, "cdf");
	printf(", \"value\": [");
	for (unsigned int i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		u64 k = at[i] / 100 * n;

		printf("%s[%g, %u]", i ? ", " : "", at[i],
		       sorted[k < n ? k : n - 1]);
	}
	printf("]");
	tail(w, "ns", n, -1);
}

void out_skip(const char *transport, const char *why)
{
	printf("{\"where\": \"native\", \"transport\": \"%s\", \"skipped\": \"%s\"}\n",
	       transport, why);
	fflush(stdout);
}
