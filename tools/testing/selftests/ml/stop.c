// SPDX-License-Identifier: GPL-2.0
/* A stopped agent is harmless as soon as its last advice has expired. */
#include "ml_test.h"

int main(void)
{
	uint64_t stale, full, late, t;
	struct ml_lib_proxy p;
	int ready[2], status, watch;
	long good, bad;
	pid_t pid;
	char c;

	test_begin(100);
	need_client();
	watch = open(DEVICE, O_RDWR);
	find_proxy(watch, "test/echo", &p);
	if (pipe(ready))
		return 1;
	pid = fork();
	if (!pid) {
		struct agent a;

		if (agent_start(&a, 256, 2000) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;) {
			agent_answer(&a);
			agent_kick(&a);
			agent_wait(&a, 20);
		}
	}
	if (read(ready[0], &c, 1) != 1)
		ksft_exit_fail_msg("the agent did not start\n");
	waitpid(submitter("submit", 128, 0), &status, 0);
	for (t = now_ms() + 5000; now_ms() < t; sleep_ms(10)) {
		good = advice_good(&bad);
		if (good == NR_OBJECTS)
			break;
	}
	ksft_test_result(good == NR_OBJECTS && !bad, "advice from a running agent\n");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	stale = counter(watch, p.id, ML_LIB_CNT_STALE);
	full = counter(watch, p.id, ML_LIB_CNT_RING_FULL) +
	       counter(watch, p.id, ML_LIB_CNT_INFLIGHT_FULL);
	sleep_ms(2500);
	good = advice_good(&bad);
	stale = counter(watch, p.id, ML_LIB_CNT_STALE) - stale;
	ksft_test_result(!good && !bad && stale == NR_OBJECTS,
			 "its advice expires: good %ld, stale %lu\n", good, (long)stale);
	late = counter(watch, p.id, ML_LIB_CNT_DEADLINE);
	t = now_ms();
	waitpid(submitter("sync", 1, 0), &status, 0);
	t = now_ms() - t;
	/* It asks for a second. */
	ksft_test_result(t > 900 && t < 5000 &&
			 counter(watch, p.id, ML_LIB_CNT_DEADLINE) == late + 1,
			 "a synchronous caller gets its default in %lu ms\n", (long)t);
	t = now_ms();
	waitpid(submitter("submit", 2000, 0), &status, 0);
	full = counter(watch, p.id, ML_LIB_CNT_RING_FULL) +
	       counter(watch, p.id, ML_LIB_CNT_INFLIGHT_FULL) - full;
	ksft_test_result(full > 0 && now_ms() - t < 5000,
			 "submitting goes on: %lu dropped, %lu ms\n", (long)full,
			 (long)(now_ms() - t));
	kill(pid, SIGCONT);
	for (t = now_ms() + 8000; now_ms() < t; sleep_ms(50)) {
		waitpid(submitter("submit", 64, 0), &status, 0);
		sleep_ms(50);
		good = advice_good(&bad);
		if (good == NR_OBJECTS)
			break;
	}
	ksft_test_result(good == NR_OBJECTS && !bad, "it works again when continued\n");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	test_end();
}
