// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: open files, what can be done
 * with them, and when they are ready; see helpers.h.
 */

#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/file_ref.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/ioprio.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "helpers.h"

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

/* Its file operations are those of block/fops.c. */
static bool is_block(const struct file *file)
{
	return S_ISBLK(file_inode(file)->i_mode) && S_ISBLK(file->f_mapping->host->i_mode);
}

/* Terminals keep their file operations to themselves; these are the usual numbers. */
static bool is_terminal(const struct inode *inode)
{
	switch (S_ISCHR(inode->i_mode) ? imajor(inode) : 0) {
	case TTY_MAJOR:
	case TTYAUX_MAJOR:
	case UNIX98_PTY_MASTER_MAJOR ... UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT - 1:
	case 166: /* ttyACM */
	case 188: /* ttyUSB */
	case 204: /* low-density serial ports */
	case 229: /* hvc */
		return true;
	default:
		return false;
	}
}

/* A file that says when it can be written, and that is the same for all who have it open. */
static bool flows(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	return S_ISFIFO(inode->i_mode) || S_ISSOCK(inode->i_mode) || is_terminal(inode);
}

/* A file that some program watches over: it is asked before each transfer. */
static bool is_guarded(const struct file *file)
{
	return FMODE_FSNOTIFY_HSM(file->f_mode) || FMODE_FSNOTIFY_ACCESS_PERM(file->f_mode);
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
	       (f_mode & FMODE_CAN_READ ? 1 << 11 : 0) |
	       (f_mode & FMODE_CAN_WRITE ? 1 << 12 : 0) |
	       (file->f_op->read_iter ? 1 << 13 : 0) |
	       (file->f_op->write_iter ? 1 << 14 : 0) |
	       (flows(file) ? 1 << 15 : 0) |
	       (is_guarded(file) ? 1 << 16 : 0) |
	       (file->f_op->fsync ? 1 << 17 : 0) |
	       (is_block(file) ? 1 << 18 : 0);
}

/* The ki_flags of a transfer with @rw_flags (RWF_*) on @file. */
int io_ring_kiocb_flags(struct file *file, u32 rw_flags, bool write, int *flags)
{
	struct kiocb kiocb = { .ki_filp = file, .ki_flags = file->f_iocb_flags };
	int ret = kiocb_set_rw_flags(&kiocb, (__force rwf_t)rw_flags, write ? WRITE : READ);

	*flags = kiocb.ki_flags;
	return ret;
}

/*
 * Whether a transfer of @file at an offset that may not wait is one with O_DIRECT and
 * nothing more.
 */
bool io_ring_file_is_direct(const struct file *file, bool write)
{
	const fmode_t needed = FMODE_NOWAIT | (write ? FMODE_WRITE | FMODE_CAN_WRITE | FMODE_PWRITE
						     : FMODE_READ | FMODE_CAN_READ | FMODE_PREAD);

	return READ_ONCE(file->f_iocb_flags) == IOCB_DIRECT &&
	       (file->f_mode & (needed | FMODE_STREAM)) == needed &&
	       (write ? !!file->f_op->write_iter : !!file->f_op->read_iter) &&
	       is_storage(file) && !is_guarded(file);
}

void io_ring_get_file(struct file *file)
{
	get_file(file);
}

void io_ring_iter_ubuf(struct iov_iter *iter, int type, void __user *buffer, u32 len)
{
	iov_iter_ubuf(iter, type, buffer, len);
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
	/* ->read and ->write take no flags, and only addresses. */
	if (rw_flags || iov_iter_is_bvec(iter))
		return -EOPNOTSUPP;
	return transfer_segments(kiocb, iter, write);
}

/*
 * Issues a transfer as vfs_read() and vfs_write() do.
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

	if (freezable && (kiocb->ki_flags & IOCB_NOWAIT)) {
		struct super_block *sb = file_inode(file)->i_sb;

		if (!sb_start_write_trylock(sb))
			return -EAGAIN;
		/* As kiocb_start_write() does: another context may end it. */
		__sb_writers_release(sb, SB_FREEZE_WRITE);
	} else if (freezable) {
		kiocb_start_write(kiocb);
	}
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

/* What fdget() answers, if that is a regular file or a block device; else 0. */
unsigned long io_ring_fdget_storage(unsigned int fd)
{
	struct fd f = fdget(fd);

	if (!fd_empty(f) && is_storage(fd_file(f)))
		return f.word;
	fdput(f);
	return 0;
}

struct file *io_ring_fd_file(unsigned long word)
{
	return fd_file((struct fd) { word });
}

void io_ring_fdput(unsigned long word)
{
	fdput((struct fd) { word });
}

/*
 * Reads to @buffer as io_ring_transfer() does, by @iter, from a file that has ->read_iter
 * and may be read. Whether all has been read; nobody is notified of anything else.
 */
bool io_ring_read_at_once(struct kiocb *kiocb, struct iov_iter *iter, void __user *buffer,
			  size_t len)
{
	struct file *file = kiocb->ki_filp;

	if (unlikely(!access_ok(buffer, len)))
		return false;
	iov_iter_ubuf(iter, ITER_DEST, buffer, len);
	if (rw_verify_area(READ, file, &kiocb->ki_pos, len))
		return false;
	if (file->f_op->read_iter(kiocb, iter) != len)
		return false;
	fsnotify_access(file);
	return true;
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
 * The bits that have to be 0 in addresses and lengths of memory that a direct
 * transfer of @file uses, as far as that can be known here.
 */
unsigned int io_ring_dma_alignment(const struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	if (S_ISBLK(inode->i_mode))
		return bdev_dma_alignment(I_BDEV(inode));
	/* What has no device, or several, sees to it itself. */
	return inode->i_sb->s_bdev ? bdev_dma_alignment(inode->i_sb->s_bdev) : 0;
}

/*
 * Gives back a reference. If it is the last, the file is closed on the way back
 * to user space. A worker thread never goes there, so it closes it right here;
 * unless it exits, maybe with locks of its address space held, and is about to
 * do what it would do on that way, or has a descriptor table (io_ring_stand_in()):
 * then it holds locks of the ring, and does it when it gives that back.
 */
void io_ring_put_file(struct file *file)
{
	bool exits = current->flags & PF_EXITING;

	bool is_worker = current->flags & PF_USER_WORKER && !current->files;

	if (in_task() && !exits && (current->flags & PF_KTHREAD || is_worker))
		__fput_sync(file);
	else
		fput(file);
}

/* Gives back a reference, in any context, unless it is the last: closing files may sleep. */
bool io_ring_put_file_unless_last(struct file *file)
{
	BUILD_BUG_ON(FILE_REF_ONEREF != 0);
	return atomic_long_dec_if_positive(&file->f_ref.refcnt) >= 0;
}

struct inode *io_ring_file_inode(const struct file *file)
{
	return file_inode(file);
}

/* Whether @file is a ring, of this module or of io_uring, or the device of this module. */
bool io_ring_file_is_ring(const struct file *file)
{
	const struct dentry *dentry = file->f_path.dentry;

	if (file->f_op->owner == THIS_MODULE)
		return true;
	return dentry->d_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(dentry->d_name.name, "[io_uring]");
}

/* Whether @file can have references to rings: is one, or a socket that carries descriptors. */
bool io_ring_file_may_hold_rings(struct file *file)
{
	struct socket *sock = sock_from_file(file);

	if (sock)
		return sock->ops->family == PF_UNIX;
	return io_ring_file_is_ring(file);
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

/* An error pointer if @fd is no eventfd. */
void *io_ring_eventfd_get(int fd)
{
	return eventfd_ctx_fdget(fd);
}

void io_ring_eventfd_put(void *eventfd)
{
	eventfd_ctx_put(eventfd);
}

void io_ring_eventfd_signal(void *eventfd)
{
	eventfd_signal(eventfd);
}
