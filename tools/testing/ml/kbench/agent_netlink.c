// SPDX-License-Identifier: GPL-2.0
/*
 * The agent's side of generic netlink. Messages are taken and sent in batches,
 * which netlink does as well as it can be asked to.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "kbench.h"

#define RECEIVE_BUFFER	(256 * 1024)

struct answer_msg {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	struct nlattr cookie_attr;
	u64 cookie __attribute__((packed, aligned(4)));
	struct nlattr value_attr;
	s32 value;
};

static int sock = -1;
static u16 family;
static char buffer[MAX_DEPTH][256];
static struct answer_msg answers[MAX_DEPTH];

static const struct nlattr *find(const struct nlmsghdr *nlh, u16 type)
{
	const char *p = (const char *)nlh + NLMSG_HDRLEN + GENL_HDRLEN;
	const char *end = (const char *)nlh + nlh->nlmsg_len;

	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const struct nlattr *)p;

		if (a->nla_len < NLA_HDRLEN)
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		p += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

static u16 find_family(const char *name)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
		struct nlattr attr;
		char name[GENL_NAMSIZ];
	} msg = {
		.nlh = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = GENL_ID_CTRL,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.genl = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		.attr = {
			.nla_len = NLA_HDRLEN + sizeof(msg.name),
			.nla_type = CTRL_ATTR_FAMILY_NAME,
		},
	};
	char reply[4096];
	const struct nlmsghdr *nlh = (const void *)reply;
	const struct nlattr *a;

	snprintf(msg.name, sizeof(msg.name), "%s", name);
	if (send(sock, &msg, sizeof(msg), 0) < 0 ||
	    recv(sock, reply, sizeof(reply), 0) < (ssize_t)NLMSG_HDRLEN ||
	    nlh->nlmsg_type != GENL_ID_CTRL)
		return 0;
	a = find(nlh, CTRL_ATTR_FAMILY_ID);
	return a ? *(const u16 *)((const char *)a + NLA_HDRLEN) : 0;
}

static int netlink_open(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct timeval tick = { .tv_usec = 100000 };
	socklen_t len = sizeof(addr);
	int size = RECEIVE_BUFFER;

	sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (sock < 0 || bind(sock, (void *)&addr, sizeof(addr)) ||
	    getsockname(sock, (void *)&addr, &len))
		return unavailable(ML_BENCH_NETLINK, "netlink: %s",
				   strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof(tick));
	addr.nl_pid = addr.nl_pid ?: (u32)getpid();
	shared->portid = addr.nl_pid;
	addr.nl_pid = 0;
	if (connect(sock, (void *)&addr, sizeof(addr)))
		return unavailable(ML_BENCH_NETLINK, "netlink: %s",
				   strerror(errno));
	family = find_family(ML_BENCH_GENL_NAME);
	if (!family)
		return unavailable(ML_BENCH_NETLINK, "no netlink family %s",
				   ML_BENCH_GENL_NAME);
	len = sizeof(size);
	getsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, &len);
	shared->memory[ML_BENCH_NETLINK] = size;
	for (u32 i = 0; i < MAX_DEPTH; i++)
		answers[i] = (struct answer_msg){
			.nlh = {
				.nlmsg_len = sizeof(answers[0]),
				.nlmsg_type = family,
				.nlmsg_flags = NLM_F_REQUEST,
			},
			.genl = {
				.cmd = ML_BENCH_GENL_ANSWER,
				.version = ML_BENCH_GENL_VERSION,
			},
			.cookie_attr = { NLA_HDRLEN + 8, ML_BENCH_ATTR_COOKIE },
			.value_attr = { NLA_HDRLEN + 4, ML_BENCH_ATTR_VALUE },
		};
	return 0;
}

/* Answer at most @room requests. Sleeps if there are none. */
static u32 step(u32 room)
{
	struct mmsghdr vec[MAX_DEPTH];
	struct iovec iov[MAX_DEPTH];
	u32 n = 0;
	int got;

	for (u32 i = 0; i < room; i++) {
		iov[i] = (struct iovec){ buffer[i], sizeof(buffer[i]) };
		vec[i] = (struct mmsghdr){
			.msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 },
		};
	}
	if (room == 1)
		got = recv(sock, buffer[0], sizeof(buffer[0]), 0) < 0 ? -1 : 1;
	else
		got = recvmmsg(sock, vec, room, MSG_WAITFORONE, NULL);
	for (int i = 0; i < got; i++) {
		const struct nlmsghdr *nlh = (const void *)buffer[i];
		const struct nlattr *cookie, *words;
		u64 word[ML_BENCH_WORDS];

		if (nlh->nlmsg_type != family)
			continue;
		cookie = find(nlh, ML_BENCH_ATTR_COOKIE);
		words = find(nlh, ML_BENCH_ATTR_WORDS);
		if (!cookie || !words)
			continue;
		memcpy(word, (const char *)words + NLA_HDRLEN, sizeof(word));
		memcpy(&answers[n].cookie, (const char *)cookie + NLA_HDRLEN,
		       sizeof(u64));
		answers[n].value = ml_bench_rule((const __u64 *)word);
		n++;
	}
	if (n && send(sock, answers, n * sizeof(answers[0]), 0) < 0)
		return 0;
	return n;
}

static void netlink_serve(u32 mode, u32 depth)
{
	(void)mode;
	while (serving())
		step(depth);
}

static void netlink_turn(u32 nr)
{
	while (nr && serving())
		nr -= step(nr);
}

const struct transport netlink = {
	.open = netlink_open,
	.serve = netlink_serve,
	.turn = netlink_turn,
};
