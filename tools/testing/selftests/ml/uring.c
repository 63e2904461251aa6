// SPDX-License-Identifier: GPL-2.0
/* io_uring: KICK as a command, and waiting by a multishot poll. */
#include "ml_test.h"
#include <sys/syscall.h>
#include <linux/io_uring.h>

/* The least that submits and reaps: one thread, few entries, no polling. */
struct uring {
	int fd;
	uint32_t *sq_tail, *sq_mask, *sq_array;
	uint32_t *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int uring_open(struct uring *u)
{
	struct io_uring_params p = { 0 };
	char *ring;

	u->fd = syscall(SYS_io_uring_setup, 8, &p);
	if (u->fd < 0)
		return -errno;
	if (!(p.features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP;
	ring = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*u->cqes),
		    PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		    IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, p.sq_entries * sizeof(*u->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		       IORING_OFF_SQES);
	if (ring == MAP_FAILED || u->sqes == MAP_FAILED)
		return -errno;
	u->sq_tail = (void *)(ring + p.sq_off.tail);
	u->sq_mask = (void *)(ring + p.sq_off.ring_mask);
	u->sq_array = (void *)(ring + p.sq_off.array);
	u->cq_head = (void *)(ring + p.cq_off.head);
	u->cq_tail = (void *)(ring + p.cq_off.tail);
	u->cq_mask = (void *)(ring + p.cq_off.ring_mask);
	u->cqes = (void *)(ring + p.cq_off.cqes);
	return 0;
}

static void uring_submit(struct uring *u, const struct io_uring_sqe *sqe)
{
	uint32_t tail = *u->sq_tail, at = tail & *u->sq_mask;

	u->sqes[at] = *sqe;
	u->sq_array[at] = at;
	smp_store_release(u->sq_tail, tail + 1);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) != 1)
		ksft_exit_fail_msg("io_uring_enter: %s\n", strerror(errno));
}

/* Take a completion if one comes within some time. */
static bool uring_reap(struct uring *u, int ms, struct io_uring_cqe *cqe)
{
	struct pollfd pfd = { .fd = u->fd, .events = POLLIN };
	uint32_t head = *u->cq_head;

	if (smp_load_acquire(u->cq_tail) == head)
		poll(&pfd, 1, ms);
	if (smp_load_acquire(u->cq_tail) == head)
		return false;
	*cqe = u->cqes[head & *u->cq_mask];
	smp_store_release(u->cq_head, head + 1);
	return true;
}

static int uring_kick(struct uring *u, int fd, uint32_t op, uint32_t queue,
		      uint8_t flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_URING_CMD, .fd = fd, .flags = flags,
	};
	struct io_uring_cqe cqe;

	memcpy(&sqe.off, &op, sizeof(op));	/* cmd_op */
	memcpy((char *)&sqe + 48, &queue, sizeof(queue));	/* cmd[] */
	uring_submit(u, &sqe);
	return uring_reap(u, 5000, &cqe) ? cqe.res : -ETIME;
}

/* Space for more arguments, which has to be zero until there are some. */
static int uring_kick_more(struct uring *u, int fd)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_URING_CMD, .fd = fd };
	struct io_uring_cqe cqe;

	((char *)&sqe)[63] = 1;		/* end of cmd[] */
	uring_submit(u, &sqe);
	return uring_reap(u, 5000, &cqe) ? cqe.res : -ETIME;
}

static int kick_all(struct uring *u, struct agent *a, uint8_t flags)
{
	int sum = 0;

	for (uint32_t q = 0; q < a->setup.nr_queues; q++) {
		int n = uring_kick(u, a->fd, ML_LIB_URING_KICK, q, flags);

		if (n < 0)
			return n;
		sum += n;
	}
	return sum;
}

static void kick(struct uring *u)
{
	static const struct {
		uint8_t flags;
		const char *name;
	} how[] = { { 0, "inline" }, { IOSQE_ASYNC, "by a worker" } };
	struct agent a;
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	ksft_test_result(uring_kick(u, fd, ML_LIB_URING_KICK, 0, 0) == -EBADFD,
			 "kick before setup is EBADFD\n");
	close(fd);
	if (agent_start(&a, 256, 60000))
		ksft_exit_fail_msg("start\n");
	ksft_test_result(uring_kick(u, a.fd, 1, 0, 0) == -EOPNOTSUPP,
			 "another command is EOPNOTSUPP\n");
	ksft_test_result(uring_kick(u, a.fd, ML_LIB_URING_KICK, a.setup.nr_queues, 0) == -EINVAL &&
			 uring_kick(u, a.fd, ML_LIB_URING_KICK, ~0u, 0) == -EINVAL,
			 "kick of no queue is EINVAL\n");
	ksft_test_result(uring_kick_more(u, a.fd) == -EINVAL,
			 "kick with what is not known is EINVAL\n");
	ksft_test_result(!kick_all(u, &a, 0), "kick of empty rings takes nothing\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(how); i++) {
		int status, sent, got;
		long good, bad;

		advice_good(NULL);
		waitpid(submitter("submit", NR_OBJECTS, 0), &status, 0);
		sent = agent_answer(&a);
		got = kick_all(u, &a, how[i].flags);
		good = advice_good(&bad);
		ksft_test_result(sent == NR_OBJECTS && got == sent &&
				 good == NR_OBJECTS && !bad,
				 "kick %s: %d sent, %d taken, %ld good\n",
				 how[i].name, sent, got, good);
	}
	agent_close(&a);
}

/* Raise the flag, as agent_wait() does, but leave the sleep to io_uring. */
static void want_wakeup(struct agent *a)
{
	a->token += 1 + (a->token & 1);
	for (uint32_t q = 0; q < a->setup.nr_queues; q++)
		WRITE_ONCE(agent_rw(a, q)->need_wakeup, a->token);
	smp_mb();
}

static void multishot(struct uring *u)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD, .len = IORING_POLL_ADD_MULTI,
		.poll32_events = POLLIN, .user_data = 77,
	};
	struct ml_lib_start st = { .size = sizeof(st) };
	struct io_uring_cqe cqe = { 0 };
	int n, status, answered = 0;
	struct agent a;

	if (agent_start(&a, 256, 60000))
		ksft_exit_fail_msg("start\n");
	sqe.fd = a.fd;
	uring_submit(u, &sqe);
	want_wakeup(&a);
	ksft_test_result(!uring_reap(u, 100, &cqe), "poll: nothing while nothing is submitted\n");
	for (n = 0; n < 5; n++) {
		waitpid(submitter("submit", 4, n % 3), &status, 0);
		if (!uring_reap(u, 5000, &cqe) || !(cqe.res & POLLIN) ||
		    !(cqe.flags & IORING_CQE_F_MORE) || cqe.user_data != 77)
			break;
		/* A burst may wake more than once. */
		do {
			answered += agent_answer(&a);
		} while (uring_reap(u, 20, &cqe));
		agent_kick(&a);
		want_wakeup(&a);
	}
	ksft_test_result(n == 5 && answered == 20,
			 "poll: one multishot request, %d wake-ups, %d answers\n",
			 n, answered);
	ml(a.fd, ML_LIB_IOC_STOP, &st);
	ksft_test_result(uring_reap(u, 5000, &cqe) && (cqe.res & POLLHUP),
			 "poll: stop is POLLHUP (%#x)\n", cqe.res);
	/* As long as it is armed, it keeps the file and so the session. */
	sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_POLL_REMOVE, .fd = -1, .addr = 77,
		.user_data = 78,
	};
	uring_submit(u, &sqe);
	while (uring_reap(u, 1000, &cqe) && cqe.user_data == 77)
		;
	ksft_test_result(cqe.user_data == 78 && (!cqe.res || cqe.res == -ENOENT),
			 "poll: cancelled (%d)\n", cqe.res);
	agent_close(&a);
}

int main(void)
{
	struct uring u;
	int err;

	test_begin(60);
	need_client();
	err = uring_open(&u);
	if (err)
		ksft_exit_skip("no io_uring: %s\n", strerror(-err));
	kick(&u);
	multishot(&u);
	close(u.fd);
	ksft_test_result(works(), "afterwards a new session works\n");
	test_end();
}
