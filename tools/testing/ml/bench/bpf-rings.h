/* SPDX-License-Identifier: GPL-2.0 */
/* rings.bpf.c as t-bpf.c and producers.c run it. */
#ifndef _BPF_RINGS_H
#define _BPF_RINGS_H

#include "ml_kernel.h"

#define BPF_RINGS_MAPS	8
#define BPF_BURST	256
#define BPF_BURSTS	8	/* most in a run */

struct bpf_object;

/* struct args of rings.bpf.c */
struct bpf_args {
	u64 nr, sent, got, wrong, ns[BPF_BURSTS];
	u32 depth, map, bursts;
};

/* For records of @bytes; NULL and the reason if it cannot be. */
struct bpf_object *bpf_rings_load(u32 bytes, const char **why);
int bpf_rings_run(int prog, struct bpf_args *args);

#endif /* _BPF_RINGS_H */
