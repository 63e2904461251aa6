// SPDX-License-Identifier: GPL-2.0
/*
 * A schema often has many features of the same type side by side. Each such run
 * is one loop over an array; this file is built with -O3, and on x86 for AVX2
 * too, chosen when the program starts.
 *
 * Features are divided by their scale, not multiplied by its inverse: the
 * result is then what NumPy gave the model in training, to the last bit, and a
 * vector division is not what takes the time.
 */
#include <math.h>
#include <stddef.h>

#include "convert.h"
#include "log.h"

#if defined(__x86_64__) && defined(__GLIBC__)
#define VECTORS	__attribute__((target_clones("default", "avx2")))
#else
#define VECTORS
#endif

static unsigned int type_size(uint32_t type)
{
	static const unsigned char size[] = {
		[ML_LIB_U8]	= 1, [ML_LIB_S8]	= 1,
		[ML_LIB_U16]	= 2, [ML_LIB_S16]	= 2,
		[ML_LIB_U32]	= 4, [ML_LIB_S32]	= 4,
		[ML_LIB_U64]	= 8, [ML_LIB_S64]	= 8,
	};

	return type < sizeof(size) ? size[type] : 0;
}

int convert_init(struct convert *c, const struct mlagent_schema *s)
{
	const struct ml_lib_field *out = &s->field[s->nr_features];
	struct convert_run *run = NULL;
	unsigned int end = 0;

	*c = (struct convert) { .nr_outputs = s->nr_outputs };
	for (uint32_t i = 0; i < s->nr_features; i++) {
		const struct ml_lib_field *f = &s->field[i];
		unsigned int size = type_size(f->type);

		if (!size || f->offset > s->feature_bytes ||
		    s->feature_bytes - f->offset < size) {
			warn("%s: feature '%s' has a type or offset that this agent does not know: update the agent",
			     s->name, f->name);
			return -1;
		}
		if (!run || run->type != f->type || end != f->offset) {
			run = &c->run[c->nr_runs++];
			run->type = f->type;
			run->offset = f->offset;
			run->first = i;
		}
		run->nr++;
		end = f->offset + size;
		c->scale[i] = f->scale;
		c->wide[i] = f->scale;
	}
	for (uint32_t i = 0; i < s->nr_outputs; i++) {
		c->out_scale[i] = out[i].scale;
		c->low[i] = fmax(out[i].min, INT32_MIN);
		c->high[i] = fmin(out[i].max, INT32_MAX);
	}
	return 0;
}

/* The payload is as aligned as the kernel's structure is, or less. */
#define DIVIDE(ctype, via, by)						\
	do {								\
		typedef ctype __attribute__((aligned(1), may_alias)) raw; \
		const raw *src = from;					\
									\
		for (unsigned int i = 0; i < nr; i++)			\
			dst[i] = (float)((via)src[i] / (by)[first + i]); \
	} while (0)

VECTORS
void convert_features(const struct convert *c, const void *payload,
		      float *restrict row)
{
	for (unsigned int r = 0; r < c->nr_runs; r++) {
		const void *from = (const char *)payload + c->run[r].offset;
		unsigned int first = c->run[r].first;
		unsigned int nr = c->run[r].nr;
		float *restrict dst = row + first;

		switch (c->run[r].type) {
		case ML_LIB_U8:
			DIVIDE(uint8_t, float, c->scale);
			break;
		case ML_LIB_S8:
			DIVIDE(int8_t, float, c->scale);
			break;
		case ML_LIB_U16:
			DIVIDE(uint16_t, float, c->scale);
			break;
		case ML_LIB_S16:
			DIVIDE(int16_t, float, c->scale);
			break;
		case ML_LIB_U32:
			DIVIDE(uint32_t, double, c->wide);
			break;
		case ML_LIB_S32:
			DIVIDE(int32_t, double, c->wide);
			break;
		case ML_LIB_U64:
			DIVIDE(uint64_t, double, c->wide);
			break;
		default:
			DIVIDE(int64_t, double, c->wide);
			break;
		}
	}
}

VECTORS
enum convert_result convert_outputs(const struct convert *c, const float *row,
				    int32_t *value)
{
	enum convert_result result = CONVERT_OK;

	for (unsigned int i = 0; i < c->nr_outputs; i++) {
		double v = rint((double)row[i] * c->out_scale[i]);

		/* Also false for what is not a number */
		if (v >= c->low[i] && v <= c->high[i])
			value[i] = (int32_t)v;
		else if (isfinite(v))
			result = CONVERT_RANGE;
		else
			return CONVERT_NAN;
	}
	return result;
}
