/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ml_bench

#if !defined(_ML_BENCH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ML_BENCH_TRACE_H

#include <linux/tracepoint.h>

#include "ml_bench.h"

/* A request as a trace event: what it costs to tell user space that way. */
TRACE_EVENT(ml_bench_request,
	TP_PROTO(u32 obj, const u64 *word),
	TP_ARGS(obj, word),
	TP_STRUCT__entry(
		__field(u32, obj)
		__array(u64, word, ML_BENCH_WORDS)
	),
	TP_fast_assign(
		__entry->obj = obj;
		memcpy(__entry->word, word, sizeof(__entry->word));
	),
	TP_printk("obj=%u word=%s", __entry->obj,
		  __print_array(__entry->word, ML_BENCH_WORDS, sizeof(u64)))
);

#endif /* _ML_BENCH_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
