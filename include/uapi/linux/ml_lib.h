/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ML_LIB: machine-learning advice for kernel subsystems.
 *
 * The interface between the kernel and the agent, the process that evaluates
 * models. Documentation/userspace-api/ml_lib.rst describes it in full.
 *
 * All structures have the same layout for 32-bit and 64-bit programs, in
 * native byte order, without hidden padding.
 */
#ifndef _UAPI_LINUX_ML_LIB_H
#define _UAPI_LINUX_ML_LIB_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ML_LIB_ABI_VERSION	1

#define ML_LIB_NAME_LEN		32	/* with the terminating NUL */
#define ML_LIB_UNIT_LEN		16	/* with the terminating NUL */
#define ML_LIB_MAX_PAYLOAD	256	/* bytes of features in a request */
#define ML_LIB_MAX_FEATURES	64
#define ML_LIB_MAX_OUTPUTS	4

/**
 * DOC: Shared rings
 *
 * A queue is a pair of rings of fixed-size slots. The kernel produces requests
 * and the agent consumes them; the agent produces decisions and the kernel
 * consumes them. Each side writes only to pages of its own: the kernel to
 * struct ml_lib_queue_ro and the request slots behind it, the agent to struct
 * ml_lib_queue_rw and the decision slots behind it.
 *
 * A ring's position is a free-running u32; its slot is position modulo the
 * number of slots, a power of two. The first word of a slot is its sequence.
 * The producer fills the slot and then stores position + 1 to the sequence
 * with release semantics; a consumer that loads that value with acquire
 * semantics owns the slot until it publishes a consumer position behind it.
 * A slot with any other sequence is not ready. No producer position is shared,
 * so a message costs the transfer of its own cache lines and of no other.
 */

/* Words that different sides or different paths write are this far apart. */
#define ML_LIB_LINE		128

/**
 * struct ml_lib_queue_ro - what the kernel writes of a queue
 * @dec_cons: position up to which the kernel has consumed decisions
 * @__reserved0: keeps the words apart
 * @need_kick: non-zero while a kernel thread sleeps until a decision comes:
 *	publish, execute a full barrier, load this word and, if it is set, KICK
 * @__reserved1: keeps the words apart
 * @epoch: changes with every stop of the session; a process that inherited
 *	the mapping sees here that it is not (or no longer) the agent
 * @state: enum ml_lib_session_state
 * @__reserved2: keeps the words apart
 * @req: request slots begin here
 */
struct ml_lib_queue_ro {
	__u32 dec_cons;
	__u32 __reserved0[ML_LIB_LINE / 4 - 1];
	__u32 need_kick;
	__u32 __reserved1[ML_LIB_LINE / 4 - 1];
	__u32 epoch;
	__u32 state;
	__u32 __reserved2[ML_LIB_LINE / 4 - 2];
	__u8 req[];
};

/**
 * struct ml_lib_queue_rw - what the agent writes of a queue
 * @req_cons: position up to which the agent has consumed requests
 * @__reserved0: keeps the words apart
 * @need_wakeup: an odd number asks to be woken once: store a new odd number,
 *	call poll(), and sleep, there or elsewhere, only if it finds nothing;
 *	store an even number when busy again
 * @__reserved1: keeps the words apart
 * @dec: decision slots begin here
 */
struct ml_lib_queue_rw {
	__u32 req_cons;
	__u32 __reserved0[ML_LIB_LINE / 4 - 1];
	__u32 need_wakeup;
	__u32 __reserved1[ML_LIB_LINE / 4 - 1];
	__u8 dec[];
};

/**
 * enum ml_lib_session_state - state of a session, shown in every queue
 * @ML_LIB_SESSION_STOPPED: not started, or stopped
 * @ML_LIB_SESSION_RUNNING: started
 * @ML_LIB_SESSION_BROKEN: the kernel found an impossible index; every proxy
 *	of the session has fallen back to its default, for good
 */
enum ml_lib_session_state {
	ML_LIB_SESSION_STOPPED,
	ML_LIB_SESSION_RUNNING,
	ML_LIB_SESSION_BROKEN,
};

/**
 * enum ml_lib_record - what a slot of the request ring holds
 * @ML_LIB_RECORD_REQUEST: a feature vector; a decision is wanted
 * @ML_LIB_RECORD_FEEDBACK: struct ml_lib_feedback; no answer is wanted
 */
enum ml_lib_record {
	ML_LIB_RECORD_REQUEST,
	ML_LIB_RECORD_FEEDBACK,
};

/**
 * struct ml_lib_request - slot of the request ring
 * @seq: sequence, see above
 * @proxy: proxy id
 * @type: enum ml_lib_record
 * @words: length of the payload in units of eight bytes
 * @cookie: goes back unchanged in the decision; in a feedback record, the
 *	cookie of the request it belongs to
 * @time_ns: CLOCK_MONOTONIC time of submission
 * @object: what the request is about; a random number, stable for the life of
 *	the object
 * @payload: features at the offsets that the schema gives, or the feedback
 */
struct ml_lib_request {
	__u32 seq;
	__u16 proxy;
	__u8 type;
	__u8 words;
	__aligned_u64 cookie;
	__aligned_u64 time_ns;
	__aligned_u64 object;
	__u8 payload[];
};

/**
 * enum ml_lib_arm - which side decided
 * @ML_LIB_ARM_DEFAULT: the default algorithm
 * @ML_LIB_ARM_MODEL: the model
 */
enum ml_lib_arm {
	ML_LIB_ARM_DEFAULT,
	ML_LIB_ARM_MODEL,
};

/**
 * struct ml_lib_feedback - payload of a feedback record
 * @cost: total cost of what was decided; the client documents its unit
 * @units: how many units of work @cost covers
 * @extra: a second cost, for the eye and for learning; the client documents it
 * @applied: the outputs that were in force, from whichever arm
 * @arm: enum ml_lib_arm
 * @__reserved: zero
 */
struct ml_lib_feedback {
	__aligned_u64 cost;
	__aligned_u64 units;
	__aligned_u64 extra;
	__s32 applied[ML_LIB_MAX_OUTPUTS];
	__u32 arm;
	__u32 __reserved;
};

/* The model answered, but has no usable decision (not a number, not sure). */
#define ML_LIB_DECISION_DECLINED	(1U << 0)
/* Drawn at random to learn from; applied in LEARNING as far as allowed. */
#define ML_LIB_DECISION_EXPLORE		(1U << 1)
#define ML_LIB_DECISION_ALL		(ML_LIB_DECISION_DECLINED | \
					 ML_LIB_DECISION_EXPLORE)

/**
 * struct ml_lib_decision - slot of the decision ring
 * @seq: sequence, see above
 * @flags: ML_LIB_DECISION_*
 * @cookie: of the request that this answers
 * @out: outputs in the order of the schema; the rest is ignored
 */
struct ml_lib_decision {
	__u32 seq;
	__u32 flags;
	__aligned_u64 cookie;
	__s32 out[ML_LIB_MAX_OUTPUTS];
};

/**
 * DOC: ioctls
 *
 * Every argument structure begins with its size. A structure that is shorter
 * than the kernel's, but not than its first version, is taken as if the rest
 * were zero; a longer one is accepted if what the kernel does not know is zero.
 * Reserved fields must be zero.
 *
 *  - ENOTTY: the kernel does not know the ioctl
 *  - E2BIG: the structure has non-zero bytes that the kernel does not know, or
 *    is larger than a page
 *  - EINVAL: a field is out of range, or a reserved field is not zero
 *  - EOPNOTSUPP: a known field asks for something this kernel does not offer,
 *    or the processor's caches do not allow shared rings
 *  - EFAULT: a pointer is bad
 *  - EPERM: no CAP_SYS_ADMIN in the initial user namespace when the file was
 *    opened
 *  - ENOENT: no proxy with this id, or none after it; DETACH: it is not attached
 *    to this session
 *  - EBADF: the descriptor was closed while START was on its way
 *  - EBADFD: the session is in the wrong state for this call (already set up,
 *    not set up, already or not started, broken)
 *  - EBUSY: the proxy has an agent
 *  - EKEYREJECTED: the schema hash is not the proxy's
 *  - EMSGSIZE: the slots are too small for the proxy's features; SCHEMA: the
 *    array is too small
 *  - EXDEV: the caller's file table did not start the session
 *  - ENOMEM: no memory, or more than a session or a user may have
 *  - ENOSPC: the session has as many proxies as it can have
 */
#define ML_LIB_IOC_TYPE		0xBE

/* Feature bits of struct ml_lib_info */
#define ML_LIB_FEAT_URING_KICK	(1ULL << 0)	/* IORING_OP_URING_CMD */

/**
 * struct ml_lib_info - ML_LIB_IOC_INFO: version and limits
 * @size: size of this structure
 * @abi_version: out: ML_LIB_ABI_VERSION of the kernel
 * @features: out: ML_LIB_FEAT_*
 * @nr_proxies: out: registered proxies
 * @max_queues: out: most queues a session may have
 * @max_slots: out: most slots in a ring
 * @max_payload: out: most bytes of features in a request
 * @max_bytes: out: most bytes of rings a session may have
 */
struct ml_lib_info {
	__u32 size;
	__u32 abi_version;
	__aligned_u64 features;
	__u32 nr_proxies;
	__u32 max_queues;
	__u32 max_slots;
	__u32 max_payload;
	__aligned_u64 max_bytes;
};

/**
 * enum ml_lib_mode - who decides
 * @ML_LIB_MODE_EMERGENCY: the default; the model is ignored ("off")
 * @ML_LIB_MODE_LEARNING: the default decides, the model runs in shadow
 *	("record"); decisions marked EXPLORE are applied to the share of
 *	requests that the operator allows
 * @ML_LIB_MODE_COLLABORATION: the model decides half of the episodes
 *	(reserved: EOPNOTSUPP)
 * @ML_LIB_MODE_RECOMMENDATION: the model decides ("on")
 */
enum ml_lib_mode {
	ML_LIB_MODE_EMERGENCY,
	ML_LIB_MODE_LEARNING,
	ML_LIB_MODE_COLLABORATION,
	ML_LIB_MODE_RECOMMENDATION,
};

#define ML_LIB_PROXY_ATTACHED	(1U << 0)	/* an agent has attached */
#define ML_LIB_PROXY_RUNNING	(1U << 1)	/* and its session is started */

/**
 * struct ml_lib_proxy - ML_LIB_IOC_PROXY: enumerate proxies
 * @size: size of this structure
 * @id: in: look from this id on; out: id of the first proxy found
 * @name: out: subsystem/purpose
 * @schema_hash: out: hash of name, features and outputs
 * @nr_features: out: number of features
 * @nr_outputs: out: number of outputs
 * @feature_bytes: out: size of the feature vector
 * @state: out: ML_LIB_PROXY_*
 * @mode: out: enum ml_lib_mode
 * @nr_objects: out: how many objects can have advice at a time
 * @rate: out: most records per second on each CPU, requests and feedback
 * @deadline_us: out: a later decision is refused
 * @ttl_ms: out: how long advice lasts
 * @explore_permille: out: share of requests that LEARNING may explore
 * @cap: out: what the operator allows each output to reach; zero: the limit
 *	of the default algorithm
 */
struct ml_lib_proxy {
	__u32 size;
	__u32 id;
	char name[ML_LIB_NAME_LEN];
	__aligned_u64 schema_hash;
	__u32 nr_features;
	__u32 nr_outputs;
	__u32 feature_bytes;
	__u32 state;
	__u32 mode;
	__u32 nr_objects;
	__u32 rate;
	__u32 deadline_us;
	__u32 ttl_ms;
	__u32 explore_permille;
	__s32 cap[ML_LIB_MAX_OUTPUTS];
};

/**
 * enum ml_lib_type - C type of a field
 * @ML_LIB_U8: __u8
 * @ML_LIB_S8: __s8
 * @ML_LIB_U16: __u16
 * @ML_LIB_S16: __s16
 * @ML_LIB_U32: __u32
 * @ML_LIB_S32: __s32
 * @ML_LIB_U64: __u64
 * @ML_LIB_S64: __s64
 */
enum ml_lib_type {
	ML_LIB_U8,
	ML_LIB_S8,
	ML_LIB_U16,
	ML_LIB_S16,
	ML_LIB_U32,
	ML_LIB_S32,
	ML_LIB_U64,
	ML_LIB_S64,
};

/**
 * struct ml_lib_field - a feature or an output
 * @name: what it is called
 * @unit: unit of the value after division by @scale
 * @type: enum ml_lib_type; outputs are ML_LIB_S32
 * @offset: of a feature: byte offset in the payload; of an output: its index
 * @scale: the integer is the value times this
 * @__reserved: zero
 * @min: least integer
 * @max: greatest integer
 */
struct ml_lib_field {
	char name[ML_LIB_NAME_LEN];
	char unit[ML_LIB_UNIT_LEN];
	__u32 type;
	__u32 offset;
	__u32 scale;
	__u32 __reserved;
	__aligned_s64 min;
	__aligned_s64 max;
};

/**
 * struct ml_lib_schema - ML_LIB_IOC_SCHEMA: read a proxy's schema
 * @size: size of this structure
 * @id: in: proxy id
 * @fields: in: pointer to an array of struct ml_lib_field
 * @nr_fields: in: room in the array; out: features and outputs of the proxy,
 *	features first; with too little room the call fails with EMSGSIZE and
 *	this is what is needed
 * @field_size: in: sizeof(struct ml_lib_field)
 */
struct ml_lib_schema {
	__u32 size;
	__u32 id;
	__aligned_u64 fields;
	__u32 nr_fields;
	__u32 field_size;
};

/**
 * struct ml_lib_setup - ML_LIB_IOC_SETUP: make the queues of a session
 * @size: size of this structure
 * @flags: in: zero
 * @nr_queues: in: 1 to max_queues; zero for one per possible CPU; out: as made
 * @nr_slots: in: slots of each ring, a power of two from 8 to max_slots
 * @payload: in: most bytes of features that a request must hold; out: rounded
 *	up to what it can hold
 * @slot_size: out: bytes of a request slot
 * @stride_ro: out: distance of one queue's kernel-written part to the next's
 * @stride_rw: out: distance of one queue's agent-written part to the next's
 * @offset_ro: out: file offset to map the kernel-written parts at, PROT_READ
 * @offset_rw: out: file offset to map the agent-written parts at
 * @bytes_ro: out: exact length of the first mapping
 * @bytes_rw: out: exact length of the second mapping
 */
struct ml_lib_setup {
	__u32 size;
	__u32 flags;
	__u32 nr_queues;
	__u32 nr_slots;
	__u32 payload;
	__u32 slot_size;
	__u32 stride_ro;
	__u32 stride_rw;
	__aligned_u64 offset_ro;
	__aligned_u64 offset_rw;
	__aligned_u64 bytes_ro;
	__aligned_u64 bytes_rw;
};

/**
 * struct ml_lib_attach - ML_LIB_IOC_ATTACH: become the agent of a proxy
 * @size: size of this structure
 * @id: in: proxy id
 * @schema_hash: in: the schema that the model was made for
 */
struct ml_lib_attach {
	__u32 size;
	__u32 id;
	__aligned_u64 schema_hash;
};

/**
 * struct ml_lib_detach - ML_LIB_IOC_DETACH: leave a proxy
 * @size: size of this structure
 * @id: in: proxy id
 */
struct ml_lib_detach {
	__u32 size;
	__u32 id;
};

/**
 * struct ml_lib_start - ML_LIB_IOC_START, ML_LIB_IOC_STOP
 * @size: size of this structure
 * @epoch: out: epoch of the session
 *
 * The process that starts a session owns it: the session stops when that
 * process closes the file or ends, whoever else has the file open.
 */
struct ml_lib_start {
	__u32 size;
	__u32 epoch;
};

#define ML_LIB_SET_MODE		(1U << 0)
#define ML_LIB_SET_RATE		(1U << 1)
#define ML_LIB_SET_DEADLINE	(1U << 2)
#define ML_LIB_SET_TTL		(1U << 3)
#define ML_LIB_SET_EXPLORE	(1U << 4)
#define ML_LIB_SET_CAP		(1U << 5)
#define ML_LIB_SET_ALL		0x3fU

/**
 * struct ml_lib_control - ML_LIB_IOC_CONTROL: mode and budgets of a proxy
 * @size: size of this structure
 * @id: in: proxy id
 * @set: in: ML_LIB_SET_*: which of the following to change
 * @mode: in: enum ml_lib_mode
 * @rate: in: most records per second on each CPU, 1 to 1000000; enforced in
 *	tenths of a second, as a tenth of it rounded down, but at least 1
 * @deadline_us: in: 1 to 10000000
 * @ttl_ms: in: 1 to 60000
 * @explore_permille: in: 0 to 1000
 * @cap: in: per output: zero, or a value in the range of the schema
 *
 * All is done or, on error, nothing.
 */
struct ml_lib_control {
	__u32 size;
	__u32 id;
	__u32 set;
	__u32 mode;
	__u32 rate;
	__u32 deadline_us;
	__u32 ttl_ms;
	__u32 explore_permille;
	__s32 cap[ML_LIB_MAX_OUTPUTS];
};

/**
 * enum ml_lib_counter - what is counted for each proxy
 * @ML_LIB_CNT_SUBMIT: requests handed to the agent
 * @ML_LIB_CNT_DECIDE: decisions accepted
 * @ML_LIB_CNT_FEEDBACK: feedback records handed to the agent
 * @ML_LIB_CNT_APPLY: advice read and handed to the client
 * @ML_LIB_CNT_MODE: fallback because of the mode: a valid decision was not applied,
 *	or ml_decide() did not ask or wait
 * @ML_LIB_CNT_NO_AGENT: fallback, or record dropped: no agent runs for the proxy,
 *	or it is the caller of ml_decide()
 * @ML_LIB_CNT_NO_ADVICE: fallback: nothing decided yet for the object
 * @ML_LIB_CNT_STALE: fallback: the advice has expired
 * @ML_LIB_CNT_RING_FULL: request or feedback dropped: the ring is full
 * @ML_LIB_CNT_INFLIGHT_FULL: request dropped: too many are unanswered
 * @ML_LIB_CNT_BUDGET: request or feedback dropped: over the rate
 * @ML_LIB_CNT_NMI: request or feedback refused: NMI context
 * @ML_LIB_CNT_DEADLINE: decision came too late or never
 * @ML_LIB_CNT_UNMATCHED: accepted decision for an object that is gone
 * @ML_LIB_CNT_DECLINED: the model declined
 * @ML_LIB_CNT_RANGE: an output was out of range, or a flag unknown
 * @ML_LIB_CNT_BROKEN: the session broke
 * @ML_LIB_CNT_NO_OBJECT: fallback: the client had no index left for the object
 * @ML_LIB_NR_COUNTERS: number of counters
 */
enum ml_lib_counter {
	ML_LIB_CNT_SUBMIT,
	ML_LIB_CNT_DECIDE,
	ML_LIB_CNT_FEEDBACK,
	ML_LIB_CNT_APPLY,
	ML_LIB_CNT_MODE,
	ML_LIB_CNT_NO_AGENT,
	ML_LIB_CNT_NO_ADVICE,
	ML_LIB_CNT_STALE,
	ML_LIB_CNT_RING_FULL,
	ML_LIB_CNT_INFLIGHT_FULL,
	ML_LIB_CNT_BUDGET,
	ML_LIB_CNT_NMI,
	ML_LIB_CNT_DEADLINE,
	ML_LIB_CNT_UNMATCHED,
	ML_LIB_CNT_DECLINED,
	ML_LIB_CNT_RANGE,
	ML_LIB_CNT_BROKEN,
	ML_LIB_CNT_NO_OBJECT,
	ML_LIB_NR_COUNTERS
};

#define ML_LIB_MAX_COUNTERS	32
#define ML_LIB_NR_BUCKETS	32

/**
 * struct ml_lib_stats - ML_LIB_IOC_STATS: counters of a proxy
 * @size: size of this structure
 * @id: in: proxy id
 * @counter: out: indexed by enum ml_lib_counter, since the proxy registered
 * @latency: out: accepted decisions by time from submission to acceptance;
 *	bucket n counts 2^n to 2^(n+1) - 1 ns, the last one all above
 */
struct ml_lib_stats {
	__u32 size;
	__u32 id;
	__aligned_u64 counter[ML_LIB_MAX_COUNTERS];
	__aligned_u64 latency[ML_LIB_NR_BUCKETS];
};

/**
 * struct ml_lib_kick - ML_LIB_IOC_KICK: have the kernel drain decisions
 * @size: size of this structure
 * @queue: in: index of the queue
 * @drained: out: decisions taken from the ring
 * @unmatched: out: decisions of the queue that answered no request (unknown,
 *	repeated or forged cookie), since the session was set up
 */
struct ml_lib_kick {
	__u32 size;
	__u32 queue;
	__u32 drained;
	__u32 unmatched;
};

#define ML_LIB_IOC_INFO		_IOWR(ML_LIB_IOC_TYPE, 0x00, struct ml_lib_info)
#define ML_LIB_IOC_PROXY	_IOWR(ML_LIB_IOC_TYPE, 0x01, struct ml_lib_proxy)
#define ML_LIB_IOC_SCHEMA	_IOWR(ML_LIB_IOC_TYPE, 0x02, struct ml_lib_schema)
#define ML_LIB_IOC_SETUP	_IOWR(ML_LIB_IOC_TYPE, 0x03, struct ml_lib_setup)
#define ML_LIB_IOC_ATTACH	_IOW(ML_LIB_IOC_TYPE, 0x04, struct ml_lib_attach)
#define ML_LIB_IOC_DETACH	_IOW(ML_LIB_IOC_TYPE, 0x05, struct ml_lib_detach)
#define ML_LIB_IOC_START	_IOWR(ML_LIB_IOC_TYPE, 0x06, struct ml_lib_start)
#define ML_LIB_IOC_STOP		_IOWR(ML_LIB_IOC_TYPE, 0x07, struct ml_lib_start)
#define ML_LIB_IOC_CONTROL	_IOW(ML_LIB_IOC_TYPE, 0x08, struct ml_lib_control)
#define ML_LIB_IOC_STATS	_IOWR(ML_LIB_IOC_TYPE, 0x09, struct ml_lib_stats)
#define ML_LIB_IOC_KICK		_IOWR(ML_LIB_IOC_TYPE, 0x0a, struct ml_lib_kick)

/**
 * DOC: io_uring
 *
 * IORING_OP_URING_CMD with cmd_op ML_LIB_URING_KICK and the queue's index in
 * the first four bytes of the command area, the rest zero, does what
 * ML_LIB_IOC_KICK does, at once; the result is the number of decisions taken
 * from the ring.
 */
#define ML_LIB_URING_KICK	0

#endif /* _UAPI_LINUX_ML_LIB_H */
