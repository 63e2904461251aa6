// SPDX-License-Identifier: GPL-2.0
/* The library's half of the rings and its wake-up protocols; prints TAP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SLOTS		8
#define SLOT_SIZE	64

static int nr, failed;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++nr, what);
	failed += !good;
}

/* The kernel's half. */
static struct ml_lib_queue_ro *ro;
static struct ml_lib_queue_rw *rw;
static struct ml_ring_prod req;

static int submit(uint64_t cookie)
{
	struct ml_lib_request *r;
	void *slot;
	int err = ml_ring_prod_next(&req, &slot);

	if (err)
		return err;
	r = slot;
	r->cookie = cookie;
	ml_ring_prod_publish(&req, slot);
	return 0;
}

static void test_requests(struct mlagent *a)
{
	const struct ml_lib_request *r;
	int i, n = 0;

	ok(!mlagent_peek(a, 0, 0), "empty ring");
	for (i = 0; i < SLOTS; i++)
		submit(100 + i);
	ok(submit(0) == -ENOSPC, "full ring");
	for (i = 0; i < SLOTS; i++) {
		r = mlagent_peek(a, 0, i);
		n += r && r->cookie == 100ULL + i;
	}
	ok(n == SLOTS, "peek at all");
	mlagent_release(a, 0, 3);
	ok(rw->req_cons == 3 && !submit(108), "release makes room");
	mlagent_release(a, 0, SLOTS - 2);
	ok(!mlagent_peek(a, 0, 0), "empty again");
}

static void test_decisions(struct mlagent *a)
{
	const struct ml_lib_decision *d = (void *)rw->dec;
	int32_t out[1] = { 42 };
	int i, err = 0;

	for (i = 0; i < SLOTS; i++)
		err |= mlagent_decide(a, 0, i, ML_LIB_DECISION_EXPLORE, out, 1);
	ok(!err && d[1].seq == 2 && d[1].cookie == 1 && d[1].out[0] == 42 &&
	   d[1].out[1] == 0 && d[1].flags == ML_LIB_DECISION_EXPLORE,
	   "decisions as written");
	ok(mlagent_decide(a, 0, 9, 0, out, 1) == -ENOSPC, "decision ring full");
	ok(mlagent_pending(a, 0) == SLOTS, "pending");

	ok(!mlagent_kick_due(a, 0, 1000), "no kick at first");
	ok(!mlagent_kick_due(a, 0, 1000 + MLAGENT_KICK_NS - 1), "not early");
	ro->dec_cons = 1;
	ok(!mlagent_kick_due(a, 0, 1000 + MLAGENT_KICK_NS), "the kernel moved");
	ok(mlagent_kick_due(a, 0, 1000 + 2 * MLAGENT_KICK_NS), "it stood still");
	ro->need_kick = 1;
	ok(mlagent_kick_due(a, 0, 2000 + 2 * MLAGENT_KICK_NS), "need_kick");
	ro->dec_cons = SLOTS;
	ok(!mlagent_kick_due(a, 0, 0), "nothing pending, no kick");
	ro->need_kick = 0;
	ro->dec_cons = 2 * SLOTS;
	for (i = 0; i < SLOTS && !err; i++)
		err = mlagent_decide(a, 0, i, 0, out, 1);
	ok(mlagent_decide(a, 0, i, 0, out, 1) == -EPROTO,
	   "impossible position of the kernel");
}

static void test_batches(struct mlagent *a)
{
	const struct ml_lib_decision *d = (void *)rw->dec;
	const struct ml_lib_request *r[SLOTS];
	struct ml_lib_decision dec[SLOTS] = { 0 };
	u32 first = req.pos, pos = ro->dec_cons;
	int i, n;

	ok(!mlagent_peek_batch(a, 0, r, SLOTS), "batch from an empty ring");
	for (i = 0; i < SLOTS - 1; i++)
		submit(200 + i);
	ok(mlagent_peek_batch(a, 0, r, SLOTS) == SLOTS - 1, "all there are");
	n = mlagent_peek_batch(a, 0, r, 3);
	ok(n == 3 && r[0] == mlagent_peek(a, 0, 0) && r[2]->cookie == 202,
	   "no more than asked for");
	mlagent_release(a, 0, SLOTS - 1);
	ok(rw->req_cons == first + SLOTS - 1, "release a batch");

	for (i = 0; i < SLOTS; i++) {
		dec[i].flags = i & 1;
		dec[i].cookie = 300 + i;
		dec[i].out[3] = -i;
	}
	mlagent_decide_soon(a, 0, SLOTS);
	mlagent_decide_now(a, 0);
	ok(mlagent_decide_batch(a, 0, dec, 5) == 5, "decide a batch");
	ok(mlagent_decide_batch(a, 0, dec + 5, SLOTS - 2) == SLOTS - 5,
	   "as many as there is room for");
	ok(mlagent_decide_batch(a, 0, dec, 1) == -ENOSPC, "no room at all");
	for (i = n = 0; i < SLOTS; i++) {
		const struct ml_lib_decision *s = &d[(pos + i) % SLOTS];

		n += s->seq == pos + i + 1 && s->cookie == 300ULL + i &&
		     s->flags == (i & 1U) && !s->out[0] && s->out[3] == -i;
	}
	ok(n == SLOTS, "a batch as written");
	ro->dec_cons = pos + SLOTS;
}

static void test_sleep(struct mlagent *a)
{
	u32 first, second;

	ok(mlagent_sleep_begin(a), "may sleep");
	first = rw->need_wakeup;
	mlagent_sleep_end(a);
	ok(first & 1 && !(rw->need_wakeup & 1), "odd asleep, even awake");
	submit(1);
	ok(!mlagent_sleep_begin(a), "stays awake for a request");
	second = rw->need_wakeup;
	mlagent_sleep_end(a);
	ok(second & 1 && second != first, "a new odd number each time");
}

static void test_state(struct mlagent *a)
{
	ro->state = ML_LIB_SESSION_RUNNING;
	ro->epoch = 7;
	a->epoch = 7;
	ok(!mlagent_state(a), "running");
	ro->epoch = 8;
	ok(mlagent_state(a) == -ESTALE, "another epoch");
	ro->state = ML_LIB_SESSION_BROKEN;
	ok(mlagent_state(a) == -EPROTO, "broken");
	ro->state = ML_LIB_SESSION_STOPPED;
	ok(mlagent_state(a) == -ESHUTDOWN, "stopped");
}

int main(void)
{
	static struct mlagent_queue queue;
	struct mlagent agent = {
		.setup.nr_slots = SLOTS, .nr_queues = 1, .queue = &queue,
	};
	struct mlagent *none;

	ro = aligned_alloc(ML_LIB_LINE, sizeof(*ro) + SLOTS * SLOT_SIZE);
	rw = aligned_alloc(ML_LIB_LINE, sizeof(*rw) +
			   SLOTS * sizeof(struct ml_lib_decision));
	if (!ro || !rw)
		return 2;
	memset(ro, 0, sizeof(*ro) + SLOTS * SLOT_SIZE);
	memset(rw, 0, sizeof(*rw) + SLOTS * sizeof(struct ml_lib_decision));
	req = (struct ml_ring_prod) {
		.slots = ro->req, .cons = &rw->req_cons, .mask = SLOTS - 1,
		.slot_size = SLOT_SIZE,
	};
	mlagent_queue_init(&queue, ro, rw, SLOTS, SLOT_SIZE);

	test_requests(&agent);
	test_decisions(&agent);
	ro->dec_cons = queue.dec.pos;
	test_batches(&agent);
	test_sleep(&agent);
	test_state(&agent);
	ok(mlagent_open(&none, "/nonexistent") == -ENOENT &&
	   strstr(mlagent_error(), "CONFIG_ML_LIB"), "no device: the remedy");
	printf("1..%d\n", nr);
	free(ro);
	free(rw);
	return failed ? 1 : 0;
}
