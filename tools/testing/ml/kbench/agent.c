// SPDX-License-Identifier: GPL-2.0
/*
 * The agent: one process for all transports, so that they are compared between
 * the same two contexts. The page that it shares with the kernel thread says
 * which of them to serve.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "kbench.h"
#include "mlagent.h"

#define NR_SLOTS	256

static const struct transport *const transports[ML_BENCH_NR] = {
	[ML_BENCH_PINGPONG] = &pingpong,
	[ML_BENCH_RING] = &ring,
	[ML_BENCH_CHARDEV] = &chardev,
	[ML_BENCH_IOCTL] = &ioctl_,
	[ML_BENCH_NETLINK] = &netlink,
	[ML_BENCH_BPF] = &bpf,
	[ML_BENCH_URING] = &uring,
	[ML_BENCH_RINGBUF] = &ringbuf,
	[ML_BENCH_TRACE] = &trace,
};

struct ml_bench_page *page;
struct shared *shared;
int bench_fd;

static u32 task;	/* value of page->serve that is being worked on */

/* One look at a word that changes only when the run is over. */
bool serving(void)
{
	return READ_ONCE(page->serve) == task;
}

int unavailable(u32 transport, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(shared->missing[transport], sizeof(shared->missing[0]), fmt, ap);
	va_end(ap);
	return -1;
}

static void pingpong_serve(u32 mode, u32 depth)
{
	u32 next = 1;

	(void)mode;
	(void)depth;
	while (serving()) {
		if (smp_load_acquire(&page->ball) != next)
			continue;
		smp_store_release(&page->ball, next + 1);
		next += 2;
	}
}

const struct transport pingpong = { .serve = pingpong_serve };

static struct mlagent *ml;

static int ring_open(void)
{
	struct mlagent_schema *schema;
	struct ml_lib_proxy proxy;
	struct ml_lib_control on = {
		.set = ML_LIB_SET_MODE,
		.mode = ML_LIB_MODE_RECOMMENDATION,
	};

	if (mlagent_open(&ml, NULL) ||
	    mlagent_proxy_find(ml, ML_BENCH_PROXY, &proxy) ||
	    mlagent_schema(ml, &proxy, &schema) ||
	    mlagent_setup(ml, 1, NR_SLOTS, proxy.feature_bytes) ||
	    mlagent_attach(ml, schema) || mlagent_start(ml))
		return unavailable(ML_BENCH_RING, "%s", mlagent_error());
	on.id = proxy.id;
	if (mlagent_control(ml, &on))
		return unavailable(ML_BENCH_RING, "%s", mlagent_error());
	shared->memory[ML_BENCH_RING] = ml->setup.bytes_ro + ml->setup.bytes_rw;
	return 0;
}

/* Answer what is there, at most @room, as ml-agent does it. */
static u32 ring_step(u32 room)
{
	const struct ml_lib_request *req[MAX_DEPTH];
	struct ml_lib_decision dec[MAX_DEPTH];
	u32 nr = mlagent_peek_batch(ml, 0, req, room);
	int n;

	if (!nr)
		return 0;
	for (u32 i = 0; i < nr; i++)
		dec[i] = (struct ml_lib_decision) {
			.cookie = req[i]->cookie,
			.out = { ml_bench_rule((const __u64 *)req[i]->payload) },
		};
	n = mlagent_decide_batch(ml, 0, dec, nr);
	if (n > 0)
		mlagent_release(ml, 0, n);
	return n > 0 ? n : 0;
}

static void ring_serve(u32 mode, u32 depth)
{
	struct pollfd pfd = { .fd = mlagent_fd(ml), .events = POLLIN };

	(void)depth;
	while (serving()) {
		if (ring_step(MAX_DEPTH)) {
			/* A time matters only if nobody waits; somebody does. */
			if (mode == ML_BENCH_SLEEP && mlagent_kick_due(ml, 0, 0))
				mlagent_kick(ml, 0);
			continue;
		}
		if (mode == ML_BENCH_SPIN)
			continue;
		if (mlagent_sleep_begin(ml))
			poll(&pfd, 1, 100);
		mlagent_sleep_end(ml);
	}
}

static void ring_turn(u32 nr)
{
	while (nr)
		nr -= ring_step(nr);
}

const struct transport ring = {
	.open = ring_open,
	.serve = ring_serve,
	.turn = ring_turn,
};

/* The trace buffer overwrites what nobody reads. */
static void trace_turn(u32 nr)
{
	(void)nr;
}

const struct transport trace = { .turn = trace_turn };

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

static void take_turns(const struct transport *t)
{
	u32 turn = 1;
	u64 start;

	while (serving()) {
		if (smp_load_acquire(&page->turn) != turn) {
			nap();
			continue;
		}
		start = cycles();
		t->turn(READ_ONCE(page->nr));
		WRITE_ONCE(page->cycles, cycles() - start);
		smp_store_release(&page->turn, turn + 1);
		turn += 2;
	}
}

/* Count this process's system calls by a tracepoint; -1 if there is none. */
static int count_syscalls(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	FILE *f = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "r");
	unsigned long id;
	bool known;

	if (!f)
		return -1;
	known = fscanf(f, "%lu", &id) == 1;
	fclose(f);
	if (!known)
		return -1;
	attr.config = id;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long read_count(int fd)
{
	u64 count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? (long)count : -1;
}

static long read_sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static void work(int counter)
{
	const struct transport *t = transports[ML_BENCH_SERVE_TRANSPORT(task)];
	long sleeps = read_sleeps(), before = read_count(counter), after;

	WRITE_ONCE(page->ack, task);
	if (ML_BENCH_SERVE_MODE(task) == ML_BENCH_TURNS)
		take_turns(t);
	else
		t->serve(ML_BENCH_SERVE_MODE(task), ML_BENCH_SERVE_DEPTH(task));
	after = read_count(counter);
	/* The second reading is itself a system call. */
	shared->syscalls = after < 0 ? -1 : after - before - 1;
	shared->sleeps = read_sleeps() - sleeps;
	smp_store_release(&page->ack, 0);
}

/* Never returns. */
void agent(unsigned int cpu)
{
	int counter = count_syscalls();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (u32 i = 0; i < ML_BENCH_NR; i++)
		if (transports[i]->open && !shared->missing[i][0])
			transports[i]->open();
	WRITE_ONCE(shared->ready, 1);
	while (!READ_ONCE(shared->quit)) {
		task = smp_load_acquire(&page->serve);
		if (task)
			work(counter);
		else
			nap();
	}
	exit(0);
}
