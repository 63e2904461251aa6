/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Conversion between the integers of the kernel and the numbers of a model.
 *
 * The schema is read once, when a model is opened; what is left to do for a
 * batch are loops over its requests, by vectors.
 */
#ifndef _ML_CONVERT_H
#define _ML_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "mlagent.h"

/* Features that are converted at once */
#define CONVERT_LANES	8

/**
 * struct convert_block - features of one type that lie side by side
 * @type: enum ml_lib_type
 * @offset: of the first one in the payload, in bytes
 * @first: index of the first one
 * @nr: how many, at most CONVERT_LANES
 *
 * Where there are more than fit into a block and not a multiple, the last two
 * blocks overlap.
 */
struct convert_block {
	uint16_t type;
	uint16_t offset;
	uint16_t first;
	uint16_t nr;
};

/**
 * struct convert - how to convert for a schema
 * @nr_blocks: blocks of features
 * @nr_features: number of features
 * @nr_outputs: number of outputs
 * @block: the blocks
 * @scale: of each feature
 * @wide: the same for the types of which float does not hold every value
 * @out_scale: of each output
 * @low: least integer of each output
 * @high: greatest integer of each output
 */
struct convert {
	unsigned int nr_blocks;
	unsigned int nr_features;
	unsigned int nr_outputs;
	struct convert_block block[ML_LIB_MAX_FEATURES];
	float scale[ML_LIB_MAX_FEATURES];
	double wide[ML_LIB_MAX_FEATURES];
	double out_scale[ML_LIB_MAX_OUTPUTS];
	double low[ML_LIB_MAX_OUTPUTS];
	double high[ML_LIB_MAX_OUTPUTS];
};

/**
 * struct convert_tally - what became of outputs, counted by request
 * @decided: decisions were made of them
 * @declined: one was not finite
 * @range: one was not in the range of the schema
 */
struct convert_tally {
	uint64_t decided;
	uint64_t declined;
	uint64_t range;
};

/**
 * convert_init() - plan the conversion
 * @c: filled in
 * @schema: of the proxy
 *
 * Return: 0; -1 after a message if a type or offset is not known.
 */
int convert_init(struct convert *c, const struct mlagent_schema *schema);

/**
 * convert_features() - the features of requests, in units of the schema
 * @c: the plan
 * @req: the requests
 * @nr: how many
 * @row: set to as many numbers for each as the schema has features, each the
 *	quotient of integer and scale, rounded once
 */
void convert_features(const struct convert *c,
		      const struct ml_lib_request *const *req, unsigned int nr,
		      float *row);

/**
 * convert_outputs() - make decisions of outputs
 * @c: the plan
 * @row: the outputs in units of the schema, row by row
 * @nr: how many rows
 * @flags: of every decision
 * @dec: out is set to the rounded outputs; where that is not possible, it is
 *	zero and ML_LIB_DECISION_DECLINED is added to flags
 * @tally: added to
 */
void convert_outputs(const struct convert *c, const float *row, unsigned int nr,
		     uint32_t flags, struct ml_lib_decision *dec,
		     struct convert_tally *tally);

#endif /* _ML_CONVERT_H */
