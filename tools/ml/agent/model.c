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
	model->decision = calloc(max, sizeof(model->decision[0]));
	model->origin = calloc(max, sizeof(model->origin[0]));
	if (!model->in || !model->room || !model->decision || !model->origin) {
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
	free(model->decision);
	free(model->origin);
	free(model->schema);
}

static void add_origin(struct model *model, uint32_t queue, unsigned int nr)
{
	struct origin *last = &model->origin[model->nr_origins];

	if (model->nr_origins && last[-1].queue == queue) {
		last[-1].nr += nr;
	} else {
		*last = (struct origin) { .queue = queue, .nr = nr };
		model->nr_origins++;
	}
}

void model_add(struct model *model, uint32_t queue,
	       const struct ml_lib_request *const *req, unsigned int nr)
{
	struct ml_lib_decision *dec = model->decision + model->nr;

	convert_features(&model->convert, req, nr, model->in +
			 (size_t)model->nr * model->schema->nr_features);
	for (unsigned int i = 0; i < nr; i++)
		dec[i].cookie = req[i]->cookie;
	add_origin(model, queue, nr);
	model->nr += nr;
	model->requests += nr;
	for (unsigned int i = 0; model->record && i < nr; i++)
		record_request(model->record, req[i]);
}

/* Once, because a model that is wrong is wrong all the time. */
static void warn_of_outputs(const struct model *model,
			    const struct convert_tally *before)
{
	const struct convert_tally *t = &model->tally;

	if (model->backend == &backend_null)
		return;		/* to decline is all that it does */
	if (!before->declined && t->declined && !model->failed)
		warn("%s: gave an output that is no finite number: such decisions are declined and counted; check what it was trained on, and that it divides by nothing that can be 0",
		     model->spec);
	if (!before->range && t->range)
		warn("%s: gave an output out of the range that 'mlctl schema %s' tells: such decisions are declined and counted; clamp it in the model",
		     model->spec, model->schema->name);
}

static void forward(struct model *model)
{
	unsigned int nr = model->nr;

	model->out = model->room;
	if (!model->backend->forward(model, nr))
		return;
	model->failed += nr;
	model->out = model->room;
	for (unsigned int i = 0; i < nr * model->schema->nr_outputs; i++)
		model->room[i] = NAN;
}

/* Return: for how many decisions there was room. */
static unsigned int hand_over(struct mlagent *agent, const struct origin *o,
			      const struct ml_lib_decision *dec,
			      void (*kick)(void *ctx, uint32_t queue),
			      void *ctx)
{
	int done = mlagent_decide_batch(agent, o->queue, dec, o->nr);
	int more;

	if (done == (int)o->nr)
		return done;
	if (done == -EPROTO)
		return 0;
	if (done < 0)
		done = 0;
	kick(ctx, o->queue);
	more = mlagent_decide_batch(agent, o->queue, dec + done, o->nr - done);
	return more < 0 ? done : done + more;
}

static void record(struct model *model, const struct ml_lib_decision *dec,
		   unsigned int nr)
{
	uint64_t now = now_ns();

	for (unsigned int i = 0; i < nr; i++)
		record_decision(model->record, dec[i].cookie, now, dec[i].flags,
				dec[i].out, model->probability, model->version);
}

void model_decide(struct model *model, struct mlagent *agent,
		  void (*kick)(void *ctx, uint32_t queue), void *ctx)
{
	const struct ml_lib_decision *dec = model->decision;
	const struct origin *o, *end = model->origin + model->nr_origins;
	const struct convert_tally before = model->tally;

	for (o = model->origin; o < end; o++)
		mlagent_decide_soon(agent, o->queue, o->nr);
	forward(model);
	for (o = model->origin; o < end; o++)
		mlagent_decide_now(agent, o->queue);
	convert_outputs(&model->convert, model->out, model->nr,
			model->backend->decision_flags, model->decision,
			&model->tally);
	warn_of_outputs(model, &before);
	for (o = model->origin; o < end; dec += o->nr, o++) {
		unsigned int done = hand_over(agent, o, dec, kick, ctx);

		model->full += o->nr - done;
		if (model->record)
			record(model, dec, done);
	}
	model->batches++;
	model->nr = 0;
	model->nr_origins = 0;
}
