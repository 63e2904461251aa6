/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The event loop: what the agent waits for, and the two ways to do it.
 *
 * While there is work the agent polls the rings in memory and the loop is only
 * looked at now and then. loop-uring.c does everything by io_uring; loop-poll.c
 * is for systems where that is refused.
 */
#ifndef _ML_LOOP_H
#define _ML_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mlagent.h"

/* Results of wait() */
#define LOOP_SIGNAL	(1U << 0)	/* told to end */
#define LOOP_HANGUP	(1U << 1)	/* the device says that it is over */
#define LOOP_BROKEN	(1U << 2)	/* and that the rings were broken */

/**
 * struct loop_write - a write of a file
 * @fd: the file
 * @buf: what; advances when the kernel writes only a part
 * @len: how much is left
 * @off: where
 * @done: called when it is finished; @err is 0 or a negative errno
 */
struct loop_write {
	int fd;
	const char *buf;
	size_t len;
	off_t off;
	void (*done)(struct loop_write *w, int err);
};

struct loop;

/**
 * struct loop_ops - a way to wait
 * @name: for messages
 * @wait: sleep until an event or for @timeout_ms (-1: no limit; 0: only look);
 *	returns LOOP_* seen, or a negative errno
 * @kick: KICK a queue; returns 0 or a negative errno
 * @write: start a write; @w->done is called from here or from @wait
 * @close: free everything
 */
struct loop_ops {
	const char *name;
	int (*wait)(struct loop *loop, int timeout_ms);
	int (*kick)(struct loop *loop, uint32_t queue);
	void (*write)(struct loop *loop, struct loop_write *w);
	void (*close)(struct loop *loop);
};

/**
 * struct loop - base of a loop
 * @ops: the way
 * @agent: the session to wait for; NULL: none
 * @signal_fd: readable once a signal has ended the agent, or -1
 * @writing: writes that are not done
 */
struct loop {
	const struct loop_ops *ops;
	struct mlagent *agent;
	int signal_fd;
	unsigned int writing;
};

/**
 * loop_open() - make a loop
 * @agent: the session; NULL to use the loop for writes only
 * @signal_fd: see struct loop
 * @uring: try io_uring; if it is refused, this is said and poll() is used
 *
 * Return: the loop, or NULL without memory.
 */
struct loop *loop_open(struct mlagent *agent, int signal_fd, bool uring);

/* Wait until all writes are done. */
void loop_drain(struct loop *loop);

/* Return: the loop, or NULL with errno set. */
struct loop *loop_uring_open(struct mlagent *agent, int signal_fd);
struct loop *loop_poll_open(struct mlagent *agent, int signal_fd);

#endif /* _ML_LOOP_H */
