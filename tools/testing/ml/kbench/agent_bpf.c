// SPDX-License-Identifier: GPL-2.0
/* The agent's side of the BPF ring buffers, by libbpf. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "kbench.h"

#define RINGBUF_BYTES	65536

struct bpf_fds bpf_fds = { -1, -1, -1, -1, -1, -1, -1 };

static struct ring_buffer *up, *up_only;
static struct user_ring_buffer *down;
static u32 handled;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static u64 map_memory(int fd)
{
	char path[64], line[128];
	u64 bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %lu", &bytes) == 1)
			break;
	if (f)
		fclose(f);
	return bytes;
}

static int find_map(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

static int find_prog(struct bpf_object *obj, const char *name)
{
	struct bpf_program *p = bpf_object__find_program_by_name(obj, name);

	return p ? bpf_program__fd(p) : -1;
}

/* In kbench, before it forks: both processes need the descriptors. */
void bpf_prepare(void)
{
	char path[PATH_MAX] = "";
	struct bpf_object *obj;

	libbpf_set_print(quiet);
	bpf_fds.ringbuf = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "kbench", 0, 0,
					 RINGBUF_BYTES, NULL);
	if (bpf_fds.ringbuf < 0)
		unavailable(ML_BENCH_RINGBUF, "no BPF ring buffer: %s",
			    strerror(errno));
	/* Interpreted programs cannot have callbacks, and draining needs one. */
	if (access("/proc/sys/net/core/bpf_jit_enable", F_OK)) {
		unavailable(ML_BENCH_BPF, "this kernel has no BPF JIT, which draining a user ring buffer needs");
		return;
	}
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return;
	strcat(dirname(path), "/kbench.bpf.o");
	obj = bpf_object__open_file(path, NULL);
	if (!obj || bpf_object__load(obj)) {
		unavailable(ML_BENCH_BPF, "cannot load kbench.bpf.o: %s",
			    strerror(errno));
		return;
	}
	bpf_fds.requests = find_map(obj, "requests");
	bpf_fds.decisions = find_map(obj, "decisions");
	bpf_fds.answers = find_map(obj, ".data.answers");
	bpf_fds.flags = find_map(obj, ".data.flags");
	bpf_fds.submit = find_prog(obj, "submit");
	bpf_fds.drain = find_prog(obj, "drain");
	shared->memory[ML_BENCH_BPF] = map_memory(bpf_fds.requests) +
		map_memory(bpf_fds.decisions) + map_memory(bpf_fds.answers);
}

static int on_request(void *unused, void *data, size_t size)
{
	struct ml_bench_answer *a;

	(void)unused;
	(void)size;
	a = user_ring_buffer__reserve(down, sizeof(*a));
	if (!a)
		return -1;
	*a = answer_to(data);
	user_ring_buffer__submit(down, a);
	handled++;
	return 0;
}

static void set_flags(u64 flags)
{
	u32 key = 0;

	bpf_map_update_elem(bpf_fds.flags, &key, &flags, 0);
}

static int bpf_open(void)
{
	up = ring_buffer__new(bpf_fds.requests, on_request, NULL, NULL);
	down = user_ring_buffer__new(bpf_fds.decisions, NULL);
	if (!up || !down)
		return unavailable(ML_BENCH_BPF, "libbpf: %s", strerror(errno));
	set_flags(BPF_RB_NO_WAKEUP);
	return 0;
}

static void bpf_serve(u32 mode, u32 depth)
{
	(void)depth;
	if (mode == ML_BENCH_SLEEP)
		set_flags(0);
	while (serving())
		if (!ring_buffer__consume(up) && mode == ML_BENCH_SLEEP)
			ring_buffer__poll(up, 100);
	if (mode == ML_BENCH_SLEEP)
		set_flags(BPF_RB_NO_WAKEUP);
}

static void bpf_turn(u32 nr)
{
	handled = 0;
	while (handled < nr && serving())
		ring_buffer__consume(up);
}

const struct transport bpf = {
	.open = bpf_open,
	.serve = bpf_serve,
	.turn = bpf_turn,
};

static int on_ringbuf(void *unused, void *data, size_t size)
{
	(void)unused;
	(void)data;
	(void)size;
	handled++;
	return 0;
}

static int ringbuf_open(void)
{
	up_only = ring_buffer__new(bpf_fds.ringbuf, on_ringbuf, NULL, NULL);
	if (!up_only)
		return unavailable(ML_BENCH_RINGBUF, "libbpf: %s",
				   strerror(errno));
	return 0;
}

static void ringbuf_turn(u32 nr)
{
	handled = 0;
	while (handled < nr && serving())
		ring_buffer__consume(up_only);
}

const struct transport ringbuf = {
	.open = ringbuf_open,
	.turn = ringbuf_turn,
};
