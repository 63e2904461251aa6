// SPDX-License-Identifier: GPL-2.0
/*
 * BPF ring buffers of the running kernel, as schedulers in user space use them:
 * bpf_ringbuf up, user ringbuf down, libbpf on this side. Both sides spin. The
 * loops of the kernel's side are in rings.bpf.c; what answers is here.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench.h"
#include "bpf-rings.h"

#define SAMPLES	(1 << 17)

/* Embedded by the Makefile. */
extern const u8 rings_bpf_start[], rings_bpf_end[];

struct bpf {
	struct bpf_object *obj;
	struct ring_buffer *up;
	struct user_ring_buffer *down;
	const unsigned long *cons_pos, *prod_pos;	/* of @up, in bytes */
	u32 *samples;
	int rtt, exchange, stream;
	struct chan *c;
	struct record *rec;	/* where the next record goes */
	u32 left;		/* of the batch */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list ap)
{
	if (level != LIBBPF_WARN || !getenv("BENCH_VERBOSE"))
		return 0;
	return vfprintf(stderr, format, ap);
}

/* Called for each record; a negative number ends ring_buffer__consume(). */
static int on_record(void *ctx, void *data, size_t size)
{
	struct bpf *b = ctx;
	struct record *rec = b->rec++;

	memcpy(rec, data, size < sizeof(*rec) ? size : sizeof(*rec));
	check_record(b->c, rec);
	return --b->left ? 0 : -ECANCELED;
}

static int prog_fd(struct bpf_object *obj, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(obj, name));
}

static int map_fd(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

struct bpf_object *bpf_rings_load(u32 bytes, const char **why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "rings");
	struct bpf_object *obj;
	struct bpf_map *ro;
	size_t size;
	u32 *rodata;

	libbpf_set_print(quiet);
	obj = bpf_object__open_mem(rings_bpf_start, rings_bpf_end - rings_bpf_start,
				   &opts);
	if (!obj) {
		*why = "libbpf cannot open the program";
		return NULL;
	}
	ro = bpf_object__find_map_by_name(obj, ".rodata");
	rodata = ro ? (u32 *)bpf_map__initial_value(ro, &size) : NULL;
	if (rodata)
		*rodata = bytes;
	if (!rodata || bpf_object__load(obj)) {
		*why = errno == EPERM ? "BPF is not permitted here" :
		       "the kernel refuses the program (needs BPF_MAP_TYPE_USER_RINGBUF, 6.1)";
		bpf_object__close(obj);
		return NULL;
	}
	return obj;
}

int bpf_rings_run(int prog, struct bpf_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args,
		    .ctx_size_in = sizeof(*args));
	int ret = bpf_prog_test_run_opts(prog, &opts);

	return ret ? ret : (int)opts.retval;
}

static const char *bpf_open(struct chan *c)
{
	struct bpf *b = calloc(1, sizeof(*b));
	const char *why = NULL;

	c->priv = b;
	b->c = c;
	b->obj = bpf_rings_load(c->bytes, &why);
	if (!b->obj)
		return why;
	b->up = ring_buffer__new(map_fd(b->obj, "up"), on_record, b, NULL);
	b->down = user_ring_buffer__new(map_fd(b->obj, "down"), NULL);
	b->samples = mmap(NULL, SAMPLES * sizeof(u32), PROT_READ, MAP_SHARED,
			  map_fd(b->obj, "samples"), 0);
	/* Two pages: the consumer's position, and the producer's. */
	b->cons_pos = mmap(NULL, 2 * getpagesize(), PROT_READ, MAP_SHARED,
			   map_fd(b->obj, "up"), 0);
	if (!b->up || !b->down || b->samples == MAP_FAILED ||
	    b->cons_pos == MAP_FAILED)
		return "the maps cannot be mapped";
	b->prod_pos = (void *)b->cons_pos + getpagesize();
	b->rtt = prog_fd(b->obj, "rtt");
	b->exchange = prog_fd(b->obj, "exchange");
	b->stream = prog_fd(b->obj, "stream");
	return NULL;
}

static void bpf_close(struct chan *c)
{
	struct bpf *b = c->priv;

	ring_buffer__free(b->up);
	user_ring_buffer__free(b->down);
	munmap(b->samples, SAMPLES * sizeof(u32));
	munmap((void *)b->cons_pos, 2 * getpagesize());
	bpf_object__close(b->obj);
	free(b);
}

/*
 * Space is taken in the producer's position before a record is written: the last
 * one may not be complete yet, and is then left to the next time.
 */
static bool bpf_ready(struct chan *c, u32 nr)
{
	struct bpf *b = c->priv;

	return smp_load_acquire(b->prod_pos) - *b->cons_pos >=
	       (u64)nr * (BPF_RINGBUF_HDR_SZ + c->bytes);
}

/* The program has no cycle counter: its stamp is CLOCK_MONOTONIC. */
static void stamp_by_tsc(struct record *rec)
{
	u64 age = clock_ns(CLOCK_MONOTONIC) - rec->word[1];

	rec->word[1] = tsc() - (u64)(age * tsc_ghz);
}

static u32 bpf_take(struct chan *c, struct record *rec, u32 nr)
{
	struct bpf *b = c->priv;

	b->rec = rec;
	b->left = nr;
	ring_buffer__consume(b->up);
	if (c->stamp && b->left < nr)
		stamp_by_tsc(rec);
	return nr - b->left;
}

static void bpf_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct bpf *b = c->priv;

	for (u32 n = 0; n < nr; n++) {
		struct answer *a;

		while (!(a = user_ring_buffer__reserve(b->down, sizeof(*a))))
			;
		a->n = rec[n].n;
		a->value = answer_to(rec[n].n);
		user_ring_buffer__submit(b->down, a);
	}
}

static void bpf_run(struct chan *c, int prog, u64 nr, u32 depth, bool reply)
{
	struct bpf *b = c->priv;
	u64 end = c->sent + nr;

	while (reply ? c->got < end : c->sent < end) {
		struct bpf_args args = {
			.nr = prog == b->rtt ? nr : end, .sent = c->sent,
			.got = c->got, .depth = depth,
		};
		int ret = bpf_rings_run(prog, &args);

		if (ret || (args.sent == c->sent && args.got == c->got))
			errx(2, "bpf: stuck at %llu of %llu (%d)",
			     (unsigned long long)args.got,
			     (unsigned long long)nr, ret);
		c->sent = args.sent;
		c->got = args.got;
		c->wrong += args.wrong;
	}
}

static void bpf_rtt(struct chan *c, u32 nr, u32 *ns)
{
	struct bpf *b = c->priv;

	bpf_run(c, b->rtt, nr, 1, true);
	memcpy(ns, b->samples, nr * sizeof(*ns));
}

static void bpf_exchange(struct chan *c, u64 nr, u32 depth)
{
	bpf_run(c, ((struct bpf *)c->priv)->exchange, nr, depth, true);
}

static void bpf_stream(struct chan *c, u64 nr, u32 depth)
{
	bpf_run(c, ((struct bpf *)c->priv)->stream, nr, depth, false);
}

static const struct ops bpf_ringbuf = {
	.name = "bpf-ringbuf", .open = bpf_open, .close = bpf_close,
	.note = "bpf-ringbuf: loops run in the kernel, no syscall or wake-up is counted; answers by user ringbuf; one way by CLOCK_MONOTONIC",
	.ready = bpf_ready, .take = bpf_take, .reply = bpf_reply,
	.rtt = bpf_rtt, .stream = bpf_stream, .exchange = bpf_exchange,
};

static const struct ops bpf_ringbuf_eager = {
	.name = "bpf-ringbuf+eager", .few = true,
	.note = "bpf-ringbuf+eager: the peer takes what is there, not a whole batch",
	.open = bpf_open, .close = bpf_close,
	.take = bpf_take, .reply = bpf_reply,
	.rtt = bpf_rtt, .stream = bpf_stream, .exchange = bpf_exchange,
};

const struct ops *const bpf_ops[] = { &bpf_ringbuf, &bpf_ringbuf_eager, NULL };
