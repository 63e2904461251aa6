// SPDX-License-Identifier: GPL-2.0
/*
 * The policy of --explore: each decision is drawn from a set, all values with
 * the same probability, whatever the features are. What was drawn, with what
 * probability and what it cost is the data from which a model can be learned
 * without bias.
 *
 * Objects that share a device interfere: a choice that costs its own object
 * little can cost the others much, which is not seen as long as theirs are
 * drawn apart from it. With --explore-block, time is cut in blocks, and in every
 * other block one draw holds for all (switchback); in between each decision has
 * its own.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "model.h"

#define MAX_SET	256

struct explore {
	uint64_t state;
	uint64_t block;		/* of the last shared draw */
	float shared;
	unsigned int nr;
	float value[MAX_SET];
};

/* xorshift64*: small, and the same sequence everywhere for a seed */
static uint32_t draw(struct explore *e)
{
	e->state ^= e->state >> 12;
	e->state ^= e->state << 25;
	e->state ^= e->state >> 27;
	return (e->state * 0x2545f4914f6cdd1dULL) >> 32;
}

static float draw_value(struct explore *e)
{
	return e->value[(uint64_t)draw(e) * e->nr >> 32];
}

static int explore_load(struct model *model)
{
	const struct mlagent_schema *s = model->schema;
	const struct ml_lib_field *f = &s->field[s->nr_features];
	const char *p = model->spec;
	struct explore *e;

	if (s->nr_outputs != 1) {
		warn("--explore %s: the proxy has %u outputs; only one can be explored",
		     s->name, s->nr_outputs);
		return -1;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		warn("out of memory");
		return -1;
	}
	model->priv = e;
	/* Seeds 0, 1, 2... must give different states, and none of them zero. */
	e->state = (model->seed + 1) * 0x9e3779b97f4a7c15ULL ?: 1;

	do {
		char *end;
		double v = strtod(p, &end);
		double raw = v * f->scale;

		if (end == p || (*end && *end != ',') || !isfinite(v) ||
		    raw < f->min || raw > f->max || fabs(raw) > 1 << 24) {
			warn("--explore %s=%s: '%s' is not a list of values from %g to %g %s (see 'mlctl schema %s')",
			     s->name, model->spec, p, (double)f->min / f->scale,
			     (double)f->max / f->scale, f->unit, s->name);
			return -1;
		}
		if (e->nr == MAX_SET) {
			warn("--explore %s: more than %d values", s->name, MAX_SET);
			return -1;
		}
		/* Values that the kernel cannot tell apart have not the probability of one. */
		for (unsigned int i = 0; i < e->nr; i++)
			if (rint((double)e->value[i] * f->scale) == rint(raw)) {
				warn("--explore %s=%s: %g is there twice: the output is rounded to 1/%u %s",
				     s->name, model->spec, v, f->scale, f->unit);
				return -1;
			}
		e->value[e->nr++] = v;
		p = *end ? end + 1 : NULL;
	} while (p);

	model->probability = 1.0f / e->nr;
	return 0;
}

static int explore_forward(struct model *model, unsigned int nr)
{
	struct explore *e = model->priv;

	uint64_t block = 0;

	if (model->explore_block_ms)
		block = now_ns() / 1000000 / model->explore_block_ms;
	if (block % 2 && block != e->block) {
		e->block = block;
		e->shared = draw_value(e);
	}
	for (unsigned int i = 0; i < nr; i++)
		model->room[i] = block % 2 ? e->shared : draw_value(e);
	return 0;
}

static void explore_unload(struct model *model)
{
	free(model->priv);
}

const struct backend backend_explore = {
	.name		= "explore",
	.decision_flags	= ML_LIB_DECISION_EXPLORE,
	.load		= explore_load,
	.forward	= explore_forward,
	.unload		= explore_unload,
};
