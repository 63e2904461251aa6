// SPDX-License-Identifier: GPL-2.0
/* Transport: generic netlink, a message for each request and each answer. */

#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "bench.h"

static const struct nla_policy answer_policy[__ML_BENCH_ATTR_END] = {
	[ML_BENCH_ATTR_OBJ] = { .type = NLA_U32 },
	[ML_BENCH_ATTR_VALUE] = { .type = NLA_S32 },
};

static int answer_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct ml_bench_answer a;

	if (GENL_REQ_ATTR_CHECK(info, ML_BENCH_ATTR_OBJ) ||
	    GENL_REQ_ATTR_CHECK(info, ML_BENCH_ATTR_VALUE))
		return -EINVAL;
	a.obj = nla_get_u32(info->attrs[ML_BENCH_ATTR_OBJ]);
	a.value = nla_get_s32(info->attrs[ML_BENCH_ATTR_VALUE]);
	ml_bench_answer(&a);
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

static bool netlink_submit(u32 obj, const u64 *word)
{
	size_t size = ML_BENCH_WORDS * sizeof(*word);
	struct sk_buff *skb;
	void *msg;

	skb = genlmsg_new(nla_total_size(sizeof(obj)) + nla_total_size(size),
			  GFP_ATOMIC);
	if (!skb)
		return false;
	msg = genlmsg_put(skb, 0, 0, &family, 0, ML_BENCH_GENL_REQUEST);
	if (!msg || nla_put_u32(skb, ML_BENCH_ATTR_OBJ, obj) ||
	    nla_put(skb, ML_BENCH_ATTR_WORDS, size, word)) {
		nlmsg_free(skb);
		return false;
	}
	genlmsg_end(skb, msg);
	return !genlmsg_unicast(&init_net, skb, portid);
}

const struct ml_bench_ops ml_bench_netlink_ops = {
	.begin = netlink_begin,
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
