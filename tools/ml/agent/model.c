// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

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
		model->room[i] = NAN;
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

bool model_readable(const struct model *model)
{
	struct stat st;
	int fd = open(model->spec, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		warn("%s: %s: give --model the path of a file that this user can read",
		     model->spec, strerror(errno));
		return false;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		warn("%s: not a regular file: give --model the path of a model",
		     model->spec);
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

int model_open(struct model *model, unsigned int max)
{
	const struct mlagent_schema *s = model->schema;

	if (convert_init(&model->convert, s))
		return -1;
	model->max = max;
	model->probability = 1;
	model->in = calloc((size_t)max * (s->nr_features ?: 1), sizeof(float));
	model->room = calloc((size_t)max * s->nr_outputs, sizeof(float));
	model->out = model->room;
	model->origin = calloc(max, sizeof(model->origin[0]));
	if (!model->in || !model->room || !model->origin) {
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
	free(model->room);
	free(model->origin);
	free(model->schema);
}

void model_add(struct model *model, uint32_t queue,
	       const struct ml_lib_request *req)
{
	convert_features(&model->convert, req->payload, model->in +
			 (size_t)model->nr * model->schema->nr_features);
	model->origin[model->nr++] = (struct origin) {
		.cookie = req->cookie,
		.queue = queue,
	};
	model->requests++;
	if (model->record)
		record_request(model->record, req);
}

/*
 * The outputs of one request.
 *
 * Return: flags to add to the decision.
 */
static uint32_t judge(struct model *model, const float *row, int32_t *value)
{
	switch (convert_outputs(&model->convert, row, value)) {
	case CONVERT_OK:
		model->decided++;
		return 0;
	case CONVERT_NAN:
		model->declined++;
		break;
	case CONVERT_RANGE:
		model->range++;
		break;
	}
	memset(value, 0, model->schema->nr_outputs * sizeof(value[0]));
	return ML_LIB_DECISION_DECLINED;
}

void model_decide(struct model *model, struct mlagent *agent,
		  void (*kick)(void *ctx, uint32_t queue), void *ctx)
{
	uint32_t nr_out = model->schema->nr_outputs;
	unsigned int i, nr = model->nr;
	const float *row;
	uint64_t now;

	model->out = model->room;
	if (model->backend->forward(model, nr)) {
		model->failed += nr;
		model->out = model->room;
		for (i = 0; i < nr * nr_out; i++)
			model->room[i] = NAN;
	}
	now = model->record ? now_ns() : 0;

	for (i = 0, row = model->out; i < nr; i++, row += nr_out) {
		const struct origin *o = &model->origin[i];
		uint32_t flags = model->backend->decision_flags;
		int32_t value[ML_LIB_MAX_OUTPUTS];
		int err;

		flags |= judge(model, row, value);
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
