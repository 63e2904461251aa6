// SPDX-License-Identifier: GPL-2.0
/*
 * phases FILE HINT SEED [MIB PAGES]: read one mapped file in two ways, one after
 * the other.
 *
 * The workload "phases" of the demo, which fio cannot run: a file that stays
 * open while its reader changes, like an index that is loaded and then looked
 * up. First MIB from the start, then PAGES of the rest, each once touched. With
 * HINT 1 the reader says with madvise() what it is about to do. The work is fixed,
 * so the time is what differs. Prints bytes and ms.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL

int main(int argc, char **argv)
{
	size_t mib = 120, pages = 1200, first;
	struct timespec begin, end;
	volatile unsigned char sink;
	unsigned char *map;
	struct stat st;
	uint64_t x;
	int fd;

	if (argc != 4 && argc != 6)
		errx(2, "usage: phases FILE HINT SEED [MIB PAGES]");
	if (argc == 6) {
		mib = strtoul(argv[4], NULL, 0);
		pages = strtoul(argv[5], NULL, 0);
	}
	first = mib << 20;
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", argv[1]);
	if ((size_t)st.st_size < 2 * first)
		errx(1, "%s: smaller than %zu MiB", argv[1], 2 * mib);
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err(1, "%s", argv[1]);
	/* Any seed, and never zero. */
	x = (strtoull(argv[3], NULL, 0) + 1) * 0x9e3779b97f4a7c15ULL | 1;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (atoi(argv[2]) && madvise(map, st.st_size, MADV_SEQUENTIAL))
		err(1, "madvise");
	for (size_t at = 0; at < first; at += PAGE)
		sink = map[at];
	if (atoi(argv[2]) && madvise(map, st.st_size, MADV_RANDOM))
		err(1, "madvise");
	for (size_t i = 0; i < pages; i++) {
		/* xorshift64 */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sink = map[first + x % ((st.st_size - first) / PAGE) * PAGE];
	}
	(void)sink;
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%zu %.3f\n", first + pages * PAGE,
	       (end.tv_sec - begin.tv_sec) * 1e3 +
	       (end.tv_nsec - begin.tv_nsec) / 1e6);
	return 0;
}
