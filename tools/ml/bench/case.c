// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "case.h"

int case_open(struct bench_case *c, const char *path)
{
	const struct case_head *h;
	struct stat st;
	size_t size;
	void *p;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	h = p;
	if (p == MAP_FAILED || (size_t)st.st_size < sizeof(*h) ||
	    memcmp(h->magic, "ml_case1", sizeof(h->magic))) {
		fprintf(stderr, "%s: not a case\n", path);
		return -1;
	}
	c->head = h;
	c->field = (const void *)(h + 1);
	c->payload = (const void *)(c->field + h->nr_features + h->nr_outputs);
	c->input = (const void *)(c->payload +
				  (size_t)h->nr_rows * h->feature_bytes);
	size = (const char *)(c->input + (size_t)(h->nr_rows + h->extra) *
			      h->nr_features) - (const char *)p;
	if (size != (size_t)st.st_size) {
		fprintf(stderr, "%s: has %zu bytes, not %zu\n", path,
			(size_t)st.st_size, size);
		return -1;
	}
	return 0;
}
