// SPDX-License-Identifier: GPL-2.0
/* A busy agent makes no syscall: counted by the raw_syscalls tracepoint. */
#include "ml_test.h"

#define TRACING "/sys/kernel/tracing/"
#define EVENT	TRACING "events/raw_syscalls/sys_enter/"

struct shm {
	uint32_t ready, count, one, done;
};

static int put(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_TRUNC), ok;

	if (fd < 0)
		return -errno;
	ok = write(fd, s, strlen(s)) == (ssize_t)strlen(s);
	close(fd);
	return ok ? 0 : -EIO;
}

static long traced(void)
{
	char line[512];
	FILE *f = fopen(TRACING "trace", "r");
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, "sys_enter") && line[0] != '#';
	if (f)
		fclose(f);
	return n;
}

int main(void)
{
	struct shm *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char filter[64];
	uint64_t end;
	uint32_t got;
	int status;
	long n;
	pid_t pid;

	test_begin(100);
	need_client();
	if (access(EVENT "enable", W_OK))
		ksft_exit_skip("no raw_syscalls tracepoint in this kernel\n");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		ksft_exit_skip("needs two processors\n");
	pid = fork();
	if (!pid) {
		struct agent a;

		if (agent_start(&a, 1024, 60000))
			_exit(1);
		WRITE_ONCE(m->ready, 1);
		while (!READ_ONCE(m->done)) {
			int k = agent_answer(&a);

			if (k < 0)
				_exit(2);
			WRITE_ONCE(m->count, m->count + k);
			if (READ_ONCE(m->one) == 1) {
				getppid();
				WRITE_ONCE(m->one, 2);
			}
		}
		_exit(0);
	}
	while (!READ_ONCE(m->ready) && waitpid(pid, &status, WNOHANG) != pid)
		sleep_ms(10);
	snprintf(filter, sizeof(filter), "common_pid==%d", pid);
	/* Names of tasks would be recorded, by patching the scheduler. */
	if (!READ_ONCE(m->ready) || put(EVENT "filter", filter) ||
	    put(TRACING "options/record-cmd", "0") ||
	    put(TRACING "trace", "") || put(TRACING "tracing_on", "1") ||
	    put(EVENT "enable", "1"))
		ksft_exit_fail_msg("cannot trace\n");
	for (int i = 0; i < 50; i++) {
		param_write("context", i % 3);
		param_write("submit", 64);
		sleep_ms(5);
	}
	for (end = now_ms() + 10000; READ_ONCE(m->count) < 3200 && now_ms() < end; )
		sleep_ms(10);
	got = READ_ONCE(m->count);
	n = traced();
	ksft_test_result(got == 3200 && n == 0,
			 "%u requests answered with %ld syscalls\n", got, n);
	WRITE_ONCE(m->one, 1);
	for (end = now_ms() + 5000; READ_ONCE(m->one) != 2 && now_ms() < end; )
		sleep_ms(10);
	n = traced();
	ksft_test_result(n == 1, "a single syscall would be seen (%ld)\n", n);
	put(EVENT "enable", "0");
	put(EVENT "filter", "0");
	put(TRACING "options/record-cmd", "1");
	WRITE_ONCE(m->done, 1);
	waitpid(pid, &status, 0);
	test_end();
}
