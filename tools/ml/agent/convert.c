// SPDX-License-Identifier: GPL-2.0
/*
 * A schema often has many features of the same type side by side. They are cut
 * into blocks of as many as a vector holds, and each block is converted for all
 * requests in turn; on x86 by AVX2 too, chosen when the program starts.
 *
 * Features are divided by their scale, not multiplied by its inverse: the
 * result is then what NumPy gave the model in training, to the last bit, and a
 * vector division is not what takes the time.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

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
	struct convert_block *block = NULL;
	unsigned int overlap = 0;

	*c = (struct convert) {
		.nr_features = s->nr_features,
		.nr_outputs = s->nr_outputs,
	};
	for (uint32_t i = 0; i < s->nr_features; i++) {
		const struct ml_lib_field *f = &s->field[i];
		unsigned int size = type_size(f->type);

		if (!size || f->offset > s->feature_bytes ||
		    s->feature_bytes - f->offset < size) {
			warn("%s: feature '%s' has a type or offset that this agent does not know: update the agent",
			     s->name, f->name);
			return -1;
		}
		c->scale[i] = f->scale;
		c->wide[i] = f->scale;
		if (!block || block->type != f->type ||
		    block->offset + block->nr * size != f->offset) {
			block = &c->block[c->nr_blocks++];
			block->type = f->type;
			block->offset = f->offset;
			block->first = i;
			block->nr = 1;
			overlap = 0;
			continue;
		}
		if (block->nr < CONVERT_LANES) {
			block->nr++;
			continue;
		}
		/* Move on by one, in a new block if this one is all new. */
		if (!overlap) {
			block[1] = block[0];
			block++;
			c->nr_blocks++;
			overlap = CONVERT_LANES;
		}
		block->offset += size;
		block->first++;
		overlap--;
	}
	for (uint32_t i = 0; i < s->nr_outputs; i++) {
		c->out_scale[i] = out[i].scale;
		c->low[i] = fmax(out[i].min, INT32_MIN);
		c->high[i] = fmin(out[i].max, INT32_MAX);
	}
	return 0;
}

typedef float v_float __attribute__((vector_size(CONVERT_LANES * 4),
				     aligned(4), may_alias));
typedef double v_double __attribute__((vector_size(CONVERT_LANES * 8),
				       aligned(8), may_alias));

/*
 * A block of all requests. The payload is as aligned as the kernel's structure
 * is, or less.
 */
#define DIVIDE(ctype, via, scale)					\
	do {								\
		typedef ctype one __attribute__((aligned(1), may_alias)); \
		typedef ctype all __attribute__((			\
			vector_size(CONVERT_LANES * sizeof(ctype)),	\
			aligned(1), may_alias));			\
		const via *by = (scale) + b->first;			\
		float *dst = row + b->first;				\
									\
		for (unsigned int i = 0; i < nr; i++, dst += c->nr_features) { \
			const void *src = req[i]->payload + b->offset;	\
			v_##via v;					\
									\
			if (b->nr < CONVERT_LANES) {			\
				for (unsigned int k = 0; k < b->nr; k++) \
					dst[k] = ((const one *)src)[k] / by[k]; \
				continue;				\
			}						\
			v = __builtin_convertvector(*(const all *)src,	\
						    v_##via);		\
			v /= *(const v_##via *)by;			\
			*(v_float *)dst = __builtin_convertvector(v, v_float); \
		}							\
	} while (0)

VECTORS
void convert_features(const struct convert *c,
		      const struct ml_lib_request *const *req, unsigned int nr,
		      float *restrict row)
{
	const struct convert_block *b;

	for (b = c->block; b < c->block + c->nr_blocks; b++) {
		switch (b->type) {
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

/* Return: NULL, or where to count that no decision can be made of the row. */
static inline __attribute__((always_inline))
uint64_t *convert_row(const struct convert *c, const float *row, int32_t *out,
		      struct convert_tally *tally)
{
	uint64_t *wrong = NULL;

	for (unsigned int i = 0; i < c->nr_outputs; i++) {
		double v = rint((double)row[i] * c->out_scale[i]);

		/* Also false for what is not a number */
		if (v >= c->low[i] && v <= c->high[i])
			out[i] = (int32_t)v;
		else if (isfinite(v))
			wrong = &tally->range;
		else
			return &tally->declined;
	}
	return wrong;
}

VECTORS
void convert_outputs(const struct convert *c, const float *row, unsigned int nr,
		     uint32_t flags, struct ml_lib_decision *dec,
		     struct convert_tally *tally)
{
	for (unsigned int i = 0; i < nr; i++, row += c->nr_outputs, dec++) {
		uint64_t *wrong = convert_row(c, row, dec->out, tally);

		dec->flags = flags;
		if (wrong) {
			++*wrong;
			dec->flags |= ML_LIB_DECISION_DECLINED;
			memset(dec->out, 0, sizeof(dec->out));
		} else {
			tally->decided++;
		}
	}
}
