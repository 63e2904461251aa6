// SPDX-License-Identifier: GPL-2.0
/*
 * Round trips, one-way latency and throughput of one sender and one peer.
 *
 * All cases are open at the same time and measured in turn, a short block each,
 * for as many rounds as the plan has, so that whatever disturbs the machine
 * disturbs all of them. A figure is the median of the rounds, percentiles are
 * those of all samples, and the confidence interval is over the rounds.
 *
 * How long a cache line takes from core to core can change while the benchmark
 * runs: a hypervisor moves virtual CPUs about. So each block of round trips has
 * bare ping-pong before and after it and is divided by that, and a throughput
 * by that of memcpy in the same round; what is judged is the median quotient.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* One block: @nr messages over an open channel. */
struct block {
	struct chan *c;
	u64 nr;
	u32 depth;
	bool reply;
	u32 *oneway;		/* ns of each, or NULL */
	volatile bool ready;
};

static void *peer(void *arg)
{
	static struct record rec[MAX_BATCH];
	struct block *b = arg;
	struct chan *c = b->c;
	u64 end = c->taken + b->nr, i = 0;

	b->ready = true;
	if (c->ops->serve) {
		c->ops->serve(c, b->nr);
		return NULL;
	}
	while (c->taken < end) {
		u64 left = end - c->taken;
		u32 nr = left < b->depth ? left : b->depth;

		/* Who looks at a line while it is written takes it away. */
		if (nr > 1 && c->ops->ready && !c->ops->ready(c, nr))
			continue;
		nr = c->ops->take(c, rec, nr);
		if (!nr)
			continue;
		if (b->oneway)
			b->oneway[i++] = tsc_ns(tsc() - rec[0].word[1]);
		if (b->reply)
			c->ops->reply(c, rec, nr);
	}
	return NULL;
}

static void rtt(struct chan *c, u32 nr, u32 *ns)
{
	u64 t = tsc(), now;

	if (c->ops->rtt) {
		c->ops->rtt(c, nr, ns);
		return;
	}
	for (u32 i = 0; i < nr; i++) {
		while (!c->ops->put(c, 1))
			;
		while (!c->ops->fetch(c, 1))
			;
		now = tsc();
		ns[i] = tsc_ns(now - t);
		t = now;
	}
}

static void stream(struct chan *c, u64 nr, u32 depth)
{
	u64 end = c->sent + nr;

	if (c->ops->stream) {
		c->ops->stream(c, nr, depth);
		return;
	}
	while (c->sent < end)
		c->ops->put(c, end - c->sent < depth ? end - c->sent : depth);
}

/* Up to two batches are under way, so that both sides have work. */
static void exchange(struct chan *c, u64 nr, u32 depth)
{
	u64 end = c->sent + nr;

	if (c->ops->exchange) {
		c->ops->exchange(c, nr, depth);
		return;
	}
	while (c->got < end) {
		u32 batch = end - c->sent < depth ? end - c->sent : depth;

		if (batch && c->sent - c->got <= depth) {
			while (batch)
				batch -= c->ops->put(c, batch);
			continue;
		}
		c->ops->fetch(c, depth);
	}
}

enum mode { RTT, ONEWAY, STREAM, EXCHANGE };

/* Returns the cycles that the block took. */
static u64 run_block(struct chan *c, enum mode mode, u64 nr, u32 depth, u32 *ns)
{
	struct block b = {
		.c = c, .nr = nr, .depth = depth, .reply = mode != STREAM,
		.oneway = mode == ONEWAY ? ns : NULL,
	};
	static u32 scratch[1 << 17];
	pthread_t thread = 0;
	u64 begin, end;

	c->stamp = mode == ONEWAY;
	if (!c->ops->kernel) {
		thread = start(cpu_peer, peer, &b);
		while (!b.ready)
			;
	}
	begin = tsc();
	if (mode == RTT || mode == ONEWAY)
		rtt(c, nr, mode == RTT ? ns : scratch);
	else if (mode == STREAM)
		stream(c, nr, depth);
	else
		exchange(c, nr, depth);
	if (!c->ops->kernel)
		pthread_join(thread, NULL);
	end = tsc();
	/* A thread of the kernel that polls has to go to sleep first. */
	if (c->ops->kernel)
		usleep(3000);
	return end - begin;
}

static const char *open_chan(struct chan **cp, const struct ops *ops, u32 payload)
{
	struct chan *c = shared_zalloc(sizeof(*c));
	const char *why;

	c->ops = ops;
	c->payload = payload;
	c->bytes = HEADER_BYTES + payload;
	memset(c->rec.word, 0x5a, sizeof(c->rec.word));
	why = ops->open(c);
	*cp = why ? NULL : c;
	return why;
}

/* Every transport that does not open is named with its reason, but only once. */
static void skip(const struct ops *ops, const char *why)
{
	static const struct ops *said[MAX_OPS];
	int i = 0;

	while (said[i] && said[i] != ops)
		i++;
	if (said[i])
		return;
	said[i] = ops;
	report_skip(ops->name, why);
}

static u64 wrong(const struct chan *c)
{
	return c->wrong + c->wrong_taken;
}

/* A case: a transport with a payload and a depth, and what came out. */
struct kase {
	struct chan *c;
	struct measured w;
	enum mode mode;
	u32 block;
	u32 *ns;
	double round[MAX_ROUNDS];
	double quotient[MAX_ROUNDS];
};

/* Bare ping-pong, open all the time. */
static struct chan *reference;

/* How many messages fit into a block of @ms; also warms up. */
static u32 size_block(struct kase *k, u32 most, double ms)
{
	static u32 ns[1 << 17];
	u32 nr = k->c->ops->sleeps || k->c->ops->kernel ? 256 : 8192;
	double took;

	run_block(k->c, k->mode, nr, k->w.depth, ns);
	took = run_block(k->c, k->mode, nr, k->w.depth, ns) / tsc_ghz;
	nr = nr * ms * 1e6 / took;
	return nr < 256 ? 256 : nr > most ? most : nr;
}

static void out_latency(struct kase *k, const struct plan *plan, const char *what)
{
	static const double at[] = { 99, 99.9, 100 };
	static const char *const name[] = { "p99", "p99.9", "max" };
	u64 n = (u64)k->block * plan->rounds;
	char metric[32];
	double ci, v;

	v = median(k->round, plan->rounds, &ci);
	snprintf(metric, sizeof(metric), "%s_p50", what);
	report(&k->w, metric, v, "ns", n, ci);
	/* Of all samples of all rounds, so that max is the greatest there was. */
	sort_u32(k->ns, n);
	for (int i = 0; i < 3; i++) {
		snprintf(metric, sizeof(metric), "%s_%s", what, name[i]);
		report(&k->w, metric, percentile(k->ns, n, at[i]), "ns", n, -1);
	}
	if (k->mode == RTT)
		report_cdf(&k->w, k->ns, n, 1);
}

static void out_case(struct kase *k, const struct plan *plan)
{
	static const char *const name[] = {
		[RTT] = "rtt", [ONEWAY] = "oneway",
		[STREAM] = "throughput_oneway", [EXCHANGE] = "throughput_exchange",
	};
	static const char *const quotient[] = {
		[RTT] = "rtt_per_pingpong", [ONEWAY] = "oneway_per_pingpong",
		[STREAM] = "bound_oneway", [EXCHANGE] = "bound_exchange",
	};
	u64 n = (u64)k->block * plan->rounds;
	double ci, v;

	if (k->mode <= ONEWAY) {
		out_latency(k, plan, name[k->mode]);
	} else {
		v = median(k->round, plan->rounds, &ci);
		report(&k->w, name[k->mode], v, "1/s", n, ci);
	}
	v = median(k->quotient, plan->rounds, &ci);
	report(&k->w, quotient[k->mode], v, k->mode <= ONEWAY ? "x" : "x memcpy",
	       n, ci);
}

static double p50(u32 *ns, u32 nr)
{
	static u32 copy[1 << 17];

	memcpy(copy, ns, nr * sizeof(*ns));
	sort_u32(copy, nr);
	return copy[nr / 2];
}

static double ping_p50(void)
{
	static u32 ns[4096];

	run_block(reference, RTT, 4096, 1, ns);
	return p50(ns, 4096);
}

static void run_round(struct kase *k, int nr, int round)
{
	for (int i = 0; i < nr; i++) {
		struct kase *this = &k[i];
		bool latency = this->mode <= ONEWAY;
		u32 *ns = this->ns + (u64)round * this->block;
		double ping = latency ? ping_p50() : 0;
		u64 cycles = run_block(this->c, this->mode, this->block,
				       this->w.depth, ns);

		if (latency) {
			ping = (ping + ping_p50()) / 2;
			this->round[round] = p50(ns, this->block);
			this->quotient[round] = this->round[round] / ping;
		} else {
			this->round[round] = this->block * 1e9 * tsc_ghz / cycles;
		}
	}
	for (int i = 0; i < nr; i++)
		for (int m = 0; m < nr; m++)
			if (k[i].mode > ONEWAY && k[m].mode == k[i].mode &&
			    !strcmp(k[m].w.transport, "memcpy"))
				k[i].quotient[round] = k[i].round[round] /
						       k[m].round[round];
}

static int run_cases(struct kase *k, int nr, const struct plan *plan)
{
	int bad = 0;

	for (int round = 0; nr && round < plan->rounds; round++) {
		fprintf(stderr, "native: round %d of %d, %d cases\n",
			round + 1, plan->rounds, nr);
		run_round(k, nr, round);
	}
	for (int i = 0; i < nr; i++) {
		struct kase *this = &k[i];

		if (wrong(this->c)) {
			warnx("%s: %llu wrong", this->c->ops->name,
			      (unsigned long long)wrong(this->c));
			bad++;
		}
		out_case(this, plan);
		free(this->ns);
	}
	return bad;
}

static bool add(struct kase *k, const struct ops *ops, enum mode mode,
		u32 payload, u32 depth, const struct plan *plan)
{
	const char *why;

	*k = (struct kase) {
		.w = { .transport = ops->name, .payload = payload,
		       .depth = depth, .cpus = 1, .note = ops->note },
		.mode = mode,
	};
	why = open_chan(&k->c, ops, payload);
	if (why) {
		skip(ops, why);
		return false;
	}
	k->block = size_block(k, mode <= ONEWAY ? plan->rtt_block : plan->stream_block,
			      mode <= ONEWAY ? 40 : 15);
	if (mode <= ONEWAY)
		k->ns = calloc((u64)k->block * plan->rounds, sizeof(*k->ns));
	return true;
}

static void close_cases(struct kase *k, int nr)
{
	for (int i = 0; i < nr; i++)
		if (k[i].c->ops->close)
			k[i].c->ops->close(k[i].c);
}

int run_rtt(const struct ops **ops, int nr, const struct plan *plan)
{
	static const u32 payload[] = { 64, 16, 128, 256 };
	static struct kase k[256];
	int n = 0, bad;

	if (open_chan(&reference, *mem_ops, 64))
		errx(2, "no ping-pong");
	for (int i = 0; i < nr; i++) {
		if (!ops[i]->rtt && !ops[i]->fetch)
			continue;
		for (int p = 0; p < 4; p++) {
			/* The others at 64 bytes only, where they are compared. */
			if (p && (ops[i]->sleeps || ops[i]->kernel ||
				  ops[i]->rtt_only || ops[i]->few))
				continue;
			n += add(&k[n], ops[i], RTT, payload[p], 1, plan);
		}
		/* Where a peer takes records, with their time stamp. */
		if (ops[i]->take && (ops[i]->fetch || ops[i]->rtt) && !ops[i]->few)
			n += add(&k[n], ops[i], ONEWAY, 64, 1, plan);
	}
	bad = run_cases(k, n, plan);
	close_cases(k, n);
	return bad;
}

int run_throughput(const struct ops **ops, int nr, const struct plan *plan)
{
	static const struct { u32 payload, depth; } at[] = {
		{ 64, 1 }, { 64, 4 }, { 64, 16 }, { 64, 32 }, { 64, 64 },
		{ 64, 256 }, { 16, 32 }, { 128, 32 }, { 256, 32 },
		/* One way only, beside ml_report(). */
		{ FEEDBACK_BYTES, 1 }, { FEEDBACK_BYTES, 32 }, { FEEDBACK_BYTES, 256 },
	};
	static struct kase k[256];
	int n, bad = 0;

	for (unsigned int a = 0; a < sizeof(at) / sizeof(at[0]); a++) {
		n = 0;
		for (int i = 0; i < nr; i++) {
			if (ops[i]->rtt_only)
				continue;
			if (ops[i]->payload && at[a].payload != ops[i]->payload)
				continue;
			if (ops[i]->few && (at[a].payload != 64 ||
					    (at[a].depth != 1 && at[a].depth != 32)))
				continue;
			if ((ops[i]->exchange || ops[i]->fetch) &&
			    at[a].payload != FEEDBACK_BYTES)
				n += add(&k[n], ops[i], EXCHANGE, at[a].payload,
					 at[a].depth, plan);
			if (ops[i]->kernel)
				continue;
			if (ops[i]->stream || ops[i]->put_only)
				n += add(&k[n], ops[i], STREAM, at[a].payload,
					 at[a].depth, plan);
		}
		bad += run_cases(k, n, plan);
		close_cases(k, n);
	}
	return bad;
}

/* Every transport delivers every answer: no time is looked at. */
int run_quick(const struct ops **ops, int nr)
{
	static u32 ns[1 << 17];
	int bad = 0;

	for (int i = 0; i < nr; i++) {
		struct measured w = {
			.transport = ops[i]->name,
			.payload = ops[i]->payload ? ops[i]->payload : 64,
		};
		u32 each = ops[i]->sleeps || ops[i]->kernel ? 2000 : 20000;
		u64 got, want = 0;
		const char *why;
		struct chan *c;

		why = open_chan(&c, ops[i], w.payload);
		if (why) {
			skip(ops[i], why);
			continue;
		}
		if (ops[i]->rtt || ops[i]->fetch) {
			run_block(c, RTT, each, 1, ns);
			want += each;
		}
		if (!ops[i]->rtt_only && (ops[i]->exchange || ops[i]->fetch)) {
			run_block(c, EXCHANGE, each, 32, ns);
			want += each;
		}
		got = c->got;
		if (ops[i]->stream || ops[i]->put_only) {
			u64 before = c->taken;

			run_block(c, STREAM, each, 32, ns);
			want += each;
			got += c->taken - before;
		}
		w.note = ops[i]->note;
		report(&w, "delivered",
		       want ? (double)(got - wrong(c)) / want : 0, "share",
		       want, -1);
		bad += !want || got != want || wrong(c);
		if (ops[i]->close)
			ops[i]->close(c);
	}
	return bad;
}
