/* SPDX-License-Identifier: GPL-2.0 */
/* A schema as JSON: the form in which training reads it. */
#ifndef _ML_SCHEMA_JSON_H
#define _ML_SCHEMA_JSON_H

#include <cJSON.h>

#include "mlagent.h"

/* Return: an object to be freed with cJSON_Delete(), or NULL without memory. */
cJSON *schema_to_json(const struct mlagent_schema *schema);

#endif /* _ML_SCHEMA_JSON_H */
