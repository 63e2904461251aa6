// SPDX-License-Identifier: GPL-2.0
/*
 * A stand-in for /dev/ml_lib, preloaded into the real ml-agent and mlctl.
 *
 * The descriptor is an eventfd, for poll(); the rings are in a memfd; a thread
 * takes the part of the kernel with the same ring.h. It sends FAKE_REQUESTS
 * requests over two queues in bursts, with pauses in which the agent sleeps,
 * answers each decision with a feedback record, and then ends the session:
 * FAKE_END is "term" (a signal), "broken" or "epoch". The last line on stderr
 * tells what it saw. As some libraries do, it starts a thread before main().
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"
#include "test-schema.h"

#define QUEUES		2
#define SLOTS		64
#define REQ_SIZE	(sizeof(struct ml_lib_request) + \
			 sizeof(struct ml_lib_feedback))
#define STRIDE		16384
#define BYTES		(QUEUES * STRIDE)
#define BURST		16

static int dev = -1, mem = -1;
static char *ro, *rw;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ml_ring_prod req[QUEUES];
static struct ml_ring_cons dec[QUEUES];
static u32 woken[QUEUES], mode = ML_LIB_MODE_LEARNING, attached, running;
static unsigned long sent, decided, declined, wrong, kicks, wakes, epoch = 5;

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static __attribute__((constructor)) void start_idle(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, idle, NULL))
		pthread_detach(thread);
}

static struct ml_lib_queue_ro *q_ro(int q)
{
	return (void *)(ro + q * STRIDE);
}

static struct ml_lib_queue_rw *q_rw(int q)
{
	return (void *)(rw + q * STRIDE);
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void pause_us(unsigned int us)
{
	nanosleep(&(struct timespec) { .tv_nsec = us * 1000 }, NULL);
}

/* Called with the lock held. */
static void wake(int q)
{
	u32 token;

	smp_mb();							/* (C) */
	token = READ_ONCE(q_rw(q)->need_wakeup);
	if (!(token & 1) || token == woken[q])
		return;
	woken[q] = token;
	wakes++;
	eventfd_write(dev, 1);
}

/* Called with the lock held. */
static bool send_record(int q, u8 type, u64 cookie, const void *data, size_t len)
{
	struct ml_lib_request *r;
	void *slot;

	if (ml_ring_prod_next(&req[q], &slot))
		return false;
	r = slot;
	r->proxy = TEST_ID;
	r->type = type;
	r->words = len / 8;
	r->cookie = cookie;
	r->time_ns = now();
	r->object = 1000 + q;
	memcpy(r->payload, data, len);
	ml_ring_prod_publish(&req[q], slot);
	wake(q);
	return true;
}

/* Called with the lock held. */
static int drain(int q)
{
	const struct ml_lib_decision *slot;
	int n = 0;

	while ((slot = ml_ring_cons_peek(&dec[q], 0))) {
		struct ml_lib_decision d = *slot;
		struct ml_lib_feedback fb = {
			.cost = 100, .units = 2, .extra = 3,
			.applied = { d.out[0] }, .arm = ML_LIB_ARM_MODEL,
		};

		ml_ring_cons_release(&dec[q], 1);
		n++;
		decided++;
		declined += d.flags & ML_LIB_DECISION_DECLINED;
		wrong += d.cookie >> 32 != (u64)q || d.flags & ~ML_LIB_DECISION_ALL;
		send_record(q, ML_LIB_RECORD_FEEDBACK, d.cookie, &fb, sizeof(fb));
	}
	return n;
}

static void send_burst(unsigned long total)
{
	for (int i = 0; i < BURST && sent < total; i++) {
		struct test_features f = {
			.size = sent % 640, .delta = -(int)(sent % 7),
			.kind = sent % 3, .object = sent % 5,
		};
		int q = sent % QUEUES;

		pthread_mutex_lock(&lock);
		if (send_record(q, ML_LIB_RECORD_REQUEST, (u64)q << 32 | sent,
				&f, sizeof(f)))
			sent++;
		pthread_mutex_unlock(&lock);
	}
}

/* Let the agent find out by itself that nobody fetches decisions. */
static void settle(int turn)
{
	u64 begin = now();

	for (int q = 0; q < QUEUES; q++)
		WRITE_ONCE(q_ro(q)->need_kick, turn & 1);
	while (READ_ONCE(decided) < sent && now() - begin < 1000000000ULL) {
		if (turn % 4 >= 2) {
			pthread_mutex_lock(&lock);
			drain(0);
			drain(1);
			pthread_mutex_unlock(&lock);
		}
		sched_yield();
	}
	if (turn % 8 == 7)
		pause_us(2000);
}

static void *kernel(void *arg)
{
	const char *total = getenv("FAKE_REQUESTS"), *end = getenv("FAKE_END");
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int turn = 0; sent < strtoul(total ? total : "1000", NULL, 0); turn++) {
		eventfd_t v;

		if (!turn && end && !strcmp(end, "hangup"))
			kill(getpid(), SIGHUP);
		eventfd_read(dev, &v);
		send_burst(strtoul(total ? total : "1000", NULL, 0));
		settle(turn);
	}
	pause_us(20000);
	if (end && !strcmp(end, "broken"))
		WRITE_ONCE(q_ro(0)->state, ML_LIB_SESSION_BROKEN);
	else if (end && !strcmp(end, "epoch"))
		WRITE_ONCE(q_ro(0)->epoch, epoch + 1);
	else
		kill(getpid(), SIGTERM);
	/* The kernel wakes an agent whose session ends. */
	eventfd_write(dev, 1);
	return NULL;
}

static int start(struct ml_lib_start *s)
{
	pthread_t thread;

	for (int q = 0; q < QUEUES; q++) {
		q_ro(q)->epoch = epoch;
		q_ro(q)->state = ML_LIB_SESSION_RUNNING;
	}
	s->epoch = epoch;
	running = 1;
	return pthread_create(&thread, NULL, kernel, NULL);
}

static int setup(struct ml_lib_setup *s)
{
	if (s->payload < sizeof(struct test_features))
		return EMSGSIZE;
	s->nr_queues = QUEUES;
	s->nr_slots = SLOTS;
	s->slot_size = REQ_SIZE;
	s->stride_ro = STRIDE;
	s->stride_rw = STRIDE;
	s->offset_ro = 0;
	s->offset_rw = BYTES;
	s->bytes_ro = BYTES;
	s->bytes_rw = BYTES;
	for (int q = 0; q < QUEUES; q++) {
		req[q] = (struct ml_ring_prod) {
			.slots = q_ro(q)->req, .cons = &q_rw(q)->req_cons,
			.mask = SLOTS - 1, .slot_size = REQ_SIZE,
		};
		dec[q] = (struct ml_ring_cons) {
			.slots = q_rw(q)->dec, .cons = &q_ro(q)->dec_cons,
			.mask = SLOTS - 1,
			.slot_size = sizeof(struct ml_lib_decision),
		};
	}
	return 0;
}

static int proxy(struct ml_lib_proxy *p)
{
	if (p->id > TEST_ID)
		return ENOENT;
	p->id = TEST_ID;
	strcpy(p->name, TEST_PROXY);
	p->schema_hash = TEST_HASH;
	p->nr_features = TEST_FEATURES;
	p->nr_outputs = TEST_OUTPUTS;
	p->feature_bytes = sizeof(struct test_features);
	p->state = attached | running << 1;
	p->mode = mode;
	p->rate = 1000;
	p->deadline_us = 10000;
	p->ttl_ms = 1000;
	p->explore_permille = 125;
	return 0;
}

static int schema(struct ml_lib_schema *s)
{
	memcpy((void *)(uintptr_t)s->fields, test_fields, sizeof(test_fields));
	s->nr_fields = TEST_FEATURES + TEST_OUTPUTS;
	return 0;
}

static int stats(struct ml_lib_stats *s)
{
	s->counter[ML_LIB_CNT_SUBMIT] = 1000;
	s->latency[12] = 900;
	s->latency[16] = 100;
	return 0;
}

/* What was asked for is said, for the tests of mlctl. */
static int control(const struct ml_lib_control *c)
{
	if (c->set & ML_LIB_SET_MODE)
		mode = c->mode;
	fprintf(stderr, "control set=%#x mode=%u rate=%u deadline=%u ttl=%u explore=%u cap=%d\n",
		c->set, c->mode, c->rate, c->deadline_us, c->ttl_ms, c->explore_permille,
		c->cap[0]);
	return 0;
}

static int kick(struct ml_lib_kick *k)
{
	pthread_mutex_lock(&lock);
	kicks++;
	k->drained = drain(k->queue);
	pthread_mutex_unlock(&lock);
	return 0;
}

static int answer(unsigned long cmd, void *arg)
{
	struct ml_lib_info *info = arg;

	switch (cmd) {
	case ML_LIB_IOC_INFO:
		info->abi_version = ML_LIB_ABI_VERSION;
		info->nr_proxies = 1;
		return 0;
	case ML_LIB_IOC_PROXY:
		return proxy(arg);
	case ML_LIB_IOC_SCHEMA:
		return schema(arg);
	case ML_LIB_IOC_SETUP:
		return setup(arg);
	case ML_LIB_IOC_ATTACH:
		attached = 1;
		return getenv("FAKE_BUSY") ? EBUSY : 0;
	case ML_LIB_IOC_DETACH:
		attached = 0;
		return 0;
	case ML_LIB_IOC_START:
		return start(arg);
	case ML_LIB_IOC_STOP:
		running = 0;
		return 0;
	case ML_LIB_IOC_CONTROL:
		return control(arg);
	case ML_LIB_IOC_STATS:
		return stats(arg);
	case ML_LIB_IOC_KICK:
		return kick(arg);
	default:
		return ENOTTY;
	}
}

int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	va_list ap;
	int perm;

	va_start(ap, flags);
	perm = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	if (strcmp(path, "/dev/ml_lib"))
		return next(path, flags, perm);

	dev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mem = memfd_create("rings", MFD_CLOEXEC);
	if (dev < 0 || mem < 0 || ftruncate(mem, 2 * BYTES))
		abort();
	ro = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	rw = ro + BYTES;
	return dev;
}

int ioctl(int fd, unsigned long cmd, ...)
{
	int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	va_list ap;
	void *arg;
	int err;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != dev || dev < 0)
		return next(fd, cmd, arg);
	err = answer(cmd, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *(*next)(void *, size_t, int, int, int, off_t) =
		dlsym(RTLD_NEXT, "mmap");

	return next(addr, len, prot, flags, fd == dev && dev >= 0 ? mem : fd,
		    off);
}

static void __attribute__((destructor)) tell(void)
{
	if (sent)
		fprintf(stderr, "fake: sent=%lu decided=%lu declined=%lu wrong=%lu kicks=%lu wakes=%lu\n",
			sent, decided, declined, wrong, kicks, wakes);
}
