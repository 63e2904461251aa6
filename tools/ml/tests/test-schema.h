/* SPDX-License-Identifier: GPL-2.0 */
/* The proxy that the tests use. */
#ifndef _TEST_SCHEMA_H
#define _TEST_SCHEMA_H

#include <linux/ml_lib.h>

#define TEST_PROXY	"test/echo"
#define TEST_ID		3
#define TEST_HASH	0x1122334455667788ULL
#define TEST_FEATURES	4
#define TEST_OUTPUTS	1

struct test_features {
	__u32 size;
	__s16 delta;
	__u8 kind;
	__u8 object;
};

/* One feature has the name of a field of every record, on purpose. */
static const struct ml_lib_field test_fields[TEST_FEATURES + TEST_OUTPUTS] = {
	{ "size", "pages", ML_LIB_U32, 0, 10, 0, 0, 1000000 },
	{ "delta", "pages", ML_LIB_S16, 4, 1, 0, -32768, 32767 },
	{ "kind", "", ML_LIB_U8, 6, 1, 0, 0, 255 },
	{ "object", "", ML_LIB_U8, 7, 1, 0, 0, 255 },
	{ "window", "pages", ML_LIB_S32, 0, 2, 0, 1, 128 },
};

#endif /* _TEST_SCHEMA_H */
