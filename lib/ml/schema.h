/* SPDX-License-Identifier: GPL-2.0 */
/* Schemas: checking and hashing them, and packing outputs into advice. */
#ifndef _ML_SCHEMA_H
#define _ML_SCHEMA_H

#include <linux/ml_lib.h>

int ml_schema_check(const char *name, const struct ml_schema *s);
u64 ml_schema_hash(const char *name, const struct ml_schema *s);
bool ml_schema_pack(const struct ml_schema *s, const s32 *out, u32 *value);
void ml_schema_unpack(const struct ml_schema *s, u32 value, s32 *out);

#endif /* _ML_SCHEMA_H */
