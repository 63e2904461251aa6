/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark's kernel half: ML_LIB and its rivals, driven the same way.
 *
 *	device.c	/dev/ml_bench: starts runs, maps the shared page
 *	run.c		the kernel thread: sends, waits, checks, takes times
 *	contract.c	what rivals have to do for a request, as ML_LIB does
 *	transport.c	ping-pong, ML_LIB, tracepoint
 *	queue.c		read(), write(), ioctl and uring_cmd of /dev/ml_bench
 *	netlink.c	generic netlink
 *	bpf.c		BPF ring buffers
 *
 * There is one run at a time.
 */
#ifndef _ML_BENCH_INTERNAL_H
#define _ML_BENCH_INTERNAL_H

#include <linux/fs.h>
#include <linux/spinlock.h>
#include <linux/timex.h>
#include <linux/wait.h>

#include "ml_bench.h"

struct io_uring_cmd;
struct ml_schema;

/**
 * struct ml_bench_ops - a transport
 * @begin: prepare a run; optional
 * @end: undo @begin; optional
 * @prepare: what is needed before @submit, but is not part of it; optional
 * @submit: send a request; false if there is no room
 * @receive: get the answer to a request, the oldest without one; false if it
 *	is not there yet. None if the transport has no way back.
 * @call: instead of @submit and @receive in mode SLEEP; optional
 * @bare: carries no content that could be checked
 * @wakes: answers wake the kernel thread; otherwise it looks now and then
 */
struct ml_bench_ops {
	int (*begin)(const struct ml_bench_run *run);
	void (*end)(void);
	void (*prepare)(u32 obj);
	bool (*submit)(u32 obj, const u64 *word);
	bool (*receive)(u32 obj, s32 *value);
	bool (*call)(u32 obj, const u64 *word, s32 *value);
	bool bare;
	bool wakes;
};

extern const struct ml_bench_ops ml_bench_pingpong_ops;
extern const struct ml_bench_ops ml_bench_ring_ops;
extern const struct ml_bench_ops ml_bench_trace_ops;
extern const struct ml_bench_ops ml_bench_queue_ops;
extern const struct ml_bench_ops ml_bench_netlink_ops;
extern const struct ml_bench_ops ml_bench_bpf_ops;
extern const struct ml_bench_ops ml_bench_ringbuf_ops;

extern struct ml_bench_page *ml_bench_page;
extern wait_queue_head_t ml_bench_wq;

/*
 * The cycle counter, also where a clock is slow to read. User-mode Linux has no
 * get_cycles(), but the processor has its instruction all the same.
 */
static inline u64 ml_bench_cycles(void)
{
#if defined(__x86_64__) || defined(__i386__)
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return (u64)high << 32 | low;
#else
	return get_cycles();
#endif
}

/* run.c */
int ml_bench_do_run(struct ml_bench_run *run);
bool ml_bench_running(void);

/* contract.c */
extern raw_spinlock_t ml_bench_lock;
extern bool ml_bench_bare;
int ml_bench_contract_begin(bool bare);
void ml_bench_contract_end(void);
bool ml_bench_open_request(u32 obj, struct ml_bench_request *r);
void ml_bench_answer(const struct ml_bench_answer *answer, u32 nr);
void ml_bench_renew(u32 obj);
bool ml_bench_answered(u32 obj, s32 *value);

/* transport.c */
extern const struct ml_schema ml_bench_schema;
int ml_bench_proxy_get(void);
void ml_bench_proxy_put(void);

/* queue.c */
void ml_bench_queue_wake(void);
ssize_t ml_bench_read(struct file *file, char __user *buf, size_t len,
		      loff_t *pos);
ssize_t ml_bench_write(struct file *file, const char __user *buf, size_t len,
		       loff_t *pos);
long ml_bench_exchange(struct ml_bench_exchange *x);
int ml_bench_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* netlink.c */
int ml_bench_netlink_init(void);

#endif /* _ML_BENCH_INTERNAL_H */
