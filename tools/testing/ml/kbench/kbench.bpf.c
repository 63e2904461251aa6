// SPDX-License-Identifier: GPL-2.0
/*
 * The BPF side of the transport "bpf": requests go up a ring buffer, answers
 * come down a user ring buffer. The kernel thread calls the programs.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ml_bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 65536);
} decisions SEC(".maps");

/* Read by the kernel thread. */
struct ml_bench_answers answers SEC(".data.answers");

/* Set by the agent: must it be woken? */
__u64 flags SEC(".data.flags");

SEC("syscall")
int submit(struct ml_bench_request *ctx)
{
	struct ml_bench_request *r;

	r = bpf_ringbuf_reserve(&requests, sizeof(*r), 0);
	if (!r)
		return 1;
	r->cookie = ctx->cookie;
	r->time_ns = ctx->time_ns;
	r->word[0] = ctx->word[0];
	r->word[1] = ctx->word[1];
	r->word[2] = ctx->word[2];
	r->word[3] = ctx->word[3];
	r->word[4] = ctx->word[4];
	r->word[5] = ctx->word[5];
	r->word[6] = ctx->word[6];
	r->word[7] = ctx->word[7];
	bpf_ringbuf_submit(r, flags);
	return 0;
}

static long take(struct bpf_dynptr *sample, void *unused)
{
	const struct ml_bench_answer *a;
	__u32 n = answers.nr;

	a = bpf_dynptr_data(sample, 0, sizeof(*a));
	if (!a || n >= ML_BENCH_MAX_DEPTH)
		return 1;
	answers.answer[n] = *a;
	answers.nr = n + 1;
	return answers.nr == ML_BENCH_MAX_DEPTH;
}

SEC("syscall")
int drain(struct ml_bench_request *ctx)
{
	bpf_user_ringbuf_drain(&decisions, take, 0, BPF_RB_NO_WAKEUP);
	return 0;
}

char _license[] SEC("license") = "GPL";
