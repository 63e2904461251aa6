/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Queues: one request ring and one decision ring of a session.
 *
 * Each CPU maps to one queue. Its raw spinlock, taken with interrupts off,
 * covers the kernel's side of both rings and the in-flight table; it is held for
 * the copy of one payload and of a bounded number of decisions.
 */
#ifndef _ML_QUEUE_H
#define _ML_QUEUE_H

#include <linux/cache.h>
#include <linux/ml_lib.h>
#include <linux/spinlock.h>

#include "inflight.h"
#include "ring.h"

struct ml_proxy_core;
struct ml_session;

/* Decisions that are taken in at a time, with interrupts off. */
#define ML_DRAIN_BATCH	16

/* Entries that are purged at a time, with interrupts off. */
#define ML_PURGE_BATCH	256

/**
 * struct ml_queue - kernel's side of a queue
 * @lock: protects everything below
 * @req: producer of the request ring
 * @dec: consumer of the decision ring
 * @inflight: requests without a decision
 * @ro: shared page that the kernel writes
 * @rw: shared page that the agent writes
 * @session: whose queue it is
 * @looked_ns: when a submitter last looked for decisions
 * @synced_ns: when @mono was last worked out
 * @mono: CLOCK_MONOTONIC minus local_clock()
 * @woken: the value of need_wakeup that was honoured since poll() found nothing
 * @waiters: threads in ml_decide()
 * @unmatched: decisions that answered no request
 * @batch: copies of the decisions that are being looked at; not on the stack,
 *	where hardened kernels clear such an array each time
 */
struct ml_queue {
	raw_spinlock_t lock;
	struct ml_ring_prod req;
	struct ml_ring_cons dec;
	struct ml_inflight inflight;
	struct ml_lib_queue_ro *ro;
	struct ml_lib_queue_rw *rw;
	struct ml_session *session;
	u64 looked_ns;
	u64 synced_ns;
	u64 mono;
	u32 woken;
	u32 waiters;
	u32 unmatched;
	struct ml_lib_decision batch[ML_DRAIN_BATCH];
} ____cacheline_aligned_in_smp;

int ml_queue_init(struct ml_queue *q, struct ml_session *s, u16 index,
		  void *ro, void *rw, u32 nr_slots, u32 slot_size);
void ml_queue_destroy(struct ml_queue *q);
u64 ml_queue_submit(struct ml_queue *q, struct ml_proxy_core *core, u32 obj,
		    u64 id, const void *features, u32 timeout_us);
bool ml_queue_report(struct ml_queue *q, struct ml_proxy_core *core, u64 cookie,
		     u64 id, const struct ml_lib_feedback *fb);
bool ml_queue_poll(struct ml_queue *q);
u32 ml_queue_kick(struct ml_queue *q);
void ml_queue_purge(struct ml_queue *q, int slot, enum ml_lib_counter why);
bool ml_queue_ready(struct ml_queue *q);
void ml_queue_wait_begin(struct ml_queue *q);
enum ml_inflight_wait ml_queue_wait_end(struct ml_queue *q, u64 cookie,
					u32 *value);
bool ml_queue_settled(struct ml_queue *q, u64 cookie);

#endif /* _ML_QUEUE_H */
