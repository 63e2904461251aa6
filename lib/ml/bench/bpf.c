// SPDX-License-Identifier: GPL-2.0
/*
 * Transport: BPF ring buffers, as schedulers in user space use them.
 *
 * The agent has loaded two programs. One sends the request that is its context,
 * the other fetches answers and puts them into an array map. They are called
 * directly, which is the least that any attachment costs.
 */

#include <linux/bpf.h>
#include <linux/err.h>
#include <linux/filter.h>
#include <linux/rcupdate_trace.h>

#include "bench.h"

/* What the programs see: a request, or nothing. */
static struct ml_bench_request ctx;

static struct bpf_prog *submit_prog, *drain_prog;
static struct bpf_map *answers_map, *ringbuf_map;
static struct ml_bench_answers *answers;

static struct bpf_prog *get_prog(int fd)
{
	struct bpf_prog *prog = bpf_prog_get_type(fd, BPF_PROG_TYPE_SYSCALL);

	if (!IS_ERR(prog) && prog->aux->max_ctx_offset > sizeof(ctx)) {
		bpf_prog_put(prog);
		return ERR_PTR(-EINVAL);
	}
	return prog;
}

static int get_answers(int fd)
{
	struct bpf_map *map = bpf_map_get(fd);
	u64 addr;
	int err;

	if (IS_ERR(map))
		return PTR_ERR(map);
	answers_map = map;
	if (!map->ops->map_direct_value_addr ||
	    map->value_size < sizeof(*answers))
		return -EINVAL;
	err = map->ops->map_direct_value_addr(map, &addr, 0);
	if (!err)
		answers = (void *)(unsigned long)addr;
	return err;
}

static void bpf_end(void)
{
	if (!IS_ERR_OR_NULL(submit_prog))
		bpf_prog_put(submit_prog);
	if (!IS_ERR_OR_NULL(drain_prog))
		bpf_prog_put(drain_prog);
	if (answers_map)
		bpf_map_put(answers_map);
	submit_prog = NULL;
	drain_prog = NULL;
	answers_map = NULL;
}

static int bpf_begin(const struct ml_bench_run *run)
{
	int err;

	submit_prog = get_prog(run->submit_fd);
	drain_prog = get_prog(run->drain_fd);
	err = PTR_ERR_OR_ZERO(submit_prog) ?: PTR_ERR_OR_ZERO(drain_prog);
	err = err ?: get_answers(run->answers_fd);
	if (err)
		bpf_end();
	else
		answers->nr = 0;
	return err;
}

static u32 call_prog(const struct bpf_prog *prog)
{
	u32 ret;

	rcu_read_lock_trace();
	ret = bpf_prog_run_pin_on_cpu(prog, &ctx);
	rcu_read_unlock_trace();
	return ret;
}

static bool bpf_submit(u32 obj, const u64 *word)
{
	unsigned long flags;
	bool ok;

	if (ml_bench_bare) {
		ml_bench_open_request(obj, &ctx);
	} else {
		raw_spin_lock_irqsave(&ml_bench_lock, flags);
		ok = ml_bench_open_request(obj, &ctx);
		raw_spin_unlock_irqrestore(&ml_bench_lock, flags);
		if (!ok)
			return false;
	}
	memcpy(ctx.word, word, sizeof(ctx.word));
	return !call_prog(submit_prog);
}

/* The programs have been verified, but not by us: their map may hold anything. */
static bool bpf_receive(u32 obj, s32 *value)
{
	if (ml_bench_answered(obj, value))
		return true;
	call_prog(drain_prog);
	if (!answers->nr)
		return false;
	ml_bench_answer(answers->answer, min(answers->nr, ML_BENCH_MAX_DEPTH));
	answers->nr = 0;
	return ml_bench_answered(obj, value);
}

const struct ml_bench_ops ml_bench_bpf_ops = {
	.begin = bpf_begin,
	.end = bpf_end,
	.prepare = ml_bench_renew,
	.submit = bpf_submit,
	.receive = bpf_receive,
};

/*
 * The way up alone, without even a program: the helper is called as such. Where
 * BPF has no JIT compiler, this is what a compiled program would do.
 */

static int ringbuf_begin(const struct ml_bench_run *run)
{
	struct bpf_map *map = bpf_map_get(run->ringbuf_fd);

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (map->map_type != BPF_MAP_TYPE_RINGBUF) {
		bpf_map_put(map);
		return -EINVAL;
	}
	ringbuf_map = map;
	return 0;
}

static void ringbuf_end(void)
{
	bpf_map_put(ringbuf_map);
	ringbuf_map = NULL;
}

static bool ringbuf_submit(u32 obj, const u64 *word)
{
	ctx.cookie = obj + 1;
	memcpy(ctx.word, word, sizeof(ctx.word));
	return !bpf_ringbuf_output_proto.func((unsigned long)ringbuf_map,
					      (unsigned long)&ctx, sizeof(ctx),
					      BPF_RB_NO_WAKEUP, 0);
}

const struct ml_bench_ops ml_bench_ringbuf_ops = {
	.begin = ringbuf_begin,
	.end = ringbuf_end,
	.submit = ringbuf_submit,
};
