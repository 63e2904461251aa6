/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the selftests of ML_LIB share: a small agent for the proxy test/echo,
 * and the parameters of its client in the kernel (lib/ml/test_client.c).
 */
#ifndef _ML_TEST_H
#define _ML_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/ml_lib.h>

#include "kselftest.h"
#include "ring.h"

#define DEVICE		"/dev/ml_lib"
#define PARAM		"/sys/module/ml_test/parameters/"
#define NR_OBJECTS	64
#define MAX_QUEUES	64

struct agent {
	int fd;
	struct ml_lib_proxy proxy;
	struct ml_lib_setup setup;
	char *ro, *rw;
	uint32_t token;
	struct ml_ring_cons req[MAX_QUEUES];
	struct ml_ring_prod dec[MAX_QUEUES];
};

static inline struct ml_lib_queue_ro *agent_ro(struct agent *a, uint32_t q)
{
	return (void *)(a->ro + (size_t)q * a->setup.stride_ro);
}

static inline struct ml_lib_queue_rw *agent_rw(struct agent *a, uint32_t q)
{
	return (void *)(a->rw + (size_t)q * a->setup.stride_rw);
}

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static inline void sleep_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* Begin: no test may hang. */
static inline void test_begin(int seconds)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (access(DEVICE, F_OK))
		ksft_exit_skip("no " DEVICE ": CONFIG_ML_LIB is off\n");
	if (geteuid())
		ksft_exit_skip("run as root\n");
	alarm(seconds);
}

static inline void test_end(void)
{
	ksft_set_plan(ksft_test_num());
	ksft_finished();
}

static inline void need_client(void)
{
	if (access(PARAM "submit", F_OK))
		ksft_exit_skip("no ml_test: CONFIG_ML_LIB_TEST_CLIENT is off\n");
}

/* ioctl() that returns a negative errno. */
static inline int ml(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static inline int param_write(const char *name, unsigned long n)
{
	char path[100], s[32];
	int fd, len, err = 0;

	snprintf(path, sizeof(path), PARAM "%s", name);
	len = snprintf(s, sizeof(s), "%lu", n);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, s, len) != len)
		err = -errno;
	close(fd);
	return err;
}

static inline long param_read(const char *name)
{
	char path[100], s[32] = "";
	int fd;

	snprintf(path, sizeof(path), PARAM "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, s, sizeof(s) - 1) <= 0)
		ksft_exit_fail_msg("%s: %s\n", path, strerror(errno));
	close(fd);
	return atol(s);
}

/* How much advice is right; all that is there must be. */
static inline long advice_good(long *bad)
{
	param_write("good", 1);
	if (bad)
		*bad = param_read("bad");
	return param_read("good");
}

static inline int find_proxy(int fd, const char *name, struct ml_lib_proxy *p)
{
	memset(p, 0, sizeof(*p));
	p->size = sizeof(*p);
	while (!ml(fd, ML_LIB_IOC_PROXY, p)) {
		if (!strcmp(p->name, name))
			return 0;
		p->id++;
	}
	return -ENOENT;
}

static inline uint64_t counter(int fd, uint32_t id, enum ml_lib_counter c)
{
	struct ml_lib_stats st = { .size = sizeof(st), .id = id };

	if (ml(fd, ML_LIB_IOC_STATS, &st))
		ksft_exit_fail_msg("stats: %s\n", strerror(errno));
	return st.counter[c];
}

static inline int agent_map(struct agent *a)
{
	struct ml_lib_setup *s = &a->setup;

	a->ro = mmap(NULL, s->bytes_ro, PROT_READ, MAP_SHARED, a->fd,
		     s->offset_ro);
	a->rw = mmap(NULL, s->bytes_rw, PROT_READ | PROT_WRITE, MAP_SHARED,
		     a->fd, s->offset_rw);
	if (a->ro == MAP_FAILED || a->rw == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; i < s->nr_queues; i++) {
		a->req[i] = (struct ml_ring_cons) {
			.slots = agent_ro(a, i)->req,
			.cons = &agent_rw(a, i)->req_cons,
			.mask = s->nr_slots - 1, .slot_size = s->slot_size,
		};
		a->dec[i] = (struct ml_ring_prod) {
			.slots = agent_rw(a, i)->dec,
			.cons = &agent_ro(a, i)->dec_cons,
			.mask = s->nr_slots - 1,
			.slot_size = sizeof(struct ml_lib_decision),
		};
	}
	return 0;
}

/* Open, set up and map; not attached, not started. */
static inline int agent_open(struct agent *a, uint32_t slots)
{
	struct ml_lib_info info = { .size = sizeof(info) };
	int err;

	memset(a, 0, sizeof(*a));
	a->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (a->fd < 0)
		return -errno;
	err = ml(a->fd, ML_LIB_IOC_INFO, &info);
	if (!err)
		err = find_proxy(a->fd, "test/echo", &a->proxy);
	if (err)
		return err;
	a->setup = (struct ml_lib_setup) {
		.size = sizeof(a->setup), .nr_slots = slots, .payload = 24,
		.nr_queues = info.max_queues < MAX_QUEUES ? 0 : MAX_QUEUES,
	};
	err = ml(a->fd, ML_LIB_IOC_SETUP, &a->setup);
	return err ? err : agent_map(a);
}

/* The whole way to a running agent that decides. */
static inline int agent_start(struct agent *a, uint32_t slots, uint32_t ttl_ms)
{
	struct ml_lib_start start = { .size = sizeof(start) };
	int err = agent_open(a, slots);
	struct ml_lib_attach at = {
		.size = sizeof(at), .id = a->proxy.id,
		.schema_hash = a->proxy.schema_hash,
	};
	struct ml_lib_control c = {
		.size = sizeof(c), .id = a->proxy.id,
		.set = ML_LIB_SET_MODE | ML_LIB_SET_DEADLINE | ML_LIB_SET_TTL |
		       ML_LIB_SET_RATE,
		.mode = ML_LIB_MODE_RECOMMENDATION, .rate = 1000000,
		.deadline_us = 10000000, .ttl_ms = ttl_ms,
	};

	if (!err)
		err = ml(a->fd, ML_LIB_IOC_ATTACH, &at);
	if (!err)
		err = ml(a->fd, ML_LIB_IOC_CONTROL, &c);
	if (!err)
		err = ml(a->fd, ML_LIB_IOC_START, &start);
	return err;
}

static inline void agent_close(struct agent *a)
{
	if (a->ro && a->ro != MAP_FAILED)
		munmap(a->ro, a->setup.bytes_ro);
	if (a->rw && a->rw != MAP_FAILED)
		munmap(a->rw, a->setup.bytes_rw);
	close(a->fd);
}

/* Answer what is there, without a syscall. Returns how many; -1: nonsense. */
static inline int agent_answer(struct agent *a)
{
	int sum = 0;

	for (uint32_t q = 0; q < a->setup.nr_queues; q++) {
		const struct ml_lib_request *r;

		while ((r = ml_ring_cons_peek(&a->req[q], 0))) {
			struct ml_lib_decision *d;
			uint64_t number;
			int64_t complement;
			void *slot;

			memcpy(&number, r->payload, 8);
			memcpy(&complement, r->payload + 8, 8);
			if (r->proxy != a->proxy.id || r->words != 3 ||
			    (int64_t)number != -complement)
				return -1;
			if (ml_ring_prod_next(&a->dec[q], &slot))
				break;
			d = slot;
			d->flags = 0;
			d->cookie = r->cookie;
			d->out[0] = number % 1000;
			ml_ring_prod_publish(&a->dec[q], slot);
			ml_ring_cons_release(&a->req[q], 1);
			sum++;
		}
	}
	return sum;
}

static inline int agent_kick(struct agent *a)
{
	int sum = 0;

	for (uint32_t q = 0; q < a->setup.nr_queues; q++) {
		struct ml_lib_kick k = { .size = sizeof(k), .queue = q };

		if (READ_ONCE(agent_ro(a, q)->dec_cons) == a->dec[q].pos)
			continue;
		if (ml(a->fd, ML_LIB_IOC_KICK, &k))
			return -errno;
		sum += k.drained;
	}
	return sum;
}

/* Sleep until there is something, by the protocol. Returns poll()'s events. */
static inline int agent_wait_for(struct agent *a, int events, int ms)
{
	struct pollfd pfd = { .fd = a->fd, .events = events };
	bool ready = false;

	a->token |= 1;
	for (uint32_t q = 0; q < a->setup.nr_queues; q++)
		WRITE_ONCE(agent_rw(a, q)->need_wakeup, a->token);
	smp_mb();
	for (uint32_t q = 0; q < a->setup.nr_queues; q++)
		ready |= !!ml_ring_cons_peek(&a->req[q], 0);
	if (!ready)
		poll(&pfd, 1, ms);
	a->token++;
	for (uint32_t q = 0; q < a->setup.nr_queues; q++)
		WRITE_ONCE(agent_rw(a, q)->need_wakeup, a->token);
	return ready ? events : pfd.revents;
}

static inline int agent_wait(struct agent *a, int ms)
{
	return agent_wait_for(a, POLLIN, ms);
}

/* Start a process that makes the kernel submit. */
static inline pid_t submitter(const char *how, unsigned long n, int context)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	param_write("context", context);
	_exit(param_write(how, n) ? 1 : 0);
}

/* Serve until the process has ended and the rings are empty. */
static inline bool agent_serve(struct agent *a, pid_t pid, bool spin)
{
	bool ended = false;
	int status = 0;

	for (;;) {
		int n = agent_answer(a);

		if (n < 0 || agent_kick(a) < 0)
			return false;
		if (n)
			continue;
		if (ended)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		if (waitpid(pid, &status, WNOHANG) == pid)
			ended = true;
		else if (!spin)
			agent_wait(a, 50);
	}
}

/* Does an honest session work? Leaves none behind. */
static inline bool works(void)
{
	struct agent a;
	long good, bad;
	int err = agent_start(&a, 256, 60000);
	bool served;

	if (err) {
		ksft_print_msg("cannot start: %s\n", strerror(-err));
		return false;
	}
	served = agent_serve(&a, submitter("submit", 128, 0), false);
	good = advice_good(&bad);
	if (!served || good != NR_OBJECTS || bad)
		ksft_print_msg("served %d, good %ld, bad %ld\n", served, good,
			       bad);
	agent_close(&a);
	return served && good == NR_OBJECTS && !bad;
}

#endif /* _ML_TEST_H */
