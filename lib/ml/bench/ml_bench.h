/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/ml_bench: what the benchmark's two halves share.
 *
 * A kernel thread sends requests and an agent answers them, over one transport
 * after the other. A third process starts each run with ML_BENCH_RUN and gets
 * the measurements. The agent learns from the shared page which transport to
 * serve. Built with tools/testing/ml/kbench: this is not an ABI.
 */
#ifndef _ML_BENCH_H
#define _ML_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ML_BENCH_WORDS		8	/* payload of a request: 64 bytes */
#define ML_BENCH_OBJECTS	64	/* a power of two, above MAX_DEPTH */
#define ML_BENCH_MAX_DEPTH	32
#define ML_BENCH_RANGE		1048576	/* values are below; a power of two */
#define ML_BENCH_PROXY		"bench/echo"
#define ML_BENCH_LINE		128

/**
 * enum ml_bench_transport - how requests get out and answers back
 * @ML_BENCH_PINGPONG: a word on the shared page: the physical limit
 * @ML_BENCH_RING: ML_LIB
 * @ML_BENCH_CHARDEV: read() and write() of this device
 * @ML_BENCH_IOCTL: ML_BENCH_EXCHANGE on this device
 * @ML_BENCH_NETLINK: generic netlink
 * @ML_BENCH_BPF: BPF ring buffer up, BPF user ring buffer down
 * @ML_BENCH_URING: a uring_cmd for each request
 * @ML_BENCH_RINGBUF: bpf_ringbuf_output() called directly; no way back
 * @ML_BENCH_TRACE: a tracepoint; no way back
 * @ML_BENCH_NR: how many there are
 */
enum ml_bench_transport {
	ML_BENCH_PINGPONG,
	ML_BENCH_RING,
	ML_BENCH_CHARDEV,
	ML_BENCH_IOCTL,
	ML_BENCH_NETLINK,
	ML_BENCH_BPF,
	ML_BENCH_URING,
	ML_BENCH_RINGBUF,
	ML_BENCH_TRACE,
	ML_BENCH_NR,
};

/**
 * enum ml_bench_mode - how the two sides wait for each other
 * @ML_BENCH_SPIN: the kernel thread looks again and again; so does the agent
 *	if it can do so without a system call, otherwise it sleeps
 * @ML_BENCH_SLEEP: both sleep
 * @ML_BENCH_TURNS: they take turns: a batch is sent, then it is answered, then
 *	the answers are fetched. Nobody waits within a turn, so that the cost of
 *	each of the three can be told. With a call that answers and gets the
 *	next requests at once, answers come one turn later.
 */
enum ml_bench_mode {
	ML_BENCH_SPIN,
	ML_BENCH_SLEEP,
	ML_BENCH_TURNS,
};

/**
 * struct ml_bench_page - shared page, mapped at offset 0
 * @__pad0: keeps the words apart
 * @__pad1: keeps the words apart
 * @__pad2: keeps the words apart
 * @ball: ping-pong: odd on the way to the agent, even on the way back
 * @serve: what the agent is to serve now: ML_BENCH_SERVE(), or 0
 * @ack: the agent's copy of @serve, as soon as it is ready for it
 * @turn: TURNS: odd: the agent's turn
 * @nr: TURNS: requests that were sent in this turn
 * @cycles: TURNS: what the agent's turn took
 */
struct ml_bench_page {
	__u32 ball;
	__u32 __pad0[ML_BENCH_LINE / 4 - 1];
	__u32 serve;
	__u32 __pad1[ML_BENCH_LINE / 4 - 1];
	__u32 ack;
	__u32 turn;
	__u32 nr;
	__u32 cycles;
	__u32 __pad2[ML_BENCH_LINE / 4 - 4];
};

/* Values of @serve. The number of the run makes them differ. */
#define ML_BENCH_SERVE(_nr, _transport, _mode, _depth)		\
	(0x80000000U | ((_nr) & 127) << 24 | (_depth) << 16 |	\
	 (_mode) << 8 | (_transport))
#define ML_BENCH_SERVE_TRANSPORT(_serve)	((_serve) & 255)
#define ML_BENCH_SERVE_MODE(_serve)		((_serve) >> 8 & 255)
#define ML_BENCH_SERVE_DEPTH(_serve)		((_serve) >> 16 & 255)

/**
 * struct ml_bench_request - a request, where the transport has no form for it
 * @cookie: comes back in the answer
 * @time_ns: when it was sent; zero with ML_BENCH_BARE
 * @word: payload
 */
struct ml_bench_request {
	__aligned_u64 cookie;
	__aligned_u64 time_ns;
	__aligned_u64 word[ML_BENCH_WORDS];
};

/**
 * struct ml_bench_answer - the answer to it
 * @cookie: of the request, never zero
 * @value: ml_bench_rule() of its payload
 * @__reserved: zero
 */
struct ml_bench_answer {
	__aligned_u64 cookie;
	__s32 value;
	__u32 __reserved;
};

/**
 * struct ml_bench_answers - BPF: where the program that fetches puts them
 * @nr: how many; the kernel thread takes them and sets it to zero
 * @__reserved: zero
 * @answer: the answers
 */
struct ml_bench_answers {
	__u32 nr;
	__u32 __reserved;
	struct ml_bench_answer answer[ML_BENCH_MAX_DEPTH];
};

/* What the model of this benchmark does: every word of the payload matters. */
static inline __s32 ml_bench_rule(const __u64 *word)
{
	__u64 sum = 0;

	for (int i = 0; i < ML_BENCH_WORDS; i++)
		sum += word[i];
	return sum % ML_BENCH_RANGE;
}

/*
 * Only transport: no deadline, no request is matched with its answer, nothing is
 * kept as advice. Otherwise a rival does what ML_LIB does, see contract.h.
 */
#define ML_BENCH_BARE		1
/*
 * Not in mode SLEEP, nor netlink: the kernel thread has interrupts off most of
 * the time, like much of what may submit. User-mode Linux needs system calls to
 * turn them on again.
 */
#define ML_BENCH_IRQS_OFF	2

/**
 * struct ml_bench_run - ML_BENCH_RUN: do a run
 * @transport: enum ml_bench_transport
 * @mode: enum ml_bench_mode
 * @count: requests, a multiple of @depth in mode TURNS
 * @depth: most requests under way, or requests in a turn
 * @cpu: where the kernel thread runs
 * @timeout_ms: give up after this time
 * @flags: ML_BENCH_BARE, ML_BENCH_IRQS_OFF
 * @portid: netlink: whom to send to
 * @ringbuf_fd: RINGBUF: the map
 * @submit_fd: BPF: program that sends the request that is its context
 * @drain_fd: BPF: program that fetches answers
 * @answers_fd: BPF: array map of one struct ml_bench_answers
 * @nr_samples: in: room; out: samples
 * @samples: pointer to __u32[]: cycles of each round trip; in mode TURNS, of
 *	sending, answering and fetching of each batch
 * @good: out: answers that were right
 * @bad: out: answers that were wrong
 * @refused: out: attempts to send that failed and were repeated
 * @cycles: out: how long the exchange took
 * @ns: out: the same in ns
 * @overhead: out: cycles between two looks at the counter with nothing between
 * @sleeps: out: how often the kernel thread went to sleep
 * @__reserved: zero
 */
struct ml_bench_run {
	__u32 transport;
	__u32 mode;
	__u32 count;
	__u32 depth;
	__u32 cpu;
	__u32 timeout_ms;
	__u32 flags;
	__u32 portid;
	__s32 ringbuf_fd;
	__s32 submit_fd;
	__s32 drain_fd;
	__s32 answers_fd;
	__u32 nr_samples;
	__aligned_u64 samples;
	__aligned_u64 good;
	__aligned_u64 bad;
	__aligned_u64 refused;
	__aligned_u64 cycles;
	__aligned_u64 ns;
	__u32 overhead;
	__u32 sleeps;
	__u32 __reserved;
};

/**
 * struct ml_bench_exchange - ML_BENCH_EXCHANGE: answer and get requests
 * @answers: pointer to struct ml_bench_answer[]
 * @requests: pointer to struct ml_bench_request[]
 * @nr_answers: how many, at most ML_BENCH_MAX_DEPTH
 * @nr_requests: in: room; out: requests, 0 if the run is over
 */
struct ml_bench_exchange {
	__aligned_u64 answers;
	__aligned_u64 requests;
	__u32 nr_answers;
	__u32 nr_requests;
};

#define ML_BENCH_RUN		_IOWR(0xBE, 0x80, struct ml_bench_run)
#define ML_BENCH_EXCHANGE	_IOWR(0xBE, 0x81, struct ml_bench_exchange)

/*
 * uring_cmd: deliver the answer in sqe->cmd, unless its cookie is zero, and get
 * the next request to sqe->addr, unless that is zero.
 */
#define ML_BENCH_COMMIT_AND_FETCH	_IO(0xBE, 0x82)

/* Generic netlink */
#define ML_BENCH_GENL_NAME	"ml_bench"
#define ML_BENCH_GENL_VERSION	1

enum ml_bench_genl_cmd {
	ML_BENCH_GENL_REQUEST = 1,
	ML_BENCH_GENL_ANSWER,
};

enum ml_bench_genl_attr {
	ML_BENCH_ATTR_COOKIE = 1,	/* u64 */
	ML_BENCH_ATTR_TIME,	/* u64 */
	ML_BENCH_ATTR_WORDS,	/* u64[ML_BENCH_WORDS] */
	ML_BENCH_ATTR_VALUE,	/* s32 */
	__ML_BENCH_ATTR_END,
};

#endif /* _ML_BENCH_H */
