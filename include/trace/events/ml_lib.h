/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ml_lib

#if !defined(_TRACE_ML_LIB_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_ML_LIB_H

#include <linux/ml_lib.h>
#include <linux/tracepoint.h>

struct ml_proxy_core;

/* What a trace can name, twice: user space cannot look the numbers up. */
#define ML_REASONS						\
	ML_REASON(DECIDE,		"accepted")		\
	ML_REASON(MODE,			"mode")			\
	ML_REASON(NO_AGENT,		"no_agent")		\
	ML_REASON(NO_ADVICE,		"no_advice")		\
	ML_REASON(STALE,		"stale")		\
	ML_REASON(RING_FULL,		"ring_full")		\
	ML_REASON(INFLIGHT_FULL,	"inflight_full")	\
	ML_REASON(BUDGET,		"budget")		\
	ML_REASON(NMI,			"nmi")			\
	ML_REASON(DEADLINE,		"deadline")		\
	ML_REASON(UNMATCHED,		"unmatched")		\
	ML_REASON(DECLINED,		"declined")		\
	ML_REASON(RANGE,		"range")		\
	ML_REASON(BROKEN,		"broken")		\
	ML_REASON_LAST(NO_OBJECT,	"no_object")

#undef ML_REASON
#undef ML_REASON_LAST
#define ML_REASON(_name, _text)		TRACE_DEFINE_ENUM(ML_LIB_CNT_##_name);
#define ML_REASON_LAST(_name, _text)	TRACE_DEFINE_ENUM(ML_LIB_CNT_##_name);

ML_REASONS

#undef ML_REASON
#undef ML_REASON_LAST
#define ML_REASON(_name, _text)		{ ML_LIB_CNT_##_name, _text },
#define ML_REASON_LAST(_name, _text)	{ ML_LIB_CNT_##_name, _text }

#define show_ml_counter(c)	__print_symbolic(c, ML_REASONS)

TRACE_EVENT(ml_submit,
	TP_PROTO(const struct ml_proxy_core *core, u32 obj, u64 cookie),
	TP_ARGS(core, obj, cookie),
	TP_STRUCT__entry(
		__string(name, core->proxy->name)
		__field(u32, obj)
		__field(u64, cookie)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->obj = obj;
		__entry->cookie = cookie;
	),
	TP_printk("proxy=%s obj=%u cookie=%llx", __get_str(name), __entry->obj,
		  __entry->cookie)
);

TRACE_EVENT(ml_decide,
	TP_PROTO(const struct ml_proxy_core *core, u32 obj,
		 const struct ml_lib_decision *d, u32 verdict, u64 latency_ns),
	TP_ARGS(core, obj, d, verdict, latency_ns),
	TP_STRUCT__entry(
		__string(name, core->proxy->name)
		__field(u32, obj)
		__field(u64, cookie)
		__field(u32, flags)
		__field(s32, out0)
		__field(u32, verdict)
		__field(u64, latency_ns)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->obj = obj;
		__entry->cookie = d->cookie;
		__entry->flags = d->flags;
		__entry->out0 = d->out[0];
		__entry->verdict = verdict;
		__entry->latency_ns = latency_ns;
	),
	TP_printk("proxy=%s obj=%u cookie=%llx flags=%x out0=%d verdict=%s latency_ns=%llu",
		  __get_str(name), __entry->obj, __entry->cookie,
		  __entry->flags, __entry->out0,
		  show_ml_counter(__entry->verdict), __entry->latency_ns)
);

TRACE_EVENT(ml_drop,
	TP_PROTO(const struct ml_proxy_core *core, u32 reason),
	TP_ARGS(core, reason),
	TP_STRUCT__entry(
		__string(name, core->proxy->name)
		__field(u32, reason)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->reason = reason;
	),
	TP_printk("proxy=%s reason=%s", __get_str(name),
		  show_ml_counter(__entry->reason))
);

TRACE_EVENT(ml_fallback,
	TP_PROTO(const struct ml_proxy_core *core, u32 obj, u32 reason),
	TP_ARGS(core, obj, reason),
	TP_STRUCT__entry(
		__string(name, core->proxy->name)
		__field(u32, obj)
		__field(u32, reason)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->obj = obj;
		__entry->reason = reason;
	),
	TP_printk("proxy=%s obj=%u reason=%s", __get_str(name), __entry->obj,
		  show_ml_counter(__entry->reason))
);

DECLARE_EVENT_CLASS(ml_agent,
	TP_PROTO(const struct ml_proxy_core *core),
	TP_ARGS(core),
	TP_STRUCT__entry(
		__string(name, core->proxy->name)
		__field(u32, mode)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->mode = core->mode;
	),
	TP_printk("proxy=%s mode=%u", __get_str(name), __entry->mode)
);

DEFINE_EVENT(ml_agent, ml_attach,
	TP_PROTO(const struct ml_proxy_core *core),
	TP_ARGS(core)
);

DEFINE_EVENT(ml_agent, ml_detach,
	TP_PROTO(const struct ml_proxy_core *core),
	TP_ARGS(core)
);

#endif /* _TRACE_ML_LIB_H */

#include <trace/define_trace.h>
