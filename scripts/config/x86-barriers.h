/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Barriers of an x86 kernel, for a user-mode kernel that measures.
 *
 * User-mode Linux takes the generic ones: an mfence before each release and
 * behind each acquire. On x86 these are plain stores and loads, which is what a
 * kernel of that architecture has for them, and what is to be timed. The same
 * holds for all that is compared. Included before everything else; the values are
 * those of arch/x86/include/asm/barrier.h.
 */
#define __smp_mb()	asm volatile("lock addl $0,-4(%%rsp)" ::: "memory", "cc")
#define __smp_rmb()	barrier()
#define __smp_wmb()	barrier()
#define __smp_store_mb(var, value)	((void)xchg(&(var), value))

#define __smp_store_release(p, v)					\
do {									\
	compiletime_assert_atomic_type(*p);				\
	barrier();							\
	WRITE_ONCE(*p, v);						\
} while (0)

#define __smp_load_acquire(p)						\
({									\
	typeof(*p) ___p1 = READ_ONCE(*p);				\
									\
	compiletime_assert_atomic_type(*p);				\
	barrier();							\
	___p1;								\
})

#define __smp_mb__before_atomic()	do { } while (0)
#define __smp_mb__after_atomic()	do { } while (0)
