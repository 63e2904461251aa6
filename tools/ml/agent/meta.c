// SPDX-License-Identifier: GPL-2.0
/*
 * What a model file says of itself:
 *
 *	{"schema_hash": "0x...", "proxy": "mm/readahead", "version": 1,
 *	 "outputs": ["window"], "features": ["delta", ...]}
 *
 * The hash decides: it covers the names, types, scales and their order. The
 * rest is there to say in words what differs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model.h"

#define RETRAIN	"retrain it with the current schema ('mlctl schema %s --json')"

static int check_names(struct model *model, const cJSON *meta, const char *key,
		       const struct ml_lib_field *field, uint32_t nr)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(meta, key);
	const char *proxy = model->schema->name;

	if (!list)
		return 0;
	for (uint32_t i = 0; i < nr; i++) {
		const cJSON *item = cJSON_GetArrayItem(list, i);
		const char *name;

		/* Outputs may be names or, with weights, objects. */
		if (cJSON_IsObject(item))
			item = cJSON_GetObjectItemCaseSensitive(item, "name");
		name = cJSON_GetStringValue(item);
		if (!name || strcmp(name, field[i].name)) {
			warn("%s: %s[%u] is '%s', but '%s' of %s has '%s' there: " RETRAIN,
			     model->spec, key, i, name ? name : "missing", key,
			     proxy, field[i].name, proxy);
			return -1;
		}
	}
	if ((uint32_t)cJSON_GetArraySize(list) != nr) {
		warn("%s: has %d %s, but %s has %u: " RETRAIN, model->spec,
		     cJSON_GetArraySize(list), key, proxy, nr, proxy);
		return -1;
	}
	return 0;
}

/* Decisions in a recording are told apart by it. */
static int check_version(struct model *model, const cJSON *meta)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(meta, "version");
	double value = cJSON_GetNumberValue(version);

	if (!version)
		return 0;
	/* No text is a number, and no comparison with NaN is true. */
	if (!(value >= 1 && value <= UINT32_MAX && value == (uint32_t)value)) {
		warn("%s: its version is not a whole number from 1 to %u: give it one where the model is written",
		     model->spec, UINT32_MAX);
		return -1;
	}
	model->version = (uint32_t)value;
	return 0;
}

int meta_check(struct model *model, const cJSON *meta)
{
	const struct mlagent_schema *s = model->schema;
	const char *hash, *proxy;
	char *end;
	uint64_t value;

	proxy = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "proxy"));
	if (proxy && strcmp(proxy, s->name)) {
		warn("%s: is a model for %s, not for %s: give the file made for %s",
		     model->spec, proxy, s->name, s->name);
		return -1;
	}

	hash = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, "schema_hash"));
	if (!hash) {
		warn("%s: names no schema_hash: " RETRAIN, model->spec, s->name);
		return -1;
	}
	value = strtoull(hash, &end, 0);
	if (*end || end == hash || value != s->hash) {
		warn("%s: made for schema %s, but %s has 0x%016" PRIx64 ": " RETRAIN,
		     model->spec, hash, s->name, (uint64_t)s->hash, s->name);
		return -1;
	}

	if (check_names(model, meta, "features", s->field, s->nr_features) ||
	    check_names(model, meta, "outputs", s->field + s->nr_features,
			s->nr_outputs))
		return -1;

	return check_version(model, meta);
}
