// SPDX-License-Identifier: LGPL-2.1 OR BSD-2-Clause
/*
 * Sessions: the device and its ioctls, with errors that name the remedy.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

static _Thread_local char error_text[512];

const char *mlagent_error(void)
{
	return error_text;
}

int mlagent_fail(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error_text, sizeof(error_text), fmt, ap);
	va_end(ap);
	return -err;
}

/* What an errno of the header's dictionary means to the person at the shell */
static const char *remedy(int err)
{
	switch (err) {
	case ENOTTY:
		return "the kernel does not know this call: its ML_LIB is older than this program";
	case E2BIG:
		return "this program is newer than the kernel's ML_LIB and asks for more";
	case EINVAL:
		return "a value is out of range: see 'mlctl list' and 'mlctl schema NAME'";
	case EOPNOTSUPP:
		return "this kernel does not offer it yet";
	case EPERM:
		return "the device was opened without CAP_SYS_ADMIN: run as root";
	case ENOENT:
		return "no such proxy: see 'mlctl list'";
	case EBADFD:
		return "the session is in the wrong state (not set up, not started, or broken)";
	case EBUSY:
		return "the proxy has an agent already: stop that one first ('fuser -v /dev/ml_lib' shows who has the device open)";
	case EKEYREJECTED:
		return "the schema is not the proxy's: retrain with 'mlctl schema NAME --json'";
	case EMSGSIZE:
		return "the slots are too small for the proxy's features";
	case ENOSPC:
		return "the session has as many proxies as it may: run a second agent";
	case EXDEV:
		return "another process started the session: only that one may do this";
	case ENOMEM:
		return "no memory, or over the limit of a session or user: use fewer queues or slots";
	default:
		return strerror(err);
	}
}

static int call(struct mlagent *agent, unsigned long cmd, void *arg,
		const char *what)
{
	int ret, err;

	do {
		ret = ioctl(agent->fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return 0;
	err = errno;
	return mlagent_fail(err, "%s: %s", what, remedy(err));
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return mlagent_fail(errno, "%s does not exist: the kernel needs CONFIG_ML_LIB=y",
				    path);
	case EACCES:
		return mlagent_fail(errno, "%s: access refused: run as root", path);
	case EPERM:
		return mlagent_fail(errno, "%s: CAP_SYS_ADMIN in the initial user namespace is needed: run as root, outside of a container",
				    path);
	default:
		return mlagent_fail(errno, "%s: %s", path, strerror(errno));
	}
}

int mlagent_open(struct mlagent **agentp, const char *path)
{
	struct mlagent *agent;
	int err;

	if (!path)
		path = MLAGENT_DEVICE;
	agent = calloc(1, sizeof(*agent));
	if (!agent)
		return mlagent_fail(ENOMEM, "out of memory");

	agent->fd = open_device(path);
	if (agent->fd < 0) {
		err = agent->fd;
		free(agent);
		return err;
	}

	agent->info.size = sizeof(agent->info);
	err = call(agent, ML_LIB_IOC_INFO, &agent->info, path);
	if (!err && agent->info.abi_version != ML_LIB_ABI_VERSION)
		err = mlagent_fail(EPROTONOSUPPORT, "%s: the kernel speaks ABI version %u, this program %u: install the tools of this kernel",
				   path, agent->info.abi_version,
				   ML_LIB_ABI_VERSION);
	if (err) {
		mlagent_close(agent);
		return err;
	}
	*agentp = agent;
	return 0;
}

void mlagent_close(struct mlagent *agent)
{
	if (!agent)
		return;
	if (agent->ro)
		munmap(agent->ro, agent->setup.bytes_ro);
	if (agent->rw)
		munmap(agent->rw, agent->setup.bytes_rw);
	close(agent->fd);
	free(agent->queue);
	free(agent);
}

int mlagent_fd(const struct mlagent *agent)
{
	return agent->fd;
}

const struct ml_lib_info *mlagent_info(const struct mlagent *agent)
{
	return &agent->info;
}

int mlagent_proxy_next(struct mlagent *agent, uint32_t id,
		       struct ml_lib_proxy *proxy)
{
	int err;

	memset(proxy, 0, sizeof(*proxy));
	proxy->size = sizeof(*proxy);
	proxy->id = id;
	err = call(agent, ML_LIB_IOC_PROXY, proxy, "enumerate proxies");
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	proxy->name[sizeof(proxy->name) - 1] = '\0';
	return 1;
}

int mlagent_proxy_find(struct mlagent *agent, const char *name,
		       struct ml_lib_proxy *proxy)
{
	char known[256] = "";
	size_t len = 0;
	uint32_t id = 0;
	int ret;

	while ((ret = mlagent_proxy_next(agent, id, proxy)) > 0) {
		if (!strcmp(proxy->name, name))
			return 0;
		if (len < sizeof(known))
			len += snprintf(known + len, sizeof(known) - len,
					" %s", proxy->name);
		id = proxy->id + 1;
	}
	if (ret < 0)
		return ret;
	return mlagent_fail(ENOENT, "no proxy '%s'; this kernel has:%s", name,
			    len ? known : " none");
}

int mlagent_schema(struct mlagent *agent, const struct ml_lib_proxy *proxy,
		   struct mlagent_schema **schemap)
{
	uint32_t nr = proxy->nr_features + proxy->nr_outputs;
	struct ml_lib_schema arg = {
		.size = sizeof(arg),
		.id = proxy->id,
		.nr_fields = nr,
		.field_size = sizeof(struct ml_lib_field),
	};
	struct mlagent_schema *schema;
	int err;

	if (proxy->nr_features > ML_LIB_MAX_FEATURES || !proxy->nr_outputs ||
	    proxy->nr_outputs > ML_LIB_MAX_OUTPUTS)
		return mlagent_fail(EPROTO, "%s: more fields than the interface allows",
				    proxy->name);
	schema = calloc(1, sizeof(*schema) + nr * sizeof(schema->field[0]));
	if (!schema)
		return mlagent_fail(ENOMEM, "out of memory");

	arg.fields = (uintptr_t)schema->field;
	err = call(agent, ML_LIB_IOC_SCHEMA, &arg, proxy->name);
	if (!err && arg.nr_fields != nr)
		err = mlagent_fail(EPROTO, "%s: the number of fields changed",
				   proxy->name);
	if (err) {
		free(schema);
		return err;
	}

	schema->id = proxy->id;
	schema->hash = proxy->schema_hash;
	schema->feature_bytes = proxy->feature_bytes;
	schema->nr_features = proxy->nr_features;
	schema->nr_outputs = proxy->nr_outputs;
	memcpy(schema->name, proxy->name, sizeof(schema->name));
	for (uint32_t i = 0; i < nr; i++) {
		schema->field[i].name[ML_LIB_NAME_LEN - 1] = '\0';
		schema->field[i].unit[ML_LIB_UNIT_LEN - 1] = '\0';
		if (!schema->field[i].scale)
			schema->field[i].scale = 1;
	}
	*schemap = schema;
	return 0;
}

static int map(struct mlagent *agent, void **p, size_t len, int prot, off_t off)
{
	void *addr = mmap(NULL, len, prot, MAP_SHARED, agent->fd, off);

	if (addr == MAP_FAILED)
		return mlagent_fail(errno, "map the rings: %s", strerror(errno));
	*p = addr;
	return 0;
}

int mlagent_setup(struct mlagent *agent, uint32_t nr_queues, uint32_t nr_slots,
		  uint32_t payload)
{
	struct ml_lib_setup *s = &agent->setup;
	int err;

	*s = (struct ml_lib_setup) {
		.size = sizeof(*s),
		.nr_queues = nr_queues,
		.nr_slots = nr_slots,
		.payload = payload,
	};
	err = call(agent, ML_LIB_IOC_SETUP, s, "set up queues");
	if (err == -EINVAL) {
		struct ml_lib_info info = { .size = sizeof(info) };

		if (!call(agent, ML_LIB_IOC_INFO, &info, "info"))
			mlagent_fail(EINVAL, "set up queues: this kernel allows up to %u queues and, as a power of two, from 8 to %u slots",
				     info.max_queues, info.max_slots);
	}
	if (err)
		return err;

	err = map(agent, &agent->ro, s->bytes_ro, PROT_READ, s->offset_ro);
	if (!err)
		err = map(agent, &agent->rw, s->bytes_rw,
			  PROT_READ | PROT_WRITE, s->offset_rw);
	if (err)
		return err;

	agent->queue = calloc(s->nr_queues, sizeof(agent->queue[0]));
	if (!agent->queue)
		return mlagent_fail(ENOMEM, "out of memory");
	agent->nr_queues = s->nr_queues;
	for (uint32_t i = 0; i < s->nr_queues; i++)
		mlagent_queue_init(&agent->queue[i],
				   (char *)agent->ro + (size_t)i * s->stride_ro,
				   (char *)agent->rw + (size_t)i * s->stride_rw,
				   s->nr_slots, s->slot_size);
	return 0;
}

int mlagent_attach(struct mlagent *agent, const struct mlagent_schema *schema)
{
	struct ml_lib_attach arg = {
		.size = sizeof(arg),
		.id = schema->id,
		.schema_hash = schema->hash,
	};

	return call(agent, ML_LIB_IOC_ATTACH, &arg, schema->name);
}

int mlagent_detach(struct mlagent *agent, uint32_t id)
{
	struct ml_lib_detach arg = { .size = sizeof(arg), .id = id };

	return call(agent, ML_LIB_IOC_DETACH, &arg, "detach");
}

int mlagent_start(struct mlagent *agent)
{
	struct ml_lib_start arg = { .size = sizeof(arg) };
	int err = call(agent, ML_LIB_IOC_START, &arg, "start");

	if (!err)
		agent->epoch = arg.epoch;
	return err;
}

int mlagent_stop(struct mlagent *agent)
{
	struct ml_lib_start arg = { .size = sizeof(arg) };

	return call(agent, ML_LIB_IOC_STOP, &arg, "stop");
}

int mlagent_control(struct mlagent *agent, struct ml_lib_control *control)
{
	control->size = sizeof(*control);
	return call(agent, ML_LIB_IOC_CONTROL, control, "control");
}

int mlagent_stats(struct mlagent *agent, uint32_t id,
		  struct ml_lib_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	stats->id = id;
	return call(agent, ML_LIB_IOC_STATS, stats, "read statistics");
}

int mlagent_kick(struct mlagent *agent, uint32_t queue)
{
	struct ml_lib_kick arg = { .size = sizeof(arg), .queue = queue };
	int err = call(agent, ML_LIB_IOC_KICK, &arg, "kick");

	return err ? err : (int)arg.drained;
}
