// SPDX-License-Identifier: GPL-2.0
/* Time, CPUs and memory. */
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

double tsc_ghz;
u32 bench_mult, bench_shift = 32;
int cpu_sender, cpu_peer;

u64 clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(2, "pin to CPU %d", cpu);
}

/* It never runs on another CPU, not even before it has begun. */
pthread_t start(int cpu, void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	if (pthread_attr_setaffinity_np(&attr, sizeof(set), &set) ||
	    pthread_create(&thread, &attr, fn, arg))
		errx(2, "no thread on CPU %d", cpu);
	pthread_attr_destroy(&attr);
	return thread;
}

void *shared_zalloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		err(2, "mmap");
	return p;
}

/*
 * Others on the machine would only add noise, and more of it to those who take
 * turns more often. Not SCHED_FIFO: nobody could stop a spinner any more.
 */
static void keep_others_away(void)
{
	FILE *f;

	if (setpriority(PRIO_PROCESS, 0, -20))
		warn("no priority (expect noise)");
	/* With autogroups a priority counts within a login session only. */
	setsid();
	f = fopen("/proc/self/autogroup", "w");
	if (f) {
		fprintf(f, "-20\n");
		fclose(f);
	}
}

/* Which CPUs, and how fast the cycle counter counts. */
void bench_init(void)
{
	int cpus[2], n = 0;
	cpu_set_t set;
	u64 ns, cycles;

	if (sched_getaffinity(0, sizeof(set), &set))
		err(2, "sched_getaffinity");
	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	if (n < 2)
		errx(2, "two CPUs are needed");
	cpu_sender = cpus[0];
	cpu_peer = cpus[1];
	keep_others_away();

	ns = clock_ns(CLOCK_MONOTONIC_RAW);
	cycles = tsc();
	while (clock_ns(CLOCK_MONOTONIC_RAW) - ns < 200000000)
		;
	ns = clock_ns(CLOCK_MONOTONIC_RAW) - ns;
	cycles = tsc() - cycles;
	tsc_ghz = (double)cycles / ns;
	bench_mult = (u32)((double)(1ULL << bench_shift) / tsc_ghz);
}
