// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes and the kernel between them: pipe, UNIX socket, eventfd and
 * futex next to a shared page. Whoever has nothing to do sleeps, but in
 * pipe-spin and unix-spin, which call again at once.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

/* Byte streams: a batch is one write(), and as many read() as it takes. */
struct stream {
	int up[2], down[2];		/* read and write end */
	u8 *buffer;			/* of the sender */
	u8 *peer;			/* of the peer */
};

#define STREAM_BYTES	(2 * MAX_BATCH * MAX_RECORD)

static struct stream *stream_new(struct chan *c)
{
	struct stream *s = calloc(1, sizeof(*s));

	s->buffer = shared_zalloc(STREAM_BYTES);
	s->peer = shared_zalloc(STREAM_BYTES);
	c->priv = s;
	return s;
}

/* O_NONBLOCK is SOCK_NONBLOCK, too. */
static int stream_flags(const struct chan *c)
{
	return c->ops->sleeps ? 0 : O_NONBLOCK;
}

static const char *pipe_open(struct chan *c)
{
	struct stream *s = stream_new(c);

	if (pipe2(s->up, stream_flags(c)) || pipe2(s->down, stream_flags(c)))
		return "pipe2() failed";
	/* Two of the largest batches have to fit, or both sides would block. */
	if (fcntl(s->up[1], F_SETPIPE_SZ, STREAM_BYTES) < 0 ||
	    fcntl(s->down[1], F_SETPIPE_SZ, STREAM_BYTES) < 0)
		return "F_SETPIPE_SZ failed";
	return NULL;
}

static const char *unix_open(struct chan *c)
{
	struct stream *s = stream_new(c);
	int sv[2], size = 2 * STREAM_BYTES;

	if (socketpair(AF_UNIX, SOCK_STREAM | stream_flags(c), 0, sv))
		return "socketpair() failed";
	for (int i = 0; i < 2; i++)
		if (setsockopt(sv[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) &&
		    setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
			return "SO_SNDBUF failed";
	s->up[1] = sv[0];
	s->up[0] = sv[1];
	s->down[1] = dup(sv[1]);
	s->down[0] = dup(sv[0]);
	return NULL;
}

static void stream_close(struct chan *c)
{
	struct stream *s = c->priv;

	for (int i = 0; i < 2; i++) {
		close(s->up[i]);
		close(s->down[i]);
	}
	free(s);
}

/* Bytes that read() or write() moved; none if it would have had to sleep. */
static size_t moved(ssize_t n)
{
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		err(2, "read or write");
	return n;
}

static void write_all(int fd, const u8 *p, size_t left)
{
	while (left) {
		size_t n = moved(write(fd, p, left));

		p += n;
		left -= n;
	}
}

/* At most @most bytes, and whole units of @size. Returns how many units. */
static u32 read_units(int fd, u8 *p, size_t size, size_t most)
{
	size_t have = 0;

	do {
		size_t want = have ? (have + size - 1) / size * size : most;

		have += moved(read(fd, p + have, want - have));
	} while (have % size);
	return have / size;
}

static u32 stream_put(struct chan *c, u32 nr)
{
	struct stream *s = c->priv;

	for (u32 n = 0; n < nr; n++, c->sent++)
		memcpy(s->buffer + (size_t)n * c->bytes, next_record(c), c->bytes);
	write_all(s->up[1], s->buffer, (size_t)nr * c->bytes);
	return nr;
}

static u32 stream_take(struct chan *c, struct record *rec, u32 nr)
{
	struct stream *s = c->priv;

	nr = read_units(s->up[0], s->peer, c->bytes, (size_t)nr * c->bytes);
	for (u32 n = 0; n < nr; n++) {
		memcpy(&rec[n], s->peer + (size_t)n * c->bytes, c->bytes);
		check_record(c, &rec[n]);
	}
	return nr;
}

static void stream_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct stream *s = c->priv;
	struct answer *a = (void *)s->peer;

	for (u32 n = 0; n < nr; n++)
		a[n] = (struct answer) { .n = rec[n].n, .value = answer_to(rec[n].n) };
	write_all(s->down[1], s->peer, nr * sizeof(*a));
}

static u32 stream_fetch(struct chan *c, u32 nr)
{
	struct stream *s = c->priv;
	struct answer *a = (void *)s->buffer;

	nr = read_units(s->down[0], s->buffer, sizeof(*a), nr * sizeof(*a));
	for (u32 n = 0; n < nr; n++)
		check_answer(c, a[n].n, a[n].value);
	return nr;
}

static const struct ops pipe_ops = {
	.name = "pipe", .sleeps = true, .put_only = true,
	.open = pipe_open, .close = stream_close, .put = stream_put,
	.take = stream_take, .reply = stream_reply, .fetch = stream_fetch,
};

static const struct ops unix_ops = {
	.name = "unix", .sleeps = true, .put_only = true,
	.open = unix_open, .close = stream_close, .put = stream_put,
	.take = stream_take, .reply = stream_reply, .fetch = stream_fetch,
};

static const struct ops pipe_spin_ops = {
	.name = "pipe-spin", .put_only = true,
	.note = "pipe-spin, unix-spin: O_NONBLOCK, both sides call again at once, nobody is woken",
	.open = pipe_open, .close = stream_close, .put = stream_put,
	.take = stream_take, .reply = stream_reply, .fetch = stream_fetch,
};

static const struct ops unix_spin_ops = {
	.name = "unix-spin", .put_only = true,
	.open = unix_open, .close = stream_close, .put = stream_put,
	.take = stream_take, .reply = stream_reply, .fetch = stream_fetch,
};

/* A shared page, and a call that wakes the other side. */
struct page {
	_Alignas(128) struct record rec;
	_Alignas(128) struct answer answer;
	_Alignas(128) u32 up;		/* futex words */
	_Alignas(128) u32 down;
	int up_fd, down_fd;
};

static const char *eventfd_open(struct chan *c)
{
	struct page *p = shared_zalloc(sizeof(*p));

	p->up_fd = eventfd(0, 0);
	p->down_fd = eventfd(0, 0);
	c->priv = p;
	return p->up_fd < 0 || p->down_fd < 0 ? "eventfd() failed" : NULL;
}

static void eventfd_close(struct chan *c)
{
	struct page *p = c->priv;

	close(p->up_fd);
	close(p->down_fd);
}

static void ring_bell(int fd)
{
	if (eventfd_write(fd, 1))
		err(2, "eventfd");
}

static void await_bell(int fd)
{
	eventfd_t v;

	if (eventfd_read(fd, &v))
		err(2, "eventfd");
}

static const char *futex_open(struct chan *c)
{
	c->priv = shared_zalloc(sizeof(struct page));
	return NULL;
}

/* Two processes would share the page, so these are not private futexes. */
static void futex_ring(u32 *word)
{
	smp_store_release(word, *word + 1);
	if (syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0)
		err(2, "futex");
}

static void futex_await(u32 *word, u32 old)
{
	while (smp_load_acquire(word) == old)
		syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void page_send(struct chan *c, struct page *p)
{
	memcpy(&p->rec, next_record(c), c->bytes);
	c->sent++;
}

static void page_take(struct chan *c, struct page *p, struct record *rec)
{
	memcpy(rec, &p->rec, c->bytes);
	check_record(c, rec);
}

static void page_reply(struct page *p, const struct record *rec)
{
	p->answer.n = rec->n;
	p->answer.value = answer_to(rec->n);
}

static u32 eventfd_put(struct chan *c, u32 nr)
{
	struct page *p = c->priv;

	page_send(c, p);
	ring_bell(p->up_fd);
	return nr;
}

static u32 eventfd_take(struct chan *c, struct record *rec, u32 nr)
{
	struct page *p = c->priv;

	await_bell(p->up_fd);
	page_take(c, p, rec);
	return nr;
}

static void eventfd_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct page *p = c->priv;

	(void)nr;
	page_reply(p, rec);
	ring_bell(p->down_fd);
}

static u32 eventfd_fetch(struct chan *c, u32 nr)
{
	struct page *p = c->priv;

	await_bell(p->down_fd);
	check_answer(c, p->answer.n, p->answer.value);
	return nr;
}

static u32 futex_put(struct chan *c, u32 nr)
{
	struct page *p = c->priv;

	page_send(c, p);
	futex_ring(&p->up);
	return nr;
}

static u32 futex_take(struct chan *c, struct record *rec, u32 nr)
{
	struct page *p = c->priv;

	futex_await(&p->up, (u32)c->taken);
	page_take(c, p, rec);
	return nr;
}

static void futex_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct page *p = c->priv;

	(void)nr;
	page_reply(p, rec);
	futex_ring(&p->down);
}

static u32 futex_fetch(struct chan *c, u32 nr)
{
	struct page *p = c->priv;

	futex_await(&p->down, (u32)c->got);
	check_answer(c, p->answer.n, p->answer.value);
	return nr;
}

static const struct ops eventfd_ops = {
	.name = "eventfd", .sleeps = true, .rtt_only = true,
	.open = eventfd_open, .close = eventfd_close, .put = eventfd_put,
	.take = eventfd_take, .reply = eventfd_reply, .fetch = eventfd_fetch,
};

static const struct ops futex_ops = {
	.name = "futex", .sleeps = true, .rtt_only = true,
	.open = futex_open, .put = futex_put,
	.take = futex_take, .reply = futex_reply, .fetch = futex_fetch,
};

const struct ops *const ipc_ops[] = {
	&eventfd_ops, &futex_ops, &pipe_ops, &unix_ops, &pipe_spin_ops,
	&unix_spin_ops, NULL
};
