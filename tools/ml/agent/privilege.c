// SPDX-License-Identifier: GPL-2.0
/* What the agent may do and where it may run. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "privilege.h"

static uid_t uid;
static gid_t gid;

int privilege_find(const char *user)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		warn("--user %s: %s: give a user that exists, or 'root' to keep all rights",
		     user, errno ? strerror(errno) : "no such user");
		return -1;
	}
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	return 0;
}

int privilege_drop(void)
{
	if (!uid)
		return 0;
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		warn("cannot drop privileges: %s: run as root, or with --user root to keep them",
		     strerror(errno));
		return -1;
	}
	return 0;
}

void privilege_mlock(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	/*
	 * The limit counts for later allocations, when the capability is gone:
	 * without raising it, malloc() would begin to fail. MCL_ONFAULT locks
	 * what is in use, not everything that libtorch maps.
	 */
	if (setrlimit(RLIMIT_MEMLOCK, &all) ||
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		warn("memory cannot be locked (%s), so decisions may wait for swap: start as root or raise 'ulimit -l'",
		     strerror(errno));
}

int privilege_cpus(const char *list)
{
	const char *p = list;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (;;) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end == p)
			break;
		if (*end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
			if (end == p)
				break;
		}
		if (last < first || last >= CPU_SETSIZE)
			break;
		for (; first <= last; first++)
			CPU_SET(first, &set);
		if (!*end) {
			if (!sched_setaffinity(0, sizeof(set), &set))
				return 0;
			warn("--cpu %s: %s: give CPUs that are online and that this process may use",
			     list, strerror(errno));
			return -1;
		}
		if (*end != ',')
			break;
		p = end + 1;
	}
	warn("--cpu %s: not a list of CPUs like 0-3,8", list);
	return -1;
}
