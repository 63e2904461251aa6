// SPDX-License-Identifier: GPL-2.0
/*
 * What the hardware allows, and a well-kept ring in user space.
 *
 *	pingpong	one word on one cache line each way, nothing else: the
 *			least time that two cores need for question and answer
 *	memcpy		the same bytes copied into shared memory and out of it,
 *			one index for a whole batch: the least time that two
 *			cores need to hand over content. Each line has to move
 *			from the writer's cache to the reader's and back, which
 *			a memcpy() by one core alone does not show.
 *	ck_ring		Concurrency Kit's ring, one producer and one consumer
 */
#include <string.h>

#include <ck_ring.h>

#include "bench.h"

struct line {
	_Alignas(128) u64 word;
};

struct lines {
	struct line up, down;
};

static const char *pingpong_open(struct chan *c)
{
	c->priv = shared_zalloc(sizeof(struct lines));
	return NULL;
}

static void pingpong_rtt(struct chan *c, u32 nr, u32 *ns)
{
	struct lines *l = c->priv;
	u64 n = c->sent, t = tsc(), now;

	for (u32 i = 0; i < nr; i++) {
		n++;
		smp_store_release(&l->up.word, n);
		while (smp_load_acquire(&l->down.word) != n)
			;
		now = tsc();
		ns[i] = tsc_ns(now - t);
		t = now;
	}
	c->sent = n;
	c->got = n;
}

static void pingpong_serve(struct chan *c, u64 nr)
{
	struct lines *l = c->priv;
	u64 n = c->taken, end = n + nr;

	while (n < end) {
		n++;
		while (smp_load_acquire(&l->up.word) != n)
			;
		smp_store_release(&l->down.word, n);
	}
	c->taken = n;
}

static const struct ops pingpong = {
	.name = "pingpong", .rtt_only = true, .open = pingpong_open,
	.rtt = pingpong_rtt, .serve = pingpong_serve,
};

/* One direction; each side remembers what it last saw of the other. */
struct half {
	_Alignas(128) u64 head;
	_Alignas(128) u64 tail;
	_Alignas(128) u64 head_seen, taken;
	_Alignas(128) u64 tail_seen, sent;
	u8 *data;
	u32 size;
};

struct halves {
	struct half up, down;
};

static const char *memcpy_open(struct chan *c)
{
	struct halves *h = shared_zalloc(sizeof(*h));

	h->up.size = c->bytes;
	h->down.size = sizeof(struct answer);
	h->up.data = shared_zalloc((size_t)h->up.size * RING_SLOTS);
	h->down.data = shared_zalloc((size_t)h->down.size * RING_SLOTS);
	c->priv = h;
	return NULL;
}

static u32 half_room(struct half *h, u32 nr)
{
	u64 room = RING_SLOTS - (h->sent - h->tail_seen);

	if (room < nr) {
		h->tail_seen = smp_load_acquire(&h->tail);
		room = RING_SLOTS - (h->sent - h->tail_seen);
	}
	return room < nr ? room : nr;
}

static u32 half_ready(struct half *h, u32 nr)
{
	if (h->head_seen == h->taken)
		h->head_seen = smp_load_acquire(&h->head);
	return h->head_seen - h->taken < nr ? h->head_seen - h->taken : nr;
}

static void *half_slot(struct half *h, u64 n)
{
	return h->data + n % RING_SLOTS * h->size;
}

static u32 memcpy_put(struct chan *c, u32 nr)
{
	struct half *h = &((struct halves *)c->priv)->up;

	nr = half_room(h, nr);
	for (u32 n = 0; n < nr; n++) {
		memcpy(half_slot(h, h->sent++), next_record(c), h->size);
		c->sent++;
	}
	if (nr)
		smp_store_release(&h->head, h->sent);
	return nr;
}

static u32 memcpy_take(struct chan *c, struct record *rec, u32 nr)
{
	struct half *h = &((struct halves *)c->priv)->up;

	nr = half_ready(h, nr);
	for (u32 n = 0; n < nr; n++) {
		memcpy(&rec[n], half_slot(h, h->taken++), h->size);
		check_record(c, &rec[n]);
	}
	if (nr)
		smp_store_release(&h->tail, h->taken);
	return nr;
}

static void memcpy_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct half *h = &((struct halves *)c->priv)->down;
	u32 done = 0;

	while (done < nr) {
		u32 some = half_room(h, nr - done);

		for (u32 n = 0; n < some; n++, done++) {
			struct answer *a = half_slot(h, h->sent++);

			a->n = rec[done].n;
			a->value = answer_to(rec[done].n);
		}
		if (some)
			smp_store_release(&h->head, h->sent);
	}
}

static u32 memcpy_fetch(struct chan *c, u32 nr)
{
	struct half *h = &((struct halves *)c->priv)->down;

	nr = half_ready(h, nr);
	for (u32 n = 0; n < nr; n++) {
		struct answer a;

		memcpy(&a, half_slot(h, h->taken++), sizeof(a));
		check_answer(c, a.n, a.value);
	}
	if (nr)
		smp_store_release(&h->tail, h->taken);
	return nr;
}

static const struct ops memcpy_ops = {
	.name = "memcpy", .open = memcpy_open, .put_only = true,
	.note = "memcpy: the same bytes in and out of shared memory, one index per batch",
	.put = memcpy_put, .take = memcpy_take, .reply = memcpy_reply,
	.fetch = memcpy_fetch,
};

/* Concurrency Kit copies elements of a type: one for each payload. */
struct ck {
	ck_ring_t up;
	ck_ring_t down;
	void *up_buffer;
	void *down_buffer;
};

struct rec16 { u64 w[(HEADER_BYTES + 16) / 8]; };
struct rec48 { u64 w[(HEADER_BYTES + 48) / 8]; };
struct rec64 { u64 w[(HEADER_BYTES + 64) / 8]; };
struct rec128 { u64 w[(HEADER_BYTES + 128) / 8]; };
struct rec256 { u64 w[(HEADER_BYTES + 256) / 8]; };

CK_RING_PROTOTYPE(rec16, rec16)
CK_RING_PROTOTYPE(rec48, rec48)
CK_RING_PROTOTYPE(rec64, rec64)
CK_RING_PROTOTYPE(rec128, rec128)
CK_RING_PROTOTYPE(rec256, rec256)
CK_RING_PROTOTYPE(answer, answer)

static const char *ck_open(struct chan *c)
{
	struct ck *k = shared_zalloc(sizeof(*k));

	ck_ring_init(&k->up, RING_SLOTS);
	ck_ring_init(&k->down, RING_SLOTS);
	k->up_buffer = shared_zalloc((size_t)c->bytes * RING_SLOTS);
	k->down_buffer = shared_zalloc(sizeof(struct answer) * RING_SLOTS);
	c->priv = k;
	return NULL;
}

static bool ck_enqueue(struct chan *c, struct ck *k, const struct record *r)
{
	switch (c->payload) {
	case 16: return ck_ring_enqueue_spsc_rec16(&k->up, k->up_buffer, (void *)r);
	case 48: return ck_ring_enqueue_spsc_rec48(&k->up, k->up_buffer, (void *)r);
	case 64: return ck_ring_enqueue_spsc_rec64(&k->up, k->up_buffer, (void *)r);
	case 128: return ck_ring_enqueue_spsc_rec128(&k->up, k->up_buffer, (void *)r);
	default: return ck_ring_enqueue_spsc_rec256(&k->up, k->up_buffer, (void *)r);
	}
}

static bool ck_dequeue(struct chan *c, struct ck *k, struct record *r)
{
	switch (c->payload) {
	case 16: return ck_ring_dequeue_spsc_rec16(&k->up, k->up_buffer, (void *)r);
	case 48: return ck_ring_dequeue_spsc_rec48(&k->up, k->up_buffer, (void *)r);
	case 64: return ck_ring_dequeue_spsc_rec64(&k->up, k->up_buffer, (void *)r);
	case 128: return ck_ring_dequeue_spsc_rec128(&k->up, k->up_buffer, (void *)r);
	default: return ck_ring_dequeue_spsc_rec256(&k->up, k->up_buffer, (void *)r);
	}
}

static u32 ck_put(struct chan *c, u32 nr)
{
	u32 n;

	for (n = 0; n < nr && ck_enqueue(c, c->priv, next_record(c)); n++)
		c->sent++;
	return n;
}

static u32 ck_take(struct chan *c, struct record *rec, u32 nr)
{
	u32 n;

	for (n = 0; n < nr && ck_dequeue(c, c->priv, &rec[n]); n++)
		check_record(c, &rec[n]);
	return n;
}

static bool ck_ready(struct chan *c, u32 nr)
{
	struct ck *k = c->priv;

	return ck_ring_size(&k->up) >= nr;
}

static void ck_reply(struct chan *c, const struct record *rec, u32 nr)
{
	struct ck *k = c->priv;

	for (u32 n = 0; n < nr; n++) {
		struct answer a = { .n = rec[n].n, .value = answer_to(rec[n].n) };

		while (!ck_ring_enqueue_spsc_answer(&k->down, k->down_buffer, &a))
			;
	}
}

static u32 ck_fetch(struct chan *c, u32 nr)
{
	struct ck *k = c->priv;
	struct answer a;
	u32 n;

	for (n = 0; n < nr; n++) {
		if (!ck_ring_dequeue_spsc_answer(&k->down, k->down_buffer, &a))
			break;
		check_answer(c, a.n, a.value);
	}
	return n;
}

static const struct ops ck = {
	.name = "ck_ring", .open = ck_open, .put_only = true,
	.put = ck_put, .ready = ck_ready, .take = ck_take, .reply = ck_reply,
	.fetch = ck_fetch,
};

const struct ops *const mem_ops[] = { &pingpong, &memcpy_ops, &ck, NULL };
