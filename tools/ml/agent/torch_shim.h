/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libtorch behind a C interface: no C++ type and no exception crosses it.
 *
 * Buffers belong to the caller. Errors are sentences in @err.
 */
#ifndef _ML_TORCH_SHIM_H
#define _ML_TORCH_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name of the extra file in a TorchScript archive that describes the model */
#define TORCH_SHIM_META	"ml_lib.json"

struct torch_shim;

/**
 * torch_shim_load() - load a TorchScript file
 * @path: of the file
 * @meta: set to the text of TORCH_SHIM_META, empty if there is none; free() it
 * @err: filled in on failure
 * @len: its size
 *
 * Return: the module, or NULL.
 */
struct torch_shim *torch_shim_load(const char *path, char **meta, char *err,
				   size_t len);

/**
 * torch_shim_bind() - say where the features will be
 * @shim: the module
 * @in: room for @max rows of @nr_in features; read in place from now on
 * @max: most rows of a call
 * @nr_in: number of features
 * @err: filled in on failure
 * @len: its size
 *
 * What a call needs is made here, so that a call makes nothing but what the
 * module itself does.
 *
 * Return: 0, or -1 if the module does not take one tensor.
 */
int torch_shim_bind(struct torch_shim *shim, float *in, size_t max,
		    size_t nr_in, char *err, size_t len);

/**
 * torch_shim_forward() - evaluate
 * @shim: the module, bound
 * @nr: number of rows, 1 to the bound maximum
 * @nr_out: number of outputs; the module's answer must have the shape
 *	[@nr, @nr_out]
 * @out: set to the outputs, row by row; valid until the next call
 * @err: filled in on failure
 * @len: its size
 *
 * Return: 0 or -1.
 */
int torch_shim_forward(struct torch_shim *shim, size_t nr, size_t nr_out,
		       const float **out, char *err, size_t len);

void torch_shim_free(struct torch_shim *shim);

#ifdef __cplusplus
}
#endif

#endif /* _ML_TORCH_SHIM_H */
