// SPDX-License-Identifier: GPL-2.0
/* A correct agent: every answer arrives and is right, from every context. */
#include "ml_test.h"

int main(void)
{
	static const char * const ctx[] = { "process", "softirq", "hardirq" };
	uint64_t submit, decide;
	long good, bad, before;
	struct agent a;
	int n, err;

	test_begin(150);
	need_client();
	err = agent_start(&a, 4096, 60000);
	if (err)
		ksft_exit_fail_msg("start: %s\n", strerror(-err));
	for (int c = 0; c < 3; c++) {
		for (int spin = 1; spin >= 0; spin--) {
			struct ml_lib_control off = {
				.size = sizeof(off), .id = a.proxy.id,
				.set = ML_LIB_SET_MODE,
			};
			bool served;

			/* A change of mode drops the advice of the last round. */
			ml(a.fd, ML_LIB_IOC_CONTROL, &off);
			off.mode = ML_LIB_MODE_RECOMMENDATION;
			ml(a.fd, ML_LIB_IOC_CONTROL, &off);
			submit = counter(a.fd, a.proxy.id, ML_LIB_CNT_SUBMIT);
			decide = counter(a.fd, a.proxy.id, ML_LIB_CNT_DECIDE);
			served = agent_serve(&a, submitter("submit", 1000, c), spin);
			submit = counter(a.fd, a.proxy.id, ML_LIB_CNT_SUBMIT) - submit;
			decide = counter(a.fd, a.proxy.id, ML_LIB_CNT_DECIDE) - decide;
			good = advice_good(&bad);
			ksft_test_result(served && good == NR_OBJECTS && !bad &&
					 submit == 1000 && decide == 1000,
					 "%s context, %s agent: good %ld bad %ld submitted %lu decided %lu\n",
					 ctx[c], spin ? "busy" : "poll-only", good,
					 bad, (long)submit, (long)decide);
		}
	}

	before = param_read("good");
	err = !agent_serve(&a, submitter("sync", 20, 0), false);
	good = param_read("good") - before;
	ksft_test_result(!err && good == 20 && !param_read("bad"),
			 "synchronous: %ld of 20 right\n", good);
	ksft_test_result(agent_wait(&a, 100) == 0, "poll waits while there is nothing\n");
	for (int i = 0; i < 2; i++) {
		int events = i ? POLLRDNORM : POLLIN;
		uint64_t start = now_ms();
		pid_t pid = fork();

		/* When the time is over poll() looks, and it must not come to that. */
		if (!pid) {
			sleep_ms(200);
			_exit(param_write("submit", 1) ? 1 : 0);
		}
		n = agent_wait_for(&a, events, 20000);
		ksft_test_result(n & events && now_ms() - start < 10000,
				 "poll for %s wakes up for a request\n",
				 i ? "POLLRDNORM" : "POLLIN");
		agent_serve(&a, pid, false);
	}
	/* The agent itself gets its default at once. */
	submit = now_ms();
	param_write("sync", 1);
	ksft_test_result(now_ms() - submit < 900, "the agent never waits for itself\n");
	agent_close(&a);
	ksft_test_result(!advice_good(&bad) && !bad, "no advice without the agent\n");
	test_end();
}
