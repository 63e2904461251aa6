// SPDX-License-Identifier: GPL-2.0
/* Sessions. session.h shows states and lifetime. */

#include <linux/cred.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <trace/events/ml_lib.h>

#include "advice.h"
#include "proxy.h"
#include "session.h"

/* Show state and epoch to those who map the queues. */
static void show_state(struct ml_session *s)
{
	for (u32 i = 0; i < s->nr_queues; i++) {
		WRITE_ONCE(s->queues[i].ro->epoch, s->epoch);
		WRITE_ONCE(s->queues[i].ro->state, READ_ONCE(s->state));
	}
}

static void session_wake(struct irq_work *work)
{
	struct ml_session *s = container_of(work, struct ml_session, wake);

	wake_up_poll(&s->poll_wq, EPOLLIN | EPOLLRDNORM);
	wake_up_all(&s->answer_wq);
	if (READ_ONCE(s->state) == ML_LIB_SESSION_BROKEN)
		queue_work(ml_wq, &s->broken);
}

static void session_broken(struct work_struct *work)
{
	struct ml_session *s = container_of(work, struct ml_session, broken);

	mutex_lock(&ml_mutex);
	ml_session_stop(s, ML_LIB_SESSION_BROKEN);
	/* Somebody may have stopped it before it broke. */
	show_state(s);
	mutex_unlock(&ml_mutex);
}

static void region_free(struct ml_region *r)
{
	if (r->addr)
		vunmap(r->addr);
	if (r->pages)
		release_pages(r->pages, r->nr);
	kvfree(r->pages);
	*r = (struct ml_region){};
}

static int region_alloc(struct ml_region *r, u32 nr)
{
	r->pages = kvcalloc(nr, sizeof(*r->pages), GFP_KERNEL_ACCOUNT);
	if (!r->pages)
		return -ENOMEM;
	for (r->nr = 0; r->nr < nr; r->nr++) {
		r->pages[r->nr] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!r->pages[r->nr])
			goto nomem;
		if (fatal_signal_pending(current))
			goto nomem_last;
	}
	r->addr = vmap(r->pages, nr, VM_MAP, PAGE_KERNEL);
	if (r->addr)
		return 0;
	goto nomem;
nomem_last:
	r->nr++;
nomem:
	region_free(r);
	return -ENOMEM;
}

/* Charge pinned pages as io_uring and AF_XDP do. */
static int charge(struct ml_session *s, u32 pages)
{
	struct user_struct *user = get_uid(current_user());
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic_long_add_return(pages, &user->locked_vm) > limit &&
	    !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(pages, &user->locked_vm);
		free_uid(user);
		return -ENOMEM;
	}
	s->user = user;
	s->charged = pages;
	return 0;
}

static void session_clear(struct ml_session *s)
{
	for (u32 i = 0; s->queues && i < s->nr_queues; i++)
		ml_queue_destroy(&s->queues[i]);
	kvfree(s->queues);
	s->queues = NULL;
	if (s->user) {
		atomic_long_sub(s->charged, &s->user->locked_vm);
		free_uid(s->user);
		s->user = NULL;
	}
	region_free(&s->ro);
	region_free(&s->rw);
}

static void session_free(struct ml_session *s)
{
	irq_work_sync(&s->wake);
	cancel_work_sync(&s->broken);
	session_clear(s);
	kfree(s);
}

static void session_gone(struct work_struct *work)
{
	session_free(container_of(work, struct ml_session, gone));
}

/**
 * ml_session_create() - make an empty session
 *
 * Context: May sleep.
 * Return: the session with one reference, or NULL.
 */
struct ml_session *ml_session_create(void)
{
	struct ml_session *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return NULL;
	refcount_set(&s->ref, 1);
	mutex_init(&s->setup);
	init_waitqueue_head(&s->poll_wq);
	init_waitqueue_head(&s->answer_wq);
	init_irq_work(&s->wake, session_wake);
	INIT_WORK(&s->broken, session_broken);
	INIT_WORK(&s->gone, session_gone);
	return s;
}

/**
 * ml_session_put() - drop the reference of the file
 * @s: the session
 *
 * If it is the last, all memory is free and no longer charged afterwards.
 *
 * Context: Process. May sleep.
 */
void ml_session_put(struct ml_session *s)
{
	if (refcount_dec_and_test(&s->ref))
		session_free(s);
}

/**
 * ml_session_put_soon() - drop the reference of somebody who has no time
 * @s: the session
 *
 * Context: Process. Leaves what may take long to a work item.
 */
void ml_session_put_soon(struct ml_session *s)
{
	if (refcount_dec_and_test(&s->ref))
		queue_work(ml_wq, &s->gone);
}

/**
 * ml_session_setup() - make the queues
 * @s: an empty session
 * @arg: what is wanted; filled in with what was made, but for the offsets
 *
 * Not under ml_mutex: a memory cgroup may let the caller wait for minutes.
 *
 * Context: Process. May sleep.
 * Return: 0, -EINVAL, -EBADFD if it has queues, -ENOMEM if there is no memory
 * or it would be more than a session or a user may have.
 */
int ml_session_setup(struct ml_session *s, struct ml_lib_setup *arg)
{
	u32 nr = arg->nr_queues ?: nr_cpu_ids;
	u64 ro, rw;
	int err;

	guard(mutex)(&s->setup);
	if (s->ready)
		return -EBADFD;
	if (arg->flags || nr > nr_cpu_ids || arg->nr_slots < 8 ||
	    arg->nr_slots > ML_SESSION_MAX_SLOTS ||
	    !is_power_of_2(arg->nr_slots) || arg->payload > ML_LIB_MAX_PAYLOAD)
		return -EINVAL;

	arg->nr_queues = nr;
	/* Any slot can hold a feedback record. */
	arg->payload = max_t(u32, round_up(arg->payload, 8),
			     sizeof(struct ml_lib_feedback));
	arg->slot_size = round_up(sizeof(struct ml_lib_request) + arg->payload,
				  64);
	arg->stride_ro = PAGE_ALIGN(sizeof(struct ml_lib_queue_ro) +
				    arg->nr_slots * arg->slot_size);
	arg->stride_rw = PAGE_ALIGN(sizeof(struct ml_lib_queue_rw) +
				    arg->nr_slots *
				    sizeof(struct ml_lib_decision));
	ro = (u64)nr * arg->stride_ro;
	rw = (u64)nr * arg->stride_rw;
	if (ro + rw > ML_SESSION_MAX_BYTES)
		return -ENOMEM;
	arg->bytes_ro = ro;
	arg->bytes_rw = rw;

	err = charge(s, (ro + rw) >> PAGE_SHIFT);
	if (err)
		return err;
	err = region_alloc(&s->ro, ro >> PAGE_SHIFT);
	if (err)
		goto fail;
	err = region_alloc(&s->rw, rw >> PAGE_SHIFT);
	if (err)
		goto fail;
	err = -ENOMEM;
	s->queues = kvcalloc(nr, sizeof(*s->queues), GFP_KERNEL_ACCOUNT);
	if (!s->queues)
		goto fail;
	s->nr_queues = nr;
	for (u32 i = 0; i < nr; i++) {
		err = ml_queue_init(&s->queues[i], s, i,
				    s->ro.addr + (size_t)i * arg->stride_ro,
				    s->rw.addr + (size_t)i * arg->stride_rw,
				    arg->nr_slots, arg->slot_size);
		if (err)
			goto fail;
	}
	/* Pairs with the acquire in ml_session_ready(). */
	smp_store_release(&s->ready, true);
	return 0;
fail:
	session_clear(s);
	return err;
}

static void publish(struct ml_session *s, struct ml_proxy_core *core)
{
	rcu_assign_pointer(core->session, s);
	ml_proxy_update_key(core);
}

/**
 * ml_session_attach() - make a session the agent of a proxy
 * @s: the session
 * @id: proxy id
 * @hash: the schema that the model was made for
 *
 * Context: Process, under ml_mutex. May sleep.
 * Return: 0, -ENOENT, -EBUSY, -EKEYREJECTED, -EMSGSIZE, -EBADFD if the session
 * has no queues or is broken, -ENOSPC if it has too many proxies.
 */
int ml_session_attach(struct ml_session *s, u32 id, u64 hash)
{
	struct ml_proxy_core *core = ml_proxy_find(id);
	u32 slot;

	if (!ml_session_ready(s) ||
	    READ_ONCE(s->state) == ML_LIB_SESSION_BROKEN)
		return -EBADFD;
	if (!core)
		return -ENOENT;
	if (core->attached)
		return -EBUSY;
	if (core->hash != hash)
		return -EKEYREJECTED;
	if (sizeof(struct ml_lib_request) + core->proxy->schema->feature_bytes >
	    s->queues[0].req.slot_size)
		return -EMSGSIZE;
	for (slot = 0; slot < ML_SESSION_PROXIES && s->attached[slot]; slot++)
		;
	if (slot == ML_SESSION_PROXIES)
		return -ENOSPC;

	s->attached[slot] = core;
	core->slot = slot;
	core->attached = s;
	trace_ml_attach(core);
	if (READ_ONCE(s->state) == ML_LIB_SESSION_RUNNING)
		publish(s, core);
	return 0;
}

/*
 * Forget the requests of the proxy in @slot, or of all if it is -1, and of those
 * who are about to submit because of what they saw before.
 */
static void forget(struct ml_session *s, int slot, enum ml_lib_counter why)
{
	synchronize_rcu();
	for (u32 i = 0; i < s->nr_queues; i++)
		ml_queue_purge(&s->queues[i], slot, why);
	wake_up_all(&s->answer_wq);
}

/*
 * Unpublish the proxies in slots @from to @to and forget their requests.
 * Afterwards no hot path knows the session through them.
 */
static void unpublish(struct ml_session *s, u32 from, u32 to)
{
	u32 slot;

	for (slot = from; slot <= to; slot++) {
		struct ml_proxy_core *core = s->attached[slot];

		if (!core)
			continue;
		RCU_INIT_POINTER(core->session, NULL);
		ml_proxy_update_key(core);
	}
	forget(s, from == to ? (int)from : -1, ML_LIB_CNT_NO_AGENT);
	for (slot = from; slot <= to; slot++)
		if (s->attached[slot])
			ml_advice_drop_all(s->attached[slot]->advice);
}

/**
 * ml_session_refuse() - let nobody wait for a proxy that has been turned off
 * @s: the session
 * @core: a proxy that is attached to it
 *
 * Context: Process, under ml_mutex. May sleep.
 */
void ml_session_refuse(struct ml_session *s, struct ml_proxy_core *core)
{
	forget(s, core->slot, ML_LIB_CNT_MODE);
}

/**
 * ml_session_detach() - leave a proxy
 * @s: the session
 * @core: a proxy that is attached to it
 *
 * Context: Process, under ml_mutex. May sleep.
 */
void ml_session_detach(struct ml_session *s, struct ml_proxy_core *core)
{
	/* A session that does not run has nothing published and forgets nothing. */
	if (rcu_access_pointer(core->session))
		unpublish(s, core->slot, core->slot);
	s->attached[core->slot] = NULL;
	core->attached = NULL;
	trace_ml_detach(core);
}

/**
 * ml_session_start() - begin to serve the attached proxies
 * @s: the session
 * @owner: file table of the caller; its flush stops the session
 *
 * Context: Process, under ml_mutex. May sleep.
 * Return: 0, or -EBADFD if there are no queues, it runs or is broken.
 */
int ml_session_start(struct ml_session *s, fl_owner_t owner)
{
	if (!ml_session_ready(s) ||
	    READ_ONCE(s->state) != ML_LIB_SESSION_STOPPED)
		return -EBADFD;
	WRITE_ONCE(s->owner, owner);
	/* The owner before may have been woken by a value that this one gives. */
	for (u32 i = 0; i < s->nr_queues; i++)
		s->queues[i].woken = 0;
	WRITE_ONCE(s->state, ML_LIB_SESSION_RUNNING);
	show_state(s);
	for (u32 slot = 0; slot < ML_SESSION_PROXIES; slot++)
		if (s->attached[slot])
			publish(s, s->attached[slot]);
	return 0;
}

/**
 * ml_session_stop() - stop serving
 * @s: the session
 * @state: ML_LIB_SESSION_STOPPED, or _BROKEN, which is for good
 *
 * Context: Process, under ml_mutex. May sleep.
 */
void ml_session_stop(struct ml_session *s, u32 state)
{
	if (!s->owner)
		return;
	WRITE_ONCE(s->owner, NULL);
	/* A submitter may break it at the same time, and that is final. */
	cmpxchg(&s->state, ML_LIB_SESSION_RUNNING, state);
	s->epoch++;
	show_state(s);
	unpublish(s, 0, ML_SESSION_PROXIES - 1);
	wake_up_poll(&s->poll_wq, EPOLLHUP | EPOLLERR);
}

/**
 * ml_session_close() - stop and leave all proxies
 * @s: the session
 *
 * Context: Process, under ml_mutex. May sleep.
 */
void ml_session_close(struct ml_session *s)
{
	ml_session_stop(s, ML_LIB_SESSION_STOPPED);
	for (u32 slot = 0; slot < ML_SESSION_PROXIES; slot++)
		if (s->attached[slot])
			ml_session_detach(s, s->attached[slot]);
}

/**
 * ml_session_break() - the agent wrote what it never could: stop for good
 * @s: the session
 *
 * From here on nothing is submitted; a work item does the rest.
 *
 * Context: Any.
 */
void ml_session_break(struct ml_session *s)
{
	WRITE_ONCE(s->state, ML_LIB_SESSION_BROKEN);
	ml_session_wake(s);
}
