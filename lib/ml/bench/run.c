// SPDX-License-Identifier: GPL-2.0
/*
 * A run: a kernel thread exchanges requests and answers with the agent.
 *
 * The thread is the same for every transport, and so is what it does: make up a
 * payload, send it, wait, compare the answer with what it has to be. Times are
 * taken with the cycle counter, around the transport alone.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "bench.h"

#define MAX_SAMPLES	1048576

static const struct ml_bench_ops *const transports[] = {
	[ML_BENCH_PINGPONG] = &ml_bench_pingpong_ops,
	[ML_BENCH_RING] = &ml_bench_ring_ops,
	[ML_BENCH_CHARDEV] = &ml_bench_queue_ops,
	[ML_BENCH_IOCTL] = &ml_bench_queue_ops,
	[ML_BENCH_NETLINK] = &ml_bench_netlink_ops,
	[ML_BENCH_BPF] = &ml_bench_bpf_ops,
	[ML_BENCH_URING] = &ml_bench_queue_ops,
	[ML_BENCH_RINGBUF] = &ml_bench_ringbuf_ops,
	[ML_BENCH_TRACE] = &ml_bench_trace_ops,
};

/**
 * struct bench - the run
 * @run: what user space asked for, and the results
 * @ops: the transport
 * @samples: measurements, room for @run.nr_samples
 * @nr: how many there are
 * @spins: how often a busy loop has looked
 * @irq: interrupt state, with ML_BENCH_IRQS_OFF
 * @limit: when to give up, in jiffies
 * @done: the thread has ended
 */
struct bench {
	struct ml_bench_run *run;
	const struct ml_bench_ops *ops;
	u32 *samples;
	u32 nr;
	u32 spins;
	unsigned long irq;
	unsigned long limit;
	struct completion done;
};

static DEFINE_MUTEX(run_lock);		/* one run at a time */
static bool running;
static u32 run_nr;

/* Where the kernel thread sleeps for an answer. */
DECLARE_WAIT_QUEUE_HEAD(ml_bench_wq);

/**
 * ml_bench_running() - is there a run?
 *
 * Context: Any.
 */
bool ml_bench_running(void)
{
	return READ_ONCE(running);
}

static void make_payload(u64 *word, u32 seq)
{
	for (int i = 0; i < ML_BENCH_WORDS; i++)
		word[i] = (u64)(seq + i) * 2654435761U;
}

/* What belongs to a request, but not to sending it. */
static void prepare(const struct bench *b, u32 seq, u64 *word)
{
	if (b->ops->prepare)
		b->ops->prepare(seq % ML_BENCH_OBJECTS);
	make_payload(word, seq);
}

static void check(struct bench *b, u32 seq, s32 value)
{
	u64 word[ML_BENCH_WORDS];

	make_payload(word, seq);
	if (b->ops->bare || value == ml_bench_rule(word))
		b->run->good++;
	else
		b->run->bad++;
}

static void sample(struct bench *b, u64 cycles)
{
	if (b->nr < b->run->nr_samples)
		b->samples[b->nr++] = min(cycles, U32_MAX);
}

static bool in_time(const struct bench *b)
{
	return !kthread_should_stop() && time_before(jiffies, b->limit);
}

static void irqs_off(struct bench *b)
{
	if (b->run->flags & ML_BENCH_IRQS_OFF)
		local_irq_save(b->irq);
}

static void irqs_on(struct bench *b)
{
	if (b->run->flags & ML_BENCH_IRQS_OFF)
		local_irq_restore(b->irq);
}

/* In a busy loop: look at the clock now and then. */
static bool go_on(struct bench *b)
{
	bool ok;

	if (++b->spins % 4096)
		return true;
	irqs_on(b);
	cond_resched();
	ok = in_time(b);
	irqs_off(b);
	return ok;
}

static bool await(struct bench *b, u32 obj, s32 *value)
{
	long left = b->limit - jiffies;

	if (b->run->mode == ML_BENCH_SLEEP && b->ops->wakes)
		return wait_event_idle_timeout(ml_bench_wq,
					       b->ops->receive(obj, value) ||
					       kthread_should_stop(),
					       max(left, 1L)) && in_time(b);
	while (!b->ops->receive(obj, value))
		if (!go_on(b))
			return false;
	return true;
}

/* Modes SPIN and SLEEP: as many requests under way as the depth says. */
static int exchange(struct bench *b)
{
	struct ml_bench_run *run = b->run;
	u64 start[ML_BENCH_OBJECTS], word[ML_BENCH_WORDS];
	u32 sent = 0, got = 0;
	int err = 0;
	s32 value;

	irqs_off(b);
	while (got < run->count) {
		while (sent < run->count && sent - got < run->depth) {
			prepare(b, sent, word);
			start[sent % ML_BENCH_OBJECTS] = ml_bench_cycles();
			if (!b->ops->submit(sent % ML_BENCH_OBJECTS, word)) {
				run->refused++;
				break;
			}
			sent++;
		}
		if (sent == got) {	/* refused, and nothing to wait for */
			irqs_on(b);
			usleep_range(50, 100);
			err = in_time(b) ? 0 : -ETIMEDOUT;
			irqs_off(b);
			if (err)
				break;
			continue;
		}
		if (!await(b, got % ML_BENCH_OBJECTS, &value)) {
			err = -ETIMEDOUT;
			break;
		}
		sample(b, ml_bench_cycles() - start[got % ML_BENCH_OBJECTS]);
		check(b, got++, value);
		if (got % ML_BENCH_OBJECTS == 0) {	/* let them in */
			irqs_on(b);
			irqs_off(b);
		}
	}
	irqs_on(b);
	return err;
}

/* Mode SLEEP of a transport that has a call for it. */
static int call(struct bench *b)
{
	u64 start, word[ML_BENCH_WORDS];
	s32 value = -1;
	u32 seq = 0;

	while (seq < b->run->count) {
		prepare(b, seq, word);
		start = ml_bench_cycles();
		if (!b->ops->call(seq % ML_BENCH_OBJECTS, word, &value)) {
			b->run->refused++;
			if (!in_time(b))
				return -ETIMEDOUT;
			continue;
		}
		sample(b, ml_bench_cycles() - start);
		check(b, seq++, value);
	}
	return 0;
}

/* The agent's turn. */
static int yield_turn(struct bench *b, u32 turn, u32 nr)
{
	struct ml_bench_page *page = ml_bench_page;

	WRITE_ONCE(page->nr, nr);
	/* Pairs with the acquire in the agent. */
	smp_store_release(&page->turn, 2 * turn + 1);
	/* Pairs with the release in the agent. */
	while (smp_load_acquire(&page->turn) != 2 * turn + 2) {
		usleep_range(20, 50);
		if (!in_time(b))
			return -ETIMEDOUT;
	}
	return 0;
}

/* Mode TURNS: the cost of each step of a batch, without anybody waiting. */
static int take_turns(struct bench *b)
{
	static u64 word[ML_BENCH_MAX_DEPTH][ML_BENCH_WORDS];
	static s32 value[ML_BENCH_MAX_DEPTH];
	struct ml_bench_run *run = b->run;
	u32 depth = run->depth, batches = run->count / depth;
	u32 lag = run->transport == ML_BENCH_IOCTL ||
		  run->transport == ML_BENCH_URING;
	u64 cycles[4];
	int err;

	for (u32 turn = 0; turn < batches + lag; turn++) {
		u32 send = turn < batches ? depth : 0;
		u32 fetch = b->ops->receive && turn >= lag ? depth : 0;
		u32 first = turn * depth, answer = first - lag * depth, i;

		for (i = 0; i < send; i++)
			prepare(b, first + i, word[i]);
		irqs_off(b);
		cycles[0] = ml_bench_cycles();
		for (i = 0; i < send; i++)
			if (!b->ops->submit((first + i) % ML_BENCH_OBJECTS,
					    word[i]))
				break;
		cycles[1] = ml_bench_cycles();
		irqs_on(b);
		if (i < send)
			return -ENOSPC;
		err = yield_turn(b, turn, send);
		if (err)
			return err;
		irqs_off(b);
		cycles[2] = ml_bench_cycles();
		for (i = 0; i < fetch; i++)
			if (!b->ops->receive((answer + i) % ML_BENCH_OBJECTS,
					     &value[i]))
				break;
		cycles[3] = ml_bench_cycles();
		irqs_on(b);
		if (i < fetch)
			return -ENODATA;
		for (i = 0; i < fetch; i++)
			check(b, answer + i, value[i]);
		if (!send || fetch != (b->ops->receive ? depth : 0))
			continue;	/* the first or the last turn */
		sample(b, cycles[1] - cycles[0]);
		sample(b, READ_ONCE(ml_bench_page->cycles));
		sample(b, cycles[3] - cycles[2]);
	}
	return 0;
}

/* What a measurement of nothing shows. */
static u32 overhead(void)
{
	u64 least = U32_MAX;

	for (int i = 0; i < 1000; i++) {
		u64 start = ml_bench_cycles();

		least = min(least, ml_bench_cycles() - start);
	}
	return least;
}

static int bench_thread(void *arg)
{
	struct bench *b = arg;
	struct ml_bench_run *run = b->run;
	struct ml_bench_page *page = ml_bench_page;
	u32 serve = ML_BENCH_SERVE(++run_nr, run->transport, run->mode,
				   run->depth);
	u64 cycles, ns;
	int err = 0;

	run->overhead = overhead();
	WRITE_ONCE(page->turn, 0);
	WRITE_ONCE(page->ball, 0);
	/* Pairs with the acquire in the agent: reset before it begins. */
	smp_store_release(&page->serve, serve);
	while (READ_ONCE(page->ack) != serve && !err) {
		usleep_range(50, 100);
		if (!in_time(b))
			err = -ETIMEDOUT;
	}
	run->sleeps = current->nvcsw;
	ns = ktime_get_ns();
	cycles = ml_bench_cycles();
	if (!err && run->mode == ML_BENCH_TURNS)
		err = take_turns(b);
	else if (!err && run->mode == ML_BENCH_SLEEP && b->ops->call)
		err = call(b);
	else if (!err)
		err = exchange(b);
	run->cycles = ml_bench_cycles() - cycles;
	run->ns = ktime_get_ns() - ns;
	run->sleeps = current->nvcsw - run->sleeps;

	/* The agent goes back to where it looks for its next task. */
	WRITE_ONCE(running, false);
	WRITE_ONCE(page->serve, 0);
	ml_bench_queue_wake();
	complete(&b->done);
	return err;
}

static int run_locked(struct bench *b)
{
	struct ml_bench_run *run = b->run;
	struct task_struct *task;
	int err, killed;

	err = ml_bench_contract_begin(run->flags & ML_BENCH_BARE);
	if (err)
		return err;
	if (b->ops->begin)
		err = b->ops->begin(run);
	if (err)
		goto out_contract;
	WRITE_ONCE(running, true);
	init_completion(&b->done);
	b->limit = jiffies + msecs_to_jiffies(run->timeout_ms);
	task = kthread_create(bench_thread, b, "ml_bench");
	if (IS_ERR(task)) {
		err = PTR_ERR(task);
		goto out;
	}
	get_task_struct(task);
	kthread_bind(task, run->cpu);
	wake_up_process(task);
	killed = wait_for_completion_killable(&b->done);
	err = kthread_stop(task);
	put_task_struct(task);
	if (killed)
		err = killed;
out:
	WRITE_ONCE(running, false);
	if (b->ops->end)
		b->ops->end();
out_contract:
	ml_bench_contract_end();
	return err;
}

static bool run_ok(const struct ml_bench_run *run)
{
	if (run->transport >= ML_BENCH_NR || run->mode > ML_BENCH_TURNS)
		return false;
	if (!run->depth || run->depth > ML_BENCH_MAX_DEPTH || !run->count)
		return false;
	if (run->mode == ML_BENCH_TURNS && run->count % run->depth)
		return false;
	if (run->mode != ML_BENCH_TURNS && !transports[run->transport]->receive)
		return false;
	return run->cpu < nr_cpu_ids && cpu_online(run->cpu) &&
	       run->timeout_ms && run->timeout_ms <= 600000 &&
	       run->nr_samples <= MAX_SAMPLES &&
	       !(run->flags & ~(ML_BENCH_BARE | ML_BENCH_IRQS_OFF)) &&
	       (!(run->flags & ML_BENCH_IRQS_OFF) ||
		run->mode != ML_BENCH_SLEEP) && !run->__reserved;
}

/**
 * ml_bench_do_run() - do a run
 * @run: what to do; the results go there
 *
 * Context: Process. Sleeps until the run is over.
 * Return: 0, -EINVAL, -EBUSY if there is a run, -ETIMEDOUT if answers did not
 * come, -ENOSPC or -ENODATA if a turn could not be completed, or what the
 * transport said.
 */
int ml_bench_do_run(struct ml_bench_run *run)
{
	struct bench b = { .run = run };
	int err;

	if (!run_ok(run))
		return -EINVAL;
	b.ops = transports[array_index_nospec(run->transport, ML_BENCH_NR)];
	run->good = 0;
	run->bad = 0;
	run->refused = 0;
	if (!mutex_trylock(&run_lock))
		return -EBUSY;
	b.samples = kvcalloc(run->nr_samples + 1, sizeof(u32), GFP_KERNEL);
	err = b.samples ? run_locked(&b) : -ENOMEM;
	if (!err && copy_to_user(u64_to_user_ptr(run->samples), b.samples,
				 b.nr * sizeof(u32)))
		err = -EFAULT;
	run->nr_samples = b.nr;
	kvfree(b.samples);
	mutex_unlock(&run_lock);
	return err;
}
