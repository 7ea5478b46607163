// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: block devices; see helpers.h.
 */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/sched.h>
#include <linux/task_io_accounting_ops.h>

#include "helpers.h"

/*
 * The device that a transfer between @len bytes at @pos of @file, an IO_RING_FILE_BLOCK, and
 * memory at @address can go to as one bio. None if blkdev_read_iter() or blkdev_write_iter()
 * would refuse it, cut it short, or do more than that.
 */
struct block_device *io_ring_bio_target(struct file *file, loff_t pos, u32 len,
					unsigned long address, bool write)
{
	struct address_space *mapping = file->f_mapping;
	struct block_device *bdev = I_BDEV(mapping->host);

	if (READ_ONCE(file->f_iocb_flags) != IOCB_DIRECT || READ_ONCE(mapping->nrpages))
		return NULL;
	if (!len || len > SZ_1M || pos < 0 || (u64)pos + len > bdev_nr_bytes(bdev))
		return NULL;
	if ((pos | len) & (bdev_logical_block_size(bdev) - 1) || address & bdev_dma_alignment(bdev))
		return NULL;
	if (write && (bdev_read_only(bdev) || IS_SWAPFILE(mapping->host) ||
		      bdev_max_write_streams(bdev)))
		return NULL;
	return rw_verify_area(write ? WRITE : READ, file, &pos, len) ? NULL : bdev;
}

/* The address of the current task; 0 in interrupts. */
unsigned long io_ring_current_task(void)
{
	return in_task() ? (unsigned long)current : 0;
}

/* Updates the times of @file, as each transfer does. */
bool io_ring_note_use(struct file *file, bool write)
{
	if (write)
		return !file_update_time(file);
	file_accessed(file);
	return true;
}

/* As bio_init(); @bio is charged to whom @model is, if that is given. */
void io_ring_bio_init(struct bio *bio, struct block_device *bdev, struct bio_vec *first,
		      u32 operation, struct bio *model)
{
	if (!model) {
		bio_init(bio, bdev, first, 0, (__force blk_opf_t)operation);
		return;
	}
	bio_init(bio, NULL, first, 0, (__force blk_opf_t)operation);
	bio->bi_bdev = bdev;
	bio_clone_blkg_association(bio, model);
}

void io_ring_bio_submit(struct bio *bio, struct file *file)
{
	bool write = op_is_write(bio_op(bio));

	bio->bi_write_hint = file_inode(file)->i_write_hint;
	if (write)
		task_io_account_write(bio->bi_iter.bi_size);
	submit_bio(bio);
	if (write)
		fsnotify_modify(file);
	else
		fsnotify_access(file);
}

/* Whether transfers of @file can be asked for, as far as that can be known here. */
bool io_ring_file_has_iopoll(const struct file *file)
{
	struct inode *inode = file->f_mapping->host;
	struct block_device *bdev;

	if (!file->f_op->iopoll)
		return false;
	bdev = S_ISBLK(inode->i_mode) ? I_BDEV(inode) : inode->i_sb->s_bdev;
	/* What has no device, or several, answers for itself. */
	return !bdev || (bdev_get_queue(bdev)->limits.features & BLK_FEAT_POLL);
}

/*
 * Asks the device of @kiocb once what it has completed. Some of that may be
 * collected in @batch, and completes in io_ring_complete_batch().
 */
void io_ring_ask_device(struct kiocb *kiocb, struct io_comp_batch *batch)
{
	kiocb->ki_filp->f_op->iopoll(kiocb, batch, BLK_POLL_ONESHOT);
}

bool io_ring_batch_is_empty(const struct io_comp_batch *batch)
{
	return rq_list_empty(&batch->req_list);
}

void io_ring_complete_batch(struct io_comp_batch *batch)
{
	if (!rq_list_empty(&batch->req_list))
		batch->complete(batch);
}

void io_ring_cond_resched(void)
{
	cond_resched();
}
