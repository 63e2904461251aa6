/* SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause */
/*
 * The few kernel names that lib/ml/ring.h uses, for user space.
 *
 * ring.h is the ordering contract of both sides and is built from one source;
 * here its primitives are mapped to the compiler's C11 atomics.
 */
#ifndef _ML_KERNEL_H
#define _ML_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

/* Asked for itself, the compiler takes an instruction that prefetches for reading. */
static inline void prefetchw(const void *p)
{
#if defined(__x86_64__) || defined(__i386__)
	asm volatile("prefetchw %0" : : "m" (*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#endif /* _ML_KERNEL_H */
