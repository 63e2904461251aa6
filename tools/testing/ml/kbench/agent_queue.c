// SPDX-License-Identifier: GPL-2.0
/* The agent's side of read() and write(), and of the ioctl, of /dev/ml_bench. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "kbench.h"

static struct ml_bench_request requests[MAX_DEPTH];
static struct ml_bench_answer answers[MAX_DEPTH];
static u32 nr_answers;		/* ioctl: computed, not yet delivered */

/* The kernel's queue and our copies. */
static int queue_open(void)
{
	u64 size = ML_BENCH_OBJECTS * sizeof(requests[0]) + sizeof(requests) +
		   sizeof(answers);

	shared->memory[ML_BENCH_CHARDEV] = size;
	shared->memory[ML_BENCH_IOCTL] = size;
	return 0;
}

/* Read at most @room requests and answer them. Sleeps if there are none. */
static u32 chardev_step(u32 room)
{
	ssize_t got = read(bench_fd, requests, room * sizeof(requests[0]));
	u32 n = got < 0 ? 0 : got / sizeof(requests[0]);

	for (u32 i = 0; i < n; i++)
		answers[i] = answer_to(&requests[i]);
	if (n && write(bench_fd, answers, n * sizeof(answers[0])) < 0)
		return 0;
	return n;
}

static void chardev_serve(u32 mode, u32 depth)
{
	(void)mode;
	(void)depth;
	while (serving())
		chardev_step(MAX_DEPTH);
}

static void chardev_turn(u32 nr)
{
	while (nr && serving())
		nr -= chardev_step(nr);
}

const struct transport chardev = {
	.open = queue_open,
	.serve = chardev_serve,
	.turn = chardev_turn,
};

/* Deliver the answers so far, get at most @room requests, compute answers. */
static bool ioctl_step(u32 room)
{
	struct ml_bench_exchange x = {
		.answers = (uintptr_t)answers,
		.requests = (uintptr_t)requests,
		.nr_answers = nr_answers,
		.nr_requests = room,
	};

	if (ioctl(bench_fd, ML_BENCH_EXCHANGE, &x))
		return false;
	nr_answers = x.nr_requests;
	for (u32 i = 0; i < nr_answers; i++)
		answers[i] = answer_to(&requests[i]);
	return true;
}

static void ioctl_serve(u32 mode, u32 depth)
{
	(void)mode;
	(void)depth;
	nr_answers = 0;
	while (serving() && ioctl_step(MAX_DEPTH))
		;
	nr_answers = 0;
}

static void ioctl_turn(u32 nr)
{
	ioctl_step(nr);
}

const struct transport ioctl_ = {
	.serve = ioctl_serve,
	.turn = ioctl_turn,
};
