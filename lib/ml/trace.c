// SPDX-License-Identifier: GPL-2.0
/* The tracepoints of ML_LIB, which look into what proxy.h defines. */
#include "proxy.h"

#define CREATE_TRACE_POINTS
#include <trace/events/ml_lib.h>
