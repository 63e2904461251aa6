// SPDX-License-Identifier: GPL-2.0
/* Mapping the rings: exact size and place, rights, nothing inherited. */
#include "ml_test.h"

static int map(int fd, size_t len, int prot, int flags, off_t off)
{
	void *p = mmap(NULL, len, prot, flags, fd, off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static int touch(const char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(*(volatile const char *)p ? 0 : 0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	int rd = PROT_READ, wr = PROT_READ | PROT_WRITE, fd;
	long page = sysconf(_SC_PAGESIZE);
	struct ml_lib_setup *s, set;
	struct agent a;

	test_begin(60);
	need_client();
	fd = open(DEVICE, O_RDWR);
	ksft_test_result(map(fd, page, rd, MAP_SHARED, 0) == -EBADFD,
			 "before setup: EBADFD\n");
	close(fd);
	if (agent_open(&a, 64))
		ksft_exit_fail_msg("open: %s\n", strerror(errno));
	fd = a.fd;
	s = &a.setup;
	ksft_test_result(map(fd, s->bytes_ro, rd, MAP_SHARED, s->offset_ro) == 0 &&
			 map(fd, s->bytes_rw, wr, MAP_SHARED, s->offset_rw) == 0,
			 "a second time\n");
	ksft_test_result(map(fd, s->bytes_ro - page, rd, MAP_SHARED, s->offset_ro) == -EINVAL &&
			 map(fd, s->bytes_ro + page, rd, MAP_SHARED, s->offset_ro) == -EINVAL &&
			 map(fd, s->bytes_rw + page, wr, MAP_SHARED, s->offset_rw) == -EINVAL,
			 "other size: EINVAL\n");
	ksft_test_result(map(fd, s->bytes_ro, rd, MAP_SHARED, s->offset_ro + page) == -EINVAL &&
			 map(fd, s->bytes_rw, wr, MAP_SHARED, s->offset_rw + page) == -EINVAL &&
			 map(fd, s->bytes_rw, wr, MAP_SHARED, 1L << 40) == -EINVAL,
			 "other offset: EINVAL\n");
	ksft_test_result(map(fd, s->bytes_ro, rd, MAP_PRIVATE, s->offset_ro) == -EINVAL &&
			 map(fd, s->bytes_rw, wr, MAP_PRIVATE, s->offset_rw) == -EINVAL,
			 "private: EINVAL\n");
	ksft_test_result(map(fd, s->bytes_ro, wr, MAP_SHARED, s->offset_ro) == -EPERM,
			 "what the kernel writes, writable: EPERM\n");
	ksft_test_result(map(fd, s->bytes_ro, rd | PROT_EXEC, MAP_SHARED, s->offset_ro) == -EPERM &&
			 map(fd, s->bytes_rw, wr | PROT_EXEC, MAP_SHARED, s->offset_rw) == -EPERM,
			 "executable: EPERM\n");
	ksft_test_result(mprotect(a.ro, s->bytes_ro, wr) && errno == EACCES &&
			 mprotect(a.ro, page, PROT_WRITE) && errno == EACCES,
			 "no way to get at the right to write\n");
	ksft_test_result(mprotect(a.rw, s->bytes_rw, wr | PROT_EXEC) && errno == EACCES,
			 "nor to execute\n");
	ksft_test_result(mremap(a.rw, s->bytes_rw, s->bytes_rw + page, MREMAP_MAYMOVE) == MAP_FAILED,
			 "mremap does not grow it\n");
	ksft_test_result(touch(a.ro) == SIGSEGV && touch(a.rw) == SIGSEGV,
			 "a child does not inherit it\n");
	ksft_test_result(*(volatile uint32_t *)&agent_ro(&a, 0)->state == ML_LIB_SESSION_STOPPED,
			 "the parent still has it\n");
	close(fd);
	agent_rw(&a, 0)->req_cons = 7;
	ksft_test_result(agent_rw(&a, 0)->req_cons == 7 && !agent_ro(&a, 0)->dec_cons,
			 "the mapping outlives the descriptor\n");
	agent_close(&a);

	/* Nothing but the agent's own part needs the right to write. */
	fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	set = (struct ml_lib_setup) { .size = sizeof(set), .nr_slots = 64, .payload = 24 };
	if (fd < 0 || ml(fd, ML_LIB_IOC_SETUP, &set))
		ksft_exit_fail_msg("setup of a read-only file: %s\n", strerror(errno));
	ksft_test_result(map(fd, set.bytes_ro, rd, MAP_SHARED, set.offset_ro) == 0 &&
			 map(fd, set.bytes_rw, rd, MAP_SHARED, set.offset_rw) == 0,
			 "open for reading, to look\n");
	ksft_test_result(map(fd, set.bytes_rw, wr, MAP_SHARED, set.offset_rw) == -EACCES &&
			 map(fd, set.bytes_ro, rd, MAP_PRIVATE, set.offset_ro) == -EINVAL,
			 "but not to write\n");
	close(fd);
	test_end();
}
