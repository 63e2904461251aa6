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

#define MAX_OPS 64

static const struct ops *all[MAX_OPS];
static int nr_all;

static void add(const struct ops *const *ops, const char *only)
{
	for (; *ops; ops++)
		if (!only || !strcmp((*ops)->name, only))
			all[nr_all++] = *ops;
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.rounds = 15, .rtt_block = 100000, .stream_block = 1000000,
	};
	const char *only = NULL;
	bool quick = false;
	int opt, bad = 0;

	while ((opt = getopt(argc, argv, "qr:t:")) != -1) {
		switch (opt) {
		case 'q': quick = true; break;
		case 'r': plan.rounds = atoi(optarg); break;
		case 't': only = optarg; break;
		default:
			fprintf(stderr, "usage: %s [-q] [-r ROUNDS] [-t TRANSPORT]\n", argv[0]);
			return 2;
		}
	}
	bench_init();
	pin(cpu_sender);
	add(ml_ops, only);
	add(mem_ops, only);
	add(ipc_ops, only);
	add(netlink_ops, only);
	add(uring_ops, only);
	if (quick) {
		alarm(120);
		return run_quick(all, nr_all) ? 1 : 0;
	}
	bad += run_rtt(all, nr_all, &plan);
	bad += run_throughput(all, nr_all, &plan);
	return bad ? 1 : 0;
}
