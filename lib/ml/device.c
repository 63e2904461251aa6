// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ml_lib: the only interface, see include/uapi/linux/ml_lib.h.
 *
 * An ioctl copies its argument in, works under ml_mutex, and copies the result
 * out: user memory is never touched under the mutex, since whoever backs it
 * could keep others from stopping a session. For the same reason SETUP, which
 * allocates much, has a mutex of the session's own. mmap(), poll() and KICK take
 * none.
 */

#include <linux/cacheinfo.h>
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io_uring/cmd.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "proxy.h"
#include "session.h"

/* The file offsets to map at. */
#define OFFSET_RO	0ULL
#define OFFSET_RW	0x40000000ULL

/* The layout is ABI: no padding that a compiler could choose. */
static_assert(sizeof(struct ml_lib_queue_ro) == 3 * ML_LIB_LINE);
static_assert(sizeof(struct ml_lib_queue_rw) == 2 * ML_LIB_LINE);
static_assert(sizeof(struct ml_lib_request) == 32);
static_assert(sizeof(struct ml_lib_decision) == 32);
static_assert(sizeof(struct ml_lib_feedback) == 48);
static_assert(sizeof(struct ml_lib_field) == 80);
static_assert(sizeof(struct ml_lib_info) == 40);
static_assert(sizeof(struct ml_lib_proxy) == 104);
static_assert(sizeof(struct ml_lib_schema) == 24);
static_assert(sizeof(struct ml_lib_setup) == 64);
static_assert(sizeof(struct ml_lib_attach) == 16);
static_assert(sizeof(struct ml_lib_detach) == 8);
static_assert(sizeof(struct ml_lib_start) == 8);
static_assert(sizeof(struct ml_lib_control) == 48);
static_assert(sizeof(struct ml_lib_stats) == 520);
static_assert(sizeof(struct ml_lib_kick) == 16);
static_assert(ML_LIB_NR_COUNTERS <= ML_LIB_MAX_COUNTERS);
static_assert(ML_SESSION_MAX_BYTES <= OFFSET_RW);

static int ml_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file->private_data = ml_session_create();
	return file->private_data ? 0 : -ENOMEM;
}

static int ml_flush(struct file *file, fl_owner_t id)
{
	struct ml_session *s = file->private_data;

	mutex_lock(&ml_mutex);
	if (s->owner && s->owner == id)
		ml_session_close(s);
	mutex_unlock(&ml_mutex);
	return 0;
}

static int ml_release(struct inode *inode, struct file *file)
{
	struct ml_session *s = file->private_data;

	mutex_lock(&ml_mutex);
	ml_session_close(s);
	mutex_unlock(&ml_mutex);
	ml_session_put(s);
	return 0;
}

static __poll_t ml_poll(struct file *file, poll_table *wait)
{
	struct ml_session *s = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &s->poll_wq, wait);
	if (!ml_session_ready(s))
		return EPOLLERR;
	for (u32 i = 0; i < s->nr_queues && !mask; i++)
		if (ml_queue_ready(&s->queues[i]))
			mask = EPOLLIN | EPOLLRDNORM;
	switch (READ_ONCE(s->state)) {
	case ML_LIB_SESSION_BROKEN:
		return mask | EPOLLERR | EPOLLHUP;
	case ML_LIB_SESSION_STOPPED:
		return mask | EPOLLHUP;
	default:
		return mask;
	}
}

static int ml_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ml_session *s = file->private_data;
	unsigned long nr = vma_pages(vma);
	struct ml_region *r;

	if (!ml_session_ready(s))
		return -EBADFD;
	if (vma->vm_pgoff == OFFSET_RO >> PAGE_SHIFT)
		r = &s->ro;
	else if (vma->vm_pgoff == OFFSET_RW >> PAGE_SHIFT)
		r = &s->rw;
	else
		return -EINVAL;
	/* Not VM_SHARED, which only those have who may write. */
	if (nr != r->nr || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (r == &s->ro) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	return vm_insert_pages(vma, vma->vm_start, r->pages, &nr);
}

static int ioc_info(struct file *file, void *arg)
{
	struct ml_lib_info *a = arg;

	a->abi_version = ML_LIB_ABI_VERSION;
	a->features = IS_ENABLED(CONFIG_IO_URING) ? ML_LIB_FEAT_URING_KICK : 0;
	a->nr_proxies = ml_proxy_count();
	a->max_queues = nr_cpu_ids;
	a->max_slots = ML_SESSION_MAX_SLOTS;
	a->max_payload = ML_LIB_MAX_PAYLOAD;
	a->max_bytes = ML_SESSION_MAX_BYTES;
	return 0;
}

static int ioc_proxy(struct file *file, void *arg)
{
	struct ml_lib_proxy *a = arg;
	struct ml_proxy_core *core;
	const struct ml_schema *s;
	int err = -ENOENT;

	mutex_lock(&ml_mutex);
	core = ml_proxy_next(a->id);
	if (core) {
		s = core->proxy->schema;
		a->id = core->id;
		strscpy_pad(a->name, core->proxy->name);
		a->schema_hash = core->hash;
		a->nr_features = s->nr_features;
		a->nr_outputs = s->nr_outputs;
		a->feature_bytes = s->feature_bytes;
		a->state = (core->attached ? ML_LIB_PROXY_ATTACHED : 0) |
			   (rcu_access_pointer(core->session) ?
			    ML_LIB_PROXY_RUNNING : 0);
		a->mode = core->mode;
		a->nr_objects = core->proxy->nr_objects;
		a->rate = core->rate;
		a->deadline_us = core->deadline_us;
		a->ttl_ms = core->ttl_ms;
		a->explore_permille = core->explore;
		memcpy(a->cap, core->cap, sizeof(a->cap));
		err = 0;
	}
	mutex_unlock(&ml_mutex);
	return err;
}

static int ioc_schema(struct file *file, void *arg)
{
	struct ml_lib_field *fields;
	struct ml_lib_schema *a = arg;
	struct ml_proxy_core *core;
	const struct ml_schema *s;
	u32 room = a->nr_fields;
	int err = 0;

	if (a->field_size != sizeof(*fields))
		return -EINVAL;
	fields = kcalloc(ML_LIB_MAX_FEATURES + ML_LIB_MAX_OUTPUTS,
			 sizeof(*fields), GFP_KERNEL);
	if (!fields)
		return -ENOMEM;
	mutex_lock(&ml_mutex);
	core = ml_proxy_find(a->id);
	if (core) {
		s = core->proxy->schema;
		a->nr_fields = s->nr_features + s->nr_outputs;
		memcpy(fields, s->features, s->nr_features * sizeof(*fields));
		memcpy(fields + s->nr_features, s->outputs,
		       s->nr_outputs * sizeof(*fields));
	} else {
		err = -ENOENT;
	}
	mutex_unlock(&ml_mutex);
	if (!err && room < a->nr_fields)
		err = -EMSGSIZE;
	if (!err && copy_to_user(u64_to_user_ptr(a->fields), fields,
				 a->nr_fields * sizeof(*fields)))
		err = -EFAULT;
	kfree(fields);
	return err;
}

static int ioc_setup(struct file *file, void *arg)
{
	struct ml_lib_setup *a = arg;
	int err;

	/* The kernel and the agent have different addresses for the rings. */
	if (cpu_dcache_is_aliasing())
		return -EOPNOTSUPP;
	err = ml_session_setup(file->private_data, a);
	a->offset_ro = OFFSET_RO;
	a->offset_rw = OFFSET_RW;
	return err;
}

static int ioc_attach(struct file *file, void *arg)
{
	struct ml_lib_attach *a = arg;
	int err;

	mutex_lock(&ml_mutex);
	err = ml_session_attach(file->private_data, a->id, a->schema_hash);
	mutex_unlock(&ml_mutex);
	return err;
}

static int ioc_detach(struct file *file, void *arg)
{
	struct ml_session *s = file->private_data;
	struct ml_lib_detach *a = arg;
	struct ml_proxy_core *core;
	int err = -ENOENT;

	mutex_lock(&ml_mutex);
	core = ml_proxy_find(a->id);
	if (core && core->attached == s) {
		ml_session_detach(s, core);
		err = 0;
	}
	mutex_unlock(&ml_mutex);
	return err;
}

static int is_file(const void *file, struct file *f, unsigned int fd)
{
	return f == file;
}

static int ioc_start(struct file *file, void *arg)
{
	struct ml_session *s = file->private_data;
	struct ml_lib_start *a = arg;
	int err;

	mutex_lock(&ml_mutex);
	err = ml_session_start(s, current->files);
	/* If another thread has closed it meanwhile, there is no flush to come. */
	if (!err && !iterate_fd(current->files, 0, is_file, file)) {
		ml_session_stop(s, ML_LIB_SESSION_STOPPED);
		err = -EBADF;
	}
	a->epoch = s->epoch;
	mutex_unlock(&ml_mutex);
	return err;
}

static int ioc_stop(struct file *file, void *arg)
{
	struct ml_session *s = file->private_data;
	struct ml_lib_start *a = arg;
	int err = 0;

	mutex_lock(&ml_mutex);
	if (!s->owner)
		err = -EBADFD;
	else if (s->owner != current->files)
		err = -EXDEV;
	else
		ml_session_stop(s, ML_LIB_SESSION_STOPPED);
	a->epoch = s->epoch;
	mutex_unlock(&ml_mutex);
	return err;
}

static int ioc_control(struct file *file, void *arg)
{
	struct ml_lib_control *a = arg;
	int err;

	if (a->set & ~ML_LIB_SET_ALL)
		return -EINVAL;
	mutex_lock(&ml_mutex);
	err = ml_proxy_control(a);
	mutex_unlock(&ml_mutex);
	return err;
}

static int ioc_stats(struct file *file, void *arg)
{
	struct ml_lib_stats *a = arg;
	struct ml_proxy_core *core;
	int err = -ENOENT;

	memset(a->counter, 0, sizeof(a->counter));
	memset(a->latency, 0, sizeof(a->latency));
	mutex_lock(&ml_mutex);
	core = ml_proxy_find(a->id);
	if (core) {
		ml_proxy_stats(core, a);
		err = 0;
	}
	mutex_unlock(&ml_mutex);
	return err;
}

static int kick(struct ml_session *s, u32 queue, u32 *unmatched)
{
	struct ml_queue *q;
	int n;

	if (!ml_session_ready(s))
		return -EBADFD;
	if (queue >= s->nr_queues)
		return -EINVAL;
	q = &s->queues[array_index_nospec(queue, s->nr_queues)];
	n = ml_queue_kick(q);
	*unmatched = READ_ONCE(q->unmatched);
	return n;
}

static int ioc_kick(struct file *file, void *arg)
{
	struct ml_lib_kick *a = arg;
	int n = kick(file->private_data, a->queue, &a->unmatched);

	if (n < 0)
		return n;
	a->drained = n;
	return 0;
}

#define IOC(_cmd, _fn, _struct)						\
	[_IOC_NR(_cmd)] = { .cmd = _cmd, .size = sizeof(_struct), .fn = _fn }

/* .size is the least allowed; it is also all that is known, until one grows. */
static const struct {
	unsigned int cmd;
	u32 size;
	int (*fn)(struct file *file, void *arg);
} ml_ioctls[] = {
	IOC(ML_LIB_IOC_INFO, ioc_info, struct ml_lib_info),
	IOC(ML_LIB_IOC_PROXY, ioc_proxy, struct ml_lib_proxy),
	IOC(ML_LIB_IOC_SCHEMA, ioc_schema, struct ml_lib_schema),
	IOC(ML_LIB_IOC_SETUP, ioc_setup, struct ml_lib_setup),
	IOC(ML_LIB_IOC_ATTACH, ioc_attach, struct ml_lib_attach),
	IOC(ML_LIB_IOC_DETACH, ioc_detach, struct ml_lib_detach),
	IOC(ML_LIB_IOC_START, ioc_start, struct ml_lib_start),
	IOC(ML_LIB_IOC_STOP, ioc_stop, struct ml_lib_start),
	IOC(ML_LIB_IOC_CONTROL, ioc_control, struct ml_lib_control),
	IOC(ML_LIB_IOC_STATS, ioc_stats, struct ml_lib_stats),
	IOC(ML_LIB_IOC_KICK, ioc_kick, struct ml_lib_kick),
};

static long ml_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *user = (void __user *)uarg;
	unsigned int nr = _IOC_NR(cmd);
	union {
		struct ml_lib_info info;
		struct ml_lib_proxy proxy;
		struct ml_lib_schema schema;
		struct ml_lib_setup setup;
		struct ml_lib_attach attach;
		struct ml_lib_detach detach;
		struct ml_lib_start start;
		struct ml_lib_control control;
		struct ml_lib_stats stats;
		struct ml_lib_kick kick;
	} arg;
	u32 size;
	int err;

	/* The size is part of the number but not of what is compared. */
	if (_IOC_TYPE(cmd) != ML_LIB_IOC_TYPE || nr >= ARRAY_SIZE(ml_ioctls))
		return -ENOTTY;
	nr = array_index_nospec(nr, ARRAY_SIZE(ml_ioctls));
	if (_IOC_DIR(cmd) != _IOC_DIR(ml_ioctls[nr].cmd))
		return -ENOTTY;
	if (!file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < ml_ioctls[nr].size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&arg, ml_ioctls[nr].size, user, size);
	if (err)
		return err;
	err = ml_ioctls[nr].fn(file, &arg);
	/* EMSGSIZE comes with the number that is needed. */
	if ((err && err != -EMSGSIZE) || !(_IOC_DIR(cmd) & _IOC_READ))
		return err;
	/* What user space knows and we do not is zero, and stays so. */
	if (copy_to_user(user + sizeof(u32), (u8 *)&arg + sizeof(u32),
			 ml_ioctls[nr].size - sizeof(u32)))
		return -EFAULT;
	return err;
}

#ifdef CONFIG_IO_URING
/*
 * Completes inline, always: a parked command would need cancellation. It may be
 * rescheduled, but never waits for anything, so NONBLOCK is met.
 */
static int ml_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	const u32 *arg = (const u32 *)cmd->sqe->cmd;
	u32 unmatched;

	if (cmd->cmd_op != ML_LIB_URING_KICK)
		return -EOPNOTSUPP;
	for (u32 i = 1; i < (issue_flags & IO_URING_F_SQE128 ? 20 : 4); i++)
		if (READ_ONCE(arg[i]))
			return -EINVAL;
	return kick(cmd->file->private_data, READ_ONCE(arg[0]), &unmatched);
}
#endif

static const struct file_operations ml_fops = {
	.owner = THIS_MODULE,
	.open = ml_open,
	.flush = ml_flush,
	.release = ml_release,
	.poll = ml_poll,
	.mmap = ml_mmap,
	.unlocked_ioctl = ml_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
#ifdef CONFIG_IO_URING
	.uring_cmd = ml_uring_cmd,
#endif
};

static struct miscdevice ml_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ml_lib",
	.fops = &ml_fops,
	.mode = 0600,
};

static int __init ml_device_init(void)
{
	return misc_register(&ml_misc);
}
device_initcall(ml_device_init);
