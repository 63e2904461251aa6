// SPDX-License-Identifier: GPL-2.0
/* The event loop by poll(): for systems without io_uring. Writes block. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"

static int poll_wait(struct loop *loop, int timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = loop->agent ? mlagent_fd(loop->agent) : -1,
		  .events = POLLIN },
		{ .fd = loop->signal_fd, .events = POLLIN },
	};
	int events = 0;

	if (poll(fds, 2, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		events |= LOOP_HANGUP;
	if (fds[0].revents & POLLERR)
		events |= LOOP_BROKEN;
	if (fds[1].revents)
		events |= LOOP_SIGNAL;
	return events;
}

static int poll_kick(struct loop *loop, uint32_t queue)
{
	int ret = mlagent_kick(loop->agent, queue);

	return ret < 0 ? ret : 0;
}

static void poll_write(struct loop *loop, struct loop_write *w)
{
	int err = 0;

	(void)loop;
	while (w->len) {
		ssize_t n = pwrite(w->fd, w->buf, w->len, w->off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n ? -errno : -EIO;
			break;
		}
		w->buf += n;
		w->len -= n;
		w->off += n;
	}
	w->done(w, err);
}

static void poll_close(struct loop *loop)
{
	free(loop);
}

static const struct loop_ops poll_ops = {
	.name	= "poll",
	.wait	= poll_wait,
	.kick	= poll_kick,
	.write	= poll_write,
	.close	= poll_close,
};

struct loop *loop_poll_open(struct mlagent *agent, int signal_fd)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->ops = &poll_ops;
	loop->agent = agent;
	loop->signal_fd = signal_fd;
	return loop;
}
