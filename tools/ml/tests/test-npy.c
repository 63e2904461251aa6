// SPDX-License-Identifier: GPL-2.0
/*
 * Write an array of 100000 rows; check-files.py reads it:
 *
 *	test-npy uring|poll FILE [kill]
 *
 * With "kill" the process dies without closing the file, after a flush.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"

#define ROWS	100000

int main(int argc, char **argv)
{
	struct loop *loop;
	struct npy *npy;

	if (argc < 3)
		return 2;
	loop = loop_open(NULL, -1, !strcmp(argv[1], "uring"));
	if (!loop)
		return 2;
	npy = npy_open(loop, argv[2], "[('n', '<u8'), ('half', '<f4')]", 12);
	if (!npy) {
		perror(argv[2]);
		return 1;
	}
	for (uint64_t i = 0; i < ROWS; i++) {
		float half = i / 2.0f;
		char *row;

		/* The test wants every row, so it waits for the disk. */
		if (i % 1000 == 0) {
			npy_flush(npy);
			loop_drain(loop);
		}
		row = npy_row(npy);
		if (!row)
			continue;
		memcpy(row, &i, 8);
		memcpy(row + 8, &half, 4);
	}
	if (argc > 3)
		raise(SIGKILL);
	printf("lost %" PRIu64 "\n", npy_close(npy));
	loop->ops->close(loop);
	return 0;
}
