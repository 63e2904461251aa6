// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark of the agent, without a kernel:
 *
 *	bench-agent check CASE MODEL		every decision is that of a bare loop
 *	bench-agent overhead CASE MODEL		time against a bare loop
 *	bench-agent policy CASE MODEL		latency and throughput by batches
 *	bench-agent settings CASE MODEL [NOTE]	what makes TorchScript fast
 *
 * The agent is the real one from the rings to the decisions: run.c, model.c,
 * the torch backend and libmlagent; only the command line is not. The kernel
 * is a process of its own, see standin.c. Prints one JSON object per line.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "count.h"
#include "clock.h"

/* Nothing to wait for but the end of the order. */
static int loop_wait(struct loop *loop, int timeout_ms)
{
	(void)loop;
	(void)timeout_ms;
	return standin_done() ? LOOP_SIGNAL : 0;
}

static int loop_kick(struct loop *loop, uint32_t queue)
{
	int ret = mlagent_kick(loop->agent, queue);

	return ret < 0 ? ret : 0;
}

static const struct loop_ops loop_ops = {
	.name	= "bench",
	.wait	= loop_wait,
	.kick	= loop_kick,
};

/* Decide when a batch is full or its oldest request has waited long enough. */
static void run_held(struct bench *b)
{
	while (!standin_done()) {
		const struct ml_lib_request *first =
			mlagent_peek(b->run.agent, 0, 0);

		if (first &&
		    (mlagent_peek(b->run.agent, 0, b->model.max - 1) ||
		     now_ns() - first->time_ns >= b->hold_ns))
			run_pass(&b->run);
	}
}

int bench_serve(struct bench *b, unsigned int batch)
{
	b->model.max = batch;
	memset(&count, 0, offsetof(struct count, size));
	standin_begin();
	if (b->hold_ns)
		run_held(b);
	else if (run(&b->run))
		return -1;
	if (b->order->foreign || b->model.failed || b->model.full) {
		fprintf(stderr, "%s: %llu foreign decisions, %llu failed, %llu not delivered\n",
			b->name, (unsigned long long)b->order->foreign,
			(unsigned long long)b->model.failed,
			(unsigned long long)b->model.full);
		return -1;
	}
	return 0;
}

static int start_agent(struct bench *b)
{
	static struct loop loop = { .ops = &loop_ops };
	struct ml_lib_proxy proxy;
	struct mlagent *agent;

	if (mlagent_open(&agent, standin_path()) ||
	    mlagent_proxy_find(agent, b->c.head->proxy, &proxy) ||
	    mlagent_schema(agent, &proxy, &b->model.schema) ||
	    mlagent_setup(agent, 1, SLOTS, b->c.head->feature_bytes) ||
	    mlagent_attach(agent, b->model.schema) || mlagent_start(agent)) {
		fprintf(stderr, "%s\n", mlagent_error());
		return -1;
	}
	loop.agent = agent;
	b->run = (struct run) {
		.agent = agent, .loop = &loop, .model = &b->model,
		.nr_models = 1, .spin_ns = UINT64_MAX,
	};
	b->model.backend = &backend_torch;
	b->model.spec = b->file;
	return model_open(&b->model, MAX_BATCH);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static char *stem(const char *path)
{
	const char *name = strrchr(path, '/');
	char *s = strdup(name ? name + 1 : path);

	if (s && strchr(s, '.'))
		*strchr(s, '.') = '\0';
	return s;
}

int main(int argc, char **argv)
{
	static struct bench b;
	bool two = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	const char *part = argc > 1 ? argv[1] : "";
	int ret;

	if (argc < 4) {
		fprintf(stderr, "usage: %s check|overhead|policy|settings CASE MODEL [NOTE]\n",
			argv[0]);
		return 2;
	}
	b.name = stem(argv[2]);
	b.file = argv[3];
	if (!b.name || case_open(&b.c, argv[2]))
		return 1;
	if (!strcmp(part, "settings"))
		return bench_settings(&b, argv[4]) ? 1 : 0;

	b.order = standin_open(&b.c, SLOTS, two ? 1 : -1);
	if (two)
		pin(0);
	if (!b.order || start_agent(&b))
		return 1;
	if (!strcmp(part, "check"))
		ret = bench_check(&b);
	else if (!strcmp(part, "overhead"))
		ret = bench_overhead(&b);
	else if (!strcmp(part, "policy"))
		ret = bench_policy(&b);
	else
		return 2;
	model_close(&b.model);
	mlagent_close(b.run.agent);
	return ret ? 1 : 0;
}
