// SPDX-License-Identifier: GPL-2.0
/*
 * The loads whose instructions scripts/cost/count.c counts, in the guest:
 *
 *	load run ID COMMAND...		a command
 *	load read ID FILE LOOPS		read a cached file, 4 KiB at a time
 *	load open ID FILE TIMES		open and close a file
 *	load random ID FILE READS NR	read pages that are not cached at random,
 *					through NR descriptors in turn
 *	load streams ID FILE READS NR	read in NR streams of 16 KiB at a time
 *
 * ID is the number of the region, 1 to 63.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* As in count.c. */
#define MARKS		0x4d4c00000000ULL
#define MARK_STRIDE	64

static char *marks;

static void make_marks(void)
{
	marks = mmap((void *)MARKS, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (marks == MAP_FAILED)
		err(1, "mmap");
	memset(marks, 0xc3, 4096);	/* ret */
}

static void mark(unsigned int id)
{
	((void (*)(void))(uintptr_t)(marks + id * MARK_STRIDE))();
}

static int run(unsigned int id, char **argv)
{
	int status;
	pid_t pid;

	mark(id);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		execvp(argv[0], argv);
		err(1, "%s", argv[0]);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	mark(0);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

static int open_one(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void read_all(int fd)
{
	static char buf[4096];
	off_t pos = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), pos)) > 0)
		pos += n;
	if (n < 0)
		err(1, "pread");
}

static void read_cached(unsigned int id, const char *path, long loops)
{
	int fd = open_one(path);

	read_all(fd);
	mark(id);
	for (long i = 0; i < loops; i++)
		read_all(fd);
	mark(0);
}

static void open_close(unsigned int id, const char *path, long times)
{
	mark(id);
	for (long i = 0; i < times; i++)
		close(open_one(path));
	mark(0);
}

static void read_files(unsigned int id, const char *path, long reads, long nr,
		       bool streams)
{
	struct rlimit limit = { nr + 64, nr + 64 };
	static char buf[16384];
	const off_t size = streams ? sizeof(buf) / 4096 : 1;
	uint64_t random = 1;
	int *fd = calloc(nr, sizeof(*fd));
	off_t pages, page;

	if (!fd || setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "%ld files", nr);
	for (long i = 0; i < nr; i++)
		fd[i] = open_one(path);
	pages = lseek(fd[0], 0, SEEK_END) / 4096;
	mark(id);
	for (long i = 0; i < reads; i++) {
		if (i % (pages / size / 8) == 0)
			posix_fadvise(fd[0], 0, 0, POSIX_FADV_DONTNEED);
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		page = random >> 33;
		/* The beginnings of the streams are scattered: Knuth's hash. */
		if (streams)
			page = i % nr * 2654435761 + i / nr * size;
		page %= pages - size;
		if (pread(fd[i % nr], buf, size * 4096, page * 4096) != size * 4096)
			err(1, "pread");
	}
	mark(0);
}

int main(int argc, char **argv)
{
	unsigned int id;

	if (argc < 4)
		errx(2, "run|read|open|random|streams ID ...");
	id = atoi(argv[2]);
	if (!id || id > 63)
		errx(2, "%s: not a region", argv[2]);
	make_marks();
	if (!strcmp(argv[1], "run"))
		return run(id, argv + 3);
	if (argc == 6) {
		read_files(id, argv[3], atol(argv[4]), atol(argv[5]),
			   !strcmp(argv[1], "streams"));
		return 0;
	}
	if (argc != 5)
		errx(2, "read|open ID FILE N");
	if (!strcmp(argv[1], "read"))
		read_cached(id, argv[3], atol(argv[4]));
	else if (!strcmp(argv[1], "open"))
		open_close(id, argv[3], atol(argv[4]));
	else
		errx(2, "%s: unknown", argv[1]);
	return 0;
}
