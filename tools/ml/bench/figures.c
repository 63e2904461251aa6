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

double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double ci95(const double *v, int n)
{
	/* Student's t for 1, 2... degrees of freedom */
	static const double t[] = { 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36,
				    2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14,
				    2.13, 2.12, 2.11, 2.10, 2.09 };
	double sum = 0, square = 0;

	if (n < 2)
		return -1;
	for (int i = 0; i < n; i++)
		sum += v[i];
	for (int i = 0; i < n; i++)
		square += (v[i] - sum / n) * (v[i] - sum / n);
	return (n <= 20 ? t[n - 2] : 1.98) * sqrt(square / (n - 1) / n);
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
