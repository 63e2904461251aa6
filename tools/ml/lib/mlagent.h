/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * libmlagent: what any agent of ML_LIB needs, and nothing of a model.
 *
 * The life of an agent:
 *
 *	mlagent_open
 *	mlagent_proxy_find, mlagent_schema	what the kernel asks, of whom
 *	mlagent_setup				rings
 *	mlagent_attach				one call per proxy
 *	mlagent_start
 *	loop:
 *		mlagent_peek ... mlagent_decide ... mlagent_release
 *			each or by batches
 *		mlagent_kick_due -> mlagent_kick
 *		idle: mlagent_sleep_begin, poll(), mlagent_sleep_end
 *	mlagent_close
 *
 * Unless said otherwise a function returns 0 or a negative errno, and
 * mlagent_error() then has a sentence with the cause and the remedy. The calls
 * below "Hot path" make no syscall and allocate nothing. A session is used by
 * one thread at a time.
 */
#ifndef _MLAGENT_H
#define _MLAGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/ml_lib.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLAGENT_DEVICE	"/dev/ml_lib"

/* A decision that the kernel has not fetched for this long is worth a KICK. */
#define MLAGENT_KICK_NS	100000

struct mlagent;

/**
 * struct mlagent_schema - what a proxy sends and expects
 * @id: proxy id
 * @name: proxy name
 * @hash: schema hash
 * @feature_bytes: size of the feature vector
 * @nr_features: number of features, at @field[0]
 * @nr_outputs: number of outputs, at @field[@nr_features]
 * @field: features, then outputs
 */
struct mlagent_schema {
	uint32_t id;
	char name[ML_LIB_NAME_LEN];
	uint64_t hash;
	uint32_t feature_bytes;
	uint32_t nr_features;
	uint32_t nr_outputs;
	struct ml_lib_field field[];
};

/**
 * mlagent_error() - why the last call of this thread failed, and the remedy
 *
 * Return: a sentence without newline, valid until the next call fails.
 */
const char *mlagent_error(void);

/**
 * mlagent_open() - open the device
 * @agentp: set to the new session
 * @path: of the device; NULL for MLAGENT_DEVICE
 *
 * Fails with -EPROTONOSUPPORT if the kernel speaks another ABI version.
 */
int mlagent_open(struct mlagent **agentp, const char *path);

/**
 * mlagent_close() - end the session; NULL is allowed
 * @agent: the session
 */
void mlagent_close(struct mlagent *agent);

/**
 * mlagent_fd() - the descriptor, to poll() for requests
 * @agent: the session
 */
int mlagent_fd(const struct mlagent *agent);

/**
 * mlagent_info() - version and limits, as read at open
 * @agent: the session
 */
const struct ml_lib_info *mlagent_info(const struct mlagent *agent);

/**
 * mlagent_proxy_next() - enumerate proxies
 * @agent: the session
 * @id: look from this id on; begin with 0 and go on with @proxy->id + 1
 * @proxy: filled in
 *
 * Return: 1 if there is one, 0 at the end, or a negative errno.
 */
int mlagent_proxy_next(struct mlagent *agent, uint32_t id,
		       struct ml_lib_proxy *proxy);

/**
 * mlagent_proxy_find() - find a proxy by name
 * @agent: the session
 * @name: subsystem/purpose
 * @proxy: filled in
 *
 * When it fails with -ENOENT, mlagent_error() lists the known names.
 */
int mlagent_proxy_find(struct mlagent *agent, const char *name,
		       struct ml_lib_proxy *proxy);

/**
 * mlagent_schema() - read the schema of a proxy
 * @agent: the session
 * @proxy: the proxy
 * @schemap: set to the schema; free() it
 */
int mlagent_schema(struct mlagent *agent, const struct ml_lib_proxy *proxy,
		   struct mlagent_schema **schemap);

/**
 * mlagent_setup() - make the queues and map them
 * @agent: the session
 * @nr_queues: 0 for one per possible CPU
 * @nr_slots: slots in each ring, a power of two
 * @payload: most bytes of features of the proxies to be attached
 */
int mlagent_setup(struct mlagent *agent, uint32_t nr_queues, uint32_t nr_slots,
		  uint32_t payload);

/**
 * mlagent_attach() - become the agent of a proxy
 * @agent: the session, set up
 * @schema: the schema that the model was made for
 */
int mlagent_attach(struct mlagent *agent, const struct mlagent_schema *schema);

/**
 * mlagent_detach() - leave a proxy
 * @agent: the session
 * @id: proxy id
 */
int mlagent_detach(struct mlagent *agent, uint32_t id);

/**
 * mlagent_start() - begin to get requests
 * @agent: the session, set up
 *
 * The calling process owns the session from now on.
 */
int mlagent_start(struct mlagent *agent);

/**
 * mlagent_stop() - end getting requests
 * @agent: the session
 */
int mlagent_stop(struct mlagent *agent);

/**
 * mlagent_control() - set mode and budgets of a proxy
 * @agent: the session
 * @control: what to set; its size is filled in
 */
int mlagent_control(struct mlagent *agent, struct ml_lib_control *control);

/**
 * mlagent_stats() - read the counters of a proxy
 * @agent: the session
 * @id: proxy id
 * @stats: filled in
 */
int mlagent_stats(struct mlagent *agent, uint32_t id,
		  struct ml_lib_stats *stats);

/**
 * mlagent_kick() - have the kernel fetch the decisions of a queue
 * @agent: the session
 * @queue: its index
 *
 * Return: decisions fetched, or a negative errno.
 */
int mlagent_kick(struct mlagent *agent, uint32_t queue);

/* Names, or NULL for a number that this library does not know */
const char *mlagent_mode_name(uint32_t mode);
const char *mlagent_type_name(uint32_t type);
const char *mlagent_counter_name(uint32_t counter);

/* Hot path */

/**
 * mlagent_nr_queues() - number of queues as made by mlagent_setup()
 * @agent: the session
 */
uint32_t mlagent_nr_queues(const struct mlagent *agent);

/**
 * mlagent_nr_slots() - number of slots of each ring
 * @agent: the session
 */
uint32_t mlagent_nr_slots(const struct mlagent *agent);

/**
 * mlagent_peek() - look at a record without taking it
 * @agent: the session
 * @queue: index of the queue
 * @ahead: how many records behind the first, less than the number of slots
 *
 * The record stays valid until mlagent_release().
 *
 * Return: the record, or NULL if it is not there yet.
 */
const struct ml_lib_request *mlagent_peek(const struct mlagent *agent,
					  uint32_t queue, uint32_t ahead);

/**
 * mlagent_peek_batch() - look at several records without taking them
 * @agent: the session
 * @queue: index of the queue
 * @req: set to the records, oldest first
 * @max: how many at most, no more than the number of slots
 *
 * As mlagent_peek() for each, but the processor fetches them side by side, and
 * when all of @max are there, already the next @max.
 *
 * Return: how many are there.
 */
uint32_t mlagent_peek_batch(const struct mlagent *agent, uint32_t queue,
			    const struct ml_lib_request **req, uint32_t max);

/**
 * mlagent_release() - give slots back to the kernel
 * @agent: the session
 * @queue: index of the queue
 * @nr: how many records, at most as many as were peeked at
 */
void mlagent_release(struct mlagent *agent, uint32_t queue, uint32_t nr);

/**
 * mlagent_decide() - answer a request
 * @agent: the session
 * @queue: index of the queue that the request came from
 * @cookie: of the request
 * @flags: ML_LIB_DECISION_*
 * @out: outputs, as many as @nr
 * @nr: number of outputs
 *
 * Return: 0; -ENOSPC if the ring is full (KICK makes room); -EPROTO if the
 * kernel's position is impossible. No error text is set.
 */
int mlagent_decide(struct mlagent *agent, uint32_t queue, uint64_t cookie,
		   uint32_t flags, const int32_t *out, uint32_t nr);

/**
 * mlagent_decide_soon() - fetch room for decisions from the kernel
 * @agent: the session
 * @queue: index of the queue
 * @nr: how many decisions will be made next
 *
 * For speed only: to be called before a model is evaluated, so that
 * mlagent_decide_batch() need not wait. Leaves out what the kernel may be
 * looking at.
 */
void mlagent_decide_soon(struct mlagent *agent, uint32_t queue, uint32_t nr);

/**
 * mlagent_decide_now() - fetch room for the next decision from the kernel
 * @agent: the session
 * @queue: index of the queue
 *
 * For speed only: the part that mlagent_decide_soon() leaves out, to be called
 * when only conversions are left to be done.
 */
void mlagent_decide_now(struct mlagent *agent, uint32_t queue);

/**
 * mlagent_decide_batch() - answer several requests of a queue
 * @agent: the session
 * @queue: index of the queue that the requests came from
 * @dec: the answers; seq is not used, and an output that the proxy does not
 *	have is to be zero
 * @nr: how many
 *
 * Return: how many were written, or, if none was, what mlagent_decide() returns.
 */
int mlagent_decide_batch(struct mlagent *agent, uint32_t queue,
			 const struct ml_lib_decision *dec, uint32_t nr);

/**
 * mlagent_pending() - decisions that the kernel has not fetched
 * @agent: the session
 * @queue: index of the queue
 */
uint32_t mlagent_pending(const struct mlagent *agent, uint32_t queue);

/**
 * mlagent_kick_due() - is it time for KICK?
 * @agent: the session
 * @queue: index of the queue
 * @now_ns: CLOCK_MONOTONIC
 *
 * To be called after decisions were published, and now and then while any is
 * pending. True at once when a thread in the kernel sleeps for a decision,
 * otherwise when the kernel has fetched none for at least MLAGENT_KICK_NS and at
 * most twice that.
 */
bool mlagent_kick_due(struct mlagent *agent, uint32_t queue, uint64_t now_ns);

/**
 * mlagent_sleep_begin() - ask to be woken
 * @agent: the session
 *
 * Return: true if no record is there and the caller can sleep in poll();
 * mlagent_sleep_end() follows in either case. Who sleeps elsewhere, as in io_uring
 * with a poll request armed before, calls poll() with a timeout of zero first and
 * stays awake if it returns POLLIN.
 */
bool mlagent_sleep_begin(struct mlagent *agent);

/**
 * mlagent_sleep_end() - busy again
 * @agent: the session
 */
void mlagent_sleep_end(struct mlagent *agent);

/**
 * mlagent_state() - does the session run?
 * @agent: the session
 *
 * Return: 0; -EPROTO if the kernel declared it broken; -ESHUTDOWN if it was
 * stopped; -ESTALE if it was restarted by another.
 */
int mlagent_state(const struct mlagent *agent);

#ifdef __cplusplus
}
#endif

#endif /* _MLAGENT_H */
