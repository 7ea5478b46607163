// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly; see helpers.h. Each is as thin
 * as it can be: what is decided is decided in Rust.
 */

#include <linux/anon_inodes.h>
#include <linux/cacheinfo.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/highmem.h>
#include <linux/hrtimer.h>
#include <linux/ioprio.h>
#include <linux/magic.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/vhost_task.h>
#include <linux/signal.h>
#include <linux/time_namespace.h>
#include <linux/uidgid.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>
#include <linux/vmalloc.h>
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

static unsigned int max_workers = 32;
module_param(max_workers, uint, 0644);
MODULE_PARM_DESC(max_workers, "most worker threads of a ring, 2 to 256 (default 32)");

static unsigned int max_user_workers = 1024;
module_param(max_user_workers, uint, 0644);
MODULE_PARM_DESC(max_user_workers, "most worker threads of all rings of a user (default 1024)");

unsigned int io_ring_param_mode(void)
{
	return mode;
}

unsigned int io_ring_param_max_workers(void)
{
	return READ_ONCE(max_workers);
}

unsigned int io_ring_param_max_user_workers(void)
{
	return READ_ONCE(max_user_workers);
}

/* @asking: the answer is only wanted, nothing is done with the privilege. */
bool io_ring_may_setup(bool asking)
{
	int gid;

	switch (READ_ONCE(disabled)) {
	case 0:
		return true;
	case 1:
		gid = READ_ONCE(group);
		if (gid >= 0 && in_egroup_p(make_kgid(&init_user_ns, gid)))
			return true;
		return asking ? capable_noaudit(CAP_SYS_ADMIN) : capable(CAP_SYS_ADMIN);
	default:
		return false;
	}
}

struct file *io_ring_anon_file(const char *name, const struct file_operations *fops, void *priv)
{
	/* An inode of its own, so that security modules see the file. */
	return anon_inode_create_getfile(name, fops, priv, O_RDWR | O_CLOEXEC, NULL);
}

/* A regular file whose data is memory: nothing that takes longer than swapping it in. */
static bool is_in_memory(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) && inode->i_sb->s_magic == TMPFS_MAGIC;
}

/* A file whose reads are only short at its end. */
static bool is_storage(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	return S_ISREG(mode) || S_ISBLK(mode);
}

/* A file whose writes are only short because of an error, or because it would have to wait. */
static bool writes_all(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	return is_storage(file) || S_ISFIFO(mode) || S_ISSOCK(mode);
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
	       (f_mode & FMODE_PWRITE ? 1 << 5 : 0) |
	       (f_mode & FMODE_NOWAIT ? 1 << 6 : 0) |
	       (is_in_memory(file) ? 1 << 7 : 0) |
	       (is_storage(file) ? 1 << 8 : 0) |
	       (file->f_op->fop_flags & FOP_BUFFER_WASYNC ? 1 << 9 : 0) |
	       (file_can_poll((struct file *)file) && !is_storage(file) ? 1 << 10 : 0) |
	       (writes_all(file) ? 1 << 11 : 0);
}

/* The ki_flags of a transfer with @rw_flags (RWF_*) on @file. */
int io_ring_kiocb_flags(struct file *file, u32 rw_flags, bool write, int *flags)
{
	struct kiocb kiocb = { .ki_filp = file, .ki_flags = file->f_iocb_flags };
	int ret = kiocb_set_rw_flags(&kiocb, (__force rwf_t)rw_flags, write ? WRITE : READ);

	*flags = kiocb.ki_flags;
	return ret;
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

u16 io_ring_ioprio_current(void)
{
	return get_current_ioprio();
}

static ssize_t transfer_segment(struct kiocb *kiocb, struct iov_iter *iter, bool write)
{
	struct file *file = kiocb->ki_filp;
	loff_t *pos = file->f_mode & FMODE_STREAM ? NULL : &kiocb->ki_pos;
	void __user *buf = iter_iov_addr(iter);
	size_t len = iter_iov_len(iter);

	if (write)
		return file->f_op->write(file, buf, len, pos);
	return file->f_op->read(file, buf, len, pos);
}

/* One ->read or ->write for each segment, as readv(2) and writev(2) do. */
static ssize_t transfer_segments(struct kiocb *kiocb, struct iov_iter *iter, bool write)
{
	ssize_t done = 0;

	do {
		size_t len = iter_iov_len(iter);
		ssize_t ret = transfer_segment(kiocb, iter, write);

		if (ret < 0)
			return done ?: ret;
		done += ret;
		if (ret != len)
			break;
		iov_iter_advance(iter, ret);
	} while (iov_iter_count(iter));
	return done;
}

static ssize_t call_file(struct kiocb *kiocb, struct iov_iter *iter, bool write, u32 rw_flags)
{
	const struct file_operations *ops = kiocb->ki_filp->f_op;

	if (write && ops->write_iter)
		return ops->write_iter(kiocb, iter);
	if (!write && ops->read_iter)
		return ops->read_iter(kiocb, iter);
	/* ->read and ->write take no flags. */
	if (rw_flags)
		return -EOPNOTSUPP;
	return transfer_segments(kiocb, iter, write);
}

/*
 * Issues a transfer as vfs_read() and vfs_write() do. @iter is over user memory.
 *
 * vfs_iocb_iter_write() will not do: it holds off freezing for files that are
 * not regular, too, and those may block for as long as a user likes.
 */
ssize_t io_ring_transfer(struct kiocb *kiocb, struct iov_iter *iter, bool write, u32 rw_flags)
{
	struct file *file = kiocb->ki_filp;
	bool freezable = write && S_ISREG(file_inode(file)->i_mode);
	ssize_t ret;

	if (!(file->f_mode & (write ? FMODE_CAN_WRITE : FMODE_CAN_READ)))
		return -EINVAL;
	ret = rw_verify_area(write ? WRITE : READ, file, &kiocb->ki_pos, iov_iter_count(iter));
	if (ret)
		return ret;

	if (freezable)
		kiocb_start_write(kiocb);
	ret = call_file(kiocb, iter, write, rw_flags);
	if (freezable && ret != -EIOCBQUEUED)
		kiocb_end_write(kiocb);

	/* What completes later is notified of now: that may sleep, and a completion may not. */
	if (ret > 0 || ret == -EIOCBQUEUED) {
		if (write)
			fsnotify_modify(file);
		else
			fsnotify_access(file);
	}
	return ret;
}

/* Ends what io_ring_transfer() began, when a write completes later. Any context. */
void io_ring_transfer_end_write(struct kiocb *kiocb)
{
	if (S_ISREG(file_inode(kiocb->ki_filp)->i_mode))
		kiocb_end_write(kiocb);
}

size_t io_ring_iter_count(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}

void io_ring_iter_advance(struct iov_iter *iter, size_t bytes)
{
	iov_iter_advance(iter, bytes);
}

/*
 * Gives back a reference. If it is the last, the file is closed on the way back
 * to user space. A worker thread never goes there, so it closes it right here.
 */
void io_ring_put_file(struct file *file)
{
	if (in_task() && (current->flags & (PF_KTHREAD | PF_USER_WORKER)))
		__fput_sync(file);
	else
		fput(file);
}

struct inode *io_ring_file_inode(const struct file *file)
{
	return file_inode(file);
}

/* Whether a read of a regular file or block device at @pos finds nothing. */
bool io_ring_is_at_end(const struct file *file, loff_t pos)
{
	return pos >= i_size_read(file->f_mapping->host);
}

__poll_t io_ring_vfs_poll(struct file *file, struct poll_table_struct *table)
{
	return vfs_poll(file, table);
}

/* Lets @entry wait on @head, which *@on remembers. */
void io_ring_poll_enter(struct wait_queue_entry *entry, struct wait_queue_head **on,
			struct wait_queue_head *head, wait_queue_func_t func)
{
	*on = head;
	init_waitqueue_func_entry(entry, func);
	add_wait_queue(head, entry);
}

/*
 * Takes @entry off its queue *@on. Afterwards nobody uses it any more, a callback
 * that was just running included: that runs with the queue's lock held.
 *
 * A queue that goes away before its file says so with POLLFREE, and is not freed
 * before an RCU grace period has passed (see wake_up_pollfree()); *@on is NULL
 * from then on.
 */
void io_ring_poll_leave(struct wait_queue_entry *entry, struct wait_queue_head **on)
{
	struct wait_queue_head *head;

	rcu_read_lock();
	/* Pairs with io_ring_poll_forsake(). */
	head = smp_load_acquire(on);
	if (head) {
		spin_lock_irq(&head->lock);
		list_del_init(&entry->entry);
		spin_unlock_irq(&head->lock);
	}
	rcu_read_unlock();
}

/*
 * Lets go of a queue that goes away, with its lock held. This is the callback's
 * last use of @entry.
 */
void io_ring_poll_forsake(struct wait_queue_entry *entry, struct wait_queue_head **on)
{
	list_del_init(&entry->entry);
	/* Pairs with io_ring_poll_leave(), whose caller may free @entry after it. */
	smp_store_release(on, NULL);
}

/* -ERESTARTSYS if that would block and must not, or was interrupted: try again elsewhere. */
int io_ring_lock_file_pos(struct file *file, bool may_block)
{
	if (!may_block)
		return mutex_trylock(&file->f_pos_lock) ? 0 : -ERESTARTSYS;
	if (mutex_lock_interruptible(&file->f_pos_lock))
		return -ERESTARTSYS;
	return 0;
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

bool io_ring_current_is_kthread(void)
{
	return current->flags & PF_KTHREAD;
}

/*
 * Whether the process @pid lets go of the address space @mm right now: the last
 * thread that used its descriptor table exits, or it executes another program.
 */
bool io_ring_current_leaves(struct pid *pid, struct mm_struct *mm, bool last_of_files)
{
	if (task_tgid(current) != pid)
		return false;
	if (current->flags & PF_EXITING)
		return last_of_files;
	/* exec closes descriptors before it replaces the address space. */
	return current->in_execve || current->mm != mm;
}

/* The descriptor table, to be compared only. */
void *io_ring_current_files(void)
{
	return current->files;
}

void *io_ring_vhost_task_create(bool (*fn)(void *data), void (*killed)(void *data), void *data,
				const char *name)
{
	sigset_t all, blocked;
	void *thread;

	/* copy_process() refuses while a signal is pending; that can wait until we are through. */
	siginitsetinv(&all, sigmask(SIGKILL));
	sigprocmask(SIG_SETMASK, &all, &blocked);
	thread = vhost_task_create(fn, killed, data, name);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	return thread;
}

void io_ring_vhost_task_start(void *thread)
{
	vhost_task_start(thread);
}

void io_ring_vhost_task_stop(void *thread)
{
	vhost_task_stop(thread);
}

/* What set_notify_signal() does, with the wake-up that is exported. */
void io_ring_interrupt_task(struct task_struct *task)
{
	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	wake_up_process(task);
}

struct task_struct *io_ring_get_current_task(void)
{
	return get_task_struct(current);
}

void io_ring_set_current_running(void)
{
	__set_current_state(TASK_RUNNING);
}

struct pid *io_ring_get_current_tgid(void)
{
	return get_pid(task_tgid(current));
}

pid_t io_ring_pid_nr(struct pid *pid)
{
	return pid_vnr(pid);
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

/*
 * Lets @alarm, which is on the stack of the current task, wake that task at
 * @time, or after @time from now. It may be late by the task's timer slack.
 */
void io_ring_alarm_set(struct hrtimer_sleeper *alarm, clockid_t clock, ktime_t time, bool absolute)
{
	enum hrtimer_mode mode = absolute ? HRTIMER_MODE_ABS : HRTIMER_MODE_REL;

	if (absolute)
		time = timens_ktime_to_host(clock, time);
	hrtimer_setup_sleeper_on_stack(alarm, clock, mode);
	hrtimer_set_expires_range_ns(&alarm->timer, time, current->timer_slack_ns);
	hrtimer_sleeper_start_expires(alarm, mode);
}

bool io_ring_alarm_has_rung(const struct hrtimer_sleeper *alarm)
{
	return !READ_ONCE(alarm->task);
}

void io_ring_alarm_cancel(struct hrtimer_sleeper *alarm)
{
	hrtimer_cancel(&alarm->timer);
	destroy_hrtimer_on_stack(&alarm->timer);
}

/*
 * Replaces the signal mask of the current task for the time of a system call,
 * as set_user_sigmask() does, which modules cannot call. Bit n - 1 of @blocked
 * is signal n; those that cannot be blocked are ignored.
 */
void io_ring_set_sigmask(u64 blocked)
{
	sigset_t mask = { .sig[0] = (unsigned long)blocked };

	if (BITS_PER_LONG == 32)
		mask.sig[_NSIG_WORDS - 1] = (unsigned long)(blocked >> 32);
	sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));

	set_restore_sigmask();
	current->saved_sigmask = current->blocked;
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Undoes io_ring_set_sigmask(). Without it, that happens after signal handlers have been called. */
void io_ring_restore_sigmask(void)
{
	sigset_t saved = current->saved_sigmask;

	clear_restore_sigmask();
	sigprocmask(SIG_SETMASK, &saved, NULL);
}

bool io_ring_dcache_aliases(void)
{
	return cpu_dcache_is_aliasing();
}

void io_ring_flush_page(struct page *page)
{
	flush_dcache_page(page);
}

void *io_ring_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

void io_ring_vunmap(const void *addr)
{
	vunmap(addr);
}

bool io_ring_page_is_highmem(const struct page *page)
{
	return PageHighMem(page);
}

unsigned int io_ring_index_nospec(unsigned int index, unsigned int size)
{
	return array_index_nospec(index, size);
}
