// SPDX-License-Identifier: GPL-2.0
/*
 * Linear models, without any runtime. The file is JSON:
 *
 *	{"schema_hash": "0x...", "proxy": "mm/readahead", "version": 1,
 *	 "outputs": [{"name": "window", "weights": [...], "bias": 4}]}
 *
 * One weight per feature, in the order and the units of the schema; the result
 * is clamped to the range of the output.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model.h"

#define MAX_FILE	(1 << 20)

/* Per output: lowest, highest, bias, then the weights. */
struct linear {
	unsigned int stride;
	float param[];
};

enum { LOW, HIGH, BIAS, WEIGHTS };

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t len;

	if (!file) {
		warn("%s: %s", path, strerror(errno));
		return NULL;
	}
	text = malloc(MAX_FILE);
	if (text) {
		len = fread(text, 1, MAX_FILE - 1, file);
		text[len] = '\0';
	}
	fclose(file);
	return text;
}

static int read_output(struct model *model, const cJSON *out, float *param,
		       const struct ml_lib_field *f)
{
	const cJSON *weights = cJSON_GetObjectItemCaseSensitive(out, "weights");
	const cJSON *bias = cJSON_GetObjectItemCaseSensitive(out, "bias");
	uint32_t nr = model->schema->nr_features;

	if (!cJSON_IsNumber(bias) ||
	    (uint32_t)cJSON_GetArraySize(weights) != nr) {
		warn("%s: output '%s' needs a bias and %u weights, one per feature of %s",
		     model->spec, f->name, nr, model->schema->name);
		return -1;
	}
	param[LOW] = (float)f->min / f->scale;
	param[HIGH] = (float)f->max / f->scale;
	param[BIAS] = bias->valuedouble;
	for (uint32_t i = 0; i < nr; i++) {
		const cJSON *w = cJSON_GetArrayItem(weights, i);

		if (!cJSON_IsNumber(w)) {
			warn("%s: weight %u of output '%s' is not a number",
			     model->spec, i, f->name);
			return -1;
		}
		param[WEIGHTS + i] = w->valuedouble;
	}
	return 0;
}

static int linear_load(struct model *model)
{
	const struct mlagent_schema *s = model->schema;
	unsigned int stride = WEIGHTS + s->nr_features;
	struct linear *lin;
	const cJSON *outputs;
	cJSON *json;
	char *text;
	int ret = -1;

	text = model_readable(model) ? read_file(model->spec) : NULL;
	if (!text)
		return -1;
	json = cJSON_Parse(text);
	free(text);
	if (!json) {
		warn("%s: is not JSON: the file is corrupt, or not a linear model",
		     model->spec);
		return -1;
	}
	lin = calloc(1, sizeof(*lin) +
		     (size_t)stride * s->nr_outputs * sizeof(float));
	if (!lin || meta_check(model, json))
		goto out;
	lin->stride = stride;

	outputs = cJSON_GetObjectItemCaseSensitive(json, "outputs");
	if (!outputs) {
		warn("%s: has no outputs: give it weights and a bias for each that 'mlctl schema %s' tells",
		     model->spec, s->name);
		goto out;
	}
	for (uint32_t i = 0; i < s->nr_outputs; i++)
		if (read_output(model, cJSON_GetArrayItem(outputs, i),
				lin->param + (size_t)i * stride,
				&s->field[s->nr_features + i]))
			goto out;
	model->priv = lin;
	lin = NULL;
	ret = 0;
out:
	free(lin);
	cJSON_Delete(json);
	return ret;
}

static int linear_forward(struct model *model, unsigned int nr)
{
	const struct linear *lin = model->priv;
	uint32_t nr_in = model->schema->nr_features;
	uint32_t nr_out = model->schema->nr_outputs;
	const float *in = model->in;
	float *out = model->room;

	for (unsigned int i = 0; i < nr; i++, in += nr_in) {
		for (uint32_t j = 0; j < nr_out; j++) {
			const float *p = lin->param + (size_t)j * lin->stride;
			float sum = p[BIAS];

			for (uint32_t k = 0; k < nr_in; k++)
				sum += p[WEIGHTS + k] * in[k];
			/* NaN passes, and is declined. */
			if (sum < p[LOW])
				sum = p[LOW];
			else if (sum > p[HIGH])
				sum = p[HIGH];
			*out++ = sum;
		}
	}
	return 0;
}

static void linear_unload(struct model *model)
{
	free(model->priv);
}

const struct backend backend_linear = {
	.name		= "linear",
	.load		= linear_load,
	.forward	= linear_forward,
	.unload		= linear_unload,
};
