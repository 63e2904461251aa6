// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/* Names of what the interface numbers, for tables and messages. */
#include <stddef.h>

#include "mlagent.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const mode_names[] = {
	[ML_LIB_MODE_EMERGENCY]		= "off",
	[ML_LIB_MODE_LEARNING]		= "record",
	[ML_LIB_MODE_COLLABORATION]	= "collab",
	[ML_LIB_MODE_RECOMMENDATION]	= "on",
};

static const char *const type_names[] = {
	[ML_LIB_U8]	= "u8",
	[ML_LIB_S8]	= "s8",
	[ML_LIB_U16]	= "u16",
	[ML_LIB_S16]	= "s16",
	[ML_LIB_U32]	= "u32",
	[ML_LIB_S32]	= "s32",
	[ML_LIB_U64]	= "u64",
	[ML_LIB_S64]	= "s64",
};

static const char *const counter_names[] = {
	[ML_LIB_CNT_SUBMIT]		= "submit",
	[ML_LIB_CNT_DECIDE]		= "decide",
	[ML_LIB_CNT_FEEDBACK]		= "feedback",
	[ML_LIB_CNT_APPLY]		= "apply",
	[ML_LIB_CNT_MODE]		= "mode",
	[ML_LIB_CNT_NO_AGENT]		= "no_agent",
	[ML_LIB_CNT_NO_ADVICE]		= "no_advice",
	[ML_LIB_CNT_STALE]		= "stale",
	[ML_LIB_CNT_RING_FULL]		= "ring_full",
	[ML_LIB_CNT_INFLIGHT_FULL]	= "inflight_full",
	[ML_LIB_CNT_BUDGET]		= "budget",
	[ML_LIB_CNT_NMI]		= "nmi",
	[ML_LIB_CNT_DEADLINE]		= "deadline",
	[ML_LIB_CNT_UNMATCHED]		= "unmatched",
	[ML_LIB_CNT_DECLINED]		= "declined",
	[ML_LIB_CNT_RANGE]		= "range",
	[ML_LIB_CNT_BROKEN]		= "broken",
	[ML_LIB_CNT_NO_OBJECT]		= "no_object",
};

_Static_assert(ARRAY_SIZE(counter_names) == ML_LIB_NR_COUNTERS,
	       "a counter has no name");

const char *mlagent_mode_name(uint32_t mode)
{
	return mode < ARRAY_SIZE(mode_names) ? mode_names[mode] : NULL;
}

const char *mlagent_type_name(uint32_t type)
{
	return type < ARRAY_SIZE(type_names) ? type_names[type] : NULL;
}

const char *mlagent_counter_name(uint32_t counter)
{
	return counter < ARRAY_SIZE(counter_names) ? counter_names[counter] :
						     NULL;
}
