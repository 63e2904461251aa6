// SPDX-License-Identifier: GPL-2.0
/*
 * Fault injection: every allocation, and every copy from and to user space, on
 * the way to a running session fails once. Each failure is an errno and leaves
 * nothing behind: no memory (kmemleak looks at the end of the run), no charge,
 * no attachment.
 */
#include "ml_test.h"
#include <sys/resource.h>

#define DEBUGFS	"/sys/kernel/debug/"
#define FAIL_NTH "/proc/thread-self/fail-nth"
#define USER	54322
#define MOST	400		/* more faults than any step can meet */

static int put(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ok;

	if (fd < 0)
		return -errno;
	ok = write(fd, s, strlen(s)) == (ssize_t)strlen(s);
	close(fd);
	return ok ? 0 : -EIO;
}

static int nth_fd;

/* From now on, what this thread does fails at the n-th place. */
static void arm(int n)
{
	char s[16];

	snprintf(s, sizeof(s), "%d", n);
	/* A fault that is left over hits the write itself, and only once. */
	if (pwrite(nth_fd, s, strlen(s), 0) < 0 &&
	    pwrite(nth_fd, s, strlen(s), 0) < 0)
		ksft_exit_fail_msg("fail-nth: %s\n", strerror(errno));
}

/* Returns whether it has come to that; if reading it fails, only just now. */
static bool disarm(void)
{
	char s[16] = "";
	bool met = pread(nth_fd, s, sizeof(s) - 1, 0) > 0 && !atoi(s);

	arm(0);
	return met;
}

enum step { OPEN, INFO, SCHEMA, SETUP, MAP, ATTACH, CONTROL, START, KICK, NR_STEPS };

static const char * const step_name[] = {
	"open", "INFO", "SCHEMA", "SETUP", "mmap", "ATTACH", "CONTROL", "START",
	"KICK",
};

static int do_step(struct agent *a, enum step step)
{
	static struct ml_lib_field f[ML_LIB_MAX_FEATURES + ML_LIB_MAX_OUTPUTS];
	struct ml_lib_info in = { .size = sizeof(in) };
	struct ml_lib_schema sc = {
		.size = sizeof(sc), .id = a->proxy.id, .field_size = sizeof(f[0]),
		.fields = (uintptr_t)f, .nr_fields = ARRAY_SIZE(f),
	};
	struct ml_lib_attach at = {
		.size = sizeof(at), .id = a->proxy.id,
		.schema_hash = a->proxy.schema_hash,
	};
	struct ml_lib_control c = {
		.size = sizeof(c), .id = a->proxy.id, .set = ML_LIB_SET_MODE,
		.mode = ML_LIB_MODE_RECOMMENDATION,
	};
	struct ml_lib_start st = { .size = sizeof(st) };
	struct ml_lib_kick k = { .size = sizeof(k) };
	int err;

	switch (step) {
	case OPEN:
		a->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
		return a->fd < 0 ? -errno : 0;
	case INFO:
		return ml(a->fd, ML_LIB_IOC_INFO, &in);
	case SCHEMA:
		return ml(a->fd, ML_LIB_IOC_SCHEMA, &sc);
	case SETUP:
		a->setup = (struct ml_lib_setup) {
			.size = sizeof(a->setup), .nr_queues = 1, .nr_slots = 16,
			.payload = 24,
		};
		return ml(a->fd, ML_LIB_IOC_SETUP, &a->setup);
	case MAP:
		err = agent_map(a);
		if (err && a->ro != MAP_FAILED)
			munmap(a->ro, a->setup.bytes_ro);
		return err;
	case ATTACH:
		return ml(a->fd, ML_LIB_IOC_ATTACH, &at);
	case CONTROL:
		return ml(a->fd, ML_LIB_IOC_CONTROL, &c);
	case START:
		return ml(a->fd, ML_LIB_IOC_START, &st);
	default:
		return ml(a->fd, ML_LIB_IOC_KICK, &k);
	}
}

/* Again from the start: no session may be attached, whatever failed before. */
static int until(struct agent *a, const struct ml_lib_proxy *proxy, enum step step)
{
	int err = 0;

	*a = (struct agent) { .fd = -1, .proxy = *proxy };
	for (enum step s = OPEN; s < step && !err; s++)
		err = do_step(a, s);
	return err;
}

/* Let a step fail at each place in turn. Returns how many there were. */
static int faults_in(enum step step, const struct ml_lib_proxy *proxy, int *failed)
{
	int n;

	*failed = 0;
	for (n = 1; n < MOST; n++) {
		struct agent a;
		int err = until(&a, proxy, step), again = 0;
		bool met;

		if (err) {
			ksft_print_msg("%s before fault %d: %s\n", step_name[step], n,
				       strerror(-err));
			return -1;
		}
		arm(n);
		err = do_step(&a, step);
		met = disarm();
		/*
		 * What has failed can be done again at once, unless it was
		 * done and only the result could not be copied out.
		 */
		if (err)
			again = do_step(&a, step);
		if (err == -EFAULT && again == -EBADFD)
			again = 0;
		agent_close(&a);
		if ((err && !met) || (err && err != -ENOMEM && err != -EFAULT) || again) {
			ksft_print_msg("%s, fault %d: %d, again: %d\n", step_name[step], n, err, again);
			return -1;
		}
		if (!met)
			return n - 1;
		*failed += !!err;
	}
	ksft_print_msg("%s: more than %d places\n", step_name[step], MOST);
	return -1;
}

/* A user who may lock as much as one session takes: is that still free? */
static int charged(uint64_t bytes)
{
	struct rlimit lim = { bytes, bytes };
	struct agent a = { .fd = -1 }, b = { .fd = -1 };

	if (do_step(&a, OPEN) || do_step(&b, OPEN) ||
	    setrlimit(RLIMIT_MEMLOCK, &lim) || setresuid(USER, USER, USER))
		return 1;
	if (do_step(&a, SETUP))
		return 2;
	return do_step(&b, SETUP) == -ENOMEM ? 0 : 3;
}

int main(void)
{
	struct ml_lib_proxy proxy, now;
	uint64_t bytes;
	struct agent a;
	int watch, status, failed;
	pid_t pid;

	test_begin(170);
	need_client();
	nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (nth_fd < 0 || put(DEBUGFS "failslab/ignore-gfp-wait", "N") ||
	    put(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N") ||
	    access(DEBUGFS "fail_usercopy", F_OK))
		ksft_exit_skip("no fault injection in this kernel (see config), or no debugfs\n");
	put(DEBUGFS "fail_page_alloc/min-order", "0");
	put(DEBUGFS "failslab/verbose", "0");
	put(DEBUGFS "fail_page_alloc/verbose", "0");
	watch = open(DEVICE, O_RDWR | O_CLOEXEC);
	find_proxy(watch, "test/echo", &proxy);
	if (until(&a, &proxy, MAP))
		ksft_exit_fail_msg("setup: %s\n", strerror(errno));
	bytes = a.setup.bytes_ro + a.setup.bytes_rw;
	agent_close(&a);

	pid = fork();
	if (!pid) {
		bool good = true;

		/* The user is charged; root's rights stay. */
		if (setresuid(USER, 0, 0))
			_exit(1);
		nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
		for (enum step s = OPEN; s < NR_STEPS; s++) {
			int n = faults_in(s, &proxy, &failed);

			good &= n >= 0 && failed;
			ksft_print_msg("%s: can fail at %d places, failed %d times\n",
				       step_name[s], n, failed);
		}
		_exit(!good);
	}
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "each place failed in turn, with an errno or without effect (%#x)\n",
			 status);
	find_proxy(watch, "test/echo", &now);
	ksft_test_result(!now.state, "no session is left\n");
	pid = fork();
	if (!pid)
		_exit(charged(bytes));
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "no charge is left (%#x)\n", status);
	ksft_test_result(works(), "a new session works\n");
	test_end();
}
