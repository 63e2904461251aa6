// SPDX-License-Identifier: GPL-2.0
/*
 * The C library's allocator under names of our own: new, libtorch's tensors and
 * everything else end here, whoever calls. The call into libtorch is wrapped by
 * the linker (--wrap), which also tells the sizes of the batches.
 */
#include <errno.h>
#include <stdlib.h>

#include "count.h"
#include "torch_shim.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

struct count count;
static int in_torch;

void count_torch(int inside)
{
	in_torch = inside;
}

static void allocated(void)
{
	if (in_torch)
		count.torch++;
	else
		count.agent++;
}

void *malloc(size_t size)
{
	allocated();
	return __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	allocated();
	return __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	allocated();
	return __libc_realloc(p, size);
}

void *memalign(size_t align, size_t size)
{
	allocated();
	return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	allocated();
	return __libc_memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
	allocated();
	*p = __libc_memalign(align, size);
	return *p ? 0 : ENOMEM;
}

int __real_torch_shim_forward(struct torch_shim *shim, size_t nr, size_t nr_out,
			      const float **out, char *err, size_t len);
int __wrap_torch_shim_forward(struct torch_shim *shim, size_t nr, size_t nr_out,
			      const float **out, char *err, size_t len);

int __wrap_torch_shim_forward(struct torch_shim *shim, size_t nr, size_t nr_out,
			      const float **out, char *err, size_t len)
{
	int ret;

	count.size[count.batches++ % COUNT_BATCHES] = nr;
	in_torch = 1;
	ret = __real_torch_shim_forward(shim, nr, nr_out, out, err, len);
	in_torch = 0;
	return ret;
}
