// SPDX-License-Identifier: GPL-2.0
/*
 * A pass takes what all queues hold, sorted into one batch per model; then each
 * model decides its batch in one forward. While passes find work there is no
 * syscall: events are looked at in memory and the clock is read by the vDSO. (With
 * poll() there is one in TICK_NS.)
 * After spin_ns without work the agent sleeps.
 */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "record.h"
#include "run.h"

#define TICK_NS		10000000ULL	/* between looks at events */
#define CHUNK		32		/* records looked at together */
#define FLUSH_NS	1000000000ULL	/* between flushes of the recording */

static void kick(void *ctx, uint32_t queue)
{
	struct run *run = ctx;
	int ret = run->loop->ops->kick(run->loop, queue);

	if (ret < 0 && !run->kick_failed)
		warn("KICK: %s: what waits for a decision waits longer; is there a filter for system calls?",
		     strerror(-ret));
	run->kick_failed = ret < 0;
	run->kicks++;
}

static struct model *find(struct run *run, uint32_t proxy)
{
	for (unsigned int i = 0; i < run->nr_models; i++)
		if (run->model[i].schema->id == proxy)
			return &run->model[i];
	return NULL;
}

static bool is_request_of(const struct ml_lib_request *req,
			  const struct mlagent_schema *schema)
{
	return req->proxy == schema->id && req->type == ML_LIB_RECORD_REQUEST &&
	       req->words * 8U >= schema->feature_bytes;
}

static void take_other(struct run *run, struct model *model,
		       const struct ml_lib_request *req)
{
	if (model && req->type == ML_LIB_RECORD_FEEDBACK &&
	    req->words * 8U >= sizeof(struct ml_lib_feedback)) {
		model->feedbacks++;
		if (model->record)
			record_feedback(model->record, req);
	} else {
		run->foreign++;
	}
}

/*
 * Take the first record, and with it those behind it that go into the same
 * batch.
 *
 * Return: how many; *full is set to the model if that filled its batch.
 */
static unsigned int take(struct run *run, uint32_t queue,
			 const struct ml_lib_request *const *req,
			 unsigned int nr, struct model **full)
{
	struct model *model = find(run, req[0]->proxy);
	unsigned int n = 1;

	if (!model || !is_request_of(req[0], model->schema)) {
		take_other(run, model, req[0]);
		return n;
	}
	if (nr > model->max - model->nr)
		nr = model->max - model->nr;
	while (n < nr && is_request_of(req[n], model->schema))
		n++;
	model_add(model, queue, req, n);
	if (model->nr == model->max)
		*full = model;
	return n;
}

/*
 * Take what a queue holds, at most a ring full of it. What is taken has been
 * copied, so the slots go back before a model runs: the kernel must not drop
 * requests for want of slots that nobody reads any more.
 *
 * Return: whether there was anything.
 */
static bool gather(struct run *run, uint32_t queue)
{
	uint32_t left = mlagent_nr_slots(run->agent);
	const struct ml_lib_request *req[CHUNK];
	bool work = false;
	uint32_t nr;

	while (left && (nr = mlagent_peek_batch(run->agent, queue, req,
						left < CHUNK ? left : CHUNK))) {
		uint32_t i = 0, released = 0;

		while (i < nr) {
			struct model *full = NULL;

			i += take(run, queue, req + i, nr - i, &full);
			if (full || i == nr) {
				mlagent_release(run->agent, queue, i - released);
				released = i;
			}
			if (full)
				model_decide(full, run->agent, kick, run);
		}
		left -= nr;
		work = true;
	}
	return work;
}

bool run_pass(struct run *run)
{
	bool work = false;

	for (uint32_t q = 0; q < mlagent_nr_queues(run->agent); q++)
		work |= gather(run, q);
	for (unsigned int i = 0; i < run->nr_models; i++)
		if (run->model[i].nr)
			model_decide(&run->model[i], run->agent, kick, run);
	return work;
}

static void kick_where_due(struct run *run, uint64_t now)
{
	for (uint32_t q = 0; q < mlagent_nr_queues(run->agent); q++)
		if (mlagent_kick_due(run->agent, q, now))
			kick(run, q);
}

static int sleep_until_event(struct run *run)
{
	int events = 0;

	/* Nobody will look at these before the next request. */
	for (uint32_t q = 0; q < mlagent_nr_queues(run->agent); q++)
		if (mlagent_pending(run->agent, q))
			kick(run, q);

	if (mlagent_sleep_begin(run->agent)) {
		events = run->loop->ops->wait(run->loop, run->recording ?
					      (int)(FLUSH_NS / 1000000) : -1);
		run->sleeps++;
	}
	mlagent_sleep_end(run->agent);
	return events;
}

static void flush(struct run *run)
{
	for (unsigned int i = 0; i < run->nr_models; i++)
		if (run->model[i].record)
			record_flush(run->model[i].record);
}

/* Return: 1 to end, 0 to go on, -1 if the session is over. */
static int judge(struct run *run, int events)
{
	int state = mlagent_state(run->agent);

	if (events < 0) {
		warn("waiting failed: %s", strerror(-events));
		return -1;
	}
	if (events & LOOP_SIGNAL)
		return 1;
	/* The poll can tell before the page in memory does. */
	if (state == -EPROTO || events & LOOP_BROKEN)
		warn("the kernel declared the session broken (an index in the rings was impossible); every proxy fell back to its default: restart the agent, and report this");
	else if (state == -ESTALE)
		warn("the session was restarted by another process: restart the agent");
	else if (state)
		warn("the session was stopped: restart the agent");
	else if (events & LOOP_HANGUP)
		warn("the device hung up: restart the agent");
	return state || events & (LOOP_HANGUP | LOOP_BROKEN) ? -1 : 0;
}

int run(struct run *run)
{
	uint64_t busy = now_ns(), tick = busy, flushed = busy;
	int verdict = 0;

	while (!verdict) {
		bool work = run_pass(run);
		uint64_t now = now_ns();

		kick_where_due(run, now);
		if (work) {
			busy = now;
		} else if (now - busy >= run->spin_ns) {
			verdict = judge(run, sleep_until_event(run));
			busy = tick = now = now_ns();
		} else {
			cpu_relax();
		}
		if (now - tick >= TICK_NS) {
			verdict = judge(run, run->loop->ops->wait(run->loop, 0));
			tick = now;
		}
		if (run->recording && now - flushed >= FLUSH_NS) {
			flush(run);
			flushed = now;
		}
	}
	return verdict < 0 ? -1 : 0;
}
