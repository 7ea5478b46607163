// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: calls of the file system that
 * are no transfers; see helpers.h.
 */

#include <linux/build_bug.h>
#include <linux/dirent.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "helpers.h"

bool io_ring_file_is_stored(const struct file *file)
{
	umode_t mode = file_inode(file)->i_mode;

	return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode);
}

/* What sync_file_range() does, which is not exported. */
int io_ring_sync_file_range(struct file *file, loff_t first, loff_t last, unsigned int flags)
{
	const unsigned int all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				 SYNC_FILE_RANGE_WAIT_AFTER;
	int ret = 0;

	if (!io_ring_file_is_stored(file))
		return -ESPIPE;
	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		ret = file_fdatawait_range(file, first, last);
	/* Only who waits before and after wants pages written that are just being written. */
	if (!ret && (flags & all) == all)
		ret = filemap_fdatawrite_range(file->f_mapping, first, last);
	else if (!ret && (flags & SYNC_FILE_RANGE_WRITE))
		ret = filemap_flush_range(file->f_mapping, first, last);
	if (!ret && (flags & SYNC_FILE_RANGE_WAIT_AFTER))
		ret = file_fdatawait_range(file, first, last);
	return ret;
}

int io_ring_fadvise(struct file *file, loff_t offset, loff_t len, unsigned int advice)
{
	return vfs_fadvise(file, offset, len, advice);
}

int io_ring_fallocate(struct file *file, unsigned int mode, loff_t offset, loff_t len)
{
	return vfs_fallocate(file, mode, offset, len);
}

/*
 * Neither do_ftruncate() nor do_truncate() is exported; vfs_truncate() asks for
 * the permission to write once more.
 */
int io_ring_ftruncate(struct file *file, loff_t len)
{
	if (!S_ISREG(file_inode(file)->i_mode) || !(file->f_mode & FMODE_WRITE))
		return -EINVAL;
	return vfs_truncate(&file->f_path, len);
}

/* Where the entries of a directory go. */
struct listing {
	struct dir_context ctx;
	char __user *end;
	struct linux_dirent64 __user *last;
	int error;
};

/* Each entry has the position of the next one, which the directory tells along with that. */
static bool end_entry(struct listing *listing, loff_t pos)
{
	return !listing->last || !put_user(pos, &listing->last->d_off);
}

static bool add_entry(struct dir_context *ctx, const char *name, int len, loff_t pos, u64 ino,
		      unsigned int type)
{
	struct listing *listing = container_of(ctx, struct listing, ctx);
	struct linux_dirent64 __user *entry = (void __user *)listing->end;
	struct linux_dirent64 head = { .d_ino = ino, .d_type = type & S_DT_MASK };
	const size_t at_name = offsetof(struct linux_dirent64, d_name);

	listing->error = -EIO;
	if (len <= 0 || len >= PATH_MAX || memchr(name, '/', len))
		return false;
	head.d_reclen = ALIGN(at_name + len + 1, sizeof(u64));
	listing->error = -EINVAL;
	if (head.d_reclen > ctx->count)
		return false;
	if (listing->last && !(type & FILLDIR_FLAG_NOINTR) && signal_pending(current))
		return false;
	listing->error = -EFAULT;
	if (!end_entry(listing, pos) || copy_to_user(entry, &head, at_name) ||
	    copy_to_user(entry->d_name, name, len) ||
	    clear_user(entry->d_name + len, head.d_reclen - at_name - len))
		return false;
	listing->error = 0;
	listing->last = entry;
	listing->end += head.d_reclen;
	ctx->count -= head.d_reclen;
	return true;
}

/* What getdents64() does. */
long io_ring_getdents(struct file *file, void __user *buffer, unsigned int len)
{
	struct listing listing = {
		.ctx.actor = add_entry,
		.ctx.count = min(len, INT_MAX),
		.ctx.dt_flags_mask = FILLDIR_FLAG_NOINTR,
		.end = buffer,
	};
	long ret = io_ring_lock_file_pos(file, true);

	if (ret)
		return ret;
	ret = iterate_dir(file, &listing.ctx);
	if (ret >= 0)
		ret = listing.error;
	if (listing.last)
		ret = end_entry(&listing, listing.ctx.pos) ? listing.end - (char __user *)buffer :
							     -EFAULT;
	io_ring_unlock_file_pos(file);
	return ret;
}
