/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NumPy structured arrays, written row by row; numpy.load() reads them.
 *
 * Rows are collected in memory and written in the background. The number of
 * rows in the header is patched after the rows themselves were written, so the
 * file of an agent that was killed is valid and only lacks its last moments.
 */
#ifndef _ML_NPY_H
#define _ML_NPY_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

struct npy;

/**
 * npy_create() - create a file of a recording
 * @path: of the file, which must not exist
 *
 * Only its owner can read it: what is recorded is about all users.
 *
 * Return: a descriptor, or -1 with errno set.
 */
int npy_create(const char *path);

/**
 * npy_open() - make a file
 * @loop: does the writes
 * @path: of the file
 * @descr: the dtype, as a Python literal
 * @row_size: bytes of a row
 *
 * Return: the file, or NULL with errno set.
 */
struct npy *npy_open(struct loop *loop, const char *path, const char *descr,
		     size_t row_size);

/**
 * npy_row() - get room for a row
 * @npy: the file
 *
 * Return: @row_size bytes to fill in before the next call, or NULL if the row
 * is to be dropped: writing failed, or the disk is slower than the rows come.
 */
void *npy_row(struct npy *npy);

/* Begin to write what is collected. */
void npy_flush(struct npy *npy);

/**
 * npy_close() - write all that is left and close the file
 * @npy: the file; NULL is allowed
 *
 * Return: how many rows are not in the file.
 */
uint64_t npy_close(struct npy *npy);

#endif /* _ML_NPY_H */
