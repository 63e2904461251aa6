// SPDX-License-Identifier: GPL-2.0
/* Who ends a session: fork, dup, passed descriptors, SIGKILL under load. */
#include "ml_test.h"
#include <sys/socket.h>

static uint32_t state(struct agent *a)
{
	return *(volatile uint32_t *)&agent_ro(a, 0)->state;
}

static void send_fd(int sock, int fd)
{
	char c = 0, buf[CMSG_SPACE(sizeof(int))] = "";
	struct iovec io = { &c, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = buf,
			    .msg_controllen = sizeof(buf) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	if (sendmsg(sock, &m, 0) != 1)
		_exit(2);
}

static int recv_fd(int sock)
{
	char c, buf[CMSG_SPACE(sizeof(int))];
	struct iovec io = { &c, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = buf,
			    .msg_controllen = sizeof(buf) };
	int fd = -1;

	if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

static void forked_and_dupped(void)
{
	struct ml_lib_start st = { .size = sizeof(st) };
	struct agent a;
	int status, fd;
	pid_t pid;

	if (agent_start(&a, 64, 60000))
		ksft_exit_fail_msg("start\n");
	pid = fork();
	if (!pid)
		_exit(ml(a.fd, ML_LIB_IOC_STOP, &st) == -EXDEV ? 0 : 1);
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "a child cannot stop it: EXDEV\n");
	ksft_test_result(state(&a) == ML_LIB_SESSION_RUNNING,
			 "the end of a child does not stop it\n");
	fd = dup(a.fd);
	close(fd);
	ksft_test_result(state(&a) == ML_LIB_SESSION_STOPPED &&
			 agent_ro(&a, 0)->epoch == 1,
			 "the owner's close of a duplicate stops it\n");
	agent_close(&a);
	ksft_test_result(works(), "afterwards a new one works\n");
}

static void passed(void)
{
	struct ml_lib_start st = { .size = sizeof(st) };
	struct pollfd pfd = { .events = POLLIN };
	int sv[2], go[2], status;
	struct agent a;
	pid_t pid;

	memset(&a, 0, sizeof(a));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) || pipe(go))
		ksft_exit_fail_msg("socketpair\n");
	pid = fork();
	if (!pid) {
		char c;

		if (agent_start(&a, 64, 60000))
			_exit(1);
		send_fd(sv[1], a.fd);
		if (write(sv[1], &a.setup, sizeof(a.setup)) != sizeof(a.setup))
			_exit(3);
		if (read(go[0], &c, 1) != 1)
			_exit(4);
		_exit(0);
	}
	a.fd = recv_fd(sv[0]);
	if (a.fd < 0 || read(sv[0], &a.setup, sizeof(a.setup)) != sizeof(a.setup) ||
	    agent_map(&a))
		ksft_exit_fail_msg("no descriptor came\n");
	ksft_test_result(state(&a) == ML_LIB_SESSION_RUNNING, "passed: it runs\n");
	ksft_test_result(ml(a.fd, ML_LIB_IOC_STOP, &st) == -EXDEV,
			 "passed: only the owner stops it\n");
	if (write(go[1], "", 1) != 1)
		ksft_exit_fail_msg("pipe\n");
	waitpid(pid, &status, 0);
	pfd.fd = a.fd;
	ksft_test_result(state(&a) == ML_LIB_SESSION_STOPPED &&
			 poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP),
			 "passed: it stops with its owner, though the file is open\n");
	ksft_test_result(!ml(a.fd, ML_LIB_IOC_START, &st) && st.epoch == 1,
			 "passed: the new owner can start it again\n");
	agent_close(&a);
	ksft_test_result(works(), "passed: afterwards a new one works\n");
}

static void killed(int times)
{
	struct ml_lib_proxy p;
	int watch = open(DEVICE, O_RDWR), n;
	uint64_t longest = 0;

	for (n = 0; n < times; n++) {
		int ready[2], status;
		uint64_t start;
		pid_t pid, load;
		char c;

		if (pipe(ready))
			break;
		pid = fork();
		if (!pid) {
			struct agent a;

			if (agent_start(&a, 64, 60000) || write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;) {
				agent_answer(&a);
				agent_kick(&a);
				if (n % 2)
					agent_wait(&a, 10);
			}
		}
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			break;
		close(ready[0]);
		load = submitter(n % 3 ? "submit" : "sync", n % 3 ? 300 : 1, n % 3);
		sleep_ms(n % 7);
		kill(pid, SIGKILL);
		start = now_ms();
		waitpid(pid, &status, 0);
		waitpid(load, &status, 0);
		do {
			find_proxy(watch, "test/echo", &p);
		} while (p.state && now_ms() - start < 5000);
		if (p.state)
			break;
		if (now_ms() - start > longest)
			longest = now_ms() - start;
	}
	ksft_test_result(n == times, "SIGKILL under load, %d of %d times, %lu ms at most\n",
			 n, times, (unsigned long)longest);
	close(watch);
}

int main(void)
{
	test_begin(170);
	need_client();
	forked_and_dupped();
	passed();
	killed(100);
	ksft_test_result(!advice_good(NULL), "no advice is left\n");
	ksft_test_result(works(), "an agent works after all that\n");
	test_end();
}
