// SPDX-License-Identifier: GPL-2.0
/* The kernel's side of ML_LIB in user space. A session is put together as
 * session.c does it, without what belongs to files and processes.
 */
#include <sys/mman.h>

#include <linux/ml_lib.h>

#include "advice.h"
#include "proxy.h"
#include "session.h"

#include "kside.h"

#define PAGE_ALIGN(n)	(((n) + 4095) & ~4095UL)

__thread u32 bench_cpu;
__thread size_t bench_percpu;
unsigned long jiffies = 1;

struct kside {
	struct ml_session session;
	struct ml_proxy proxy;
	struct ml_schema schema;
	char name[ML_LIB_NAME_LEN];
	struct kside_map map;
	u32 nr_queues;
	void (*wake)(void *arg);
	void (*wait)(void *arg);
	void *arg;
};

static const struct ml_lib_field feature = {
	.name = "n", .unit = "1", .type = ML_LIB_U64, .scale = 1, .max = S32_MAX,
};

static const struct ml_lib_field outputs[] = {
	ML_OUTPUT(0, "answer", "1", 1, 0, 65535),
	ML_OUTPUT(1, "second", "1", 1, 0, 63),
};

/* As session.c has them, for proxy.c to link. */
void ml_session_break(struct ml_session *s)
{
	WRITE_ONCE(s->state, ML_LIB_SESSION_BROKEN);
}

void ml_session_put_soon(struct ml_session *s)
{
	s->ref.refs--;
}

void ml_session_detach(struct ml_session *s, struct ml_proxy_core *core)
{
	s->attached[core->slot] = NULL;
	core->attached = NULL;
	core->session = NULL;
}

/* Nobody turns a proxy off here. */
void ml_session_refuse(struct ml_session *s, struct ml_proxy_core *core)
{
}

static void wake(struct irq_work *work)
{
	struct kside *k = container_of(work, struct kside, session.wake);

	if (k->wake)
		k->wake(k->arg);
}

void bench_wait(wait_queue_head_t *wq)
{
	struct kside *k = container_of(wq, struct kside, session.answer_wq);

	if (k->wait)
		k->wait(k->arg);
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct kside *kside_new(u32 nr_queues, u32 nr_slots, u32 payload,
			struct kside_map *map)
{
	static u32 number;
	struct kside *k = bench_zalloc(sizeof(*k));
	struct ml_session *s = &k->session;

	/* As in ml_session_setup(). */
	payload = max_t(u32, payload, sizeof(struct ml_lib_feedback));
	map->slot_size = (sizeof(struct ml_lib_request) + payload + 63) & ~63U;
	map->stride_ro = PAGE_ALIGN(sizeof(struct ml_lib_queue_ro) +
				    nr_slots * map->slot_size);
	map->stride_rw = PAGE_ALIGN(sizeof(struct ml_lib_queue_rw) + nr_slots *
				    sizeof(struct ml_lib_decision));
	map->ro = shared((size_t)nr_queues * map->stride_ro);
	map->rw = shared((size_t)nr_queues * map->stride_rw);
	if (!map->ro || !map->rw)
		return NULL;
	k->map = *map;
	k->nr_queues = nr_queues;
	s->nr_queues = nr_queues;
	s->wake.func = wake;
	s->ref.refs = 1;
	s->owner = s;		/* anybody but the caller of ml_decide() */
	s->queues = bench_zalloc(nr_queues * sizeof(*s->queues));
	for (u32 i = 0; i < nr_queues; i++)
		if (ml_queue_init(&s->queues[i], s, i,
				  (char *)map->ro + (size_t)i * map->stride_ro,
				  (char *)map->rw + (size_t)i * map->stride_rw,
				  nr_slots, map->slot_size))
			return NULL;

	k->schema = (struct ml_schema) {
		.features = &feature, .nr_features = 1,
		.feature_bytes = payload, .outputs = outputs,
		.nr_outputs = ARRAY_SIZE(outputs),
	};
	snprintf(k->name, sizeof(k->name), "bench/%u", number++);
	k->proxy = (struct ml_proxy) {
		.name = k->name, .schema = &k->schema,
		.nr_objects = KSIDE_OBJECTS, .rate = 1000000,
		.deadline_us = 10 * USEC_PER_SEC, .ttl_ms = 60000,
	};
	if (ml_proxy_register(&k->proxy))
		return NULL;
	k->proxy.core->mode = ML_LIB_MODE_RECOMMENDATION;
	/* The budget is charged, and never used up. */
	k->proxy.core->allowance = UINT32_MAX;
	k->proxy.core->attached = s;
	k->proxy.core->session = s;
	s->attached[0] = k->proxy.core;
	s->state = ML_LIB_SESSION_RUNNING;
	for (u32 i = 0; i < nr_queues; i++)
		s->queues[i].ro->state = s->state;
	return k;
}

void kside_free(struct kside *k)
{
	ml_proxy_unregister(&k->proxy);
	for (u32 i = 0; i < k->nr_queues; i++)
		ml_queue_destroy(&k->session.queues[i]);
	free(k->session.queues);
	munmap(k->map.ro, (size_t)k->nr_queues * k->map.stride_ro);
	munmap(k->map.rw, (size_t)k->nr_queues * k->map.stride_rw);
	free(k);
}

void kside_on_sleep(struct kside *k, void (*wake_fn)(void *arg),
		    void (*wait_fn)(void *arg), void *arg)
{
	k->arg = arg;
	k->wake = wake_fn;
	k->wait = wait_fn;
}

void kside_cpu(u32 cpu)
{
	bench_cpu = cpu;
	bench_percpu = (size_t)cpu * BENCH_PERCPU;
}

bool kside_submit(struct kside *k, u64 n, const void *features)
{
	return ml_submit(&k->proxy, n % KSIDE_OBJECTS, n, features);
}

bool kside_report(struct kside *k, u64 n)
{
	struct ml_lib_feedback fb = {
		.cost = n, .units = 1, .extra = ~n, .arm = ML_LIB_ARM_MODEL,
	};

	return ml_report(&k->proxy, n, n, &fb);
}

bool kside_poll(struct kside *k)
{
	return ml_advice_poll(&k->proxy);
}

bool kside_advice(struct kside *k, u64 n, s32 *out)
{
	return ml_advice_read(&k->proxy, n % KSIDE_OBJECTS, out);
}

bool kside_ready(struct kside *k)
{
	for (u32 i = 0; i < k->nr_queues; i++)
		if (ml_queue_ready(&k->session.queues[i]))
			return true;
	return false;
}

u32 kside_kick(struct kside *k, u32 queue)
{
	return ml_queue_kick(&k->session.queues[queue]);
}

bool kside_decide(struct kside *k, u64 n, const void *features, s32 *out)
{
	return ml_decide(&k->proxy, n % KSIDE_OBJECTS, n, features,
			 10 * USEC_PER_SEC, out);
}

u32 kside_drained(struct kside *k, u32 queue)
{
	return k->session.queues[queue].dec.pos;
}

u64 kside_count(struct kside *k, u32 counter)
{
	struct ml_lib_stats st = {};

	ml_proxy_stats(k->proxy.core, &st);
	return st.counter[counter];
}
