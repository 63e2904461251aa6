// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs that go and come back, and a system that sleeps and wakes up, with
 * requests in flight.
 */
#include "ml_test.h"
#include <sched.h>

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

static int put(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, s, strlen(s)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* Requests from a CPU, answered after what @then does to it. */
static bool asked_on(struct agent *a, int cpu, const char *then)
{
	long good, bad;
	int n, status;
	pid_t pid;

	advice_good(NULL);
	pid = fork();
	if (!pid) {
		if (run_on(cpu))
			_exit(1);
		param_write("context", 0);
		_exit(param_write("submit", NR_OBJECTS) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (status || (then && put(CPU1, then)))
		return false;
	n = agent_answer(a);
	if (n != NR_OBJECTS || agent_kick(a) != n) {
		ksft_print_msg("CPU %d: %d answers\n", cpu, n);
		return false;
	}
	good = advice_good(&bad);
	return good == NR_OBJECTS && !bad;
}

static void hotplug(void)
{
	struct agent a;
	pid_t pid;
	int n, status;
	long bad;

	if (access(CPU1, W_OK)) {
		ksft_test_result_skip("hotplug: CPU 1 of this kernel cannot go\n");
		return;
	}
	if (agent_start(&a, 256, 60000))
		ksft_exit_fail_msg("start\n");
	ksft_test_result(asked_on(&a, 1, "0"),
			 "a CPU goes, its requests are answered\n");
	ksft_test_result(asked_on(&a, 0, NULL), "another CPU goes on without it\n");
	ksft_test_result(!put(CPU1, "1") && asked_on(&a, 1, NULL),
			 "it comes back and its queue works\n");
	agent_close(&a);

	/* Under load from each context, with an agent that sleeps and kicks. */
	pid = fork();
	if (!pid) {
		if (agent_start(&a, 64, 60000))
			_exit(1);
		for (;;) {
			agent_answer(&a);
			agent_kick(&a);
			agent_wait(&a, 10);
		}
	}
	for (n = 0; n < 9; n++) {
		pid_t load = submitter("submit", 2000, n % 3);

		sleep_ms(10);
		if (put(CPU1, n % 2 ? "1" : "0"))
			break;
		waitpid(load, &status, 0);
	}
	put(CPU1, "1");
	advice_good(&bad);
	ksft_test_result(n == 9 && !bad && !waitpid(pid, &status, WNOHANG),
			 "a CPU goes and comes under load\n");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ksft_test_result(works(), "afterwards a new session works\n");
}

/* Sleep as deep as pm_test lets it, for five seconds; the rest is tested. */
static void suspended(const char *depth)
{
	uint64_t stale, none;
	struct agent a;
	long good, bad;
	int err;

	if (access("/sys/power/pm_test", W_OK) || put("/sys/power/pm_test", depth)) {
		ksft_test_result_skip("suspend: no /sys/power/pm_test in this kernel\n");
		return;
	}
	if (agent_start(&a, 256, 60000) || !asked_on(&a, 0, NULL))
		ksft_exit_fail_msg("start\n");
	/* These are in flight while the system sleeps. */
	param_write("context", 0);
	param_write("submit", NR_OBJECTS);
	none = counter(a.fd, a.proxy.id, ML_LIB_CNT_NO_ADVICE);
	stale = counter(a.fd, a.proxy.id, ML_LIB_CNT_UNMATCHED);
	err = put("/sys/power/state", "freeze");
	if (err)
		err = put("/sys/power/state", "mem");
	put("/sys/power/pm_test", "none");
	good = advice_good(&bad);
	none = counter(a.fd, a.proxy.id, ML_LIB_CNT_NO_ADVICE) - none;
	ksft_test_result(!err && !good && !bad && none == NR_OBJECTS,
			 "suspend (%s, %s): advice from before is gone: %ld good, %lu without\n",
			 depth, strerror(-err), good, (unsigned long)none);
	agent_answer(&a);
	agent_kick(&a);
	good = advice_good(&bad);
	stale = counter(a.fd, a.proxy.id, ML_LIB_CNT_UNMATCHED) - stale;
	ksft_test_result(!good && !bad && stale == NR_OBJECTS,
			 "suspend: decisions on requests from before do not count: %lu dropped\n",
			 (unsigned long)stale);
	ksft_test_result(asked_on(&a, 0, NULL), "suspend: the agent goes on\n");
	agent_close(&a);
}

int main(void)
{
	test_begin(120);
	need_client();
	hotplug();
	suspended("freezer");
	test_end();
}
