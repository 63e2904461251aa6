/* SPDX-License-Identifier: GPL-2.0 */
/* libtorch without an agent: what the agent is compared with. */
#ifndef _ML_BENCH_TORCH_LOOP_H
#define _ML_BENCH_TORCH_LOOP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Settings; some hold for the whole process. */
#define TORCH_ONE_THREAD	(1U << 0)	/* at::set_num_threads(1) */
#define TORCH_NO_GRAD		(1U << 1)	/* NoGradGuard */
#define TORCH_INFERENCE		(1U << 2)	/* InferenceMode */
#define TORCH_FREEZE		(1U << 3)	/* freeze() */
#define TORCH_OPTIMIZE		(1U << 4)	/* optimize_for_inference() */
#define TORCH_DIRECT		(1U << 5)	/* Function::run(), not forward() */
#define TORCH_NO_PROFILING	(1U << 6)	/* getProfilingMode() = false */
#define TORCH_SIMPLE		(1U << 7)	/* getExecutorMode() = false */
#define TORCH_NO_MKLDNN		(1U << 8)	/* without oneDNN */
#define TORCH_BOUND		(1U << 9)	/* one tensor for all calls */

/* What the agent uses, as far as a loop can */
#define TORCH_AGENT	(TORCH_ONE_THREAD | TORCH_INFERENCE | TORCH_FREEZE | \
			 TORCH_OPTIMIZE | TORCH_DIRECT)

struct torch_loop;

/**
 * torch_loop_open() - load a model
 * @path: TorchScript file
 * @settings: TORCH_*
 *
 * Return: the model, or NULL after a message.
 */
struct torch_loop *torch_loop_open(const char *path, unsigned int settings);

/**
 * torch_loop_forward() - evaluate
 * @loop: the model
 * @in: @nr rows of @nr_in numbers, read in place
 * @nr: number of rows
 * @nr_in: number of inputs
 *
 * Return: the outputs, valid until the next call; NULL after a message.
 */
const float *torch_loop_forward(struct torch_loop *loop, const float *in,
				size_t nr, size_t nr_in);

void torch_loop_close(struct torch_loop *loop);

#ifdef __cplusplus
}
#endif

#endif /* _ML_BENCH_TORCH_LOOP_H */
