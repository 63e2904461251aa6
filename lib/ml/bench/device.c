// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ml_bench: for tools/testing/ml/kbench, see ml_bench.h.
 *
 * Whoever can open it can keep a processor busy, hence CAP_SYS_ADMIN.
 */

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "bench.h"

struct ml_bench_page *ml_bench_page;

static int bench_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return ml_bench_proxy_get();
}

static int bench_release(struct inode *inode, struct file *file)
{
	ml_bench_proxy_put();
	return 0;
}

static int bench_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_pgoff || vma_pages(vma) != 1 ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(ml_bench_page));
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *user = (void __user *)uarg;
	struct ml_bench_exchange x;
	struct ml_bench_run run;
	long err;

	switch (cmd) {
	case ML_BENCH_RUN:
		if (copy_from_user(&run, user, sizeof(run)))
			return -EFAULT;
		err = ml_bench_do_run(&run);
		/* What was counted is of interest after a failure, too. */
		if (copy_to_user(user, &run, sizeof(run)))
			return -EFAULT;
		return err;
	case ML_BENCH_EXCHANGE:
		if (copy_from_user(&x, user, sizeof(x)))
			return -EFAULT;
		err = ml_bench_exchange(&x);
		if (!err && copy_to_user(user, &x, sizeof(x)))
			return -EFAULT;
		return err;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.read = ml_bench_read,
	.write = ml_bench_write,
	.mmap = bench_mmap,
	.unlocked_ioctl = bench_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = ml_bench_uring_cmd,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ml_bench",
	.fops = &bench_fops,
	.mode = 0600,
};

static int __init bench_init(void)
{
	int err;

	BUILD_BUG_ON(sizeof(*ml_bench_page) > PAGE_SIZE);
	ml_bench_page = (void *)get_zeroed_page(GFP_KERNEL);
	if (!ml_bench_page)
		return -ENOMEM;
	err = ml_bench_netlink_init();
	if (!err)
		err = misc_register(&bench_misc);
	return err;
}
late_initcall(bench_init);
