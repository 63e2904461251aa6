/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Models: a proxy's batch of requests, and the backend that decides it.
 *
 * All buffers are allocated when the model is opened; nothing is allocated per
 * batch (a backend's runtime may still do so).
 */
#ifndef _ML_MODEL_H
#define _ML_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <cJSON.h>

#include "convert.h"
#include "mlagent.h"

struct model;
struct record;

/**
 * struct backend - a way to evaluate models
 * @name: for --backend and messages
 * @decision_flags: ML_LIB_DECISION_* of every decision
 * @load: read @model->spec, set @model->priv; says what is wrong by warn()
 * @forward: evaluate @nr rows of @model->in into @model->room, or set
 *	@model->out to where the outputs are until the next call; NaN declines
 *	a row; says what is wrong by warn()
 * @unload: free @model->priv
 *
 * load and forward return 0 or -1.
 */
struct backend {
	const char *name;
	uint32_t decision_flags;
	int (*load)(struct model *model);
	int (*forward)(struct model *model, unsigned int nr);
	void (*unload)(struct model *model);
};

extern const struct backend backend_null;
extern const struct backend backend_linear;
extern const struct backend backend_torch;
extern const struct backend backend_explore;

/* Return: the backend that --backend @name means, or NULL. */
const struct backend *backend_find(const char *name);

/* Requests of the batch that came from one queue, side by side */
struct origin {
	uint32_t queue;
	uint32_t nr;
};

/**
 * struct model - the model of one proxy
 * @backend: evaluates it
 * @schema: the proxy's
 * @spec: what the command line gave: a file, or the set to explore
 * @seed: of what is drawn at random
 * @explore_block_ms: how long one draw is held for all objects, or 0
 * @priv: the backend's
 * @version: as the model file says, 0 if it does not
 * @probability: of the decisions, given the policy
 * @record: where to record to, or NULL
 * @max: most requests in a batch
 * @nr: requests in the batch
 * @in: @max rows of features, in units of the schema
 * @room: of the outputs: @max rows
 * @out: the outputs of the last forward, in units of the schema
 * @convert: from and to the kernel's integers
 * @decision: of each request, with its cookie from the start
 * @origin: where the requests came from, in their order
 * @nr_origins: how many
 *
 * @tally: what became of the outputs
 *
 * The counters are of requests, and the agent's own.
 */
struct model {
	const struct backend *backend;
	struct mlagent_schema *schema;
	const char *spec;
	uint64_t seed;
	uint32_t explore_block_ms;
	void *priv;
	uint32_t version;
	float probability;
	struct record *record;

	unsigned int max;
	unsigned int nr;
	float *in;
	float *room;
	const float *out;
	struct convert convert;
	struct ml_lib_decision *decision;
	struct origin *origin;
	unsigned int nr_origins;

	uint64_t requests;
	uint64_t feedbacks;
	uint64_t batches;
	struct convert_tally tally;
	uint64_t full;
	uint64_t failed;
};

/**
 * model_open() - allocate the batch and load
 * @model: with backend, schema, spec and seed set
 * @max: most requests in a batch
 *
 * Return: 0, or -1 after a message.
 */
int model_open(struct model *model, unsigned int max);

/**
 * model_readable() - can the file that @model->spec names be read?
 * @model: the model
 *
 * Backends ask before they load, since libraries word this poorly.
 *
 * Return: false after a message.
 */
bool model_readable(const struct model *model);
void model_close(struct model *model);

/**
 * model_add() - add requests to the batch
 * @model: the model
 * @queue: where the requests came from
 * @req: the requests, of this model's proxy
 * @nr: how many; the batch has room for them
 */
void model_add(struct model *model, uint32_t queue,
	       const struct ml_lib_request *const *req, unsigned int nr);

/**
 * model_decide() - decide the batch and hand the decisions to the kernel
 * @model: the model
 * @agent: the session
 * @kick: makes room in a queue's decision ring
 * @ctx: argument of @kick
 */
void model_decide(struct model *model, struct mlagent *agent,
		  void (*kick)(void *ctx, uint32_t queue), void *ctx);

/**
 * meta_check() - is a model file made for this proxy?
 * @model: the model
 * @meta: what the file says of itself
 *
 * Sets @model->version.
 *
 * Return: 0, or -1 after a message with the remedy.
 */
int meta_check(struct model *model, const cJSON *meta);

#endif /* _ML_MODEL_H */
