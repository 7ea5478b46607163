// SPDX-License-Identifier: GPL-2.0
/*
 * C wrappers of what Rust cannot call directly: asking block devices for what
 * they have completed; see helpers.h.
 */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/sched.h>

#include "helpers.h"

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
