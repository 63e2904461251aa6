// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest agent of ML_LIB: answers sample/threshold with a fixed rule.
 *
 * The rule is "a second from now it is as it is now": the threshold is the
 * feature "free". Needs root; ends when the kernel ends the session. It does
 * not choose the mode, so nothing is applied before "mlctl on sample/threshold".
 *
 * Build it with CONFIG_SAMPLE_ML_AGENT, or, after "make headers_install", with
 * -Iusr/include -Itools/ml/include -Ilib/ml at the top of the kernel.
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/ml_lib.h>

#include "ring.h"

#define PROXY	"sample/threshold"

static int dev;
static u32 proxy_id;
static u32 free_offset;		/* of the feature in the payload */
static struct ml_lib_queue_rw *rw;
static struct ml_ring_cons req;
static struct ml_ring_prod dec;

/* Find the proxy, and the feature in its schema. */
static u64 find_proxy(u32 *feature_bytes)
{
	struct ml_lib_field field[ML_LIB_MAX_FEATURES + ML_LIB_MAX_OUTPUTS];
	struct ml_lib_proxy p = { .size = sizeof(p) };
	struct ml_lib_schema s = {
		.size = sizeof(s),
		.fields = (uintptr_t)field,
		.nr_fields = ML_LIB_MAX_FEATURES + ML_LIB_MAX_OUTPUTS,
		.field_size = sizeof(field[0]),
	};

	for (; ; p.id++) {
		if (ioctl(dev, ML_LIB_IOC_PROXY, &p))
			err(1, "no proxy " PROXY);
		if (!strcmp(p.name, PROXY))
			break;
	}
	s.id = p.id;
	if (ioctl(dev, ML_LIB_IOC_SCHEMA, &s))
		err(1, "schema");
	for (u32 i = 0; i < p.nr_features; i++) {
		if (strcmp(field[i].name, "free") || field[i].type != ML_LIB_U32)
			continue;
		free_offset = field[i].offset;
		proxy_id = p.id;
		*feature_bytes = p.feature_bytes;
		return p.schema_hash;
	}
	errx(1, PROXY " has no feature free of type u32");
}

static void set_up(u32 feature_bytes)
{
	struct ml_lib_setup s = {
		.size = sizeof(s),
		.nr_queues = 1,
		.nr_slots = 64,
		.payload = feature_bytes,
	};
	struct ml_lib_queue_ro *ro;

	if (ioctl(dev, ML_LIB_IOC_SETUP, &s))
		err(1, "setup");
	ro = mmap(NULL, s.bytes_ro, PROT_READ, MAP_SHARED, dev, s.offset_ro);
	rw = mmap(NULL, s.bytes_rw, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
		  s.offset_rw);
	if (ro == MAP_FAILED || rw == MAP_FAILED)
		err(1, "mmap");

	req = (struct ml_ring_cons){
		.slots = ro->req, .cons = &rw->req_cons,
		.mask = s.nr_slots - 1, .slot_size = s.slot_size,
	};
	dec = (struct ml_ring_prod){
		.slots = rw->dec, .cons = &ro->dec_cons,
		.mask = s.nr_slots - 1,
		.slot_size = sizeof(struct ml_lib_decision),
	};
}

static void decide(const struct ml_lib_request *r)
{
	struct ml_lib_decision *d;
	void *slot;
	u32 value;

	/* A full ring cannot happen: KICK follows each batch. */
	if (ml_ring_prod_next(&dec, &slot))
		errx(1, "no room for a decision");
	memcpy(&value, r->payload + free_offset, sizeof(value));
	d = slot;
	d->flags = 0;
	d->cookie = r->cookie;
	memset(d->out, 0, sizeof(d->out));
	d->out[0] = value;
	ml_ring_prod_publish(&dec, slot);
}

static void show(const struct ml_lib_request *r)
{
	struct ml_lib_feedback fb;

	memcpy(&fb, r->payload, sizeof(fb));
	printf("%s threshold=%d cost=%llu\n",
	       fb.arm == ML_LIB_ARM_MODEL ? "model  " : "default",
	       fb.applied[0], (unsigned long long)fb.cost);
	fflush(stdout);
}

/* Take all records that are there. Returns how many were answered. */
static u32 work(void)
{
	const struct ml_lib_request *r;
	u32 n = 0;

	while ((r = ml_ring_cons_peek(&req, 0))) {
		if (r->type == ML_LIB_RECORD_FEEDBACK) {
			show(r);
		} else if (r->type == ML_LIB_RECORD_REQUEST) {
			decide(r);
			n++;
		}
		ml_ring_cons_release(&req, 1);
		if (n > dec.mask)
			break;
	}
	return n;
}

int main(void)
{
	struct ml_lib_attach attach = { .size = sizeof(attach) };
	struct ml_lib_start start = { .size = sizeof(start) };
	struct ml_lib_kick kick = { .size = sizeof(kick) };
	struct pollfd pfd = { .events = POLLIN };
	u32 feature_bytes, token = 0;

	dev = open("/dev/ml_lib", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		err(1, "/dev/ml_lib");
	pfd.fd = dev;
	attach.schema_hash = find_proxy(&feature_bytes);
	attach.id = proxy_id;
	set_up(feature_bytes);
	if (ioctl(dev, ML_LIB_IOC_ATTACH, &attach))
		err(1, "attach");
	if (ioctl(dev, ML_LIB_IOC_START, &start))
		err(1, "start");

	while (!(pfd.revents & (POLLERR | POLLHUP))) {
		while (work())
			if (ioctl(dev, ML_LIB_IOC_KICK, &kick))
				err(1, "kick");
		/* Ask to be woken, then sleep unless poll() finds something. */
		WRITE_ONCE(rw->need_wakeup, ++token);
		if (poll(&pfd, 1, -1) < 0)
			err(1, "poll");
		WRITE_ONCE(rw->need_wakeup, ++token);
	}
	errx(1, "the session has ended");
}
