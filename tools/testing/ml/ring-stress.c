// SPDX-License-Identifier: GPL-2.0
/*
 * Stress of lib/ml/ring.h in user space.
 *
 *	ring-stress SLOTS FIRST MESSAGES SEED
 *	ring-stress forged
 *
 * Two threads stand for the kernel and the agent: one sends requests and
 * fetches decisions, the other answers, both in random bursts. Both go to sleep
 * by protocol (C) on an eventfd when there is nothing to do, so a lost wake-up
 * stops the test and is found; a sleep that ends by the clock while a slot is
 * ready is a failure. Positions begin shortly before they wrap.
 *
 * MUTANT_early publishes a slot before it is written, MUTANT_full ignores a
 * full ring, MUTANT_wake looks at the flag before publishing. They must fail,
 * on any machine: so each holds its window open now and then.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring.h"

#define WORDS	7		/* of content in a slot */
#define SLEEP_MS 2000

struct slot {
	u32 seq;
	u32 pad;
	u64 word[WORDS];
};

/* One direction, as it lies in shared memory. */
struct shared {
	_Alignas(128) u32 cons;
	_Alignas(128) u32 asleep;	/* of the consumer: odd when asleep */
	struct slot *slot;
};

struct side {
	struct ml_ring_prod tx;
	struct ml_ring_cons rx;
	struct shared *in, *out;
	u32 token;			/* last stored to in->asleep */
	u32 woken;			/* last seen in out->asleep and honoured */
	int wait_fd, wake_fd;
	u64 sent, got, sleeps, wakes, full;
	unsigned int seed;
	const char *name;
};

static u64 messages;
static u32 nr_slots;

static void fail(const struct side *s, const char *what)
{
	printf("not ok: %s: %s (sent %llu, got %llu)\n", s->name, what,
	       (unsigned long long)s->sent, (unsigned long long)s->got);
	fflush(stdout);
	_exit(1);
}

static u32 rnd(struct side *s, u32 below)
{
	s->seed = s->seed * 1103515245 + 12345;
	return (s->seed >> 8) % below;
}

/* Now and then, wait until the other side has done all it can. */
static inline void hold_window_open(struct side *s)
{
	if (!rnd(s, 512))
		usleep(1000);
}

static u64 content(u64 n, int word)
{
	return (n + 1) * 0x9e3779b97f4a7c15ULL + word;
}

static int send_one(struct side *s)
{
	struct slot *slot;
	void *p;
	int err = ml_ring_prod_next(&s->tx, &p);
	u64 n = s->sent;

#ifdef MUTANT_full
	if (err == -ENOSPC) {
		p = (char *)s->tx.slots +
		    (size_t)(s->tx.pos & s->tx.mask) * s->tx.slot_size;
		err = 0;
	}
#endif
	if (err == -EPROTO)
		fail(s, "impossible consumer position");
	if (err) {
		s->full++;
		return err;
	}
	slot = p;
#ifdef MUTANT_early
	ml_ring_prod_publish(&s->tx, p);
	hold_window_open(s);
#endif
	for (int i = 0; i < WORDS; i++)
		slot->word[i] = content(n, i);
#ifndef MUTANT_early
	ml_ring_prod_publish(&s->tx, p);
#endif
	s->sent++;
	return 0;
}

/* Wake the other side if it sleeps: as publish() in lib/ml/queue.c. */
static void wake(struct side *s, u32 token)
{
	u64 one = 1;

	if (!(token & 1) || token == s->woken)
		return;
	s->woken = token;
	s->wakes++;
	if (write(s->wake_fd, &one, sizeof(one)) != sizeof(one))
		fail(s, "eventfd");
}

static int publish(struct side *s)
{
#ifdef MUTANT_wake
	u32 token = READ_ONCE(s->out->asleep);
	int err;

	hold_window_open(s);
	err = send_one(s);
#else
	int err = send_one(s);
	u32 token;

	smp_mb();							/* (C) */
	token = READ_ONCE(s->out->asleep);
#endif
	if (!err)
		wake(s, token);
	return err;
}

static bool receive(struct side *s, u32 ahead)
{
	const struct slot *slot = ml_ring_cons_peek(&s->rx, ahead);

	if (!slot)
		return false;
	for (int i = 0; i < WORDS; i++)
		if (slot->word[i] != content(s->got, i))
			fail(s, "wrong content");
	s->got++;
	return true;
}

static void go_to_sleep(struct side *s)
{
	struct pollfd pfd = { .fd = s->wait_fd, .events = POLLIN };
	u64 n;

	s->token |= 1;
	WRITE_ONCE(s->in->asleep, s->token);
	smp_mb();							/* (C) */
	if (!ml_ring_cons_peek(&s->rx, 0)) {
		s->sleeps++;
		if (!poll(&pfd, 1, SLEEP_MS))
			fail(s, ml_ring_cons_peek(&s->rx, 0) ?
			     "lost wake-up" : "nothing came");
		if (read(s->wait_fd, &n, sizeof(n)) != sizeof(n))
			fail(s, "eventfd");
	}
	s->token++;
	WRITE_ONCE(s->in->asleep, s->token);
}

/* The kernel's part: send, and fetch what has been decided. */
static void *kernel(void *arg)
{
	struct side *s = arg;

	while (s->got < messages) {
		u32 burst = rnd(s, nr_slots) + 1, n = 0;
		bool busy = false;

		/* As many are under way as have room in the other ring. */
		while (burst-- && s->sent < messages &&
		       s->sent - s->got < nr_slots && !publish(s))
			busy = true;
		burst = rnd(s, nr_slots) + 1;
		while (n < burst && receive(s, n))
			n++;
		if (n)
			ml_ring_cons_release(&s->rx, n);
		/*
		 * Sleep for decisions only: the agent answers before it gives
		 * slots back, so the ring can be full with nothing under way.
		 */
		if (!busy && !n && s->got < s->sent)
			go_to_sleep(s);
		else if (!busy && !n)
			sched_yield();
		else if (!rnd(s, 64))
			sched_yield();
	}
	return NULL;
}

/* The agent's part: answer everything. */
static void *agent(void *arg)
{
	struct side *s = arg;

	while (s->sent < messages) {
		u32 burst = rnd(s, nr_slots) + 1, n = 0, stuck = 0;

		while (n < burst && receive(s, n))
			n++;
		for (u32 i = 0; i < n; i++) {
			while (publish(s)) {
				/* The kernel side never lets this fill up. */
				if (++stuck > 100000000)
					fail(s, "decision ring stays full");
				sched_yield();
			}
		}
#ifdef MUTANT_full
		hold_window_open(s);
#endif
		if (n)
			ml_ring_cons_release(&s->rx, n);
		else if (s->sent < messages)
			go_to_sleep(s);
	}
	return NULL;
}

static void shared_init(struct shared *sh, u32 first)
{
	memset(sh, 0, sizeof(*sh));
	sh->cons = first;
	sh->slot = calloc(nr_slots, sizeof(*sh->slot));
	if (!sh->slot)
		exit(2);
	/* As if one lap had been done. */
	for (u32 i = 0; i < nr_slots; i++)
		sh->slot[(first + i) % nr_slots].seq = first + i + 1 - nr_slots;
}

static void side_init(struct side *s, const char *name, struct shared *in,
		      struct shared *out, u32 first, unsigned int seed)
{
	*s = (struct side) {
		.tx = {
			.slots = out->slot, .cons = &out->cons,
			.mask = nr_slots - 1, .slot_size = sizeof(struct slot),
			.pos = first, .seen = first,
		},
		.rx = {
			.slots = in->slot, .cons = &in->cons,
			.mask = nr_slots - 1, .slot_size = sizeof(struct slot),
			.pos = first,
		},
		.in = in, .out = out, .seed = seed, .name = name,
	};
}

static int stress(u32 first, unsigned int seed)
{
	static struct shared request, decision;
	static struct side k, a;
	pthread_t kt, at;

	shared_init(&request, first);
	shared_init(&decision, first);
	side_init(&k, "kernel", &decision, &request, first, seed);
	side_init(&a, "agent", &request, &decision, first, seed + 1000);
	k.wait_fd = eventfd(0, 0);
	a.wait_fd = eventfd(0, 0);
	k.wake_fd = a.wait_fd;
	a.wake_fd = k.wait_fd;
	if (k.wait_fd < 0 || a.wait_fd < 0)
		return 2;
	alarm(100);
	if (pthread_create(&at, NULL, agent, &a) ||
	    pthread_create(&kt, NULL, kernel, &k))
		return 2;
	pthread_join(kt, NULL);
	pthread_join(at, NULL);
	if (k.got != messages || a.got != messages ||
	    k.tx.pos != first + (u32)messages)
		fail(&k, "not all came");
	printf("ok: %llu round trips, sleeps %llu+%llu, wakes %llu+%llu\n",
	       (unsigned long long)messages, (unsigned long long)k.sleeps,
	       (unsigned long long)a.sleeps, (unsigned long long)k.wakes,
	       (unsigned long long)a.wakes);
	free(request.slot);
	free(decision.slot);
	return 0;
}

/* A producer never accepts a position that cannot be. */
static int forged(void)
{
	static struct shared sh;
	struct side s;
	unsigned int seed = 1;

	nr_slots = 8;
	for (int i = 0; i < 100000; i++) {
		u32 first, forged;
		bool possible;
		void *p;
		int err;

		seed = seed * 1103515245 + 12345;
		first = seed;
		seed = seed * 1103515245 + 12345;
		forged = i % 2 ? first + (seed >> 8) % 40 - 16 : seed;
		shared_init(&sh, first);
		side_init(&s, "forged", &sh, &sh, first, 0);
		for (u32 n = 0; n < nr_slots; n++)
			if (send_one(&s))
				return 1;
		sh.cons = forged;
		possible = forged - first <= nr_slots;
		err = ml_ring_prod_next(&s.tx, &p);
		if (err != (!possible ? -EPROTO : forged == first ? -ENOSPC : 0)) {
			printf("not ok: first %u, forged %u: %d\n", first,
			       forged, err);
			return 1;
		}
		free(sh.slot);
	}
	printf("ok: forged\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "forged"))
		return forged();
	if (argc != 5) {
		fprintf(stderr, "usage: %s SLOTS FIRST MESSAGES SEED | forged\n",
			argv[0]);
		return 2;
	}
	nr_slots = strtoul(argv[1], NULL, 0);
	messages = strtoull(argv[3], NULL, 0);
	return stress(strtoul(argv[2], NULL, 0), strtoul(argv[4], NULL, 0));
}
