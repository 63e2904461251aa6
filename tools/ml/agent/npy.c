// SPDX-License-Identifier: GPL-2.0
/*
 * NPY format 1.0: magic, version, length of the header, header, rows. The header
 * is a Python dict literal, padded with spaces to a multiple of 64 bytes; it is
 * made long enough for any number of rows, so it can be patched in place.
 *
 * Two buffers: one collects while the other is written. A write goes through
 * the states DATA (rows) and HEADER (their number), then the next may begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "npy.h"

#define BUFFER_SIZE	(256 * 1024)
#define PREFIX		10	/* magic, version, length */
#define ALIGNMENT	64

enum state { IDLE, DATA, HEADER };

struct npy {
	struct loop_write write;	/* first: done() gets its address */
	struct loop *loop;
	char *path;
	char *descr;
	char *header;
	size_t header_len;
	size_t row_size;
	char *buf[2];
	unsigned int filling;		/* index of the buffer that collects */
	size_t used;			/* bytes in it */
	enum state state;
	uint64_t written;		/* rows in the file, and in its header */
	uint64_t writing;		/* rows on their way */
	uint64_t lost;
	int error;
};

/* Return: length of the header with padding. */
static size_t format_header(struct npy *npy, char *buf, size_t size,
			    uint64_t rows)
{
	int n = snprintf(buf, size,
			 "{'descr': %s, 'fortran_order': False, 'shape': (%" PRIu64 ",), }",
			 npy->descr, rows);

	return (PREFIX + n + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void make_header(struct npy *npy, uint64_t rows)
{
	size_t len = npy->header_len - PREFIX;
	char *dict = npy->header + PREFIX;

	memcpy(npy->header, "\x93NUMPY\x01\x00", 8);
	npy->header[8] = len & 0xff;
	npy->header[9] = len >> 8;
	format_header(npy, dict, len, rows);
	memset(dict + strlen(dict), ' ', len - strlen(dict));
	dict[len - 1] = '\n';
}

static void write_done(struct loop_write *w, int err)
{
	struct npy *npy = (struct npy *)w;

	if (err) {
		npy->state = IDLE;
		npy->error = err;
		npy->lost += npy->writing + npy->used / npy->row_size;
		warn("%s: %s: recording to this file stops with %" PRIu64 " rows, deciding goes on",
		     npy->path, strerror(-err), npy->written);
		return;
	}
	if (npy->state == HEADER) {
		npy->state = IDLE;
		npy->written += npy->writing;
		npy->writing = 0;
		return;
	}

	npy->state = HEADER;
	make_header(npy, npy->written + npy->writing);
	w->buf = npy->header;
	w->len = npy->header_len;
	w->off = 0;
	npy->loop->ops->write(npy->loop, w);
}

int npy_create(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
}

struct npy *npy_open(struct loop *loop, const char *path, const char *descr,
		     size_t row_size)
{
	struct npy *npy = calloc(1, sizeof(*npy));

	if (!npy)
		return NULL;
	npy->loop = loop;
	npy->row_size = row_size;
	npy->write.done = write_done;
	npy->write.fd = -1;
	npy->path = strdup(path);
	npy->descr = strdup(descr);
	npy->buf[0] = malloc(BUFFER_SIZE);
	npy->buf[1] = malloc(BUFFER_SIZE);
	if (!npy->path || !npy->descr || !npy->buf[0] || !npy->buf[1])
		goto fail;
	npy->header_len = format_header(npy, NULL, 0, UINT64_MAX);
	if (npy->header_len - PREFIX > UINT16_MAX) {
		errno = E2BIG;
		goto fail;
	}
	npy->header = malloc(npy->header_len);
	if (!npy->header)
		goto fail;

	npy->write.fd = npy_create(path);
	if (npy->write.fd < 0)
		goto fail;
	make_header(npy, 0);
	if (write(npy->write.fd, npy->header, npy->header_len) !=
	    (ssize_t)npy->header_len)
		goto fail;
	return npy;

fail:
	if (npy->write.fd >= 0)
		close(npy->write.fd);
	npy->write.fd = -1;
	npy->error = errno ? -errno : -EIO;
	npy_close(npy);
	return NULL;
}

void npy_flush(struct npy *npy)
{
	struct loop_write *w = &npy->write;

	if (npy->state != IDLE || npy->error || !npy->used)
		return;
	npy->state = DATA;
	npy->writing = npy->used / npy->row_size;
	w->buf = npy->buf[npy->filling];
	w->len = npy->used;
	w->off = npy->header_len + npy->written * npy->row_size;
	npy->filling ^= 1;
	npy->used = 0;
	npy->loop->ops->write(npy->loop, w);
}

void *npy_row(struct npy *npy)
{
	char *row;

	if (npy->used + npy->row_size > BUFFER_SIZE)
		npy_flush(npy);
	if (npy->error || npy->used + npy->row_size > BUFFER_SIZE) {
		npy->lost++;
		return NULL;
	}
	row = npy->buf[npy->filling] + npy->used;
	npy->used += npy->row_size;
	return row;
}

uint64_t npy_close(struct npy *npy)
{
	int err = errno;
	uint64_t lost;

	if (!npy)
		return 0;
	if (npy->write.fd >= 0) {
		loop_drain(npy->loop);
		npy_flush(npy);
		loop_drain(npy->loop);
		close(npy->write.fd);
	}
	lost = npy->lost;
	free(npy->buf[0]);
	free(npy->buf[1]);
	free(npy->header);
	free(npy->descr);
	free(npy->path);
	free(npy);
	errno = err;
	return lost;
}
