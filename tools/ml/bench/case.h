/* SPDX-License-Identifier: GPL-2.0 */
/* What is replayed: a schema, and requests twice. Made by make-cases.py. */
#ifndef _ML_BENCH_CASE_H
#define _ML_BENCH_CASE_H

#include <linux/ml_lib.h>
#include <stdint.h>

/* The head of the file; behind it come the fields, payloads and inputs. */
struct case_head {
	char magic[8];
	uint64_t hash;
	uint32_t nr_features;
	uint32_t nr_outputs;
	uint32_t feature_bytes;
	uint32_t nr_rows;
	uint32_t extra;
	uint32_t zero;
	char proxy[ML_LIB_NAME_LEN];
};

/**
 * struct bench_case - a case
 * @head: sizes
 * @field: features, then outputs
 * @payload: nr_rows feature vectors, as the kernel sends them
 * @input: the same as numbers, nr_rows + extra rows; the extra ones repeat the
 *	first
 */
struct bench_case {
	const struct case_head *head;
	const struct ml_lib_field *field;
	const uint8_t *payload;
	const float *input;
};

/**
 * case_open() - map a case; it stays for the life of the process
 * @c: filled in
 * @path: of the file
 *
 * Return: 0, or -1 after a message.
 */
int case_open(struct bench_case *c, const char *path);

#endif /* _ML_BENCH_CASE_H */
