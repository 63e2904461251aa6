/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of lib/ml on the path of a request need from the kernel, for
 * user space, so that the benchmark runs them as they are.
 *
 * What costs time has its cost: the queue's lock is an atomic exchange and a
 * store, smp_mb() a fence, local_clock() rdtsc and a multiplication,
 * a per-CPU counter an addition without lock prefix. What has no counterpart is missing:
 * turning interrupts off and on, RCU's preemption count, static branches of
 * tracepoints (all of them a few cycles), the IPI of irq_work. "CPU" is what
 * bench_cpu says, one for each producer.
 */
#ifndef _BENCH_KERNEL_H
#define _BENCH_KERNEL_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>
#include <x86intrin.h>

#include "ml_kernel.h"

typedef int8_t s8;
typedef int16_t s16;
typedef unsigned int gfp_t;
typedef void *fl_owner_t;

/* The build */
#define __percpu
#define __rcu
#define __init
#define __counted_by(m)
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define noinline	__attribute__((noinline))
#define fallthrough	__attribute__((fallthrough))
#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)
#define EXPORT_SYMBOL_GPL(s)	extern typeof(s) s
#define subsys_initcall(f)	extern int (*initcall_##f)(void); int (*initcall_##f)(void) = f
#define KBUILD_MODNAME	"ml_lib"

/* Numbers */
#define U16_MAX		UINT16_MAX
#define U32_MAX		UINT32_MAX
#define S32_MIN		INT32_MIN
#define S32_MAX		INT32_MAX
#define NSEC_PER_USEC	1000L
#define NSEC_PER_MSEC	1000000L
#define USEC_PER_SEC	1000000L
#define HZ		1000
#define BIT_ULL(n)	(1ULL << (n))
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l)	GENMASK(h, l)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define min(a, b)	({ typeof(a) _a = (a); typeof(b) _b = (b); _a < _b ? _a : _b; })
#define max(a, b)	({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define struct_size(p, m, n)	(sizeof(*(p)) + sizeof((p)->m[0]) * (n))
#define container_of(p, t, m)	((t *)((char *)(p) - offsetof(t, m)))
#define array_index_nospec(i, n) ({ u64 _i = (i), _m;			\
	asm volatile("cmp %1,%2; sbb %0,%0" : "=r" (_m) : "g" ((u64)(n)), "r" (_i) : "cc"); \
	(typeof(i))(_i & _m); })
#define ilog2(n)	(63 ^ __builtin_clzll(n))
#define fls64(n)	((n) ? 64 - __builtin_clzll(n) : 0)
#define hash_64(v, bits) ((u32)((v) * 0x61C8864680B583EBull >> (64 - (bits))))
#define cpu_to_le64(x)	(x)

/* Atomics */
typedef struct { s64 counter; } atomic64_t;
typedef struct { int refs; } refcount_t;
#define atomic64_read(v)	READ_ONCE((v)->counter)
#define atomic64_set(v, new)	WRITE_ONCE((v)->counter, new)
#define atomic64_cmpxchg(v, old, new) ({ s64 _old = (old);		\
	__atomic_compare_exchange_n(&(v)->counter, &_old, (s64)(new), false, \
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); _old; })
typedef struct { int counter; } atomic_t;
#define atomic_read(v)		READ_ONCE((v)->counter)
#define atomic_fetch_inc_release(v) __atomic_fetch_add(&(v)->counter, 1, __ATOMIC_RELEASE)
#define refcount_inc_not_zero(r)	((r)->refs++, true)
#define data_race(x)	(x)

/* Locks: a spinner lets others run now and then, as its owner may wait for it. */
typedef struct { u32 locked; } raw_spinlock_t;
static inline void raw_spin_lock(raw_spinlock_t *l)
{
	u32 free = 0;

	for (int n = 0; !__atomic_compare_exchange_n(&l->locked, &free, 1, false,
						     __ATOMIC_ACQUIRE,
						     __ATOMIC_RELAXED); free = 0) {
		while (READ_ONCE(l->locked))
			if (++n % 1024 == 0)
				sched_yield();
	}
}

static inline void raw_spin_unlock(raw_spinlock_t *l)
{
	smp_store_release(&l->locked, 0);
}

static inline bool raw_spin_trylock(raw_spinlock_t *l)
{
	u32 free = 0;

	return !READ_ONCE(l->locked) &&
	       __atomic_compare_exchange_n(&l->locked, &free, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

#define raw_spin_trylock_irqsave(l, f)	((f) = 0, raw_spin_trylock(l))
#define raw_spin_lock_init(l)		((l)->locked = 0)
#define raw_spin_lock_irqsave(l, f)	((f) = 0, raw_spin_lock(l))
#define raw_spin_unlock_irqrestore(l, f) ((void)(f), raw_spin_unlock(l))
#ifdef MUTANT_unlocked	/* a fault for wake-litmus.c: poll() without the lock */
#define raw_spin_lock_irq(l)		((void)(l))
#define raw_spin_unlock_irq(l)		((void)(l))
#else
#define raw_spin_lock_irq(l)		raw_spin_lock(l)
#define raw_spin_unlock_irq(l)		raw_spin_unlock(l)
#endif
#define lockdep_assert_held(l)		((void)(l))
#define rcu_read_lock()			((void)0)
#define rcu_read_unlock()		((void)0)
#define rcu_dereference(p)		READ_ONCE(p)
#define rcu_access_pointer(p)		READ_ONCE(p)
#define cond_resched()			((void)0)
#define might_sleep()			((void)0)
#define in_nmi()			false
#define WARN_ON_ONCE(c)			__builtin_expect(!!(c), 0)
#define IS_ENABLED(c)			0
struct mutex { int unused; };
#define DEFINE_MUTEX(m)			struct mutex m
#define mutex_lock(m)			((void)(m))
#define mutex_unlock(m)			((void)(m))
#define guard(kind)			(void)

/* CPUs */
#define BENCH_CPUS	64
#define BENCH_PERCPU	4096
extern __thread u32 bench_cpu;
extern __thread size_t bench_percpu;	/* bench_cpu * BENCH_PERCPU */
#define raw_smp_processor_id()	bench_cpu
#define per_cpu_ptr(p, cpu)	((typeof(p))((char *)(p) + (size_t)(cpu) * BENCH_PERCPU))
#define this_cpu_ptr(p)		((typeof(p))((char *)(p) + bench_percpu))
#define this_cpu_inc(x)		((void)(*this_cpu_ptr(&(x)) += 1))
#define alloc_percpu(t)		((t *)bench_zalloc(BENCH_CPUS * BENCH_PERCPU))
#define free_percpu(p)		free(p)
#define for_each_possible_cpu(c) for ((c) = 0; (c) < BENCH_CPUS; (c)++)

/* Memory */
static inline void *bench_zalloc(size_t size)
{
	void *p = aligned_alloc(4096, (size + 4095) & ~4095UL);

	return p ? memset(p, 0, size) : NULL;
}

#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0
#define kzalloc(size, gfp)	bench_zalloc(size)
#define kvzalloc(size, gfp)	bench_zalloc(size)
#define kvcalloc(n, size, gfp)	bench_zalloc((size_t)(n) * (size))
#define kfree(p)		free(p)
#define kvfree(p)		free(p)

/* Time: bench.c calibrates. */
extern u32 bench_mult, bench_shift;
extern unsigned long jiffies;
static inline u64 local_clock(void)
{
	return (unsigned __int128)__rdtsc() * bench_mult >> bench_shift;
}

static inline u64 get_random_u64(void)
{
	return (u64)random() << 33 ^ random();
}

static inline u64 ktime_get_mono_fast_ns(void)
{
	_mm_lfence();
	return local_clock();
}

#define msecs_to_jiffies(ms)	((unsigned long)(ms))
#define usecs_to_jiffies(us)	((unsigned long)(us) / 1000)

/* Sleeping and waking: an irq_work is queued by calling what bench gave it. */
struct irq_work { void (*func)(struct irq_work *work); };
#define irq_work_queue(w)	((w)->func(w))
typedef struct { int unused; } wait_queue_head_t;
void bench_wait(wait_queue_head_t *wq);
#define wait_event_killable_timeout(wq, cond, t)	({ (void)(t); while (!(cond)) bench_wait(&(wq)); })
struct work_struct { void (*func)(struct work_struct *work); };
struct notifier_block { int (*notifier_call)(struct notifier_block *nb, unsigned long e, void *d); };
struct workqueue_struct;
#define DECLARE_DELAYED_WORK(n, f)	struct work_struct n __attribute__((unused)) = { f }
#define alloc_workqueue(n, f, m)	((struct workqueue_struct *)1)
#define queue_delayed_work(q, w, t)	((void)(q))
#define register_pm_notifier(n)		((void)(n), 0)
#define NOTIFY_DONE		0
#define PM_POST_SUSPEND		1
#define PM_POST_HIBERNATION	2
#define PM_POST_RESTORE		3
#define WQ_UNBOUND		0
#define pr_err(fmt, ...)	fprintf(stderr, pr_fmt(fmt), ##__VA_ARGS__)

/* Static branches */
struct static_key_false { bool on; };
#define static_branch_unlikely(k)	((k)->on)
#define static_branch_enable(k)		((k)->on = true)
#define static_branch_disable(k)	((k)->on = false)

/* Lists */
struct list_head { struct list_head *next, *prev; };
#define LIST_HEAD(n)	struct list_head n = { &(n), &(n) }
static inline void list_add_tail(struct list_head *e, struct list_head *h)
{
	e->next = h;
	e->prev = h->prev;
	h->prev->next = e;
	h->prev = e;
}

static inline void list_del(struct list_head *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
}

static inline size_t list_count_nodes(const struct list_head *h)
{
	size_t n = 0;

	for (const struct list_head *e = h->next; e != h; e = e->next)
		n++;
	return n;
}

#define list_for_each_entry(p, h, m)					\
	for ((p) = container_of((h)->next, typeof(*(p)), m); &(p)->m != (h); \
	     (p) = container_of((p)->m.next, typeof(*(p)), m))

/* The rest of what is named */
struct page;
struct user_struct;
struct module;
struct bench_task { void *files; };
#define current		(&(struct bench_task){ NULL })

/* Tracepoints that are off */
#define trace_ml_submit(...)	((void)0)
#define trace_ml_decide(...)	((void)0)
#define trace_ml_drop(...)	((void)0)
#define trace_ml_fallback(...)	((void)0)

#endif /* _BENCH_KERNEL_H */
