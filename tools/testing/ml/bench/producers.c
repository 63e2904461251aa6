// SPDX-License-Identifier: GPL-2.0
/*
 * Several producers and one consumer: all on one queue or map, or on one each.
 *
 * ML_LIB sends feedback records by ml_report(), the one thing that goes up and
 * needs no answer; BPF sends records of the same size. Producers are pinned in
 * turn to the CPUs, the consumer to the last. Where there are more threads than
 * CPUs they take turns, and a throughput is what the machine gives to all of
 * them together. The cost is the median time of a record in bursts that went
 * through without meeting a full ring.
 */
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <bpf/bpf.h>

#include "bench.h"
#include "bpf-rings.h"
#include "internal.h"
#include "kside.h"

#define MAX_PRODUCERS	BPF_RINGS_MAPS
#define BURST		BPF_BURST
#define SLOTS		2048
#define ID(producer)	((u64)(producer) << 40)

struct run;
struct producer;

/*
 * How a kind of queue is used. @burst sends up to @nr records, of @most at a time,
 * returns how many went through, and notes the cost of each complete burst.
 */
struct kind {
	const char *name;
	bool each;
	u32 most;
	const char *(*open)(struct run *r);
	u32 (*burst)(struct producer *p, u64 n, u32 nr);
	void (*consume)(struct run *r);
	void (*close)(struct run *r);
};

struct producer {
	_Alignas(128) struct run *run;
	u32 id;
	u64 nr;
	double *cost;
	u32 nr_cost;
	pthread_t thread;
};

struct run {
	const struct kind *kind;
	u32 producers;
	struct producer producer[MAX_PRODUCERS];
	_Alignas(128) volatile bool go;
	/* consumer */
	_Alignas(128) u64 next[MAX_PRODUCERS];
	u64 taken, want, wrong;
	bool shares_cpu;
	/* ML_LIB */
	struct kside *k;
	struct mlagent agent;
	struct mlagent_queue queue[MAX_PRODUCERS];
	/* BPF */
	struct bpf_object *obj;
	struct ring_buffer *rb;
	int prog;
};

static void add_cost(struct producer *p, double ns)
{
	p->cost[p->nr_cost++] = ns / BURST;
}

/* Every producer's records come complete and in order. */
static void check(struct run *r, u64 n, u64 again)
{
	u32 id = n >> 40;

	if (id >= r->producers || n != (ID(id) | r->next[id]) || again != n) {
		r->wrong++;
		return;
	}
	r->next[id]++;
	r->taken++;
}

static const char *ml_open(struct run *r)
{
	u32 nr = r->kind->each ? r->producers : 1;
	struct kside_map map;

	r->k = kside_new(nr, SLOTS, FEEDBACK_BYTES, &map);
	if (!r->k)
		return "no memory";
	r->agent = (struct mlagent) { .nr_queues = nr, .queue = r->queue };
	for (u32 i = 0; i < nr; i++)
		mlagent_queue_init(&r->queue[i],
				   (char *)map.ro + (size_t)i * map.stride_ro,
				   (char *)map.rw + (size_t)i * map.stride_rw,
				   SLOTS, map.slot_size);
	return NULL;
}

static void ml_close(struct run *r)
{
	kside_free(r->k);
}

static u32 ml_burst(struct producer *p, u64 n, u32 nr)
{
	u64 t;
	u32 i;

	kside_cpu(p->id);
	t = tsc();
	for (i = 0; i < nr; i++)
		if (!kside_report(p->run->k, ID(p->id) | (n + i)))
			break;
	if (i == BURST)
		add_cost(p, (tsc() - t) / tsc_ghz);
	return i;
}

static void ml_consume(struct run *r)
{
	for (u32 q = 0; q < r->agent.nr_queues; q++) {
		const struct ml_lib_request *req;
		u32 n;

		for (n = 0; n < BURST && (req = mlagent_peek(&r->agent, q, n)); n++) {
			struct ml_lib_feedback fb;

			memcpy(&fb, req->payload, sizeof(fb));
			check(r, req->object, fb.cost);
		}
		if (n)
			mlagent_release(&r->agent, q, n);
	}
}

static int on_record(void *ctx, void *data, size_t size)
{
	u64 rec[(HEADER_BYTES + FEEDBACK_BYTES) / 8];

	if (size == sizeof(rec)) {
		memcpy(rec, data, sizeof(rec));
		check(ctx, rec[0], rec[4]);
	}
	return 0;
}

static const char *add_maps(struct run *r)
{
	int outer = bpf_object__find_map_fd_by_name(r->obj, "each");

	for (u32 i = 0; i < r->producers; i++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "each", 0, 0,
					1 << 18, NULL);

		if (fd < 0 || bpf_map_update_elem(outer, &i, &fd, BPF_ANY))
			return "no map for each producer";
		if (!r->rb)
			r->rb = ring_buffer__new(fd, on_record, r, NULL);
		else if (ring_buffer__add(r->rb, fd, on_record, r))
			return "cannot map all of the maps";
	}
	return r->rb ? NULL : "the maps cannot be mapped";
}

static const char *bpf_open(struct run *r)
{
	const char *why = NULL;

	r->obj = bpf_rings_load(HEADER_BYTES + FEEDBACK_BYTES, &why);
	if (!r->obj)
		return why;
	r->prog = bpf_program__fd(bpf_object__find_program_by_name(r->obj, "burst"));
	if (r->kind->each)
		return add_maps(r);
	r->rb = ring_buffer__new(bpf_object__find_map_fd_by_name(r->obj, "up"),
				 on_record, r, NULL);
	return r->rb ? NULL : "the map cannot be mapped";
}

static void bpf_close(struct run *r)
{
	ring_buffer__free(r->rb);
	bpf_object__close(r->obj);
}

/* Several bursts for each syscall, which would be up to a tenth of the time. */
static u32 bpf_burst(struct producer *p, u64 n, u32 nr)
{
	u64 begin = ID(p->id) | n;
	struct bpf_args args = {
		.nr = begin + nr, .sent = begin,
		.map = p->run->kind->each ? p->id + 1 : 0,
	};

	if (bpf_rings_run(p->run->prog, &args))
		errx(2, "bpf: the program does not run");
	for (u32 i = 0; i < args.bursts; i++)
		add_cost(p, args.ns[i]);
	return args.sent - begin;
}

static void bpf_consume(struct run *r)
{
	ring_buffer__consume(r->rb);
}

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct run *r = p->run;
	u64 n = 0;

	while (!r->go)
		sched_yield();
	while (n < p->nr) {
		u32 most = r->kind->most;
		u32 nr = p->nr - n < most ? p->nr - n : most;
		u32 done = r->kind->burst(p, n, nr);

		n += done;
		if (done < nr)
			sched_yield();
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct run *r = arg;

	while (r->taken < r->want && !r->wrong) {
		u64 before = r->taken;

		r->kind->consume(r);
		if (r->taken == before && r->shares_cpu)
			sched_yield();
	}
	return NULL;
}

/* Returns records per second, or a negative number if a record was wrong. */
static double run_once(const struct kind *kind, u32 producers, u64 total,
		       double *cost, const char **why)
{
	struct run *r = shared_zalloc(sizeof(*r));
	pthread_t consumer;
	u64 nr = total / producers, begin, n = 0;
	double rate;

	r->kind = kind;
	r->producers = producers;
	r->want = nr * producers;
	r->shares_cpu = producers > 1;
	*why = kind->open(r);
	if (*why)
		return 0;
	consumer = start(cpu_peer, consume, r);
	for (u32 i = 0; i < producers; i++) {
		struct producer *p = &r->producer[i];

		*p = (struct producer) {
			.run = r, .id = i, .nr = nr,
			.cost = calloc(nr / BURST + 1, sizeof(double)),
		};
		p->thread = start(i % 2 ? cpu_peer : cpu_sender, produce, p);
	}
	begin = tsc();
	r->go = true;
	pthread_join(consumer, NULL);
	rate = r->want * 1e9 * tsc_ghz / (tsc() - begin);
	for (u32 i = 0; i < producers; i++)
		pthread_join(r->producer[i].thread, NULL);
	if (r->wrong)
		rate = -1;

	/* The costs of all producers in one array. */
	double *all = calloc(total / BURST + producers, sizeof(double));

	for (u32 i = 0; i < producers; i++) {
		struct producer *p = &r->producer[i];

		memcpy(all + n, p->cost, p->nr_cost * sizeof(double));
		n += p->nr_cost;
		free(p->cost);
	}
	*cost = n ? median(all, n, NULL) : 0;
	free(all);
	kind->close(r);
	munmap(r, sizeof(*r));
	return rate;
}

static const struct kind kinds[] = {
	{ "ml_lib-shared", false, BURST, ml_open, ml_burst, ml_consume, ml_close },
	{ "ml_lib-each", true, BURST, ml_open, ml_burst, ml_consume, ml_close },
	{ "bpf-ringbuf-shared", false, BPF_BURSTS * BURST,
	  bpf_open, bpf_burst, bpf_consume, bpf_close },
	{ "bpf-ringbuf-each", true, BPF_BURSTS * BURST,
	  bpf_open, bpf_burst, bpf_consume, bpf_close },
};

#define NR_KINDS	((int)(sizeof(kinds) / sizeof(kinds[0])))

int run_producers(const struct plan *plan)
{
	static const u32 producers[] = { 1, 2, 4, 8 };
	static double rate[NR_KINDS][4][32], cost[NR_KINDS][4][32];
	const char *why[NR_KINDS] = { };
	int bad = 0;

	for (int round = 0; round < plan->rounds; round++) {
		fprintf(stderr, "native: producers, round %d of %d\n", round + 1,
			plan->rounds);
		for (int p = 0; p < 4; p++)
			for (int k = 0; k < NR_KINDS; k++) {
				if (why[k])
					continue;
				rate[k][p][round] = run_once(&kinds[k], producers[p],
							     plan->stream_block,
							     &cost[k][p][round], &why[k]);
				bad += rate[k][p][round] < 0;
			}
	}
	for (int k = 0; k < NR_KINDS; k++) {
		if (why[k]) {
			report_skip(kinds[k].name, why[k]);
			continue;
		}
		for (int p = 0; p < 4; p++) {
			struct measured w = {
				.transport = kinds[k].name, .payload = FEEDBACK_BYTES,
				.cpus = producers[p],
			};
			u64 n = (u64)plan->rounds * plan->stream_block;
			double ci, v;

			v = median(rate[k][p], plan->rounds, &ci);
			report(&w, "producers_throughput", v, "1/s", n, ci);
			v = median(cost[k][p], plan->rounds, &ci);
			report(&w, "producers_cost", v, "ns", n, ci);
		}
	}
	return bad;
}

/* Complete and in order, from four producers; no time is looked at. */
int quick_producers(void)
{
	const u64 total = 40000;
	int bad = 0;

	for (int k = 0; k < NR_KINDS; k++) {
		struct measured w = { .transport = kinds[k].name, .payload = FEEDBACK_BYTES,
				   .cpus = 4 };
		const char *why;
		double cost, rate = run_once(&kinds[k], 4, total, &cost, &why);

		if (why) {
			report_skip(kinds[k].name, why);
			continue;
		}
		bad += rate < 0;
		report(&w, "delivered", rate < 0 ? 0 : 1, "share", total, -1);
	}
	return bad;
}
