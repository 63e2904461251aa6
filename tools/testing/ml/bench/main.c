// SPDX-License-Identifier: GPL-2.0
/*
 * ring-bench: the rings of ML_LIB side by side with the hardware and with what
 * the running kernel offers. Prints one JSON object a line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const struct ops *all[MAX_OPS];
static int nr_all;

static const char *only, *without;

static void add(const struct ops *const *ops)
{
	for (; *ops; ops++) {
		const char *name = (*ops)->name;

		if (without && !strcmp(name, without))
			report_skip(name, "left out by -x");
		else if (!only || !strcmp(name, only))
			all[nr_all++] = *ops;
	}
}

static void usage(const char *name)
{
	fprintf(stderr, "usage: %s [-q] [-r ROUNDS] [-t TRANSPORT] [-x TRANSPORT] [rtt|throughput|producers]\n",
		name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.rounds = 15, .rtt_block = 100000, .stream_block = 200000,
	};
	const char *what;
	bool quick = false;
	int opt, bad = 0;

	while ((opt = getopt(argc, argv, "qr:t:x:")) != -1) {
		switch (opt) {
		case 'q':
			quick = true;
			break;
		case 'r':
			plan.rounds = atoi(optarg);
			break;
		case 't':
			only = optarg;
			break;
		case 'x':
			without = optarg;
			break;
		default:
			usage(argv[0]);
		}
	}
	if (plan.rounds < 1 || plan.rounds > MAX_ROUNDS)
		usage(argv[0]);
	what = argv[optind];
	bench_init();
	pin(cpu_sender);
	add(ml_ops);
	add(mem_ops);
	add(ipc_ops);
	add(netlink_ops);
	add(uring_ops);
	add(bpf_ops);
	if (quick) {
		bad = run_quick(all, nr_all);
		if (!only)
			bad += quick_producers();
		return bad ? 1 : 0;
	}
	if (!what || !strcmp(what, "rtt"))
		bad += run_rtt(all, nr_all, &plan);
	if (!what || !strcmp(what, "throughput"))
		bad += run_throughput(all, nr_all, &plan);
	if (!only && (!what || !strcmp(what, "producers")))
		bad += run_producers(&plan);
	return bad ? 1 : 0;
}
