// SPDX-License-Identifier: GPL-2.0
/*
 * Load a model for the test proxy and evaluate a batch, without a device:
 *
 *	probe-model BACKEND FILE
 *
 * prints the outputs of the rows (10, 0, 0, 0), (20, 0, 0, 0), ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "test-schema.h"

#define ROWS	4

int main(int argc, char **argv)
{
	struct model model = { 0 };
	int ret;

	if (argc != 3)
		return 2;
	model.backend = backend_find(argv[1]);
	if (!strcmp(argv[1], "explore"))
		model.backend = &backend_explore;
	if (!model.backend)
		return 2;
	model.spec = argv[2];
	model.schema = calloc(1, sizeof(*model.schema) + sizeof(test_fields));
	if (!model.schema)
		return 2;
	strcpy(model.schema->name, TEST_PROXY);
	model.schema->hash = TEST_HASH;
	model.schema->feature_bytes = sizeof(struct test_features);
	model.schema->nr_features = TEST_FEATURES;
	model.schema->nr_outputs = TEST_OUTPUTS;
	memcpy(model.schema->field, test_fields, sizeof(test_fields));

	ret = model_open(&model, ROWS);
	for (int i = 0; i < ROWS && !ret; i++)
		model.in[i * TEST_FEATURES] = 10 * (i + 1);
	if (!ret)
		ret = model.backend->forward(&model, ROWS);
	for (int i = 0; i < ROWS && !ret; i++)
		printf("%g%c", model.out[i], i < ROWS - 1 ? ' ' : '\n');
	model_close(&model);
	return ret ? 1 : 0;
}
