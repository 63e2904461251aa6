// SPDX-License-Identifier: GPL-2.0
/* Every ioctl: sizes, reserved fields, ids, flags, capabilities, layout. */
#include "ml_test.h"
#include <sys/syscall.h>
#include <linux/capability.h>

#define IOC(_name, _struct, _fine) \
	{ #_name, ML_LIB_IOC_##_name, sizeof(struct _struct), _fine }

/* .fine: what an otherwise empty argument gives on a new session */
static const struct {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	int fine;
} iocs[] = {
	IOC(INFO, ml_lib_info, 0),
	IOC(PROXY, ml_lib_proxy, 0),
	IOC(SCHEMA, ml_lib_schema, -EINVAL),
	IOC(SETUP, ml_lib_setup, -EINVAL),
	IOC(ATTACH, ml_lib_attach, -EBADFD),
	IOC(DETACH, ml_lib_detach, -ENOENT),
	IOC(START, ml_lib_start, -EBADFD),
	IOC(STOP, ml_lib_start, -EBADFD),
	IOC(CONTROL, ml_lib_control, -ENOENT),
	IOC(STATS, ml_lib_stats, -ENOENT),
	IOC(KICK, ml_lib_kick, -EBADFD),
};

static int with_size(int fd, unsigned int cmd, uint32_t size, int tail_at)
{
	char *buf = calloc(1, 8192);
	int err;

	memcpy(buf, &size, sizeof(size));
	if (tail_at)
		buf[tail_at] = 1;
	err = ml(fd, cmd, buf);
	free(buf);
	return err;
}

static void sizes(int fd)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(iocs); i++) {
		unsigned int cmd = iocs[i].cmd;
		uint32_t size = iocs[i].size;

		ksft_test_result(with_size(fd, cmd, 0, 0) == -EINVAL &&
				 with_size(fd, cmd, 4, 0) == -EINVAL &&
				 with_size(fd, cmd, size - 1, 0) == -EINVAL,
				 "%s: short is EINVAL\n", iocs[i].name);
		ksft_test_result(with_size(fd, cmd, size, 0) == iocs[i].fine,
				 "%s: exact\n", iocs[i].name);
		ksft_test_result(with_size(fd, cmd, size + 8, 0) == iocs[i].fine &&
				 with_size(fd, cmd, 4096, 0) == iocs[i].fine,
				 "%s: a tail of zeros is accepted\n", iocs[i].name);
		ksft_test_result(with_size(fd, cmd, size + 8, size) == -E2BIG &&
				 with_size(fd, cmd, size + 8, size + 7) == -E2BIG &&
				 with_size(fd, cmd, 4096, 4095) == -E2BIG,
				 "%s: a tail that is not is E2BIG\n", iocs[i].name);
		ksft_test_result(ml(fd, cmd, NULL) == -EFAULT &&
				 ml(fd, cmd, (void *)-4096L) == -EFAULT,
				 "%s: a bad pointer is EFAULT\n", iocs[i].name);
	}
	ksft_test_result(ml(fd, _IOWR(ML_LIB_IOC_TYPE, 0x0b, struct ml_lib_info), NULL) == -ENOTTY &&
			 ml(fd, _IOWR(ML_LIB_IOC_TYPE, 0xff, struct ml_lib_info), NULL) == -ENOTTY &&
			 ml(fd, _IOWR('x', 0, struct ml_lib_info), NULL) == -ENOTTY &&
			 ml(fd, _IOR(ML_LIB_IOC_TYPE, 0, struct ml_lib_info), NULL) == -ENOTTY,
			 "unknown ioctls are ENOTTY\n");
}

static void info_and_schema(int fd)
{
	struct ml_lib_info in = { .size = sizeof(in) };
	struct ml_lib_field f[ML_LIB_MAX_FEATURES + ML_LIB_MAX_OUTPUTS];
	struct ml_lib_schema s = { .size = sizeof(s), .field_size = sizeof(f[0]) };
	struct ml_lib_proxy p;

	ksft_test_result(!ml(fd, ML_LIB_IOC_INFO, &in) && in.size == sizeof(in) &&
			 in.abi_version == ML_LIB_ABI_VERSION && in.nr_proxies &&
			 in.max_queues && in.max_payload == ML_LIB_MAX_PAYLOAD,
			 "info\n");
	if (find_proxy(fd, "test/echo", &p)) {
		ksft_test_result_skip("schema: no test client\n");
		return;
	}
	ksft_test_result(p.nr_features == 3 && p.nr_outputs == 1 &&
			 p.feature_bytes == 24 && p.schema_hash && !p.state &&
			 p.mode == ML_LIB_MODE_EMERGENCY, "proxy test/echo\n");
	s.id = p.id;
	ksft_test_result(ml(fd, ML_LIB_IOC_SCHEMA, &s) == -EMSGSIZE &&
			 s.nr_fields == 4, "schema: EMSGSIZE says what is needed\n");
	s.fields = (uintptr_t)f;
	ksft_test_result(!ml(fd, ML_LIB_IOC_SCHEMA, &s) &&
			 !strcmp(f[0].name, "number") && !strcmp(f[3].name, "rest") &&
			 f[3].min == 0 && f[3].max == 999, "schema\n");
	s.fields = 8;
	ksft_test_result(ml(fd, ML_LIB_IOC_SCHEMA, &s) == -EFAULT,
			 "schema: bad array is EFAULT\n");
	s.field_size--;
	ksft_test_result(ml(fd, ML_LIB_IOC_SCHEMA, &s) == -EINVAL,
			 "schema: other field size is EINVAL\n");
	s = (struct ml_lib_schema) { .size = sizeof(s), .id = 0xffffffff,
				     .field_size = sizeof(f[0]) };
	ksft_test_result(ml(fd, ML_LIB_IOC_SCHEMA, &s) == -ENOENT, "schema: ENOENT\n");
}

static void control(int fd)
{
	static const struct ml_lib_control bad[] = {
		{ .set = 0x40 }, { .set = 0x80000000 },
		{ .set = ML_LIB_SET_MODE, .mode = 4 },
		{ .set = ML_LIB_SET_MODE, .mode = 0xffffffff },
		{ .set = ML_LIB_SET_RATE },
		{ .set = ML_LIB_SET_RATE, .rate = 1000001 },
		{ .set = ML_LIB_SET_DEADLINE },
		{ .set = ML_LIB_SET_DEADLINE, .deadline_us = 10000001 },
		{ .set = ML_LIB_SET_TTL }, { .set = ML_LIB_SET_TTL, .ttl_ms = 60001 },
		{ .set = ML_LIB_SET_EXPLORE, .explore_permille = 1001 },
		{ .set = ML_LIB_SET_CAP, .cap = { 1000 } },
		{ .set = ML_LIB_SET_CAP, .cap = { -1 } },
		{ .set = ML_LIB_SET_CAP, .cap = { 0, 1 } },
	};
	struct ml_lib_proxy p, q;
	struct ml_lib_control c;
	bool good = true;

	if (find_proxy(fd, "test/echo", &p)) {
		ksft_test_result_skip("control: no test client\n");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		c = bad[i];
		c.size = sizeof(c);
		c.id = p.id;
		if (ml(fd, ML_LIB_IOC_CONTROL, &c) != -EINVAL) {
			ksft_print_msg("control case %u\n", i);
			good = false;
		}
	}
	find_proxy(fd, "test/echo", &q);
	ksft_test_result(good && !memcmp(&p, &q, sizeof(p)),
			 "control: what is bad is EINVAL and changes nothing\n");
	c = (struct ml_lib_control) { .size = sizeof(c), .id = p.id,
		.set = ML_LIB_SET_MODE, .mode = ML_LIB_MODE_COLLABORATION };
	ksft_test_result(ml(fd, ML_LIB_IOC_CONTROL, &c) == -EOPNOTSUPP,
			 "control: COLLABORATION is EOPNOTSUPP\n");
}

static void setup_and_states(void)
{
	static const struct ml_lib_setup bad[] = {
		{ .nr_slots = 8, .flags = 1 }, { .nr_slots = 0 }, { .nr_slots = 9 },
		{ .nr_slots = 4 }, { .nr_slots = 1u << 31 },
		{ .nr_slots = 8, .payload = 257 }, { .nr_slots = 8, .nr_queues = 100000 },
	};
	struct agent a, b;
	struct ml_lib_setup s;
	struct ml_lib_start st = { .size = sizeof(st) };
	struct ml_lib_attach at = { .size = sizeof(at) };
	struct ml_lib_kick k = { .size = sizeof(k), .queue = 100000 };
	struct pollfd pfd = { .events = POLLIN };
	bool good = true;
	int fd = open(DEVICE, O_RDWR);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		s = bad[i];
		s.size = sizeof(s);
		good &= ml(fd, ML_LIB_IOC_SETUP, &s) == -EINVAL;
	}
	ksft_test_result(good, "setup: what is bad is EINVAL\n");
	pfd.fd = fd;
	ksft_test_result(poll(&pfd, 1, 0) == 1 && pfd.revents == POLLERR,
			 "poll before setup is POLLERR\n");
	close(fd);

	if (agent_open(&a, 8)) {
		ksft_test_result_skip("states: no test client\n");
		return;
	}
	s = (struct ml_lib_setup) { .size = sizeof(s), .nr_slots = 8 };
	ksft_test_result(ml(a.fd, ML_LIB_IOC_SETUP, &s) == -EBADFD, "second setup is EBADFD\n");
	ksft_test_result(ml(a.fd, ML_LIB_IOC_STOP, &st) == -EBADFD, "stop before start is EBADFD\n");
	ksft_test_result(ml(a.fd, ML_LIB_IOC_KICK, &k) == -EINVAL, "kick of no queue is EINVAL\n");
	at.id = a.proxy.id;
	ksft_test_result(ml(a.fd, ML_LIB_IOC_ATTACH, &at) == -EKEYREJECTED, "attach: EKEYREJECTED\n");
	at.schema_hash = a.proxy.schema_hash;
	ksft_test_result(!ml(a.fd, ML_LIB_IOC_ATTACH, &at), "attach\n");
	ksft_test_result(ml(a.fd, ML_LIB_IOC_ATTACH, &at) == -EBUSY, "attach again: EBUSY\n");
	if (!agent_open(&b, 8)) {
		struct ml_lib_detach de = { .size = sizeof(de), .id = at.id };

		ksft_test_result(ml(b.fd, ML_LIB_IOC_ATTACH, &at) == -EBUSY,
				 "attach of a second agent: EBUSY\n");
		ksft_test_result(ml(b.fd, ML_LIB_IOC_DETACH, &de) == -ENOENT,
				 "detach what another has: ENOENT\n");
		agent_close(&b);
	}
	at.id = 0xffffffff;
	ksft_test_result(ml(a.fd, ML_LIB_IOC_ATTACH, &at) == -ENOENT, "attach: ENOENT\n");
	ksft_test_result(!ml(a.fd, ML_LIB_IOC_START, &st) && !st.epoch, "start\n");
	ksft_test_result(ml(a.fd, ML_LIB_IOC_START, &st) == -EBADFD, "start again: EBADFD\n");
	ksft_test_result(!ml(a.fd, ML_LIB_IOC_STOP, &st) && st.epoch == 1 &&
			 agent_ro(&a, 0)->epoch == 1, "stop changes the epoch\n");
	agent_close(&a);
}

/* Parent and child share the file and set it up at the same time. */
static void setup_at_once(void)
{
	struct ml_lib_setup s = { .size = sizeof(s), .nr_slots = 4096 };
	int made = 0, refused = 0;

	for (int i = 0; i < 20; i++) {
		int fd = open(DEVICE, O_RDWR), status, err;
		struct ml_lib_setup mine = s;
		pid_t pid = fork();

		err = ml(fd, ML_LIB_IOC_SETUP, &mine);
		if (!pid)
			_exit(!err ? 0 : err == -EBADFD ? 1 : 2);
		waitpid(pid, &status, 0);
		close(fd);
		made += !err + (status == 0);
		refused += (err == -EBADFD) + (WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
	ksft_test_result(made == 20 && refused == 20, "of two setups at once one is EBADFD\n");
}

static void capability(int fd)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];
	struct ml_lib_info in = { .size = sizeof(in) };
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		if (syscall(SYS_capget, &h, d))
			_exit(10);
		d[0].effective &= ~(1u << CAP_SYS_ADMIN);
		d[0].permitted &= ~(1u << CAP_SYS_ADMIN);
		if (syscall(SYS_capset, &h, d))
			_exit(11);
		if (open(DEVICE, O_RDWR) >= 0 || errno != EPERM)
			_exit(1);
		/* Passing the descriptor is delegation. */
		_exit(ml(fd, ML_LIB_IOC_INFO, &in) ? 2 : 0);
	}
	waitpid(pid, &status, 0);
	ksft_test_result(WIFEXITED(status) && !WEXITSTATUS(status),
			 "no CAP_SYS_ADMIN: open is EPERM, a passed file works (%#x)\n",
			 status);
}

int main(void)
{
	int fd;

	test_begin(60);
	fd = open(DEVICE, O_RDWR);
	if (fd < 0)
		ksft_exit_fail_msg("open: %s\n", strerror(errno));
	sizes(fd);
	info_and_schema(fd);
	control(fd);
	setup_and_states();
	setup_at_once();
	capability(fd);
	test_end();
}
