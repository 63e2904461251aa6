// SPDX-License-Identifier: GPL-2.0
/*
 * Transports that are calls of /dev/ml_bench: read() and write(), an ioctl that
 * does both at once, and a uring_cmd for each request.
 *
 * Requests wait in a queue. Each call takes as many as it has room for, and
 * sleeps if there are none. A uring_cmd that finds none returns -EAGAIN, so that
 * io_uring calls it again from a thread of its own, where it sleeps. A driver
 * such as ublk keeps the command and completes it from the agent's task work,
 * which is cheaper than that; where requests are there already, as in mode
 * TURNS, both do the same.
 *
 * A request wakes one sleeper. Sleepers heed only fatal signals: io_uring
 * notifies its threads to start more of them whenever one goes to sleep while
 * commands wait, and with more commands than threads nobody would ever sleep.
 */

#include <linux/io_uring/cmd.h>
#include <linux/minmax.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "bench.h"

#define SLOTS	ML_BENCH_OBJECTS

/* Protected by ml_bench_lock. */
static struct ml_bench_request slot[SLOTS];
static u32 head, tail;

static DECLARE_WAIT_QUEUE_HEAD(agent_wq);

/**
 * ml_bench_queue_wake() - wake the agent
 *
 * Context: Any.
 */
void ml_bench_queue_wake(void)
{
	wake_up_all(&agent_wq);
}

static int queue_begin(const struct ml_bench_run *run)
{
	raw_spin_lock_irq(&ml_bench_lock);
	head = 0;
	tail = 0;
	raw_spin_unlock_irq(&ml_bench_lock);
	return 0;
}

static bool queue_submit(u32 obj, const u64 *word)
{
	struct ml_bench_request *r = &slot[head % SLOTS];
	unsigned long flags;
	bool sent = false;

	raw_spin_lock_irqsave(&ml_bench_lock, flags);
	if (head - tail < SLOTS && ml_bench_open_request(obj, r)) {
		memcpy(r->word, word, sizeof(r->word));
		WRITE_ONCE(head, head + 1);
		sent = true;
	}
	raw_spin_unlock_irqrestore(&ml_bench_lock, flags);
	if (wq_has_sleeper(&agent_wq))
		wake_up(&agent_wq);
	return sent;
}

static bool take(struct ml_bench_request *r)
{
	bool found = false;

	raw_spin_lock_irq(&ml_bench_lock);
	if (tail != head) {
		*r = slot[tail % SLOTS];
		WRITE_ONCE(tail, tail + 1);
		found = true;
	}
	raw_spin_unlock_irq(&ml_bench_lock);
	return found;
}

/* Take requests to user space, at least one unless the run is over. */
static ssize_t fetch(struct ml_bench_request __user *to, size_t room)
{
	struct ml_bench_request r;
	size_t n = 0;

	while (n < room) {
		if (!take(&r)) {
			if (n)
				break;
			if (wait_event_killable_exclusive(agent_wq,
							  READ_ONCE(head) != READ_ONCE(tail) ||
							  !ml_bench_running()))
				return -EINTR;
			if (!ml_bench_running())
				break;
			continue;
		}
		if (copy_to_user(&to[n], &r, sizeof(r)))
			return -EFAULT;
		n++;
	}
	return n;
}

static int commit(const struct ml_bench_answer __user *from, size_t n)
{
	struct ml_bench_answer a[ML_BENCH_MAX_DEPTH];

	if (n > ML_BENCH_MAX_DEPTH)
		return -EINVAL;
	if (copy_from_user(a, from, n * sizeof(a[0])))
		return -EFAULT;
	if (n)
		ml_bench_answer(a, n);
	return 0;
}

/* For struct file_operations: reads whole requests, 0 when the run is over. */
ssize_t ml_bench_read(struct file *file, char __user *buf, size_t len,
		      loff_t *pos)
{
	size_t size = sizeof(struct ml_bench_request);
	ssize_t n;

	if (len < size)
		return -EINVAL;
	n = fetch((struct ml_bench_request __user *)buf,
		  min(len / size, (size_t)ML_BENCH_MAX_DEPTH));
	return n < 0 ? n : n * size;
}

/* For struct file_operations: writes whole answers. */
ssize_t ml_bench_write(struct file *file, const char __user *buf, size_t len,
		       loff_t *pos)
{
	size_t size = sizeof(struct ml_bench_answer);
	int err;

	if (!len || len % size)
		return -EINVAL;
	err = commit((const struct ml_bench_answer __user *)buf, len / size);
	return err ?: len;
}

/**
 * ml_bench_exchange() - ML_BENCH_EXCHANGE
 * @x: the argument
 *
 * Context: Process. Sleeps until there is a request or the run is over.
 * Return: 0 or an error.
 */
long ml_bench_exchange(struct ml_bench_exchange *x)
{
	ssize_t n;
	int err;

	err = commit(u64_to_user_ptr(x->answers), x->nr_answers);
	if (err)
		return err;
	n = fetch(u64_to_user_ptr(x->requests),
		  min(x->nr_requests, ML_BENCH_MAX_DEPTH));
	if (n < 0)
		return n;
	x->nr_requests = n;
	return 0;
}

/**
 * ml_bench_uring_cmd() - ML_BENCH_COMMIT_AND_FETCH
 * @cmd: the command
 * @issue_flags: IO_URING_F_*
 *
 * Context: Process. Sleeps if @issue_flags allow it.
 * Return: 1 with a request, 0 without, or an error.
 */
int ml_bench_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const struct ml_bench_answer *c = (const void *)cmd->sqe->cmd;
	struct ml_bench_answer a = { };
	struct ml_bench_request r;
	void __user *to;

	if (cmd->cmd_op != ML_BENCH_COMMIT_AND_FETCH)
		return -EOPNOTSUPP;
	BUILD_BUG_ON(sizeof(a) > sizeof(*cmd->sqe) -
				 offsetof(struct io_uring_sqe, cmd));
	to = u64_to_user_ptr(READ_ONCE(cmd->sqe->addr));
	/* Again, after -EAGAIN: the answer has been delivered. */
	if (!(issue_flags & IO_URING_F_NONBLOCK))
		return fetch(to, 1);

	a.cookie = READ_ONCE(c->cookie);
	a.value = READ_ONCE(c->value);
	if (a.cookie)
		ml_bench_answer(&a, 1);
	if (!to)
		return 0;
	if (!take(&r))
		return ml_bench_running() ? -EAGAIN : 0;
	return copy_to_user(to, &r, sizeof(r)) ? -EFAULT : 1;
}

const struct ml_bench_ops ml_bench_queue_ops = {
	.begin = queue_begin,
	.prepare = ml_bench_renew,
	.submit = queue_submit,
	.receive = ml_bench_answered,
	.wakes = true,
};
