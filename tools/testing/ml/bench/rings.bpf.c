// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's side of BPF ring buffers: up by bpf_ringbuf, down by user
 * ringbuf. All loops run here, so that no syscall is counted, and nobody is
 * woken: both sides spin, which is the fastest that these maps can be used.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define WORDS		36	/* header and largest payload */
#define SAMPLES		(1 << 17)
#define MAX_MAPS	8
#define BURST		256
#define BURSTS		8
#define SPINS		(1 << 23)
#define FILLER		0x5a5a5a5a5a5a5a5aULL

/* Known when the program is loaded, so that records are reserved in place. */
const volatile __u32 record_bytes = 96;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} up SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 17);
} down SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
};

/* A map for each producer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_MAPS);
	__type(key, __u32);
	__array(values, struct inner);
} each SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SAMPLES);
	__type(key, __u32);
	__type(value, __u32);
} samples SEC(".maps");

struct answer {
	__u64 n, value, pad[2];
};

/* What a run is asked to do, and how far it came. */
struct args {
	__u64 nr;
	__u64 sent;
	__u64 got;
	__u64 wrong;
	__u64 ns[BURSTS];	/* time of each burst */
	__u32 depth;
	__u32 map;	/* 0: the shared one; else each[map - 1] */
	__u32 bursts;	/* complete ones */
};

/* @stamp is where the time stamp of struct record is. */
static __always_inline int fill(__u64 *rec, __u64 n, __u64 stamp)
{
	if (!rec)
		return 0;
	rec[0] = n;
	rec[1] = n;
	rec[2] = 0;
	rec[3] = 0;
	for (int i = 4; i < WORDS; i++)
		if (i < record_bytes / 8)
			rec[i] = i == 4 ? n : i == record_bytes / 8 - 1 ? ~n :
				 i == 5 ? stamp : FILLER;
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline int put(void *map, __u64 n, __u64 stamp)
{
	switch (record_bytes) {
	case 32 + 16: return fill(bpf_ringbuf_reserve(map, 32 + 16, 0), n, stamp);
	case 32 + 48: return fill(bpf_ringbuf_reserve(map, 32 + 48, 0), n, stamp);
	case 32 + 64: return fill(bpf_ringbuf_reserve(map, 32 + 64, 0), n, stamp);
	case 32 + 128: return fill(bpf_ringbuf_reserve(map, 32 + 128, 0), n, stamp);
	default: return fill(bpf_ringbuf_reserve(map, 32 + 256, 0), n, stamp);
	}
}

static long take(struct bpf_dynptr *dp, void *ctx)
{
	const struct answer *a = bpf_dynptr_data(dp, 0, sizeof(*a));
	struct args *args = ctx;

	if (!a)
		return 1;
	if (a->n != args->got || a->value != (__u32)(a->n * 2654435761u) >> 16)
		args->wrong++;
	args->got++;
	return 0;
}

static long poll_one(__u32 i, struct args *args)
{
	bpf_user_ringbuf_drain(&down, take, args, BPF_RB_NO_WAKEUP);
	return args->got == args->sent;
}

static long round_trip(__u32 i, struct args *args)
{
	__u64 t = bpf_ktime_get_ns();
	__u32 key = i, *ns;

	if (!put(&up, args->sent, t))
		return 1;
	args->sent++;
	bpf_loop(SPINS, poll_one, args, 0);
	ns = bpf_map_lookup_elem(&samples, &key);
	if (ns)
		*ns = bpf_ktime_get_ns() - t;
	return args->got != args->sent;
}

static long send_one(__u32 i, struct args *args)
{
	if (!put(&up, args->sent, FILLER))
		return 1;
	args->sent++;
	return 0;
}

/* Up to two batches are under way. */
static long step(__u32 i, struct args *args)
{
	if (args->got >= args->nr)
		return 1;
	if (args->sent < args->nr && args->sent - args->got <= args->depth) {
		__u64 left = args->nr - args->sent;

		bpf_loop(left < args->depth ? left : args->depth, send_one, args, 0);
	} else {
		bpf_user_ringbuf_drain(&down, take, args, BPF_RB_NO_WAKEUP);
	}
	return 0;
}

static long stream_one(__u32 i, struct args *args)
{
	if (put(&up, args->sent, FILLER))
		args->sent++;
	return args->sent >= args->nr;
}

/* Until the ring is full; the caller comes again. */
static long each_one(__u32 i, struct args *args)
{
	__u32 key = args->map - 1;
	void *map = bpf_map_lookup_elem(&each, &key);

	if (!map || !put(map, args->sent, FILLER))
		return 1;
	args->sent++;
	return 0;
}

/* A burst that meets a full ring, or is a rest, has no time. */
static long one_burst(__u32 i, struct args *args)
{
	__u64 t = bpf_ktime_get_ns(), begin = args->sent, left = args->nr - begin;
	__u32 nr = left < BURST ? left : BURST;

	if (args->map)
		bpf_loop(nr, each_one, args, 0);
	else
		bpf_loop(nr, send_one, args, 0);
	if (args->sent - begin < BURST)
		return 1;
	args->ns[i % BURSTS] = bpf_ktime_get_ns() - t;
	args->bursts++;
	return 0;
}

SEC("syscall")
int rtt(struct args *ctx)
{
	struct args args = *ctx;

	bpf_loop(args.nr, round_trip, &args, 0);
	*ctx = args;
	return 0;
}

SEC("syscall")
int exchange(struct args *ctx)
{
	struct args args = *ctx;

	bpf_loop(SPINS, step, &args, 0);
	*ctx = args;
	return 0;
}

SEC("syscall")
int stream(struct args *ctx)
{
	struct args args = *ctx;

	bpf_loop(SPINS, stream_one, &args, 0);
	*ctx = args;
	return 0;
}

/* A producer, until number @nr as long as there is room: few syscalls. */
SEC("syscall")
int burst(struct args *ctx)
{
	struct args args = *ctx;

	bpf_loop(BURSTS, one_burst, &args, 0);
	*ctx = args;
	return 0;
}

char _license[] SEC("license") = "GPL";
