// SPDX-License-Identifier: GPL-2.0
/* Memory: what a session may have, by size, by user and by cgroup. */
#include "ml_test.h"
#include <limits.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define USER	54321		/* nobody else is charged to it */
#define CGROUP	"/sys/fs/cgroup/ml_selftest"

static int setup(int fd, uint32_t queues, uint32_t slots, uint32_t payload,
		 uint64_t *bytes)
{
	struct ml_lib_setup s = {
		.size = sizeof(s), .nr_queues = queues, .nr_slots = slots,
		.payload = payload,
	};
	int err = ml(fd, ML_LIB_IOC_SETUP, &s);

	if (!err && bytes)
		*bytes = s.bytes_ro + s.bytes_rw;
	return err;
}

static int device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		ksft_exit_fail_msg("open: %s\n", strerror(errno));
	return fd;
}

/* The cap of a session; only a machine with many CPUs can reach it. */
static void cap(void)
{
	struct ml_lib_info in = { .size = sizeof(in) };
	uint64_t each, bytes;
	int fd = device(), err;

	ml(fd, ML_LIB_IOC_INFO, &in);
	err = setup(fd, 1, in.max_slots, in.max_payload, &each);
	ksft_test_result(!err && each <= in.max_bytes, "the largest queue: %lu bytes\n",
			 (unsigned long)each);
	close(fd);
	fd = device();
	if (each * in.max_queues <= in.max_bytes) {
		ksft_test_result_skip("the cap of a session: %u CPUs cannot reach it\n",
				      in.max_queues);
	} else {
		err = setup(fd, in.max_queues, in.max_slots, in.max_payload, NULL);
		ksft_test_result(err == -ENOMEM, "more than a session may have is ENOMEM (%d)\n", err);
		err = setup(fd, in.max_queues, 8, 0, &bytes);
		ksft_test_result(!err, "less is fine afterwards (%d)\n", err);
	}
	close(fd);
}

/* A process without CAP_IPC_LOCK, with descriptors that it was given. */
static int limited(void)
{
	struct rlimit lim;
	uint64_t bytes;
	int fd[3], err;

	for (int i = 0; i < 3; i++)
		fd[i] = device();
	if (setup(fd[0], 1, 64, 64, &bytes))
		return 1;
	lim.rlim_cur = 2 * bytes;
	lim.rlim_max = 2 * bytes;
	close(fd[0]);
	fd[0] = device();
	if (setrlimit(RLIMIT_MEMLOCK, &lim) || setresuid(USER, USER, USER))
		return 2;
	if (setup(fd[0], 1, 64, 64, NULL) || setup(fd[1], 1, 64, 64, NULL))
		return 3;
	if (setup(fd[2], 1, 64, 64, NULL) != -ENOMEM)
		return 4;
	close(fd[0]);
	err = setup(fd[2], 1, 64, 64, NULL);
	return err ? 5 : 0;
}

static void memlock(void)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(limited());
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "RLIMIT_MEMLOCK: two sessions fit, a third does when one has gone (%#x)\n",
			 status);
	pid = fork();
	if (!pid)
		_exit(limited());
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "RLIMIT_MEMLOCK: all was given back (%#x)\n", status);
}

static int put(const char *file, const char *value)
{
	char path[100];
	int fd, ok;

	snprintf(path, sizeof(path), CGROUP "/%s", file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	close(fd);
	return ok ? 0 : -EIO;
}

static long cgroup_bytes(void)
{
	char s[32] = "";
	int fd = open(CGROUP "/memory.current", O_RDONLY);

	if (fd < 0 || read(fd, s, sizeof(s) - 1) <= 0)
		return -1;
	close(fd);
	return atol(s);
}

/* The kernel's pages count for the cgroup of the agent. */
static void cgroup(void)
{
	int status, pipes[2];
	long before, during, after = LONG_MAX;
	char c;
	pid_t pid;

	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	if (access("/sys/fs/cgroup/cgroup.procs", W_OK)) {
		ksft_test_result_skip("no cgroup2\n");
		return;
	}
	pid = open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY);
	if (pid >= 0 && write(pid, "+memory", 7) != 7)
		ksft_print_msg("subtree_control: %s\n", strerror(errno));
	close(pid);
	mkdir(CGROUP, 0755);
	if (put("memory.max", "max")) {
		ksft_test_result_skip("no memory cgroup\n");
		rmdir(CGROUP);
		return;
	}
	if (pipe(pipes))
		ksft_exit_fail_msg("pipe\n");
	before = cgroup_bytes();
	pid = fork();
	if (!pid) {
		if (put("cgroup.procs", "0") || setup(device(), 1, 4096, 256, NULL) ||
		    write(pipes[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	if (read(pipes[0], &c, 1) != 1)
		ksft_exit_fail_msg("pipe\n");
	during = cgroup_bytes();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	for (int i = 0; i < 50 && after > before + (1 << 18); i++, sleep_ms(100))
		after = cgroup_bytes();
	ksft_test_result(during - before > 4096 * 256 && after - before <= 1 << 18,
			 "rings are charged to the agent's cgroup: %ld, %ld, %ld bytes\n",
			 before, during, after);
	put("memory.max", "2097152");
	put("memory.swap.max", "0");
	pid = fork();
	if (!pid) {
		if (put("cgroup.procs", "0"))
			_exit(2);
		_exit(setup(device(), 1, 16384, 256, NULL) == -ENOMEM ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ksft_test_result(!status || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
			 "over memory.max: ENOMEM or the OOM killer (%#x)\n", status);
	rmdir(CGROUP);
}

int main(void)
{
	test_begin(100);
	need_client();
	cap();
	memlock();
	cgroup();
	ksft_test_result(works(), "afterwards a new session works\n");
	test_end();
}
