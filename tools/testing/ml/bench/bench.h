/* SPDX-License-Identifier: GPL-2.0 */
/* What the transports of the benchmark share with its driver. */
#ifndef _BENCH_H
#define _BENCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

#include "ml_kernel.h"
#include "report.h"

#define HEADER_BYTES	32	/* of struct ml_lib_request */
#define DECISION_BYTES	32	/* struct ml_lib_decision */
#define MAX_PAYLOAD	256
#define FEEDBACK_BYTES	48	/* struct ml_lib_feedback */
#define MAX_RECORD	(HEADER_BYTES + MAX_PAYLOAD)
#define MAX_BATCH	256
#define RING_SLOTS	1024
#define MAX_ROUNDS	32
#define MAX_OPS		64	/* transports */

/**
 * struct record - what goes up: a request
 * @n: its number
 * @cookie: as in struct ml_lib_request
 * @proxy: as in struct ml_lib_request
 * @time: as in struct ml_lib_request
 * @word: the payload: the number, a time stamp, and the number inverted last
 *
 * All transports move the same bytes: a header that says what the request is
 * and for what, and the payload.
 */
struct record {
	u64 n;
	u64 cookie;
	u64 proxy;
	u64 time;
	u64 word[MAX_PAYLOAD / 8];
};

/**
 * struct answer - what comes down: a decision
 * @n: the number of its request
 * @value: answer_to() of the number
 * @pad: the size of struct ml_lib_decision
 */
struct answer {
	u64 n;
	u64 value;
	u64 pad[2];
};

static inline u32 answer_to(u64 n)
{
	return (u32)(n * 2654435761u) >> 16;
}

/**
 * struct chan - one transport, open
 * @ops: how it works
 * @payload: bytes of payload
 * @bytes: of a record: header and payload
 * @priv: the transport's own
 * @stamp: put a time stamp into each record (sender)
 * @rec: the next record (sender)
 * @sent: requests handed over (sender)
 * @got: right answers (sender)
 * @taken: records taken (peer)
 * @wrong: answers with a wrong content (sender)
 * @wrong_taken: records with a wrong content (peer)
 */
struct chan {
	const struct ops *ops;
	u32 payload;
	u32 bytes;
	void *priv;
	_Alignas(128) struct record rec;
	bool stamp;
	u64 sent;
	u64 got;
	u64 wrong;
	_Alignas(128) u64 taken;
	u64 wrong_taken;
};

/**
 * struct ops - a transport
 * @name: as printed
 * @note: a remark for the tables, or NULL
 * @kernel: the kernel itself answers: there is no peer
 * @sleeps: a side with nothing to do sleeps
 * @rtt_only: it makes no sense to have several messages under way
 * @few: measured with 64 bytes of payload, one at a time and in batches of 32, only
 * @payload: the only one that it can have, or 0
 * @put_only: it can send up without an answer, by @put and @take
 * @open: returns NULL, or why it cannot be measured here
 * @put: send up to @nr records (the next is @c->sent), return how many
 * @ready: peer: have @nr records come? May be NULL; asked before a batch is taken
 * @take: peer: take up to @nr records into @rec, return how many
 * @reply: peer: answer these
 * @fetch: take up to @nr answers, check them, return how many
 * @serve: instead of @take and @reply: answer @nr records
 * @rtt: instead of @put and @fetch: @nr round trips, nanoseconds of each
 * @stream: instead of @put: send @nr records in batches of @depth
 * @exchange: instead of @put and @fetch: @nr round trips, up to two batches of
 *	@depth under way
 *
 * @put and @take may return 0 when they spin; a sleeping transport blocks.
 */
struct ops {
	const char *name;
	const char *note;
	bool kernel;
	bool sleeps;
	bool rtt_only;
	bool few;
	u32 payload;
	bool put_only;
	const char *(*open)(struct chan *c);
	void (*close)(struct chan *c);
	u32 (*put)(struct chan *c, u32 nr);
	bool (*ready)(struct chan *c, u32 nr);
	u32 (*take)(struct chan *c, struct record *rec, u32 nr);
	void (*reply)(struct chan *c, const struct record *rec, u32 nr);
	u32 (*fetch)(struct chan *c, u32 nr);
	void (*serve)(struct chan *c, u64 nr);
	void (*rtt)(struct chan *c, u32 nr, u32 *ns);
	void (*stream)(struct chan *c, u64 nr, u32 depth);
	void (*exchange)(struct chan *c, u64 nr, u32 depth);
};

/* Transports, by family */
extern const struct ops *const ml_ops[], *const mem_ops[], *const ipc_ops[],
	*const netlink_ops[], *const uring_ops[], *const bpf_ops[];

/* bench.c: time, CPUs, memory */
extern double tsc_ghz;
extern int cpu_sender, cpu_peer;

static inline u64 tsc(void)
{
	_mm_lfence();
	return __rdtsc();
}

static inline u32 tsc_ns(u64 cycles)
{
	return cycles / tsc_ghz;
}

void bench_init(void);
void pin(int cpu);
pthread_t start(int cpu, void *(*fn)(void *arg), void *arg);
void *shared_zalloc(size_t size);
u64 clock_ns(clockid_t id);

/* The next record to be sent. */
static inline const struct record *next_record(struct chan *c)
{
	struct record *r = &c->rec;

	r->n = c->sent;
	r->word[0] = c->sent;
	r->word[c->payload / 8 - 1] = ~c->sent;
	if (c->stamp)
		r->word[1] = tsc();
	return r;
}

/* Peer: is it the record that has to come now? */
static inline void check_record(struct chan *c, const struct record *r)
{
	u64 n = c->taken++;

	if (r->n != n || r->word[0] != n || r->word[c->payload / 8 - 1] != ~n)
		c->wrong_taken++;
}

/* Sender: is it the answer that has to come now? */
static inline void check_answer(struct chan *c, u64 n, u64 value)
{
	if (n != c->got || value != answer_to(n))
		c->wrong++;
	c->got++;
}

/* runs.c, producers.c: what is measured */
struct plan {
	int rounds;
	u32 rtt_block;		/* round trips of a transport in a round */
	u32 stream_block;	/* messages of a transport in a round */
};
int run_rtt(const struct ops **ops, int nr, const struct plan *plan);
int run_throughput(const struct ops **ops, int nr, const struct plan *plan);
int run_producers(const struct plan *plan);
int quick_producers(void);
int run_quick(const struct ops **ops, int nr);

#endif /* _BENCH_H */
