// SPDX-License-Identifier: GPL-2.0
/*
 * What makes TorchScript fast: one setting after the other, then the ones that
 * might help besides, in turns. Some settings hold for a whole process, so each
 * row is a process.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "clock.h"
#include "count.h"
#include "torch-loop.h"

#define ROUNDS		11
#define TURN_NS		10000000U
#define NR_BATCHES	3

static const unsigned int batches[NR_BATCHES] = { 1, 32, 256 };

#define LEFT_OUT	(TORCH_ONE_THREAD | TORCH_INFERENCE | TORCH_FREEZE)
#define ALL		(TORCH_AGENT | TORCH_BOUND)

static const struct {
	const char *name;
	unsigned int settings;
} row[] = {
	{ "load, eval",			0 },
	{ "+ one thread",		TORCH_ONE_THREAD },
	{ "+ NoGradGuard",		TORCH_ONE_THREAD | TORCH_NO_GRAD },
	{ "InferenceMode instead",	TORCH_ONE_THREAD | TORCH_INFERENCE },
	{ "+ freeze",			LEFT_OUT },
	{ "+ optimize_for_inference",	LEFT_OUT | TORCH_OPTIMIZE },
	{ "+ run() without checks",	TORCH_AGENT },
	{ "+ tensor made once (agent)",	ALL },
	{ "agent, profiling off",	ALL | TORCH_NO_PROFILING },
	{ "agent, simple executor",	ALL | TORCH_NO_PROFILING | TORCH_SIMPLE },
	{ "agent, oneDNN off",		ALL | TORCH_NO_MKLDNN },
	{ "agent, all CPUs",		ALL & ~TORCH_ONE_THREAD },
	{ "agent, not optimized",	ALL & ~TORCH_OPTIMIZE },
};

#define NR_ROWS	(sizeof(row) / sizeof(row[0]))

/* What a process tells: for each batch, ns and allocations per forward */
struct result {
	double ns[NR_BATCHES][ROUNDS];
	double allocations[NR_BATCHES];
};

struct child {
	pid_t pid;
	int turn[2];
	int done[2];
};

/* Forwards for a turn; the first calls compile, and are not counted. */
static int turn(const struct bench *b, struct torch_loop *loop, int size,
		int round, struct result *result)
{
	unsigned int nr = batches[size], nr_in = b->c.head->nr_features;
	uint64_t begin = 0, now = 0, n = 0;

	for (int i = 0; i < 5; i++)
		if (!torch_loop_forward(loop, b->c.input, nr, nr_in))
			return -1;
	memset(&count, 0, offsetof(struct count, size));
	count_torch(1);
	begin = now_ns();
	do {
		/* The clock is not to be part of it. */
		for (int i = 0; i < 8; i++, n++)
			torch_loop_forward(loop, b->c.input, nr, nr_in);
		now = now_ns();
	} while (now - begin < TURN_NS);
	count_torch(0);
	result->ns[size][round] = (double)(now - begin) / n;
	result->allocations[size] = (double)count.torch / n;
	return 0;
}

static void child(const struct bench *b, const struct child *c,
		  unsigned int settings, struct result *result)
{
	struct torch_loop *loop[NR_BATCHES];
	cpu_set_t one;
	char ok;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (settings & TORCH_ONE_THREAD)
		sched_setaffinity(0, sizeof(one), &one);
	for (int size = 0; size < NR_BATCHES; size++) {
		loop[size] = torch_loop_open(b->file, settings);
		if (!loop[size])
			_exit(1);
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (int size = 0; size < NR_BATCHES; size++) {
			if (read(c->turn[0], &ok, 1) != 1 ||
			    turn(b, loop[size], size, round, result) ||
			    write(c->done[1], &ok, 1) != 1)
				_exit(1);
		}
	}
	_exit(0);
}

static void print_row(const struct bench *b, const char *name,
		      struct result *result, const char *note)
{
	char metric[64];

	for (int size = 0; size < NR_BATCHES; size++) {
		double ci, ns = median(result->ns[size], ROUNDS, &ci);

		snprintf(metric, sizeof(metric), "forward_%s", b->name);
		print_figure(&(struct figure) {
			.transport = name, .payload = b->c.head->feature_bytes,
			.depth = batches[size], .metric = metric,
			.value = ns, .unit = "ns",
			.n = ROUNDS, .ci = ci, .note = note,
		});
		snprintf(metric, sizeof(metric), "allocations_%s", b->name);
		print_figure(&(struct figure) {
			.transport = name, .payload = b->c.head->feature_bytes,
			.depth = batches[size], .metric = metric,
			.value = result->allocations[size], .unit = "1/forward",
			.n = ROUNDS, .ci = -1, .note = note,
		});
	}
}

int bench_settings(struct bench *b, const char *note)
{
	struct result *result = mmap(NULL, NR_ROWS * sizeof(*result),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct child c[NR_ROWS];
	char ok = 0, name[96];

	if (result == MAP_FAILED)
		return -1;
	for (unsigned int i = 0; i < NR_ROWS; i++) {
		if (pipe(c[i].turn) || pipe(c[i].done))
			return -1;
		c[i].pid = fork();
		if (!c[i].pid) {
			/* Ends with the parent: its end of the pipe closes. */
			for (unsigned int j = 0; j <= i; j++) {
				close(c[j].turn[1]);
				close(c[j].done[0]);
			}
			child(b, &c[i], row[i].settings, &result[i]);
		}
		close(c[i].turn[0]);
		close(c[i].done[1]);
	}
	for (int t = 0; t < ROUNDS * NR_BATCHES; t++) {
		for (unsigned int i = 0; i < NR_ROWS; i++) {
			if (write(c[i].turn[1], &ok, 1) != 1 ||
			    read(c[i].done[0], &ok, 1) != 1) {
				fprintf(stderr, "%s: '%s' failed\n", b->name,
					row[i].name);
				return -1;
			}
		}
	}
	for (unsigned int i = 0; i < NR_ROWS; i++) {
		waitpid(c[i].pid, NULL, 0);
		snprintf(name, sizeof(name), "%s%s%s", row[i].name,
			 note ? ", " : "", note ? note : "");
		print_row(b, name, &result[i], note);
	}
	return 0;
}
