// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink: a question to the running kernel and its answer, on one CPU.
 *
 *	netlink-genl	CTRL_CMD_GETFAMILY, which the kernel looks up and
 *			answers: what a generic netlink family costs at least
 *	netlink-ack	an empty message that is acknowledged: what netlink
 *			itself costs
 */
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

struct nl {
	int fd;
	struct {
		struct nlmsghdr h;
		struct genlmsghdr g;
		struct nlattr a;
		u16 id;
		u16 pad;
	} q;
	_Alignas(16) u8 buffer[8192];
};

static const char *nl_open(struct chan *c)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nl *n = calloc(1, sizeof(*n));

	c->priv = n;
	n->fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (n->fd < 0)
		return "no generic netlink socket";
	/* Connected: the kernel need not look an address up. */
	if (connect(n->fd, (void *)&kernel, sizeof(kernel)))
		return "cannot connect to the kernel";
	return NULL;
}

static const char *genl_open(struct chan *c)
{
	const char *why = nl_open(c);
	struct nl *n = c->priv;

	n->q.h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN + NLA_HDRLEN + sizeof(u16));
	n->q.h.nlmsg_type = GENL_ID_CTRL;
	n->q.h.nlmsg_flags = NLM_F_REQUEST;
	n->q.g.cmd = CTRL_CMD_GETFAMILY;
	n->q.g.version = 1;
	n->q.a.nla_len = NLA_HDRLEN + sizeof(u16);
	n->q.a.nla_type = CTRL_ATTR_FAMILY_ID;
	n->q.id = GENL_ID_CTRL;
	return why;
}

static const char *ack_open(struct chan *c)
{
	const char *why = nl_open(c);
	struct nl *n = c->priv;

	n->q.h.nlmsg_len = NLMSG_LENGTH(0);
	n->q.h.nlmsg_type = NLMSG_NOOP;
	n->q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	return why;
}

static void nl_close(struct chan *c)
{
	struct nl *n = c->priv;

	close(n->fd);
	free(n);
}

static u32 nl_put(struct chan *c, u32 nr)
{
	struct nl *n = c->priv;

	n->q.h.nlmsg_seq = c->sent;
	if (send(n->fd, &n->q, n->q.h.nlmsg_len, 0) != n->q.h.nlmsg_len)
		return 0;
	c->sent++;
	return nr;
}

static u32 nl_fetch(struct chan *c, u32 nr)
{
	struct nl *n = c->priv;
	ssize_t len = recv(n->fd, n->buffer, sizeof(n->buffer), 0);
	struct nlmsghdr *h = (void *)n->buffer;
	bool ack = n->q.h.nlmsg_flags & NLM_F_ACK;
	bool good = len >= (ssize_t)sizeof(*h) && h->nlmsg_seq == (u32)c->got;

	if (good && ack)
		good = h->nlmsg_type == NLMSG_ERROR &&
		       !((struct nlmsgerr *)NLMSG_DATA(h))->error;
	else if (good)
		good = h->nlmsg_type == GENL_ID_CTRL;
	c->wrong += !good;
	c->got++;
	return nr;
}

static const struct ops genl = {
	.name = "netlink-genl", .kernel = true, .rtt_only = true,
	.note = "netlink: the kernel answers on the same CPU, no other side is woken",
	.open = genl_open, .close = nl_close, .put = nl_put, .fetch = nl_fetch,
};

static const struct ops ack = {
	.name = "netlink-ack", .kernel = true, .rtt_only = true,
	.open = ack_open, .close = nl_close, .put = nl_put, .fetch = nl_fetch,
};

const struct ops *const netlink_ops[] = { &genl, &ack, NULL };
