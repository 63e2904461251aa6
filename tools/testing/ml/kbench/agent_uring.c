// SPDX-License-Identifier: GPL-2.0
/*
 * The agent's side of uring_cmd: a command for each request, which delivers the
 * answer to the request before and returns with the next.
 */
#include <errno.h>
#include <liburing.h>
#include <string.h>

#include "kbench.h"

#define ENTRIES		64	/* a power of two, at least MAX_DEPTH */

static struct io_uring io;
static struct ml_bench_request requests[MAX_DEPTH];
static struct ml_bench_answer answers[MAX_DEPTH];

static int uring_open(void)
{
	struct io_uring_params p = { };
	int err = io_uring_queue_init_params(ENTRIES, &io, &p);
	/* A thread of io_uring's for each command that waits. */
	unsigned int threads[] = { MAX_DEPTH, MAX_DEPTH };

	if (!err)
		err = io_uring_register_iowq_max_workers(&io, threads);
	if (err)
		return unavailable(ML_BENCH_URING, "io_uring: %s",
				   strerror(-err));
	shared->memory[ML_BENCH_URING] = io.sq.ring_sz +
		p.sq_entries * sizeof(struct io_uring_sqe) + sizeof(requests);
	return 0;
}

/* A command: deliver answer @i, and get request @i if @get is set. */
static void prepare(u32 i, bool get)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&io);

	if (!sqe)
		return;	/* cannot be: there are as many as commands */
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = bench_fd;
	sqe->cmd_op = ML_BENCH_COMMIT_AND_FETCH;
	sqe->user_data = i;
	sqe->addr = get ? (uintptr_t)&requests[i] : 0;
	memcpy(sqe->cmd, &answers[i], sizeof(answers[i]));
}

/*
 * Take what has completed. Returns how many brought a request, and in the upper
 * half how many there were.
 */
static u32 reap(u32 *tag)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	u32 n = 0;

	io_uring_for_each_cqe(&io, head, cqe) {
		u32 i = cqe->user_data;

		answers[i].cookie = 0;
		if (cqe->res == 1) {
			answers[i] = answer_to(&requests[i]);
			tag[n++] = i;
		}
		seen++;
	}
	io_uring_cq_advance(&io, seen);
	return seen << 16 | n;
}

static void uring_serve(u32 mode, u32 depth)
{
	u32 tag[ENTRIES], out = depth, got;

	(void)mode;
	for (u32 i = 0; i < depth; i++)
		prepare(i, true);
	/* At the end of the run each command comes back without a request. */
	while (out) {
		int err = io_uring_submit_and_wait(&io, 1);

		if (err < 0 && err != -EINTR)
			break;
		got = reap(tag);
		out -= got >> 16;
		for (u32 i = 0; i < (got & 0xffff); i++, out++)
			prepare(tag[i], true);
	}
	for (u32 i = 0; i < MAX_DEPTH; i++)
		answers[i].cookie = 0;
}

static void uring_turn(u32 nr)
{
	u32 tag[ENTRIES], n = 0;

	/* Without new requests it is the last turn: only deliver. */
	for (u32 i = 0; i < MAX_DEPTH; i++)
		if (i < nr || (!nr && answers[i].cookie)) {
			prepare(i, nr);
			n++;
		}
	while (io_uring_submit_and_wait(&io, n) == -EINTR)
		;
	reap(tag);
}

const struct transport uring = {
	.open = uring_open,
	.serve = uring_serve,
	.turn = uring_turn,
};
