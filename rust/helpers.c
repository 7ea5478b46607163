// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly; see helpers.h. Each is as thin
 * as it can be: what is decided is decided in Rust.
 */

#include <linux/anon_inodes.h>
#include <linux/cacheinfo.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/ioprio.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/uidgid.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>
#include <linux/wait.h>

#include "helpers.h"

static unsigned int mode = 0600;
module_param(mode, uint, 0444);
MODULE_PARM_DESC(mode, "permissions of /dev/io_ring (default 0600)");

static unsigned int disabled;
module_param(disabled, uint, 0644);
MODULE_PARM_DESC(disabled,
		 "who may set up rings: 0 all who can open the node (default), 1 only CAP_SYS_ADMIN and members of group, 2 nobody");

static int group = -1;
module_param(group, int, 0644);
MODULE_PARM_DESC(group, "group id that may set up rings when disabled=1 (default -1: none)");

unsigned int io_ring_param_mode(void)
{
	return mode;
}

bool io_ring_may_setup(void)
{
	int gid;

	switch (READ_ONCE(disabled)) {
	case 0:
		return true;
	case 1:
		gid = READ_ONCE(group);
		if (gid >= 0 && in_egroup_p(make_kgid(&init_user_ns, gid)))
			return true;
		return capable(CAP_SYS_ADMIN);
	default:
		return false;
	}
}

struct file *io_ring_anon_file(const char *name, const struct file_operations *fops, void *priv)
{
	return anon_inode_getfile(name, fops, priv, O_RDWR | O_CLOEXEC);
}

/* The bits are the IO_RING_FILE_* of helpers.h. */
int io_ring_file_modes(const struct file *file)
{
	fmode_t f_mode = file->f_mode;

	return (f_mode & FMODE_READ ? 1 << 0 : 0) |
	       (f_mode & FMODE_WRITE ? 1 << 1 : 0) |
	       (f_mode & FMODE_STREAM ? 1 << 2 : 0) |
	       (f_mode & FMODE_ATOMIC_POS ? 1 << 3 : 0) |
	       (f_mode & FMODE_PREAD ? 1 << 4 : 0) |
	       (f_mode & FMODE_PWRITE ? 1 << 5 : 0);
}

/* The ki_flags of a transfer with @rw_flags (RWF_*) on @file. */
int io_ring_kiocb_flags(struct file *file, u32 rw_flags, bool write, int *flags)
{
	struct kiocb kiocb = { .ki_filp = file, .ki_flags = file->f_iocb_flags };
	int ret = kiocb_set_rw_flags(&kiocb, (__force rwf_t)rw_flags, write ? WRITE : READ);

	*flags = kiocb.ki_flags;
	return ret;
}

void io_ring_kiocb_end_write(struct kiocb *kiocb)
{
	kiocb_end_write(kiocb);
}

/* ioprio_check_cap() is not exported. */
int io_ring_ioprio_check(u16 ioprio)
{
	switch (IOPRIO_PRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		return 0;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return IOPRIO_PRIO_LEVEL(ioprio) ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int io_ring_ioprio_current(void)
{
	return get_current_ioprio();
}

static ssize_t transfer_segment(struct kiocb *kiocb, struct iov_iter *iter, bool write)
{
	const struct file_operations *ops = kiocb->ki_filp->f_op;
	void __user *buf = iter_iov_addr(iter);
	size_t len = iter_iov_len(iter);

	if (write)
		return ops->write ? ops->write(kiocb->ki_filp, buf, len, &kiocb->ki_pos) : -EINVAL;
	return ops->read ? ops->read(kiocb->ki_filp, buf, len, &kiocb->ki_pos) : -EINVAL;
}

/*
 * For files without ->read_iter or ->write_iter: one ->read or ->write for each
 * segment, as readv(2) and writev(2) do. @iter is over user memory.
 */
ssize_t io_ring_loop_transfer(struct kiocb *kiocb, struct iov_iter *iter, bool write)
{
	ssize_t ret, done = 0;

	/* No flag reaches ->read and ->write: only those that ask for nothing new may be set. */
	if (kiocb->ki_flags & ~kiocb->ki_filp->f_iocb_flags)
		return -EOPNOTSUPP;
	ret = rw_verify_area(write ? WRITE : READ, kiocb->ki_filp, &kiocb->ki_pos,
			     iov_iter_count(iter));
	if (ret < 0)
		return ret;

	do {
		size_t len = iter_iov_len(iter);

		ret = transfer_segment(kiocb, iter, write);
		if (ret < 0)
			return done ?: ret;
		done += ret;
		if (ret != len)
			break;
		iov_iter_advance(iter, ret);
	} while (iov_iter_count(iter));
	return done;
}

int io_ring_lock_file_pos(struct file *file)
{
	return mutex_lock_interruptible(&file->f_pos_lock);
}

void io_ring_unlock_file_pos(struct file *file)
{
	mutex_unlock(&file->f_pos_lock);
}

const struct cred *io_ring_get_current_cred(void)
{
	return get_current_cred();
}

/*
 * Whether the caller acts with the rights of @cred. Threads that called
 * setresuid() together have equal but separate credentials, so a different
 * pointer alone does not decide.
 */
bool io_ring_is_current_cred(const struct cred *cred)
{
	const struct cred *cur = current_cred();

	if (likely(cur == cred))
		return true;
	return uid_eq(cur->uid, cred->uid) && gid_eq(cur->gid, cred->gid) &&
	       uid_eq(cur->euid, cred->euid) && gid_eq(cur->egid, cred->egid) &&
	       uid_eq(cur->fsuid, cred->fsuid) && gid_eq(cur->fsgid, cred->fsgid) &&
	       cap_issubset(cur->cap_effective, cred->cap_effective) &&
	       cap_issubset(cred->cap_effective, cur->cap_effective) &&
	       cur->securebits == cred->securebits &&
	       cur->user_ns == cred->user_ns && cur->group_info == cred->group_info;
}

struct mm_struct *io_ring_current_mm(void)
{
	return current->mm;
}

bool io_ring_current_is_exiting(void)
{
	return current->flags & PF_EXITING;
}

struct pid *io_ring_get_current_tgid(void)
{
	return get_pid(task_tgid(current));
}

pid_t io_ring_pid_nr(struct pid *pid)
{
	return pid_nr(pid);
}

void io_ring_mutex_init(struct mutex *mutex)
{
	mutex_init(mutex);
}

int io_ring_mutex_lock_interruptible(struct mutex *mutex)
{
	return mutex_lock_interruptible(mutex);
}

bool io_ring_wq_has_sleeper(struct wait_queue_head *head)
{
	return wq_has_sleeper(head);
}

void io_ring_init_waitqueue_head(struct wait_queue_head *head)
{
	init_waitqueue_head(head);
}

bool io_ring_dcache_aliases(void)
{
	return cpu_dcache_is_aliasing();
}

void io_ring_flush_page(struct page *page)
{
	flush_dcache_page(page);
}

bool io_ring_page_is_highmem(const struct page *page)
{
	return PageHighMem(page);
}

unsigned int io_ring_index_nospec(unsigned int index, unsigned int size)
{
	return array_index_nospec(index, size);
}
