// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>

#include "schema_json.h"

/* 64-bit limits do not fit the double that cJSON keeps numbers in. */
static void add_s64(cJSON *obj, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	cJSON_AddRawToObject(obj, key, text);
}

static void add_fields(cJSON *obj, const char *key,
		       const struct ml_lib_field *field, uint32_t nr)
{
	cJSON *array = cJSON_AddArrayToObject(obj, key);

	for (uint32_t i = 0; i < nr; i++) {
		const char *type = mlagent_type_name(field[i].type);
		cJSON *f = cJSON_CreateObject();

		cJSON_AddStringToObject(f, "name", field[i].name);
		cJSON_AddStringToObject(f, "unit", field[i].unit);
		cJSON_AddStringToObject(f, "type", type ? type : "unknown");
		cJSON_AddNumberToObject(f, "offset", field[i].offset);
		cJSON_AddNumberToObject(f, "scale", field[i].scale);
		add_s64(f, "min", field[i].min);
		add_s64(f, "max", field[i].max);
		cJSON_AddItemToArray(array, f);
	}
}

cJSON *schema_to_json(const struct mlagent_schema *schema)
{
	cJSON *obj = cJSON_CreateObject();
	char hash[24];

	if (!obj)
		return NULL;
	snprintf(hash, sizeof(hash), "0x%016" PRIx64, (uint64_t)schema->hash);
	cJSON_AddStringToObject(obj, "proxy", schema->name);
	cJSON_AddStringToObject(obj, "schema_hash", hash);
	cJSON_AddNumberToObject(obj, "feature_bytes", schema->feature_bytes);
	add_fields(obj, "features", schema->field, schema->nr_features);
	add_fields(obj, "outputs", schema->field + schema->nr_features,
		   schema->nr_outputs);
	return obj;
}
