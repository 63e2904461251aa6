/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kbench: the user half of the benchmark, see lib/ml/bench/bench.h.
 *
 *	kbench.c	starts runs and prints what they measured
 *	agent.c		the agent: a process that serves one transport at a time
 *	agent_*.c	its transports
 */
#ifndef _KBENCH_H
#define _KBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ml_bench.h"
#include "ml_kernel.h"
#include "report.h"

#define MAX_DEPTH	ML_BENCH_MAX_DEPTH

/**
 * struct transport - the agent's side of a transport
 * @open: prepare it, in the agent; 0 or an error, with @why set; optional
 * @serve: answer requests until serving() is false
 * @turn: answer the @nr requests that are there
 */
struct transport {
	int (*open)(void);
	void (*serve)(u32 mode, u32 depth);
	void (*turn)(u32 nr);
};

extern const struct transport pingpong, ring, chardev, ioctl_, netlink, bpf,
			      uring, ringbuf, trace;

/**
 * struct shared - between kbench and its agent
 * @ready: the agent can be given work
 * @quit: it is to end
 * @portid: of its netlink socket
 * @syscalls: its system calls in the last run, or -1 if they cannot be counted
 * @sleeps: how often it went to sleep in the last run
 * @memory: bytes that a transport's buffers take
 * @missing: why a transport cannot be had, or empty
 */
struct shared {
	u32 ready;
	u32 quit;
	u32 portid;
	long syscalls;
	long sleeps;
	u64 memory[ML_BENCH_NR];
	char missing[ML_BENCH_NR][160];
};

/**
 * struct bpf_fds - made by kbench, used by both
 * @requests: map: ring buffer
 * @decisions: map: user ring buffer
 * @answers: map: array
 * @flags: map: array
 * @submit: program
 * @drain: program
 * @ringbuf: map: a ring buffer for transport RINGBUF
 */
struct bpf_fds {
	int requests, decisions, answers, flags, submit, drain, ringbuf;
};

/* agent.c */
extern struct ml_bench_page *page;
extern struct shared *shared;
extern int bench_fd;
bool serving(void);
void agent(unsigned int cpu);
int unavailable(u32 transport, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline struct ml_bench_answer answer_to(const struct ml_bench_request *r)
{
	return (struct ml_bench_answer){
		.cookie = r->cookie,
		.value = ml_bench_rule(r->word),
	};
}

/* The same counter as in the kernel: ml_bench_cycles(). */
static inline u64 cycles(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	u64 now;

	asm volatile("mrs %0, cntvct_el0" : "=r" (now));
	return now;
#else
#error "no cycle counter for this architecture"
#endif
}

/* agent_bpf.c */
extern struct bpf_fds bpf_fds;
void bpf_prepare(void);

#endif /* _KBENCH_H */
