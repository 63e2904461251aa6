// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double median(double *v, int n, double *ci)
{
	/* Ranks between which the true median lies, without assumptions. */
	int low = floor(n / 2.0 - 0.98 * sqrt(n));
	int high = ceil(n / 2.0 + 0.98 * sqrt(n)) - 1;

	qsort(v, n, sizeof(*v), by_value);
	*ci = low >= 0 && high < n ? (v[high] - v[low]) / 2 : -1;
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void number(const char *key, unsigned int value)
{
	if (value)
		printf(", \"%s\": %u", key, value);
	else
		printf(", \"%s\": null", key);
}

void print_figure(const struct figure *f)
{
	printf("{\"where\": \"native\", \"transport\": \"%s\"", f->transport);
	number("payload", f->payload);
	number("depth", f->depth);
	printf(", \"cpus\": 1, \"metric\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"",
	       f->metric, f->value, f->unit);
	number("n", f->n);
	if (f->ci >= 0)
		printf(", \"ci\": %.3g", f->ci);
	else
		printf(", \"ci\": null");
	if (f->note)
		printf(", \"note\": \"%s\"", f->note);
	printf("}\n");
	fflush(stdout);
}
