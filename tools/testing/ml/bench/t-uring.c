// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring, as ublk and FUSE use it between kernel and process.
 *
 *	uring-nop	a NOP and its completion: one syscall, nobody is woken
 *	uring-sqpoll	the same by the kernel's polling thread on the peer's
 *			CPU: no syscall, two cores
 *	uring-msg	MSG_RING from ring to ring, both sides spin on their
 *			completion queue; content in a shared page
 *	uring-msg-sleep	the same, both sides sleep
 */
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ENTRIES	1024
#define OWN	(~0ULL)		/* user_data of what a side sent itself */

struct uring {
	struct io_uring a, b;
	bool two;
	_Alignas(128) struct record rec;
	_Alignas(128) struct answer answer;
};

static const char *refused(int err)
{
	if (err == -EPERM)
		return "io_uring is not permitted here";
	if (err == -ENOSYS)
		return "the kernel has no io_uring";
	return "io_uring cannot be set up";
}

static struct uring *uring_new(struct chan *c)
{
	c->priv = shared_zalloc(sizeof(struct uring));
	return c->priv;
}

static const char *nop_open(struct chan *c)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	int ret = io_uring_queue_init_params(ENTRIES, &uring_new(c)->a, &p);

	return ret ? refused(ret) : NULL;
}

static const char *sqpoll_open(struct chan *c)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF,
		.sq_thread_cpu = cpu_peer,
		.sq_thread_idle = 1,	/* ms */
	};
	int ret = io_uring_queue_init_params(ENTRIES, &uring_new(c)->a, &p);

	return ret ? refused(ret) : NULL;
}

static const char *msg_open(struct chan *c)
{
	struct uring *u = uring_new(c);
	int ret = io_uring_queue_init(ENTRIES, &u->a, 0);

	if (!ret)
		ret = io_uring_queue_init(ENTRIES, &u->b, 0);
	u->two = true;
	return ret ? refused(ret) : NULL;
}

static void uring_close(struct chan *c)
{
	struct uring *u = c->priv;

	io_uring_queue_exit(&u->a);
	if (u->two)
		io_uring_queue_exit(&u->b);
}

static u32 fill_nops(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;
	u32 n;

	for (n = 0; n < nr; n++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&u->a);

		if (!sqe)
			break;
		io_uring_prep_nop(sqe);
		sqe->user_data = c->sent++;
	}
	return n;
}

/* The syscall that submits also waits: NOPs complete at once. */
static u32 nop_put(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;

	nr = fill_nops(c, nr);
	if (io_uring_submit_and_wait(&u->a, nr) < 0)
		err(2, "io_uring");
	return nr;
}

static u32 sqpoll_put(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;

	nr = fill_nops(c, nr);
	io_uring_submit(&u->a);
	return nr;
}

static u32 nop_fetch(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;
	struct io_uring_cqe *cqe;
	unsigned int head;
	u32 n = 0;

	io_uring_for_each_cqe(&u->a, head, cqe) {
		if (cqe->res || cqe->user_data != c->got)
			c->wrong++;
		c->got++;
		if (++n == nr)
			break;
	}
	io_uring_cq_advance(&u->a, n);
	return n;
}

static void send_msg(struct io_uring *from, struct io_uring *to, u64 n)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(from);

	io_uring_prep_msg_ring(sqe, to->ring_fd, 0, n, 0);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = OWN;
	if (io_uring_submit(from) != 1)
		errx(2, "MSG_RING");
}

/* Returns false if there is none yet. */
static bool get_msg(struct io_uring *ring, struct io_uring *other, bool sleep,
		    u64 last, u64 *n)
{
	struct io_uring_cqe *cqe;
	int ret = sleep ? io_uring_wait_cqe(ring, &cqe) : io_uring_peek_cqe(ring, &cqe);

	if (ret)
		return false;
	*n = cqe->user_data;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (*n != OWN)
		return true;
	/* What this side sent last did not go through: once more. */
	if (ret != -EAGAIN && ret != -EOVERFLOW)
		errx(2, "MSG_RING: %s", strerror(-ret));
	send_msg(ring, other, last);
	return false;
}

static u32 msg_put(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;

	memcpy(&u->rec, next_record(c), c->bytes);
	send_msg(&u->a, &u->b, c->sent++);
	return nr;
}

static u32 msg_take(struct chan *c, struct record *rec, u32 nr)
{
	struct uring *u = c->priv;
	u64 n;

	if (!get_msg(&u->b, &u->a, c->ops->sleeps, c->taken - 1, &n))
		return 0;
	memcpy(rec, &u->rec, c->bytes);
	c->wrong_taken += n != c->taken;
	check_record(c, rec);
	return nr;
}

static void msg_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct uring *u = c->priv;

	(void)nr;
	u->answer.n = rec->n;
	u->answer.value = answer_to(rec->n);
	send_msg(&u->b, &u->a, rec->n);
}

static u32 msg_fetch(struct chan *c, u32 nr)
{
	struct uring *u = c->priv;
	u64 n;

	if (!get_msg(&u->a, &u->b, c->ops->sleeps, c->sent - 1, &n))
		return 0;
	c->wrong += n != c->got;
	check_answer(c, u->answer.n, u->answer.value);
	return nr;
}

static const struct ops nop = {
	.name = "uring-nop", .kernel = true,
	.note = "uring-nop, uring-sqpoll: no content, the kernel answers itself",
	.open = nop_open, .close = uring_close, .put = nop_put, .fetch = nop_fetch,
};

static const struct ops sqpoll = {
	.name = "uring-sqpoll", .kernel = true,
	.open = sqpoll_open, .close = uring_close, .put = sqpoll_put,
	.fetch = nop_fetch,
};

static const struct ops msg = {
	.name = "uring-msg", .rtt_only = true,
	.open = msg_open, .close = uring_close, .put = msg_put,
	.take = msg_take, .reply = msg_reply, .fetch = msg_fetch,
};

static const struct ops msg_sleep = {
	.name = "uring-msg-sleep", .sleeps = true, .rtt_only = true,
	.open = msg_open, .close = uring_close, .put = msg_put,
	.take = msg_take, .reply = msg_reply, .fetch = msg_fetch,
};

const struct ops *const uring_ops[] = { &nop, &sqpoll, &msg, &msg_sleep, NULL };
