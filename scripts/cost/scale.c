// SPDX-License-Identifier: GPL-2.0
/*
 * The agent's side of lib/ml/bench_scale.c, in the guest.
 *
 *	scale turns PROXIES QUEUES SLOTS PAYLOAD CPUS N ROUNDS
 *		N requests are submitted from each CPU, then they are answered,
 *		then the kernel takes the answers, ROUNDS times: what each
 *		submission costs, with nobody in its way.
 *	scale flood PROXIES QUEUES SLOTS PAYLOAD CPUS N PERIOD DELAY
 *		A process has N requests submitted from each CPU, one every
 *		PERIOD ticks, while this one answers, at DELAY ticks each.
 *	scale memory
 *		What proxies, sessions and queues take.
 *	scale counters PROXY
 *		The counters of any proxy.
 *
 * Prints lines of words and numbers, "name value name value ...". Every answer
 * and every counter is checked; exits with 1 if anything is lost.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>
#include <x86intrin.h>

#include <mlagent.h>

#define PARAM		"/sys/module/ml_scale/parameters/"
#define NAME		"bench/scale-"
#define MAX_SESSIONS	64
#define PER_SESSION	64	/* proxies of a session */
#define NR_RESULTS	12

static struct mlagent *agents[MAX_SESSIONS];
static unsigned int nr_agents;
static unsigned int delay;
static bool failed;

static void param_write(const char *name, unsigned long value)
{
	char path[128], text[32];
	int fd, len;

	snprintf(path, sizeof(path), PARAM "%s", name);
	len = snprintf(text, sizeof(text), "%lu", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		err(1, "%s = %lu", path, value);
	close(fd);
}

static void read_result(uint64_t *r)
{
	FILE *file = fopen(PARAM "result", "re");

	if (!file)
		err(1, PARAM "result");
	for (int i = 0; i < NR_RESULTS; i++)
		if (fscanf(file, "%" SCNu64, &r[i]) != 1)
			errx(1, PARAM "result: short");
	fclose(file);
}

static void check(int ret)
{
	if (ret < 0)
		errx(1, "%s", mlagent_error());
}

static void expect(const char *what, uint64_t is, uint64_t should)
{
	if (is == should)
		return;
	printf("WRONG %s is %" PRIu64 " and should be %" PRIu64 "\n", what, is,
	       should);
	failed = true;
}

static struct mlagent *open_session(unsigned int queues, unsigned int slots,
				    unsigned int payload)
{
	struct mlagent *agent;

	if (nr_agents == MAX_SESSIONS)
		errx(1, "too many sessions");
	check(mlagent_open(&agent, NULL));
	agents[nr_agents++] = agent;
	if (queues)
		check(mlagent_setup(agent, queues, slots, payload));
	return agent;
}

/* The client's next proxy from id on. */
static bool next_proxy(uint32_t *id, struct ml_lib_proxy *proxy)
{
	for (;;) {
		int ret = mlagent_proxy_next(agents[0], *id, proxy);

		check(ret);
		if (!ret)
			return false;
		*id = proxy->id + 1;
		if (!strncmp(proxy->name, NAME, strlen(NAME)))
			return true;
	}
}

/* Attach to all proxies of the client, 64 with each session. */
static void open_agents(unsigned int queues, unsigned int slots,
			unsigned int payload)
{
	struct ml_lib_proxy proxy;
	struct mlagent *agent = open_session(queues, slots, payload);
	unsigned int used = 0;
	uint32_t id = 0;

	while (next_proxy(&id, &proxy)) {
		struct mlagent_schema *schema;
		struct ml_lib_control control = {
			.id = proxy.id,
			.set = ML_LIB_SET_MODE | ML_LIB_SET_RATE,
			.mode = ML_LIB_MODE_RECOMMENDATION,
			.rate = 1000000,
		};

		if (used == PER_SESSION) {
			agent = open_session(queues, slots, payload);
			used = 0;
		}
		check(mlagent_schema(agent, &proxy, &schema));
		check(mlagent_attach(agent, schema));
		free(schema);
		check(mlagent_control(agent, &control));
		used++;
	}
	for (unsigned int i = 0; i < nr_agents; i++)
		check(mlagent_start(agents[i]));
}

static void close_agents(void)
{
	while (nr_agents)
		mlagent_close(agents[--nr_agents]);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Answer what is in a queue. Returns how many. */
static unsigned int answer(struct mlagent *agent, uint32_t queue)
{
	const struct ml_lib_request *r;
	unsigned int n = 0;

	while ((r = mlagent_peek(agent, queue, 0))) {
		uint64_t number;
		int64_t complement;
		int32_t out;

		memcpy(&number, r->payload, 8);
		memcpy(&complement, r->payload + 8, 8);
		if ((int64_t)number != -complement || r->object != number + 1)
			errx(1, "a request is not what was submitted");
		out = number % 1000;
		if (mlagent_decide(agent, queue, r->cookie, 0, &out, 1))
			break;
		mlagent_release(agent, queue, 1);
		for (uint64_t t = delay ? __rdtsc() : 0; delay;)
			if (__rdtsc() - t >= delay)
				break;
		n++;
	}
	return n;
}

static unsigned int answer_all(bool kick)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < nr_agents; i++) {
		for (uint32_t q = 0; q < mlagent_nr_queues(agents[i]); q++) {
			sum += answer(agents[i], q);
			if (kick ? mlagent_pending(agents[i], q) > 0 :
			    mlagent_kick_due(agents[i], q, now_ns()))
				check(mlagent_kick(agents[i], q));
		}
	}
	return sum;
}

static void sum_counters(uint64_t *sum)
{
	struct ml_lib_proxy proxy;
	struct ml_lib_stats stats;
	uint32_t id = 0;

	memset(sum, 0, ML_LIB_MAX_COUNTERS * sizeof(*sum));
	while (next_proxy(&id, &proxy)) {
		check(mlagent_stats(agents[0], proxy.id, &stats));
		for (int i = 0; i < ML_LIB_MAX_COUNTERS; i++)
			sum[i] += stats.counter[i];
	}
}

/* Nothing is lost: what goes in is decided or dropped, and counted. */
static void check_counters(const uint64_t *c, uint64_t calls, uint64_t sent)
{
	expect("submitted", c[ML_LIB_CNT_SUBMIT], sent);
	expect("dropped", c[ML_LIB_CNT_RING_FULL] + c[ML_LIB_CNT_INFLIGHT_FULL] +
	       c[ML_LIB_CNT_BUDGET] + c[ML_LIB_CNT_NO_AGENT], calls - sent);
	expect("decided", c[ML_LIB_CNT_DECIDE], sent);
	expect("refused", c[ML_LIB_CNT_DEADLINE] + c[ML_LIB_CNT_UNMATCHED] +
	       c[ML_LIB_CNT_DECLINED] + c[ML_LIB_CNT_RANGE] +
	       c[ML_LIB_CNT_BROKEN] + c[ML_LIB_CNT_NMI], 0);
}

static void print_result(const uint64_t *r)
{
	static const char * const name[NR_RESULTS] = {
		"sent", "dropped", "p50", "p99", "p999", "max", "drop_p50",
		"drop_p99", "drop_p999", "drop_max", "good", "bad",
	};

	for (int i = 0; i < NR_RESULTS; i++)
		printf("%s %" PRIu64 " ", name[i], r[i]);
}

static void begin(unsigned long *arg)
{
	unsigned int slots = arg[2];

	if (access(PARAM "submit", F_OK))
		errx(1, "CONFIG_ML_LIB_BENCH is not set");
	param_write("payload", arg[3]);
	param_write("proxies", arg[0]);
	param_write("cpus", arg[4]);
	param_write("period", 0);
	open_agents(arg[1], slots, arg[3]);
}

static void end(void)
{
	close_agents();
	param_write("proxies", 0);
}

static void turns(unsigned long *arg)
{
	unsigned long rounds = arg[6], n = arg[5], cpus = arg[4];
	uint64_t c[ML_LIB_MAX_COUNTERS], r[NR_RESULTS];
	uint64_t total = n * cpus, objects = arg[0] * 64;

	begin(arg);
	for (unsigned long i = 1; i <= rounds; i++) {
		uint64_t answered;

		param_write("submit", n);
		answered = answer_all(true);
		read_result(r);
		expect("sent", r[0], total);
		expect("answered", answered, total);
		expect("right advice", r[10], total < objects ? total : objects);
		expect("wrong advice", r[11], 0);
		print_result(r);
		printf("\n");
	}
	sum_counters(c);
	check_counters(c, rounds * total, rounds * total);
	end();
}

static void flood(unsigned long *arg)
{
	uint64_t c[ML_LIB_MAX_COUNTERS], r[NR_RESULTS], answered = 0, from;
	cpu_set_t cpus;
	bool ended = false;
	int status = 0;
	pid_t pid;

	begin(arg);
	param_write("period", arg[6]);
	delay = arg[7];
	/* Away from the submitters, which take the first CPUs. */
	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	from = now_ns();
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		param_write("submit", arg[5]);
		_exit(0);
	}
	for (;;) {
		unsigned int n = answer_all(false);

		answered += n;
		if (n)
			continue;
		if (ended)
			break;
		if (waitpid(pid, &status, WNOHANG) == pid)
			ended = true;
	}
	if (status)
		errx(1, "the submitter failed");
	answer_all(true);
	from = now_ns() - from;
	read_result(r);
	expect("calls", r[0] + r[1], arg[5] * arg[4]);
	expect("answered", answered, r[0]);
	expect("wrong advice", r[11], 0);
	print_result(r);
	sum_counters(c);
	printf("ns %" PRIu64 " ring_full %" PRIu64 " inflight_full %" PRIu64
	       " budget %" PRIu64 "\n", from, (uint64_t)c[ML_LIB_CNT_RING_FULL],
	       (uint64_t)c[ML_LIB_CNT_INFLIGHT_FULL],
	       (uint64_t)c[ML_LIB_CNT_BUDGET]);
	check_counters(c, r[0] + r[1], r[0]);
	end();
}

static void sysctl_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* The sum of all numbers behind a word at the begin of a line of a file. */
static int64_t sum_of(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	int64_t sum = 0, n;
	char line[256];

	if (!file)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		const char *p = line + strspn(line, " ");

		if (!strncmp(p, word, strlen(word)) &&
		    sscanf(p + strlen(word), "%" SCNd64, &n) == 1)
			sum += n;
	}
	fclose(file);
	return sum;
}

/* Bytes in use without caches; what CPUs and slabs keep at hand is free, too. */
static int64_t used_memory(void)
{
	/* What RCU and work items have to free is free after this. */
	usleep(200000);
	sysctl_write("/proc/sys/vm/drop_caches", "3");
	usleep(200000);
	if (system("for i in /sys/kernel/slab/*/shrink; do echo 1 > $i; done"))
		errx(1, "/sys/kernel/slab: not there");
	sysctl_write("/proc/sys/vm/stat_refresh", "1");
	return sum_of("/proc/meminfo", "MemTotal:") * 1024 -
	       sum_of("/proc/meminfo", "MemFree:") * 1024 -
	       sum_of("/proc/zoneinfo", "count:") * 4096;
}

static void print_memory(const char *what, unsigned int nr, int64_t bytes)
{
	printf("memory %s nr %u bytes %" PRId64 "\n", what, nr, bytes / nr);
}

static void open_sessions(unsigned int nr, unsigned int queues,
			  unsigned int slots, unsigned int payload)
{
	while (nr--)
		open_session(queues, slots, payload);
}

static void memory(void)
{
	static const unsigned int slots[] = { 256, 1024 };
	static const unsigned int payloads[] = { 64, 256 };
	unsigned int max;
	int64_t before;
	char what[64];

	if (access(PARAM "submit", F_OK))
		errx(1, "CONFIG_ML_LIB_BENCH is not set");
	/* Once for nothing: what is allocated for good is there from now on. */
	for (int i = 0; i < 2; i++) {
		before = used_memory();
		param_write("proxies", 1024);
		if (i)
			print_memory("proxy_64_objects", 1024,
				     used_memory() - before);
		param_write("proxies", 0);
	}
	for (int i = 0; i < 2; i++) {
		before = used_memory();
		open_sessions(MAX_SESSIONS, 0, 0, 0);
		max = mlagent_info(agents[0])->max_queues;
		if (i)
			print_memory("session_empty", MAX_SESSIONS,
				     used_memory() - before);
		close_agents();
	}
	for (int s = 0; s < 2; s++) {
		for (int p = 0; p < 2; p++) {
			before = used_memory();
			open_sessions(MAX_SESSIONS, 1, slots[s], payloads[p]);
			snprintf(what, sizeof(what), "queue_%u_slots_payload_%u",
				 slots[s], payloads[p]);
			print_memory(what, MAX_SESSIONS, used_memory() - before);
			close_agents();
		}
	}
	before = used_memory();
	open_sessions(1, max, 256, 64);
	snprintf(what, sizeof(what), "session_%u_queues", max);
	print_memory(what, 1, used_memory() - before);
	close_agents();
}

static void counters(const char *name)
{
	struct ml_lib_proxy proxy;
	struct ml_lib_stats stats;
	struct mlagent *agent = open_session(0, 0, 0);

	check(mlagent_proxy_find(agent, name, &proxy));
	check(mlagent_stats(agent, proxy.id, &stats));
	printf("counters %s", name);
	for (int i = 0; i < ML_LIB_NR_COUNTERS; i++)
		printf(" %s %" PRIu64, mlagent_counter_name(i),
		       (uint64_t)stats.counter[i]);
	printf("\n");
	close_agents();
}

int main(int argc, char **argv)
{
	unsigned long arg[8] = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 2; i < argc && i < 10; i++)
		arg[i - 2] = strtoul(argv[i], NULL, 0);
	if (argc == 9 && !strcmp(argv[1], "turns"))
		turns(arg);
	else if (argc == 10 && !strcmp(argv[1], "flood"))
		flood(arg);
	else if (argc == 2 && !strcmp(argv[1], "memory"))
		memory();
	else if (argc == 3 && !strcmp(argv[1], "counters"))
		counters(argv[2]);
	else
		errx(2, "turns|flood|memory|counters ...");
	return failed;
}
