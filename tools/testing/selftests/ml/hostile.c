// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile agents: whatever they write, the kernel stays up, the proxy is on its
 * default when they have gone, and an honest agent works afterwards.
 */
#include "ml_test.h"

enum evil { EVIL_COOKIES, EVIL_SLOTS, EVIL_REPEAT, EVIL_WAKE, EVIL_CONS, NR_EVIL };

static const char * const evil_name[] = {
	"random cookies and outputs", "random bytes in all slots",
	"repeated decisions", "random wake-up words",
	"random positions",
};

static void kick_all(struct agent *a)
{
	for (uint32_t q = 0; q < a->setup.nr_queues; q++) {
		struct ml_lib_kick k = { .size = sizeof(k), .queue = q };

		ml(a->fd, ML_LIB_IOC_KICK, &k);
	}
}

static uint32_t rnd(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 4 ^ *seed << 20;
}

static void be_evil(struct agent *a, enum evil evil, uint32_t *seed)
{
	for (uint32_t q = 0; q < a->setup.nr_queues; q++) {
		struct ml_lib_queue_rw *rw = agent_rw(a, q);
		struct ml_lib_decision *dec = (void *)rw->dec;
		const struct ml_lib_request *r = ml_ring_cons_peek(&a->req[q], 0);
		uint32_t cons = READ_ONCE(agent_ro(a, q)->dec_cons);
		uint32_t mask = a->setup.nr_slots - 1;
		void *slot;

		switch (evil) {
		case EVIL_COOKIES:
		case EVIL_REPEAT:
			if (ml_ring_prod_next(&a->dec[q], &slot))
				break;
			dec = slot;
			dec->cookie = r ? r->cookie : rnd(seed);
			if (evil == EVIL_COOKIES)
				dec->cookie ^= 1ULL << rnd(seed) % 64;
			dec->flags = rnd(seed) % 4 ? 0 : rnd(seed);
			dec->out[0] = rnd(seed) % 2 ? rnd(seed) % 1000 : rnd(seed);
			ml_ring_prod_publish(&a->dec[q], slot);
			if (r && (evil == EVIL_COOKIES || !(rnd(seed) % 4)))
				ml_ring_cons_release(&a->req[q], 1);
			break;
		case EVIL_SLOTS:
			for (int i = 0; i < 64; i++)
				((uint32_t *)dec)[rnd(seed) % ((mask + 1) * 8)] = rnd(seed);
			dec[cons & mask].seq = cons + 1;
			dec[(cons + 1) & mask].seq = cons + 2;
			break;
		case EVIL_WAKE:
			WRITE_ONCE(rw->need_wakeup, rnd(seed));
			if (r)
				ml_ring_cons_release(&a->req[q], 1);
			break;
		default:
			WRITE_ONCE(rw->req_cons, rnd(seed));
		}
	}
	if (!(rnd(seed) % 8))
		kick_all(a);
}

/* A request to this process: be hostile until killed. */
static void evil_agent(enum evil evil, int ready)
{
	uint32_t seed = evil * 77 + 1;
	struct agent a;

	if (agent_start(&a, 16, 60000) || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		be_evil(&a, evil, &seed);
}

int main(void)
{
	struct ml_lib_proxy p;
	int watch;

	test_begin(170);
	need_client();
	watch = open(DEVICE, O_RDWR);
	for (int evil = 0; evil < NR_EVIL; evil++) {
		uint64_t end, broken, until;
		int ready[2], status;
		long good, bad;
		pid_t pid;
		char c;

		find_proxy(watch, "test/echo", &p);
		broken = counter(watch, p.id, ML_LIB_CNT_BROKEN);
		if (pipe(ready))
			return 1;
		pid = fork();
		if (!pid) {
			close(ready[0]);
			evil_agent(evil, ready[1]);
		}
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			ksft_exit_fail_msg("the agent did not start\n");
		close(ready[0]);
		for (end = now_ms() + 1500; now_ms() < end; )
			for (int ctx = 0; ctx < 3; ctx++)
				waitpid(submitter("submit", 200, ctx), &status, 0);
		broken = counter(watch, p.id, ML_LIB_CNT_BROKEN) - broken;
		find_proxy(watch, "test/echo", &p);
		if (evil == EVIL_CONS)
			ksft_test_result(broken && !(p.state & ML_LIB_PROXY_RUNNING),
					 "%s: the session is broken\n", evil_name[evil]);
		else
			ksft_test_result(!broken && (p.state & ML_LIB_PROXY_RUNNING),
					 "%s: is not a reason to break it\n", evil_name[evil]);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		for (until = now_ms() + 5000; now_ms() < until; sleep_ms(5)) {
			find_proxy(watch, "test/echo", &p);
			if (!p.state)
				break;
		}
		good = advice_good(&bad);
		ksft_test_result(!p.state && !good && !bad,
				 "%s: the proxy is on its default\n", evil_name[evil]);
		ksft_test_result(works(), "%s: an honest agent works after it\n",
				 evil_name[evil]);
	}
	test_end();
}
