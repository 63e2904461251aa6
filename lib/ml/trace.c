// SPDX-License-Identifier: GPL-2.0
#include "proxy.h"

#define CREATE_TRACE_POINTS
#include <trace/events/ml_lib.h>
