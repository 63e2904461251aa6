/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sessions: one open file of /dev/ml_lib, its queues and its proxies.
 *
 *	open --> (empty) --SETUP--> STOPPED --START--> RUNNING
 *	                              ^                   |
 *	                              +--STOP, flush------+--forged index--> BROKEN
 *
 * ml_mutex is for owner, for changes of attached[], and for state but for one
 * change: ml_session_break() makes it BROKEN in any context, for good. Hot paths
 * find a session through the RCU pointer in a proxy, which is set only while it
 * runs. What it takes to stop: unpublish, synchronize_rcu(), purge the in-flight
 * tables, drop the advice. A slot of attached[] is cleared after that, so who holds
 * a queue's lock and finds an entry finds its proxy in attached[], too. Memory is
 * freed with the last reference; a mapping is one, too.
 */
#ifndef _ML_SESSION_H
#define _ML_SESSION_H

#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "queue.h"

struct ml_proxy_core;
struct user_struct;

#define ML_SESSION_PROXIES	64
#define ML_SESSION_MAX_SLOTS	16384
#define ML_SESSION_MAX_BYTES	(64UL << 20)

/**
 * struct ml_region - pages shared with the agent
 * @pages: the pages
 * @nr: their number
 * @addr: the kernel's own mapping
 */
struct ml_region {
	struct page **pages;
	u32 nr;
	void *addr;
};

/**
 * struct ml_session - a session
 * @state: enum ml_lib_session_state
 * @epoch: number of stops
 * @owner: who started it: compared, never dereferenced
 * @setup: serializes ml_session_setup()
 * @ready: set up; the fields below up to @charged are constant from then on
 * @nr_queues: number of queues
 * @queues: the queues
 * @ro: pages that the kernel writes
 * @rw: pages that the agent writes
 * @user: to whom pages are charged
 * @charged: how many
 * @attached: proxies by slot
 * @poll_wq: the agent, asleep
 * @answer_wq: threads in ml_decide(), asleep
 * @ref: of the file, and of threads in ml_decide(); not beside what all submitters
 *	read
 * @wake: wakes both from any context
 * @broken: stops a broken session
 * @gone: frees it
 */
struct ml_session {
	u32 state;
	u32 epoch;
	fl_owner_t owner;
	struct mutex setup;	/* of ml_session_setup() */
	bool ready;
	u32 nr_queues;
	struct ml_queue *queues;
	struct ml_region ro;
	struct ml_region rw;
	struct user_struct *user;
	u32 charged;
	struct ml_proxy_core *attached[ML_SESSION_PROXIES];
	wait_queue_head_t poll_wq;
	wait_queue_head_t answer_wq;
	refcount_t ref;
	struct irq_work wake;
	struct work_struct broken;
	struct work_struct gone;
};

struct ml_session *ml_session_create(void);
void ml_session_put(struct ml_session *s);
void ml_session_put_soon(struct ml_session *s);
int ml_session_setup(struct ml_session *s, struct ml_lib_setup *arg);
int ml_session_attach(struct ml_session *s, u32 id, u64 hash);
void ml_session_detach(struct ml_session *s, struct ml_proxy_core *core);
int ml_session_start(struct ml_session *s, fl_owner_t owner);
void ml_session_refuse(struct ml_session *s, struct ml_proxy_core *core);
void ml_session_stop(struct ml_session *s, u32 state);
void ml_session_close(struct ml_session *s);
void ml_session_break(struct ml_session *s);

/* Has it its queues? Context: any. */
static inline bool ml_session_ready(const struct ml_session *s)
{
	/* Pairs with the release at the end of ml_session_setup(). */
	return smp_load_acquire(&s->ready);
}

/* Wake the agent and threads in ml_decide(). Context: any. */
static inline void ml_session_wake(struct ml_session *s)
{
	irq_work_queue(&s->wake);
}

/* The queue of this CPU. A migration right after makes it slower, not wrong. */
static inline struct ml_queue *ml_session_queue(struct ml_session *s)
{
	u32 cpu = raw_smp_processor_id();

	/* With a queue for each CPU there is nothing to divide. */
	return &s->queues[likely(cpu < s->nr_queues) ? cpu :
			  cpu % s->nr_queues];
}

#endif /* _ML_SESSION_H */
