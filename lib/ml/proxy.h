/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Proxies: the registry, the operator's settings, and the counters.
 *
 * ml_mutex protects the registry, settings, and which session a proxy is
 * attached to. Hot paths take no lock: they find the session through RCU, read
 * settings with READ_ONCE(), and count on their own CPU. A session is left only
 * after synchronize_rcu(); the proxy itself lives until its client, who is the only
 * one on those paths, takes it out.
 */
#ifndef _ML_PROXY_H
#define _ML_PROXY_H

#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/ml_lib.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "schema.h"

struct ml_advice;
struct ml_session;

/**
 * struct ml_proxy_cpu - what each CPU keeps of a proxy
 * @counter: indexed by enum ml_lib_counter
 * @latency: histogram, see struct ml_lib_stats
 * @window: when the current budget window began, in jiffies
 * @used: records that found room in it
 */
struct ml_proxy_cpu {
	u64 counter[ML_LIB_NR_COUNTERS];
	u64 latency[ML_LIB_NR_BUCKETS];
	u32 window;
	u32 used;
};

/**
 * struct ml_proxy_core - the core's side of a proxy
 * @proxy: the client's side
 * @list: in the registry, by rising id
 * @id: names it in the ABI, never used again
 * @hash: of the schema
 * @packing: of its outputs
 * @feature_bytes: of its features
 * @nr_objects: how many it has; @advice has it, too, beside words that change
 * @advice: for each object
 * @cpu: counters and budget
 * @attached: session whose agent serves it, running or not
 * @slot: index in that session
 * @session: the same session while it runs, for hot paths
 * @mode: enum ml_lib_mode
 * @rate: budget, records per second on each CPU
 * @allowance: the same for each window
 * @deadline_us: a later decision is refused
 * @ttl_ms: life of advice
 * @ttl: the same in jiffies
 * @explore: share of requests that LEARNING may explore, in 1/1000
 * @cap: what the operator allows each output to reach
 */
struct ml_proxy_core {
	struct ml_proxy *proxy;
	struct list_head list;
	u16 id;
	u16 slot;
	u64 hash;
	struct ml_packing packing;
	u32 feature_bytes;
	u32 nr_objects;
	struct ml_advice *advice;
	struct ml_proxy_cpu __percpu *cpu;
	struct ml_session *attached;
	struct ml_session __rcu *session;
	u32 mode;
	u32 rate;
	u32 allowance;
	u32 deadline_us;
	u32 ttl_ms;
	u32 ttl;
	u32 explore;
	s32 cap[ML_LIB_MAX_OUTPUTS];
};

struct workqueue_struct;

extern struct workqueue_struct *ml_wq;
extern struct mutex ml_mutex;
extern struct list_head ml_proxies;

struct ml_proxy_core *ml_proxy_next(u32 id);
struct ml_proxy_core *ml_proxy_find(u32 id);
int ml_proxy_control(const struct ml_lib_control *c);
void ml_proxy_update_key(struct ml_proxy_core *core);
void ml_proxy_stats(const struct ml_proxy_core *core, struct ml_lib_stats *st);
void ml_proxy_drop_advice(void);
u32 ml_proxy_count(void);
void ml_drop(struct ml_proxy_core *core, enum ml_lib_counter why);

/* Count an event. Context: any. */
static inline void ml_count(struct ml_proxy_core *core, enum ml_lib_counter c)
{
	this_cpu_inc(core->cpu->counter[c]);
}

/* Budgets are enforced in windows of a tenth of a second. */
#define ML_BUDGET_WINDOW	(HZ / 10)

/**
 * ml_proxy_charge() - take a record from this CPU's budget
 * @core: the proxy
 *
 * Context: Interrupts off.
 * Return: false if the budget is used up.
 */
static inline bool ml_proxy_charge(struct ml_proxy_core *core)
{
	struct ml_proxy_cpu *c = this_cpu_ptr(core->cpu);
	u32 now = jiffies;

	if (unlikely(now - c->window >= ML_BUDGET_WINDOW)) {
		c->window = now;
		c->used = 0;
	}
	if (unlikely(c->used >= READ_ONCE(core->allowance)))
		return false;
	c->used++;
	return true;
}

/**
 * ml_mode_applies() - the mode gate: is a valid decision applied?
 * @core: the proxy
 * @flags: of the decision
 * @cookie: of the decision; decides by its hash which requests explore
 *
 * Context: Any.
 * Return: true if it is.
 */
static inline bool ml_mode_applies(const struct ml_proxy_core *core, u32 flags,
				   u64 cookie)
{
	u32 mode = READ_ONCE(core->mode);

	if (likely(mode == ML_LIB_MODE_RECOMMENDATION))
		return true;
	return mode == ML_LIB_MODE_LEARNING &&
	       (flags & ML_LIB_DECISION_EXPLORE) &&
	       hash_64(cookie, 32) % 1000 < READ_ONCE(core->explore);
}

#endif /* _ML_PROXY_H */
