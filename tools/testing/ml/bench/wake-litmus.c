// SPDX-License-Identifier: GPL-2.0
/*
 * wake-litmus [ROUNDS]: does an agent that goes to sleep miss a wake-up?
 *
 * Both sides run into each other on purpose, (D) of ring.h: the agent asks to be
 * woken and looks whether it may sleep, as poll() would, while the other thread
 * submits one request. When both are through, an agent that would sleep has to
 * have been woken. The code is that of lib/ml and of libmlagent.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "internal.h"
#include "kside.h"

#define SLOTS	64

/* Both count rounds: the agent has begun one, the other thread has done its part. */
static _Alignas(128) u32 begun;
static _Alignas(128) u32 done;

static u32 woken;		/* by the other thread, in its part */
static struct kside *k;

static void wake(void *arg)
{
	(void)arg;
	woken++;
}

static void wait_for(const u32 *counter, u32 value)
{
	for (u32 n = 1; smp_load_acquire(counter) != value; n++)
		if (n % 4096 == 0)
			sched_yield();
}

/* Who comes first is a matter of some cycles, and a different one each time. */
static void linger(u32 *random)
{
	*random = *random * 1664525 + 1013904223;
	for (u32 n = *random >> 26; n; n--)
		__builtin_ia32_pause();
}

static void *submitter(void *arg)
{
	u32 rounds = *(u32 *)arg, random = 1;
	u64 feature = 0;

	for (u32 i = 1; i <= rounds; i++) {
		wait_for(&begun, i);
		linger(&random);
		if (!kside_submit(k, i, &feature))
			errx(2, "round %u: not submitted", i);
		smp_store_release(&done, i);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	u32 rounds = argc > 1 ? atoi(argv[1]) : 300000;
	u32 random = 2, slept = 0, lost = 0, had = 0;
	static struct mlagent_queue queue;
	struct mlagent agent = { .nr_queues = 1, .queue = &queue };
	const struct ml_lib_request *r;
	struct kside_map map;
	pthread_t thread;
	s32 out[2] = { 0 };

	bench_init();
	k = kside_new(1, SLOTS, sizeof(u64), &map);
	if (!k)
		errx(2, "no memory");
	kside_on_sleep(k, wake, NULL, NULL);
	mlagent_queue_init(&queue, map.ro, map.rw, SLOTS, map.slot_size);
	pin(cpu_peer);
	thread = start(cpu_sender, submitter, &rounds);
	for (u32 i = 1; i <= rounds; i++) {
		bool asleep;

		smp_store_release(&begun, i);
		linger(&random);
		asleep = mlagent_sleep_begin(&agent) && !kside_ready(k);
		wait_for(&done, i);
		slept += asleep;
		lost += asleep && woken == had;
		had = woken;
		mlagent_sleep_end(&agent);
		r = mlagent_peek(&agent, 0, 0);
		if (!r || mlagent_decide(&agent, 0, r->cookie, 0, out, 2))
			errx(2, "round %u: no request, or no room for the answer", i);
		mlagent_release(&agent, 0, 1);
	}
	pthread_join(thread, NULL);
	printf("%u rounds, %u asleep, %u wake-ups lost\n", rounds, slept, lost);
	return lost != 0;
}
