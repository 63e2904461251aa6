/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ML_LIB: machine-learning advice for kernel subsystems.
 *
 * A client declares a proxy: a name, a schema of integer features and outputs,
 * and a number of objects (files, devices, cgroups) that can have advice. It
 * submits feature vectors and goes on; a user-space agent evaluates a model and
 * sends decisions back, which become advice. At the moment of use the client
 * reads the advice, or has none and uses its own default.
 *
 * Documentation/core-api/ml_lib.rst has a complete example.
 */
#ifndef _LINUX_ML_LIB_H
#define _LINUX_ML_LIB_H

#include <linux/jump_label.h>
#include <linux/types.h>
#include <uapi/linux/ml_lib.h>

struct ml_proxy_core;

/**
 * struct ml_schema - typed description of what goes out and what comes back
 * @features: the members of the feature structure
 * @nr_features: how many, at most ML_LIB_MAX_FEATURES
 * @feature_bytes: size of the feature structure, a multiple of 8, at most
 *	ML_LIB_MAX_PAYLOAD
 * @outputs: the outputs; all of type ML_LIB_S32
 * @nr_outputs: how many, at most ML_LIB_MAX_OUTPUTS; their ranges together
 *	must fit into ML_ADVICE_VALUE_BITS bits
 *
 * The feature structure goes to user space as it is: it has no padding, or has it
 * zeroed.
 */
struct ml_schema {
	const struct ml_lib_field *features;
	u32 nr_features;
	u32 feature_bytes;
	const struct ml_lib_field *outputs;
	u32 nr_outputs;
};

/* Bits of an advice word for the outputs, see lib/ml/advice.h */
#define ML_ADVICE_VALUE_BITS	23

/**
 * ML_FEATURE() - entry of a table of features
 * @_struct: the feature structure
 * @_member: a member of it
 * @_type: its enum ml_lib_type
 * @_unit: unit, a string
 * @_scale: the integer divided by this is in @_unit
 * @_min: least integer
 * @_max: greatest integer
 */
#define ML_FEATURE(_struct, _member, _type, _unit, _scale, _min, _max)	\
	{								\
		.name = #_member, .unit = _unit, .type = _type,		\
		.offset = offsetof(_struct, _member),			\
		.scale = _scale, .min = _min, .max = _max,		\
	}

/**
 * ML_OUTPUT() - entry of a table of outputs
 * @_index: its number, from 0
 * @_name: name, a string
 * @_unit: unit, a string
 * @_scale: the integer divided by this is in @_unit
 * @_min: least integer
 * @_max: greatest integer
 */
#define ML_OUTPUT(_index, _name, _unit, _scale, _min, _max)		\
	{								\
		.name = _name, .unit = _unit, .type = ML_LIB_S32,	\
		.offset = _index, .scale = _scale,			\
		.min = _min, .max = _max,				\
	}

/**
 * struct ml_proxy - a client's stand-in for its model
 * @name: "subsystem/purpose"
 * @schema: what goes out and what comes back
 * @nr_objects: how many objects can have advice at a time, 1 to 65536
 * @rate: default of the budget: records, requests and feedback together, per
 *	second on each CPU, 1 to 1000000
 * @deadline_us: default of the deadline for a decision, 1 to 10000000
 * @ttl_ms: default of the life of advice, 1 to 60000
 * @active: (private) true while decisions are wanted and an agent runs
 * @core: (private) the core's side
 *
 * Declare it statically, so that ml_proxy_active() is a branch that is patched
 * in and out.
 */
struct ml_proxy {
	const char *name;
	const struct ml_schema *schema;
	u32 nr_objects;
	u32 rate;
	u32 deadline_us;
	u32 ttl_ms;
	struct static_key_false active;
	struct ml_proxy_core *core;
};

/**
 * ml_proxy_active() - is it worth the while to collect features?
 * @p: address of a static struct ml_proxy
 *
 * Context: Any.
 * Return: false, at the cost of a static branch, unless an agent runs and
 * the proxy's mode wants its decisions. May be out of date at once; all calls
 * below are safe at any time.
 */
#define ml_proxy_active(p)	static_branch_unlikely(&(p)->active)

int ml_proxy_register(struct ml_proxy *p);
void ml_proxy_unregister(struct ml_proxy *p);
u64 ml_submit(struct ml_proxy *p, u32 obj, u64 id, const void *features);
bool ml_advice_poll(struct ml_proxy *p);
bool ml_advice_read(struct ml_proxy *p, u32 obj, s32 *out);
void ml_advice_reset(struct ml_proxy *p, u32 obj);
bool ml_report(struct ml_proxy *p, u64 cookie, u64 id,
	       const struct ml_lib_feedback *fb);
bool ml_decide(struct ml_proxy *p, u32 obj, u64 id, const void *features,
	       u32 timeout_us, s32 *out);
void ml_no_object(struct ml_proxy *p);
s32 ml_proxy_cap(struct ml_proxy *p, u32 output);

#endif /* _LINUX_ML_LIB_H */
