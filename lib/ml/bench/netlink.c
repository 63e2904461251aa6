// SPDX-License-Identifier: GPL-2.0
/* Transport: generic netlink, a message for each request and each answer. */

#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "bench.h"

static const struct nla_policy answer_policy[__ML_BENCH_ATTR_END] = {
	[ML_BENCH_ATTR_COOKIE] = { .type = NLA_U64 },
	[ML_BENCH_ATTR_VALUE] = { .type = NLA_S32 },
};

static int answer_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ml_bench_answer a = { };

	if (GENL_REQ_ATTR_CHECK(info, ML_BENCH_ATTR_COOKIE) ||
	    GENL_REQ_ATTR_CHECK(info, ML_BENCH_ATTR_VALUE))
		return -EINVAL;
	a.cookie = nla_get_u64(info->attrs[ML_BENCH_ATTR_COOKIE]);
	a.value = nla_get_s32(info->attrs[ML_BENCH_ATTR_VALUE]);
	ml_bench_answer(&a, 1);
	return 0;
}

static const struct genl_small_ops netlink_ops[] = {
	{
		.cmd = ML_BENCH_GENL_ANSWER,
		.flags = GENL_ADMIN_PERM,
		.doit = answer_doit,
	},
};

static struct genl_family family __ro_after_init = {
	.name = ML_BENCH_GENL_NAME,
	.version = ML_BENCH_GENL_VERSION,
	.maxattr = __ML_BENCH_ATTR_END - 1,
	.policy = answer_policy,
	.small_ops = netlink_ops,
	.n_small_ops = ARRAY_SIZE(netlink_ops),
	.resv_start_op = ML_BENCH_GENL_ANSWER + 1,
	.module = THIS_MODULE,
};

static u32 portid;

static int netlink_begin(const struct ml_bench_run *run)
{
	portid = run->portid;
	return portid ? 0 : -EINVAL;
}

static bool open_request(u32 obj, struct ml_bench_request *r)
{
	unsigned long flags;
	bool ok;

	if (ml_bench_bare)
		return ml_bench_open_request(obj, r);
	raw_spin_lock_irqsave(&ml_bench_lock, flags);
	ok = ml_bench_open_request(obj, r);
	raw_spin_unlock_irqrestore(&ml_bench_lock, flags);
	return ok;
}

static bool netlink_submit(u32 obj, const u64 *word)
{
	size_t size = ML_BENCH_WORDS * sizeof(*word);
	struct ml_bench_request r;
	struct sk_buff *skb;
	void *msg;

	if (!open_request(obj, &r))
		return false;
	skb = genlmsg_new(2 * nla_total_size(sizeof(u64)) +
			  nla_total_size(size), GFP_ATOMIC);
	if (!skb)
		return false;
	msg = genlmsg_put(skb, 0, 0, &family, 0, ML_BENCH_GENL_REQUEST);
	if (!msg ||
	    nla_put(skb, ML_BENCH_ATTR_COOKIE, sizeof(u64), &r.cookie) ||
	    nla_put(skb, ML_BENCH_ATTR_TIME, sizeof(u64), &r.time_ns) ||
	    nla_put(skb, ML_BENCH_ATTR_WORDS, size, word)) {
		nlmsg_free(skb);
		return false;
	}
	genlmsg_end(skb, msg);
	return !genlmsg_unicast(&init_net, skb, portid);
}

const struct ml_bench_ops ml_bench_netlink_ops = {
	.begin = netlink_begin,
	.prepare = ml_bench_renew,
	.submit = netlink_submit,
	.receive = ml_bench_answered,
	.wakes = true,
};

/**
 * ml_bench_netlink_init() - register the family
 *
 * Context: Process, at boot.
 * Return: 0 or an error.
 */
int __init ml_bench_netlink_init(void)
{
	return genl_register_family(&family);
}
