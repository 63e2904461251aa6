// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "model.h"
#include "record.h"

static int null_load(struct model *model)
{
	(void)model;
	return 0;
}

static int null_forward(struct model *model, unsigned int nr)
{
	for (unsigned int i = 0; i < nr * model->schema->nr_outputs; i++)
		model->out[i] = NAN;
	return 0;
}

static void null_unload(struct model *model)
{
	(void)model;
}

/* Declines everything: to measure the way without a model. */
const struct backend backend_null = {
	.name		= "null",
	.load		= null_load,
	.forward	= null_forward,
	.unload		= null_unload,
};

const struct backend *backend_find(const char *name)
{
	static const struct backend *const all[] = {
		&backend_null,
		&backend_linear,
#ifdef HAVE_TORCH
		&backend_torch,
#endif
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

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

#define GET(type) ({ type v_; memcpy(&v_, p, sizeof(v_)); (double)v_; })

static float feature(const struct ml_lib_field *f, const uint8_t *payload)
{
	const uint8_t *p = payload + f->offset;
	double v;

	switch (f->type) {
	case ML_LIB_U8:
		v = GET(uint8_t);
		break;
	case ML_LIB_S8:
		v = GET(int8_t);
		break;
	case ML_LIB_U16:
		v = GET(uint16_t);
		break;
	case ML_LIB_S16:
		v = GET(int16_t);
		break;
	case ML_LIB_U32:
		v = GET(uint32_t);
		break;
	case ML_LIB_S32:
		v = GET(int32_t);
		break;
	case ML_LIB_U64:
		v = GET(uint64_t);
		break;
	default:
		v = GET(int64_t);
		break;
	}
	return (float)(v / f->scale);
}

/*
 * Convert the outputs of one request to integers.
 *
 * Return: flags to add to the decision.
 */
static uint32_t convert(struct model *model, const float *out, int32_t *value)
{
	const struct mlagent_schema *s = model->schema;
	const struct ml_lib_field *f = &s->field[s->nr_features];

	for (uint32_t i = 0; i < s->nr_outputs; i++) {
		double v = rint((double)out[i] * f[i].scale);

		if (!isfinite(v)) {
			model->declined++;
			goto decline;
		}
		if (v < (double)f[i].min || v > (double)f[i].max ||
		    v < INT32_MIN || v > INT32_MAX) {
			model->range++;
			goto decline;
		}
		value[i] = (int32_t)v;
	}
	model->decided++;
	return 0;

decline:
	memset(value, 0, s->nr_outputs * sizeof(value[0]));
	return ML_LIB_DECISION_DECLINED;
}

int model_open(struct model *model, unsigned int max)
{
	const struct mlagent_schema *s = model->schema;

	for (uint32_t i = 0; i < s->nr_features; i++) {
		const struct ml_lib_field *f = &s->field[i];
		unsigned int size = type_size(f->type);

		if (!size || f->offset > s->feature_bytes ||
		    s->feature_bytes - f->offset < size) {
			warn("%s: feature '%s' has a type or offset that this agent does not know: update the agent",
			     s->name, f->name);
			return -1;
		}
	}

	model->max = max;
	model->probability = 1;
	model->in = calloc((size_t)max * (s->nr_features ?: 1), sizeof(float));
	model->out = calloc((size_t)max * s->nr_outputs, sizeof(float));
	model->origin = calloc(max, sizeof(model->origin[0]));
	if (!model->in || !model->out || !model->origin) {
		warn("out of memory");
		return -1;
	}
	return model->backend->load(model);
}

void model_close(struct model *model)
{
	if (model->priv)
		model->backend->unload(model);
	free(model->in);
	free(model->out);
	free(model->origin);
	free(model->schema);
}

void model_add(struct model *model, uint32_t queue,
	       const struct ml_lib_request *req)
{
	const struct mlagent_schema *s = model->schema;
	float *row = model->in + (size_t)model->nr * s->nr_features;

	for (uint32_t i = 0; i < s->nr_features; i++)
		row[i] = feature(&s->field[i], req->payload);
	model->origin[model->nr++] = (struct origin) {
		.cookie = req->cookie,
		.queue = queue,
	};
	model->requests++;
	if (model->record)
		record_request(model->record, req);
}

void model_decide(struct model *model, struct mlagent *agent,
		  void (*kick)(void *ctx, uint32_t queue), void *ctx)
{
	uint32_t nr_out = model->schema->nr_outputs;
	unsigned int i, nr = model->nr;
	uint64_t now;

	if (model->backend->forward(model, nr)) {
		model->failed += nr;
		for (i = 0; i < nr * nr_out; i++)
			model->out[i] = NAN;
	}
	now = model->record ? now_ns() : 0;

	for (i = 0; i < nr; i++) {
		const struct origin *o = &model->origin[i];
		int32_t value[ML_LIB_MAX_OUTPUTS] = { 0 };
		uint32_t flags = model->backend->decision_flags;
		int err;

		flags |= convert(model, model->out + i * nr_out, value);
		err = mlagent_decide(agent, o->queue, o->cookie, flags, value,
				     nr_out);
		if (err == -ENOSPC) {
			kick(ctx, o->queue);
			err = mlagent_decide(agent, o->queue, o->cookie, flags,
					     value, nr_out);
		}
		if (err)
			model->full++;
		else if (model->record)
			record_decision(model->record, o->cookie, now, flags,
					value, model->probability,
					model->version);
	}
	model->batches++;
	model->nr = 0;
}
