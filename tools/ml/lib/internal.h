/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/* What the files of libmlagent share. */
#ifndef _MLAGENT_INTERNAL_H
#define _MLAGENT_INTERNAL_H

#include "mlagent.h"
#include "ring.h"

/**
 * struct mlagent_queue - one queue, as the agent sees it
 * @ro: what the kernel writes
 * @rw: what the agent writes
 * @req: consumer of requests
 * @dec: producer of decisions
 * @sleep: last value stored to need_wakeup
 * @seen: the kernel's position among decisions when last looked at
 * @seen_ns: when to count from until it is looked at again; 0: nothing pending
 */
struct mlagent_queue {
	const struct ml_lib_queue_ro *ro;
	struct ml_lib_queue_rw *rw;
	struct ml_ring_cons req;
	struct ml_ring_prod dec;
	u32 sleep;
	u32 seen;
	u64 seen_ns;
};

/**
 * struct mlagent - a session
 * @fd: the device
 * @info: version and limits
 * @setup: as answered by the kernel
 * @ro: mapping of what the kernel writes
 * @rw: mapping of what the agent writes
 * @epoch: as answered by START
 * @nr_queues: number of queues
 * @queue: the queues
 */
struct mlagent {
	int fd;
	struct ml_lib_info info;
	struct ml_lib_setup setup;
	void *ro;
	void *rw;
	u32 epoch;
	u32 nr_queues;
	struct mlagent_queue *queue;
};

void mlagent_queue_init(struct mlagent_queue *q, const void *ro, void *rw,
			u32 nr_slots, u32 slot_size);

/* Keep an error text; returns -err. */
int mlagent_fail(int err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* _MLAGENT_INTERNAL_H */
