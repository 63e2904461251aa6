/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Conversion between the integers of the kernel and the numbers of a model.
 *
 * The schema is read once, when a model is opened; what is left to do for each
 * request are loops over arrays, which the compiler vectorises.
 */
#ifndef _ML_CONVERT_H
#define _ML_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "mlagent.h"

/**
 * struct convert_run - features of one type that lie side by side
 * @type: enum ml_lib_type
 * @offset: of the first one in the payload, in bytes
 * @first: index of the first one
 * @nr: how many
 */
struct convert_run {
	uint16_t type;
	uint16_t offset;
	uint16_t first;
	uint16_t nr;
};

/**
 * struct convert - how to convert for a schema
 * @nr_runs: runs of features
 * @nr_outputs: number of outputs
 * @run: the runs
 * @scale: of each feature
 * @wide: the same for the types of which float does not hold every value
 * @out_scale: of each output
 * @low: least integer of each output
 * @high: greatest integer of each output
 */
struct convert {
	unsigned int nr_runs;
	unsigned int nr_outputs;
	struct convert_run run[ML_LIB_MAX_FEATURES];
	float scale[ML_LIB_MAX_FEATURES];
	double wide[ML_LIB_MAX_FEATURES];
	double out_scale[ML_LIB_MAX_OUTPUTS];
	double low[ML_LIB_MAX_OUTPUTS];
	double high[ML_LIB_MAX_OUTPUTS];
};

/* What became of the outputs of a request */
enum convert_result { CONVERT_OK, CONVERT_NAN, CONVERT_RANGE };

/**
 * convert_init() - plan the conversion
 * @c: filled in
 * @schema: of the proxy
 *
 * Return: 0; -1 after a message if a type or offset is not known.
 */
int convert_init(struct convert *c, const struct mlagent_schema *schema);

/**
 * convert_features() - the features of a request, in units of the schema
 * @c: the plan
 * @payload: of the request
 * @row: set to as many numbers as the schema has features, each the quotient of
 *	integer and scale, rounded once
 */
void convert_features(const struct convert *c, const void *payload, float *row);

/**
 * convert_outputs() - the outputs of a request, as integers of the schema
 * @c: the plan
 * @row: the outputs in units of the schema
 * @value: set to the rounded outputs; without meaning unless CONVERT_OK
 *
 * Return: CONVERT_NAN if one is not finite, else CONVERT_RANGE if one is not in
 * the range of the schema, else CONVERT_OK.
 */
enum convert_result convert_outputs(const struct convert *c, const float *row,
				    int32_t *value);

#endif /* _ML_CONVERT_H */
