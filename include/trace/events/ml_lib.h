/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ml_lib

#if !defined(_TRACE_ML_LIB_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_ML_LIB_H

#include <linux/ml_lib.h>
#include <linux/tracepoint.h>

struct ml_proxy_core;

#define show_ml_counter(c)					\
	__print_symbolic(c,					\
		{ ML_LIB_CNT_DECIDE,		"accepted" },	\
		{ ML_LIB_CNT_NO_AGENT,		"no_agent" },	\
		{ ML_LIB_CNT_NO_ADVICE,		"no_advice" },	\
		{ ML_LIB_CNT_STALE,		"stale" },	\
		{ ML_LIB_CNT_RING_FULL,		"ring_full" },	\
		{ ML_LIB_CNT_INFLIGHT_FULL,	"inflight_full" }, \
		{ ML_LIB_CNT_BUDGET,		"budget" },	\
		{ ML_LIB_CNT_NMI,		"nmi" },	\
		{ ML_LIB_CNT_DEADLINE,		"deadline" },	\
		{ ML_LIB_CNT_DECLINED,		"declined" },	\
		{ ML_LIB_CNT_RANGE,		"range" },	\
		{ ML_LIB_CNT_BROKEN,		"broken" },	\
		{ ML_LIB_CNT_NO_OBJECT,		"no_object" })

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
