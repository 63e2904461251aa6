// SPDX-License-Identifier: GPL-2.0
/*
 * The contract: what ML_LIB does for a request, done for its rivals.
 *
 * A request has a budget, a deadline and a cookie; an answer is matched with a
 * request that is under way and in time, its value has to be in range, and it is
 * kept as advice that expires. A kernel that wants that of another transport has
 * to do it itself, and the cheapest way to do it is what the core does, with the
 * functions of the core. What the core has beyond that, modes and tracepoints,
 * is left out.
 *
 * With ML_BENCH_BARE nothing of this is done: an answer names an object.
 */

#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/ml_lib.h>
#include <linux/nospec.h>
#include <linux/sched/clock.h>

#include "../advice.h"
#include "../inflight.h"
#include "../schema.h"
#include "bench.h"

#define NR_INFLIGHT	256
#define ALLOWANCE	100000		/* requests in a window */
#define WINDOW		(HZ / 10)
#define DEADLINE_NS	NSEC_PER_SEC
#define TTL		(10 * HZ)

/* A bare answer: the flag and the value. */
#define ANSWERED	0x80000000U

/* Protects what follows, and the queue of queue.c. */
DEFINE_RAW_SPINLOCK(ml_bench_lock);

static struct ml_inflight inflight;
static struct ml_packing packing;
static struct ml_advice *advice;
static u64 counter[ML_LIB_NR_COUNTERS], latency[ML_LIB_NR_BUCKETS];
static u32 window, used;

bool ml_bench_bare;
static u32 answered[ML_BENCH_OBJECTS];

/**
 * ml_bench_contract_begin() - prepare a run
 * @bare: do without
 *
 * Context: Process. May sleep.
 * Return: 0 or -ENOMEM.
 */
int ml_bench_contract_begin(bool bare)
{
	int err;

	ml_bench_bare = bare;
	memset(answered, 0, sizeof(answered));
	ml_schema_packing(&ml_bench_schema, &packing);
	err = ml_inflight_init(&inflight, 0, NR_INFLIGHT);
	if (err)
		return err;
	advice = ml_advice_alloc(ML_BENCH_OBJECTS);
	if (!advice)
		ml_inflight_destroy(&inflight);
	return advice ? 0 : -ENOMEM;
}

/**
 * ml_bench_contract_end() - undo ml_bench_contract_begin()
 *
 * Context: Process. May sleep.
 */
void ml_bench_contract_end(void)
{
	struct ml_advice *a = advice;

	/* The agent may still be about to answer. */
	raw_spin_lock_irq(&ml_bench_lock);
	advice = NULL;
	raw_spin_unlock_irq(&ml_bench_lock);
	ml_advice_free(a);
	ml_inflight_destroy(&inflight);
}

static bool charge(void)
{
	u32 now = jiffies;

	if (now - window >= WINDOW) {
		window = now;
		used = 0;
	}
	if (used >= ALLOWANCE)
		return false;
	used++;
	return true;
}

static noinline bool make_room(u64 now)
{
	s32 evicted;
	bool room = ml_inflight_make_room(&inflight, now, &evicted);

	if (evicted >= 0)
		counter[ML_LIB_CNT_DEADLINE]++;
	return room;
}

/**
 * ml_bench_open_request() - begin a request
 * @obj: what it is about
 * @r: its cookie and time are set
 *
 * Context: ml_bench_lock, unless ml_bench_bare.
 * Return: false if it is over budget, or too many are under way.
 */
bool ml_bench_open_request(u32 obj, struct ml_bench_request *r)
{
	struct ml_inflight_entry *e;
	u64 now;

	if (ml_bench_bare) {
		r->cookie = obj + 1;
		r->time_ns = 0;
		return true;
	}
	now = local_clock();
	if (!charge())
		return false;
	if (unlikely(!ml_inflight_has_room(&inflight)) && !make_room(now)) {
		counter[ML_LIB_CNT_INFLIGHT_FULL]++;
		return false;
	}
	e = ml_inflight_take(&inflight);
	e->time_ns = now;
	e->deadline_ns = now + DEADLINE_NS;
	e->obj = obj;
	e->gen = ml_advice_gen(advice, obj);
	e->slot = 0;
	e->wait = ML_INFLIGHT_ASYNC;
	r->cookie = e->cookie;
	r->time_ns = now;
	counter[ML_LIB_CNT_SUBMIT]++;
	return true;
}

static void answer_bare(const struct ml_bench_answer *answer)
{
	u64 number = answer->cookie - 1;
	u32 obj;

	if (number >= ML_BENCH_OBJECTS)
		return;
	obj = array_index_nospec((u32)number, ML_BENCH_OBJECTS);
	/* Pairs with the acquire in ml_bench_answered(). */
	smp_store_release(&answered[obj], ANSWERED | answer->value);
}

static void decide(const struct ml_bench_answer *answer, u64 now)
{
	struct ml_inflight_entry *e = ml_inflight_find(&inflight,
						       answer->cookie);
	s32 out[ML_LIB_MAX_OUTPUTS] = { answer->value };
	u32 value;

	if (!e) {
		counter[ML_LIB_CNT_UNMATCHED]++;
		return;
	}
	e->cookie = 0;
	if (now > e->deadline_ns) {
		counter[ML_LIB_CNT_DEADLINE]++;
		return;
	}
	if (!ml_schema_pack(&packing, out, &value)) {
		counter[ML_LIB_CNT_RANGE]++;
		return;
	}
	counter[ML_LIB_CNT_DECIDE]++;
	latency[min(ilog2(max_t(s64, now - e->time_ns, 1)),
		    ML_LIB_NR_BUCKETS - 1)]++;
	ml_advice_set(advice, e->obj, e->gen, value, jiffies, TTL);
}

/**
 * ml_bench_answer() - deliver answers, and wake the kernel thread
 * @answer: from the agent, a copy
 * @nr: how many
 *
 * Context: Process.
 */
void ml_bench_answer(const struct ml_bench_answer *answer, u32 nr)
{
	unsigned long flags;
	u64 now;

	if (ml_bench_bare) {
		for (u32 i = 0; i < nr; i++)
			answer_bare(&answer[i]);
	} else {
		raw_spin_lock_irqsave(&ml_bench_lock, flags);
		now = local_clock();
		for (u32 i = 0; advice && i < nr; i++)
			decide(&answer[i], now);
		raw_spin_unlock_irqrestore(&ml_bench_lock, flags);
	}
	if (wq_has_sleeper(&ml_bench_wq))
		wake_up(&ml_bench_wq);
}

/**
 * ml_bench_renew() - forget the last answer for an object
 * @obj: which
 *
 * Context: The kernel thread.
 */
void ml_bench_renew(u32 obj)
{
	if (!ml_bench_bare)
		ml_advice_renew(advice, obj);
}

/**
 * ml_bench_answered() - take the answer for an object
 * @obj: which
 * @value: set to the answer
 *
 * Context: The kernel thread.
 * Return: false if it is not there.
 */
bool ml_bench_answered(u32 obj, s32 *value)
{
	u32 word;

	if (!ml_bench_bare) {
		if (ml_advice_get(advice, obj, jiffies, &word))
			return false;
		ml_schema_unpack(&packing, word, value);
		counter[ML_LIB_CNT_APPLY]++;
		return true;
	}
	/* Pairs with the release in answer_bare(). */
	word = smp_load_acquire(&answered[obj]);
	if (!word)
		return false;
	WRITE_ONCE(answered[obj], 0);
	*value = word & ~ANSWERED;
	return true;
}
