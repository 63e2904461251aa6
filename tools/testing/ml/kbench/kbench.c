// SPDX-License-Identifier: GPL-2.0
/*
 * kbench: the whole path, from a kernel thread to a process and back, over
 * ML_LIB and over what else there is. Needs a kernel with CONFIG_ML_LIB_BENCH.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kbench.h"

#define MAX_ROUNDS	64
#define MAX_COUNT	100000

/**
 * struct case_ - something to measure
 * @name: as printed
 * @transport: enum ml_bench_transport
 * @mode: enum ml_bench_mode
 * @depth: requests under way
 * @flags: of the run
 */
struct case_ {
	const char *name;
	u32 transport, mode, depth, flags;
};

static struct ml_bench_run run;		/* the last one */
static u32 samples[3 * MAX_COUNT];
static unsigned int kernel_cpu, agent_cpu = 1;
static u32 timeout_ms = 60000;
static pid_t agent_pid;
static const char *only;	/* transports whose name begins so */
static bool sleeping;		/* only those that sleep, and the ping-pong */
static int failures;

static void die(const char *what)
{
	fprintf(stderr, "kbench: %s: %s\n", what, strerror(errno));
	if (agent_pid > 0)
		kill(agent_pid, SIGKILL);
	exit(1);
}

static void check_agent(void)
{
	int status;

	if (waitpid(agent_pid, &status, WNOHANG) != agent_pid)
		return;
	fprintf(stderr, "kbench: the agent died, status 0x%x\n", status);
	exit(1);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	check_agent();
}

static void start_agent(void)
{
	const int rw = PROT_READ | PROT_WRITE;

	bench_fd = open("/dev/ml_bench", O_RDWR | O_CLOEXEC);
	if (bench_fd < 0)
		die("/dev/ml_bench (CONFIG_ML_LIB_BENCH, root)");
	page = mmap(NULL, sizeof(*page), rw, MAP_SHARED, bench_fd, 0);
	shared = mmap(NULL, sizeof(*shared), rw, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (page == MAP_FAILED || shared == MAP_FAILED)
		die("mmap");
	bpf_prepare();
	fflush(NULL);
	agent_pid = fork();
	if (agent_pid < 0)
		die("fork");
	if (!agent_pid)
		agent(agent_cpu);
	while (!READ_ONCE(shared->ready))
		nap();
}

/* Do a run; the results are in @run and @samples. */
static bool measure(const struct case_ *c, u32 count)
{
	bool one_way;
	int err;

	run = (struct ml_bench_run){
		.transport = c->transport,
		.mode = c->mode,
		.count = count,
		.depth = c->depth,
		.cpu = kernel_cpu,
		.timeout_ms = timeout_ms,
		.flags = c->flags,
		.portid = shared->portid,
		.ringbuf_fd = bpf_fds.ringbuf,
		.submit_fd = bpf_fds.submit,
		.drain_fd = bpf_fds.drain,
		.answers_fd = bpf_fds.answers,
		.nr_samples = sizeof(samples) / sizeof(samples[0]),
		.samples = (uintptr_t)samples,
	};
	err = ioctl(bench_fd, ML_BENCH_RUN, &run) ? errno : 0;
	/* The agent has counted when it takes its word back. */
	for (int i = 0; READ_ONCE(page->ack) && i < 5000; i++)
		nap();
	one_way = c->transport == ML_BENCH_RINGBUF ||
		  c->transport == ML_BENCH_TRACE;
	if (!err && (run.bad || run.good != (one_way ? 0 : count)))
		err = EBADMSG;
	if (!err)
		return true;
	fprintf(stderr, "kbench: %s, depth %u: %s (%llu right, %llu wrong of %u)\n",
		c->name, c->depth, strerror(err), (unsigned long long)run.good,
		(unsigned long long)run.bad, count);
	failures++;
	return false;
}

static double ns_per_cycle(void)
{
	return run.cycles ? (double)run.ns / run.cycles : 0;
}

static struct measured measured(const struct case_ *c, const char *note)
{
	return (struct measured){
		c->name, ML_BENCH_WORDS * sizeof(u64), c->depth, 1, note,
	};
}

static const struct case_ every[] = {
	{ "pingpong", ML_BENCH_PINGPONG, ML_BENCH_SPIN, 1, 0 },
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_SPIN, 1, 0 },
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_SPIN, 32, 0 },
	{ "ml_lib-sleep", ML_BENCH_RING, ML_BENCH_SLEEP, 1, 0 },
	{ "bpf-ringbuf", ML_BENCH_BPF, ML_BENCH_SPIN, 1, 0 },
	{ "bpf-ringbuf", ML_BENCH_BPF, ML_BENCH_SPIN, 32, 0 },
	{ "bpf-ringbuf-sleep", ML_BENCH_BPF, ML_BENCH_SLEEP, 1, 0 },
	{ "chardev-read-write", ML_BENCH_CHARDEV, ML_BENCH_SLEEP, 1, 0 },
	{ "chardev-read-write", ML_BENCH_CHARDEV, ML_BENCH_SLEEP, 32, 0 },
	{ "chardev-ioctl", ML_BENCH_IOCTL, ML_BENCH_SLEEP, 1, 0 },
	{ "chardev-ioctl", ML_BENCH_IOCTL, ML_BENCH_SLEEP, 32, 0 },
	{ "netlink-genl", ML_BENCH_NETLINK, ML_BENCH_SLEEP, 1, 0 },
	{ "netlink-genl", ML_BENCH_NETLINK, ML_BENCH_SLEEP, 32, 0 },
	{ "uring-cmd", ML_BENCH_URING, ML_BENCH_SLEEP, 1, 0 },
};

/* What needs no system call on either side. */
static const struct case_ busy[] = {
	{ "pingpong", ML_BENCH_PINGPONG, ML_BENCH_SPIN, 1, ML_BENCH_IRQS_OFF },
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_SPIN, 1, ML_BENCH_IRQS_OFF },
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_SPIN, 32, ML_BENCH_IRQS_OFF },
	{ "ml_lib-irqs-on", ML_BENCH_RING, ML_BENCH_SPIN, 1, 0 },
	{ "ml_lib-irqs-on", ML_BENCH_RING, ML_BENCH_SPIN, 32, 0 },
};

static const struct case_ turns[] = {
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_TURNS, 1, 0 },
	{ "ml_lib", ML_BENCH_RING, ML_BENCH_TURNS, 32, 0 },
	{ "bpf-ringbuf", ML_BENCH_BPF, ML_BENCH_TURNS, 1, 0 },
	{ "bpf-ringbuf", ML_BENCH_BPF, ML_BENCH_TURNS, 32, 0 },
	{ "chardev-read-write", ML_BENCH_CHARDEV, ML_BENCH_TURNS, 1, 0 },
	{ "chardev-read-write", ML_BENCH_CHARDEV, ML_BENCH_TURNS, 32, 0 },
	{ "chardev-ioctl", ML_BENCH_IOCTL, ML_BENCH_TURNS, 1, 0 },
	{ "chardev-ioctl", ML_BENCH_IOCTL, ML_BENCH_TURNS, 32, 0 },
	{ "netlink-genl", ML_BENCH_NETLINK, ML_BENCH_TURNS, 1, 0 },
	{ "netlink-genl", ML_BENCH_NETLINK, ML_BENCH_TURNS, 32, 0 },
	{ "uring-cmd", ML_BENCH_URING, ML_BENCH_TURNS, 1, 0 },
	{ "uring-cmd", ML_BENCH_URING, ML_BENCH_TURNS, 32, 0 },
	{ "bpf-ringbuf-bare", ML_BENCH_BPF, ML_BENCH_TURNS, 1, ML_BENCH_BARE },
	{ "bpf-ringbuf-bare", ML_BENCH_BPF, ML_BENCH_TURNS, 32, ML_BENCH_BARE },
	{ "chardev-ioctl-bare", ML_BENCH_IOCTL, ML_BENCH_TURNS, 1, ML_BENCH_BARE },
	{ "chardev-ioctl-bare", ML_BENCH_IOCTL, ML_BENCH_TURNS, 32, ML_BENCH_BARE },
	{ "bpf-ringbuf-output-bare", ML_BENCH_RINGBUF, ML_BENCH_TURNS, 1, 0 },
	{ "bpf-ringbuf-output-bare", ML_BENCH_RINGBUF, ML_BENCH_TURNS, 32, 0 },
	{ "tracepoint-bare", ML_BENCH_TRACE, ML_BENCH_TURNS, 1, 0 },
	{ "tracepoint-bare", ML_BENCH_TRACE, ML_BENCH_TURNS, 32, 0 },
	{ "ml_lib-irqs-off", ML_BENCH_RING, ML_BENCH_TURNS, 32,
	  ML_BENCH_IRQS_OFF },
	{ "bpf-ringbuf-output-bare-irqs-off", ML_BENCH_RINGBUF,
	  ML_BENCH_TURNS, 32, ML_BENCH_IRQS_OFF },
	{ "tracepoint-bare-irqs-off", ML_BENCH_TRACE, ML_BENCH_TURNS, 32,
	  ML_BENCH_IRQS_OFF },
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Can it be measured? Says so, once for each transport, if not. */
static bool available(const struct case_ *c)
{
	static u32 told;

	if (only && strncmp(c->name, only, strlen(only)))
		return false;
	if (sleeping && c->mode == ML_BENCH_SPIN &&
	    c->transport != ML_BENCH_PINGPONG)
		return false;
	if (!shared->missing[c->transport][0])
		return true;
	if (!(told & 1U << c->transport))
		report_skip(c->name, shared->missing[c->transport]);
	told |= 1U << c->transport;
	return false;
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool tracing(bool on)
{
	if (on)
		put("/sys/kernel/tracing/tracing_on", "1");
	return put("/sys/kernel/tracing/events/ml_bench/ml_bench_request/enable",
		   on ? "1" : "0");
}

/* Every transport delivers every answer. */
static void plan_quick(u32 count)
{
	report_skip("uring-cmd-sleep-32",
		    "32 sleeping commands stall in an emulated guest; the cause is not known");
	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		const struct case_ *c = &every[i];
		struct measured k = measured(c, NULL);

		if (!available(c))
			continue;
		measure(c, count);
		report(&k, "delivered", (double)run.good / count, "", count, -1);
	}
}

/* --- times, in rounds: each measures everything once */

struct series {
	double p50[MAX_ROUNDS], p99[MAX_ROUNDS], p999[MAX_ROUNDS];
	double max[MAX_ROUNDS], ratio[MAX_ROUNDS];
	u32 n;
};

static void emit_series(const struct case_ *c, struct series *s, u64 n,
			const char *note)
{
	struct measured k = measured(c, note);
	double ci, v;

	v = median(s->p50, s->n, &ci);
	report(&k, "rtt_p50", v, "ns", n, ci);
	fprintf(stderr, "kbench: %-20s depth %2u: p50 %8.0f ns (+-%.0f)",
		c->name, c->depth, v, ci);
	v = median(s->p99, s->n, &ci);
	report(&k, "rtt_p99", v, "ns", n, ci);
	v = median(s->p999, s->n, &ci);
	report(&k, "rtt_p999", v, "ns", n, ci);
	/* The greatest of all, and not of a typical round. */
	v = 0;
	for (u32 i = 0; i < s->n; i++)
		v = s->max[i] > v ? s->max[i] : v;
	report(&k, "rtt_max", v, "ns", n, -1);
	if (c->depth == 1 && s->ratio[0]) {
		v = median(s->ratio, s->n, &ci);
		report(&k, "rtt_ratio_p50", v, "x", n, ci);
		fprintf(stderr, ", %.2f (+-%.2f) times the ping-pong", v, ci);
	}
	fprintf(stderr, "\n");
}

static void plan_rtt(const struct case_ *cases, size_t nr, u32 rounds,
		     u32 count, const char *note)
{
	static struct series series[ARRAY_SIZE(every)];
	double limit = 0;

	memset(series, 0, sizeof(series));
	for (u32 round = 0; round < rounds; round++) {
		fprintf(stderr, "kbench: round trips, round %u of %u\n",
			round + 1, rounds);
		for (size_t i = 0; i < nr; i++) {
			const struct case_ *c = &cases[i];
			struct series *s = &series[i];
			double ns;

			if (!available(c) || !measure(c, count))
				continue;
			ns = ns_per_cycle();
			for (u32 j = 0; j < run.nr_samples; j++)
				samples[j] -= samples[j] < run.overhead ?
					      samples[j] : run.overhead;
			sort_u32(samples, run.nr_samples);
			s->p50[s->n] = percentile(samples, run.nr_samples, 50) * ns;
			s->p99[s->n] = percentile(samples, run.nr_samples, 99) * ns;
			s->p999[s->n] = percentile(samples, run.nr_samples, 99.9) * ns;
			s->max[s->n] = percentile(samples, run.nr_samples, 100) * ns;
			if (c->transport == ML_BENCH_PINGPONG)
				limit = s->p50[s->n];
			s->ratio[s->n] = limit ? s->p50[s->n] / limit : 0;
			s->n++;
			if (round == rounds - 1) {
				struct measured k = measured(c, note);

				report_cdf(&k, samples, run.nr_samples, ns);
			}
		}
	}
	for (size_t i = 0; i < nr; i++)
		if (series[i].n)
			emit_series(&cases[i], &series[i],
				    (u64)series[i].n * count, note);
}

/* Medians over the batches of a run, per request: send, answer, fetch. */
static void steps(u32 depth, double *step)
{
	static u32 column[MAX_COUNT];
	u32 batches = run.nr_samples / 3;

	for (int i = 0; i < 3; i++) {
		for (u32 j = 0; j < batches; j++)
			column[j] = samples[3 * j + i];
		sort_u32(column, batches);
		step[i] = percentile(column, batches, 50);
		step[i] = (step[i] < run.overhead ? 0 : step[i] - run.overhead) / depth;
	}
}

/*
 * The cost of each step, in ns or, where the counter counts instructions, in
 * instructions.
 */
static void plan_turns(const char *prefix, const char *unit, u32 rounds,
		       u32 batches, const char *note)
{
	static double cost[ARRAY_SIZE(turns)][4][MAX_ROUNDS];
	static u32 n[ARRAY_SIZE(turns)];
	static const char *const name[] = { "submit", "agent", "fetch", "rtt" };
	const bool time = !strcmp(unit, "ns");

	for (u32 round = 0; round < rounds; round++) {
		fprintf(stderr, "kbench: taking turns, round %u of %u\n",
			round + 1, rounds);
		for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
			const struct case_ *c = &turns[i];
			bool ok, is_trace = c->transport == ML_BENCH_TRACE;
			double step[3], sum = 0;

			if (!available(c))
				continue;
			if (is_trace && !tracing(true)) {
				if (!round)
					report_skip(c->name, "no event ml_bench_request in tracefs");
				continue;
			}
			ok = measure(c, batches * c->depth);
			if (is_trace)
				tracing(false);
			if (!ok)
				continue;
			steps(c->depth, step);
			for (int j = 0; j < 3; j++) {
				cost[i][j][n[i]] = step[j] * (time ? ns_per_cycle() : 1);
				sum += cost[i][j][n[i]];
			}
			cost[i][3][n[i]++] = sum;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		const struct case_ *c = &turns[i];
		struct measured k = measured(c, note);
		bool up_only = c->transport == ML_BENCH_RINGBUF ||
			       c->transport == ML_BENCH_TRACE;

		if (!n[i])
			continue;
		fprintf(stderr, "kbench: %-20s batch %2u:", c->name, c->depth);
		for (int j = 0; j < 4; j++) {
			char metric[64];
			double ci, v = median(cost[i][j], n[i], &ci);

			if (up_only && j)
				continue;
			snprintf(metric, sizeof(metric), "%s_%s", prefix, name[j]);
			report(&k, metric, v, unit, (u64)n[i] * batches, ci);
			fprintf(stderr, " %s %.1f", name[j], v);
		}
		fprintf(stderr, " %s\n", unit);
	}
}

/* System calls and sleeps of each side, and memory. */
static void plan_count(u32 count)
{
	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		const struct case_ *c = &every[i];
		struct measured k = measured(c, NULL);
		double per = 1000.0 / count;

		if (c->transport == ML_BENCH_PINGPONG || !available(c) ||
		    !measure(c, count))
			continue;
		report(&k, "delivered", (double)run.good / count, "", count, -1);
		if (shared->syscalls >= 0)
			report(&k, "per1000_syscalls", shared->syscalls * per, "",
			     count, -1);
		report(&k, "per1000_agent_sleeps", shared->sleeps * per, "",
		     count, -1);
		report(&k, "per1000_kernel_sleeps", run.sleeps * per, "",
		     count, -1);
		if (shared->memory[c->transport])
			report(&k, "memory_buffers", shared->memory[c->transport],
			     "B", 1, -1);
		fprintf(stderr, "kbench: %-20s depth %2u: per 1000: %.1f syscalls, agent slept %.1f, kernel thread %.1f times\n",
			c->name, c->depth, shared->syscalls * per,
			shared->sleeps * per, run.sleeps * per);
	}
}

/* Instructions of a whole round trip, with both sides on one processor. */
static void plan_total(u32 count)
{
	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		const struct case_ *c = &every[i];
		struct measured k = measured(c, "one processor: with the scheduler");

		if (c->mode != ML_BENCH_SLEEP || c->transport == ML_BENCH_BPF ||
		    c->depth != 1 || !available(c) || !measure(c, count))
			continue;
		report(&k, "instructions_total", (double)run.cycles / count,
		     "instructions", count, -1);
		fprintf(stderr, "kbench: %-20s %.0f instructions a round trip, with the scheduler\n",
			c->name, (double)run.cycles / count);
	}
}

static const char usage[] =
"usage: kbench [options] PLAN...\n"
"  quick         each transport delivers each answer\n"
"  rtt           times of round trips, of those that need no system call\n"
"  rtt-all       the same, of all\n"
"  submit        what sending costs, in ns\n"
"  count         system calls and sleeps for each thousand decisions\n"
"  instructions  of each step, on a machine whose cycle counter counts them\n"
"  -o FILE       append the results to FILE, one JSON object per line (stdout)\n"
"  -w NAME       where this is: uml or guest\n"
"  -r N          rounds (15)\n"
"  -n N          requests in each run (20000)\n"
"  -t NAME       only transports whose name begins so\n"
"  -s            only those that sleep, and the ping-pong\n"
"  -1            kernel thread and agent on one processor\n"
"  -m NOTE       a remark on every time\n";

int main(int argc, char **argv)
{
	u32 rounds = 15, count = 20000;
	const char *note = NULL;
	int opt;

	report_where = "guest";
	while ((opt = getopt(argc, argv, "o:w:r:n:t:s1m:h")) > 0)
		switch (opt) {
		case 'o':
			report_to = fopen(optarg, "a");
			if (!report_to)
				die(optarg);
			break;
		case 'w':
			report_where = optarg;
			break;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'n':
			count = atoi(optarg);
			break;
		case 't':
			only = optarg;
			break;
		case 's':
			sleeping = true;
			break;
		case '1':
			agent_cpu = 0;
			break;
		case 'm':
			note = optarg;
			break;
		case 'h':
			printf("%s", usage);
			return 0;
		default:
			fprintf(stderr, "%s", usage);
			return 2;
		}
	if (optind == argc || !rounds || rounds > MAX_ROUNDS || !count ||
	    count > MAX_COUNT) {
		fprintf(stderr, "%s", usage);
		return 2;
	}
	if (agent_cpu && sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "kbench: one processor only: use -1\n");
		return 2;
	}
	start_agent();
	for (int i = optind; i < argc; i++) {
		const char *plan = argv[i];

		if (!strcmp(plan, "quick")) {
			plan_quick(count);
		} else if (!strcmp(plan, "rtt")) {
			plan_rtt(busy, ARRAY_SIZE(busy), rounds, count, note);
		} else if (!strcmp(plan, "rtt-all")) {
			plan_rtt(every, ARRAY_SIZE(every), rounds, count, note);
		} else if (!strcmp(plan, "submit")) {
			plan_turns("submit", "ns", rounds, count / 32, note);
		} else if (!strcmp(plan, "count")) {
			plan_count(count);
		} else if (!strcmp(plan, "instructions")) {
			plan_turns("instructions", "instructions", 1,
				   count / 32, note);
			plan_total(count / 8);
		} else {
			fprintf(stderr, "kbench: no plan %s\n%s", plan, usage);
			failures++;
		}
	}
	WRITE_ONCE(shared->quit, 1);
	waitpid(agent_pid, NULL, 0);
	if (failures)
		fprintf(stderr, "kbench: %d failures\n", failures);
	return failures ? 1 : 0;
}
