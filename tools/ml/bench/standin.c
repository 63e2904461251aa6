// SPDX-License-Identifier: GPL-2.0
/*
 * The device is a memfd that libmlagent opens by its path in /proc and maps as
 * it would map /dev/ml_lib. Only ioctl() is replaced, here, for that file. The
 * process is forked, so that agent and "kernel" have nothing in common but the
 * rings.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <signal.h>
#include <unistd.h>

#include "clock.h"
#include "ring.h"
#include "standin.h"

#define PROXY_ID	7
#define PAGE		4096UL

/*
 * Orders travel by these two numbers: (D) hands one over, (E) says that
 * it is done, and what came of it is to be read.
 */
struct post {
	_Alignas(128) u32 begun;
	_Alignas(128) u32 done;
	_Alignas(128) struct standin_order order;
};

static struct post *post;
static const struct bench_case *the_case;
static struct ml_lib_setup geometry;
static char path[64];
static struct stat device;
static char *mem;

/* The process's half of the rings */
static struct ml_ring_prod req;
static struct ml_ring_cons dec;

static void drain(struct standin_order *o, u64 *got, const u64 *due)
{
	const struct ml_lib_decision *slot;
	u64 now = 0;

	while ((slot = ml_ring_cons_peek(&dec, 0))) {
		struct ml_lib_decision d = *slot;

		ml_ring_cons_release(&dec, 1);
		++*got;
		if (d.cookie >= o->sent) {
			o->foreign++;
		} else if (o->keep) {
			struct standin_answer *a = &o->answer[d.cookie];

			now = now ?: now_ns();
			a->times++;
			a->flags = d.flags;
			a->latency_ns = now - due[d.cookie % STANDIN_MAX];
			memcpy(a->out, d.out, sizeof(a->out));
		}
	}
}

static void fill(struct ml_lib_request *r, u64 nr, u64 now)
{
	const struct case_head *h = the_case->head;

	r->proxy = PROXY_ID;
	r->type = ML_LIB_RECORD_REQUEST;
	r->words = h->feature_bytes / 8;
	r->cookie = nr;
	r->time_ns = now;
	r->object = nr;
	memcpy(r->payload, the_case->payload +
	       (size_t)(nr % h->nr_rows) * h->feature_bytes, h->feature_bytes);
}

static bool submit(u64 nr, u64 now)
{
	void *slot;

	if (ml_ring_prod_next(&req, &slot))
		return false;
	fill(slot, nr, now);
	ml_ring_prod_publish(&req, slot);
	return true;
}

static void relax(unsigned int *idle)
{
	/* Let the agent run where it waits for this CPU: after about 1 ms. */
	if (!(++*idle % 65536))
		sched_yield();
	cpu_relax();
}

static u64 due[STANDIN_MAX];

/*
 * The first of a burst is published last: the agent finds all or nothing.
 *
 * Return: when.
 */
static u64 burst(struct standin_order *o)
{
	u64 now = now_ns();
	u32 seq = req.pos + 1;
	void *first;

	if (ml_ring_prod_next(&req, &first))
		abort();	/* all has been answered, so there is room */
	fill(first, o->sent++, now);
	req.pos++;
	for (u32 i = 1; i < o->burst; i++)
		submit(o->sent++, now);
	now = now_ns();
	smp_store_release((u32 *)first, seq);			/* (A) of ring.h */
	return now;
}

static void carry_out_bursts(struct standin_order *o)
{
	unsigned int idle = 0;
	u64 got = 0, begin, spent;

	while (o->sent < o->total) {
		begin = burst(o);
		/* As the kernel, which does not look before it submits again. */
		while (!ml_ring_cons_peek(&dec, o->burst - 1))
			relax(&idle);
		/* Caches are cold in the first one. */
		spent = now_ns() - begin;
		if (got && (!o->best_ns || spent < o->best_ns))
			o->best_ns = spent;
		drain(o, &got, due);
	}
}

static void carry_out(struct standin_order *o)
{
	u64 got = 0, next = now_ns(), now = next;
	unsigned int idle = 0;

	o->first_ns = now;
	while (o->sent + o->dropped < o->total || got < o->sent) {
		bool room = o->sent - got < o->inflight;

		drain(o, &got, due);
		if (o->sent + o->dropped == o->total) {
			relax(&idle);
			continue;
		}
		/* What is due already needs no look at the clock. */
		if (o->rate ? now < next : o->keep)
			now = now_ns();
		if (o->rate && now < next) {
			relax(&idle);
			continue;
		}
		if (room && submit(o->sent, now)) {
			due[o->sent % STANDIN_MAX] = o->rate ? next : now;
			o->sent++;
		} else if (o->rate) {
			o->dropped++;
		} else {
			relax(&idle);
			continue;
		}
		if (o->rate)
			next -= log(drand48() + 1e-12) * 1e9 / o->rate;
		if (o->sent + o->dropped == o->total)
			o->offered_ns = now_ns();
	}
	o->last_ns = now_ns();
}

static void __attribute__((noreturn)) kernel(int cpu)
{
	unsigned int idle = 0;
	cpu_set_t set;
	u32 nr = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	if (cpu >= 0)
		sched_setaffinity(0, sizeof(set), &set);
	for (;;) {
		while (smp_load_acquire(&post->begun) == nr)	/* (D) */
			relax(&idle);
		nr++;
		if (post->order.burst)
			carry_out_bursts(&post->order);
		else
			carry_out(&post->order);
		smp_store_release(&post->done, nr);			/* (E) */
	}
}

static void make_rings(u32 nr_slots)
{
	struct ml_lib_queue_ro *ro = (void *)mem;
	struct ml_lib_queue_rw *rw = (void *)(mem + geometry.offset_rw);

	ro->state = ML_LIB_SESSION_RUNNING;
	ro->epoch = 1;
	req = (struct ml_ring_prod) {
		.slots = ro->req, .cons = &rw->req_cons,
		.mask = nr_slots - 1, .slot_size = geometry.slot_size,
	};
	dec = (struct ml_ring_cons) {
		.slots = rw->dec, .cons = &ro->dec_cons,
		.mask = nr_slots - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
}

/* The same sizes as in the kernel. */
static void measure(u32 nr_slots)
{
	u32 payload = the_case->head->feature_bytes;

	if (payload < sizeof(struct ml_lib_feedback))
		payload = sizeof(struct ml_lib_feedback);
	geometry = (struct ml_lib_setup) {
		.size = sizeof(geometry), .nr_queues = 1, .nr_slots = nr_slots,
		.payload = payload,
		.slot_size = (sizeof(struct ml_lib_request) + payload + 63) & ~63U,
	};
	geometry.stride_ro = (sizeof(struct ml_lib_queue_ro) + nr_slots *
			      geometry.slot_size + PAGE - 1) & -PAGE;
	geometry.stride_rw = (sizeof(struct ml_lib_queue_rw) + nr_slots *
			      sizeof(struct ml_lib_decision) + PAGE - 1) & -PAGE;
	geometry.bytes_ro = geometry.stride_ro;
	geometry.bytes_rw = geometry.stride_rw;
	geometry.offset_rw = geometry.bytes_ro;
}

struct standin_order *standin_open(const struct bench_case *c, u32 nr_slots,
				   int cpu)
{
	size_t bytes;
	int fd;

	the_case = c;
	measure(nr_slots);
	bytes = geometry.bytes_ro + geometry.bytes_rw;
	fd = memfd_create("ml_lib", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, bytes) || fstat(fd, &device))
		goto err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	post = mmap(NULL, sizeof(*post), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || post == MAP_FAILED)
		goto err;
	make_rings(nr_slots);
	switch (fork()) {
	case -1:
		goto err;
	case 0:
		kernel(cpu);
	default:
		return &post->order;
	}
err:
	fprintf(stderr, "stand-in for the device: %s\n", strerror(errno));
	return NULL;
}

const char *standin_path(void)
{
	return path;
}

void standin_begin(void)
{
	struct standin_order *o = &post->order;

	o->sent = 0;
	o->dropped = 0;
	o->foreign = 0;
	o->best_ns = 0;
	if (o->keep)
		memset(o->answer, 0, o->total * sizeof(o->answer[0]));
	smp_store_release(&post->begun, post->begun + 1);		/* (D) */
}

bool standin_done(void)
{
	return smp_load_acquire(&post->done) == post->begun;		/* (E) */
}

static void describe(struct ml_lib_proxy *p)
{
	const struct case_head *h = the_case->head;

	p->id = PROXY_ID;
	memcpy(p->name, h->proxy, sizeof(p->name));
	p->schema_hash = h->hash;
	p->nr_features = h->nr_features;
	p->nr_outputs = h->nr_outputs;
	p->feature_bytes = h->feature_bytes;
}

static int answer(unsigned long cmd, void *arg)
{
	const struct case_head *h = the_case->head;
	u32 nr = h->nr_features + h->nr_outputs;

	switch (cmd) {
	case ML_LIB_IOC_INFO:
		((struct ml_lib_info *)arg)->abi_version = ML_LIB_ABI_VERSION;
		return 0;
	case ML_LIB_IOC_PROXY:
		if (((struct ml_lib_proxy *)arg)->id > PROXY_ID)
			return ENOENT;
		describe(arg);
		return 0;
	case ML_LIB_IOC_SCHEMA:
		memcpy((void *)(uintptr_t)((struct ml_lib_schema *)arg)->fields,
		       the_case->field, nr * sizeof(struct ml_lib_field));
		return 0;
	case ML_LIB_IOC_SETUP:
		*(struct ml_lib_setup *)arg = geometry;
		return 0;
	case ML_LIB_IOC_START:
		((struct ml_lib_start *)arg)->epoch = 1;
		return 0;
	case ML_LIB_IOC_ATTACH:
	case ML_LIB_IOC_KICK:	/* the process drains all the time */
		return 0;
	default:
		return ENOTTY;
	}
}

/* Takes the place of the C library's. */
int ioctl(int fd, unsigned long cmd, ...)
{
	struct stat st;
	va_list ap;
	void *arg;
	int err;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!device.st_ino || fstat(fd, &st) || st.st_ino != device.st_ino ||
	    st.st_dev != device.st_dev)
		return syscall(SYS_ioctl, fd, cmd, arg);
	err = answer(cmd, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}
