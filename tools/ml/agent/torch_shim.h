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
 * torch_shim_forward() - evaluate
 * @shim: the module
 * @in: @nr rows of @nr_in features; read in place
 * @nr: number of rows
 * @nr_in: number of features
 * @out: room for @nr rows of @nr_out outputs
 * @nr_out: number of outputs; the module's answer must have this shape
 * @err: filled in on failure
 * @len: its size
 *
 * Return: 0 or -1.
 */
int torch_shim_forward(struct torch_shim *shim, float *in, size_t nr,
		       size_t nr_in, float *out, size_t nr_out, char *err,
		       size_t len);

void torch_shim_free(struct torch_shim *shim);

#ifdef __cplusplus
}
#endif

#endif /* _ML_TORCH_SHIM_H */
