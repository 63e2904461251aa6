// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "log.h"
#include "loop.h"

struct loop *loop_open(struct mlagent *agent, int signal_fd, bool uring)
{
	struct loop *loop;

	if (uring) {
		loop = loop_uring_open(agent, signal_fd);
		if (loop)
			return loop;
		note("io_uring is refused (%s; see kernel.io_uring_disabled): using poll()",
		     strerror(errno));
	}
	return loop_poll_open(agent, signal_fd);
}

void loop_drain(struct loop *loop)
{
	while (loop->writing)
		if (loop->ops->wait(loop, -1) < 0)
			break;
}
