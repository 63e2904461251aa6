// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop by io_uring.
 *
 * The device and the signals are waited for by one multishot poll each, armed
 * again when the kernel ends it. Completions arrive in memory, so looking
 * (timeout 0) costs no syscall.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

#define RING_ENTRIES	64

/* Tags in user_data; everything else is the address of a struct loop_write. */
enum { TAG_DEVICE = 1, TAG_SIGNAL, TAG_KICK, TAG_LAST };

struct uring {
	struct loop loop;
	struct io_uring ring;
	bool device_armed;
	bool signal_armed;
	bool uring_kick;
	int kick_result;
	unsigned int events;
};

static struct uring *to_uring(struct loop *loop)
{
	return (struct uring *)loop;
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	while (!sqe) {
		io_uring_submit(&u->ring);
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

static void arm(struct uring *u, int fd, uint64_t tag)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, tag);
}

static void arm_all(struct uring *u)
{
	if (!u->device_armed && u->loop.agent) {
		arm(u, mlagent_fd(u->loop.agent), TAG_DEVICE);
		u->device_armed = true;
	}
	if (!u->signal_armed && u->loop.signal_fd >= 0) {
		arm(u, u->loop.signal_fd, TAG_SIGNAL);
		u->signal_armed = true;
	}
}

static void put_write(struct uring *u, struct loop_write *w)
{
	struct io_uring_sqe *sqe = get_sqe(u);

	io_uring_prep_write(sqe, w->fd, w->buf, w->len, w->off);
	io_uring_sqe_set_data64(sqe, (uintptr_t)w);
}

static void end_write(struct uring *u, struct loop_write *w, int res)
{
	if (res == -EINTR || res == -EAGAIN) {
		put_write(u, w);
		return;
	}
	if (res > 0) {
		w->buf += res;
		w->len -= res;
		w->off += res;
		if (w->len) {
			put_write(u, w);
			return;
		}
	}
	u->loop.writing--;
	w->done(w, res > 0 ? 0 : res ? res : -EIO);
}

static void end_poll(struct uring *u, const struct io_uring_cqe *cqe)
{
	bool more = cqe->flags & IORING_CQE_F_MORE;

	if (cqe->user_data == TAG_SIGNAL) {
		u->signal_armed = more;
		if (cqe->res > 0)
			u->events |= LOOP_SIGNAL;
		return;
	}
	u->device_armed = more;
	if (cqe->res < 0 || cqe->res & (POLLHUP | POLLERR | POLLNVAL))
		u->events |= LOOP_HANGUP;
	if (cqe->res > 0 && cqe->res & POLLERR)
		u->events |= LOOP_BROKEN;
}

static void reap(struct uring *u)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&u->ring, &cqe)) {
		struct io_uring_cqe c = *cqe;

		io_uring_cqe_seen(&u->ring, cqe);
		if (c.user_data == TAG_KICK)
			u->kick_result = c.res;
		else if (c.user_data < TAG_LAST)
			end_poll(u, &c);
		else
			end_write(u, (void *)(uintptr_t)c.user_data, c.res);
	}
}

static int uring_wait(struct loop *loop, int timeout_ms)
{
	struct uring *u = to_uring(loop);
	struct pollfd device = {
		.fd = loop->agent ? mlagent_fd(loop->agent) : -1,
		.events = POLLIN,
	};
	struct __kernel_timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000,
	};
	struct io_uring_cqe *cqe;
	unsigned int events;
	int ret = 0;

	arm_all(u);
	/* The request armed long ago does not look: see mlagent_sleep_begin(). */
	if (timeout_ms && poll(&device, 1, 0) > 0 &&
	    device.revents & POLLIN)
		timeout_ms = 0;
	if (timeout_ms)
		ret = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1,
						       timeout_ms > 0 ? &ts :
						       NULL, NULL);
	else if (io_uring_sq_ready(&u->ring))
		ret = io_uring_submit(&u->ring);
	if (ret < 0 && ret != -ETIME && ret != -EINTR && ret != -EBUSY &&
	    ret != -EAGAIN)
		return ret;

	reap(u);
	events = u->events;
	u->events = 0;
	return events;
}

static int uring_kick(struct loop *loop, uint32_t queue)
{
	struct uring *u = to_uring(loop);
	struct io_uring_sqe *sqe;
	int ret;

	if (!u->uring_kick) {
		ret = mlagent_kick(loop->agent, queue);
		return ret < 0 ? ret : 0;
	}

	sqe = get_sqe(u);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = mlagent_fd(loop->agent);
	sqe->cmd_op = ML_LIB_URING_KICK;
	memcpy(sqe->cmd, &queue, sizeof(queue));
	sqe->user_data = TAG_KICK;

	/* It completes inline: the result is there when submit returns. */
	u->kick_result = 0;
	ret = io_uring_submit(&u->ring);
	if (ret < 0)
		return ret;
	reap(u);
	/* Who forbids this may allow the ioctl. */
	if (u->kick_result < 0) {
		u->uring_kick = false;
		return uring_kick(loop, queue);
	}
	return 0;
}

static void uring_write(struct loop *loop, struct loop_write *w)
{
	struct uring *u = to_uring(loop);

	loop->writing++;
	put_write(u, w);
}

static void uring_close(struct loop *loop)
{
	struct uring *u = to_uring(loop);

	io_uring_queue_exit(&u->ring);
	free(u);
}

static const struct loop_ops uring_ops = {
	.name	= "io_uring",
	.wait	= uring_wait,
	.kick	= uring_kick,
	.write	= uring_write,
	.close	= uring_close,
};

struct loop *loop_uring_open(struct mlagent *agent, int signal_fd)
{
	struct uring *u = calloc(1, sizeof(*u));
	int ret;

	if (!u)
		return NULL;
	ret = io_uring_queue_init(RING_ENTRIES, &u->ring, 0);
	if (ret < 0) {
		free(u);
		errno = -ret;
		return NULL;
	}
	u->loop.ops = &uring_ops;
	u->loop.agent = agent;
	u->loop.signal_fd = signal_fd;
	if (agent)
		u->uring_kick = mlagent_info(agent)->features &
				ML_LIB_FEAT_URING_KICK;
	return &u->loop;
}
