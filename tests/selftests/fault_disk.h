/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk with bad places, and with a volatile cache: what was written and not flushed is
 * lost when its power is cut. null_blk keeps the cache apart from what it stores, and
 * frees it with the disk, while what is stored is kept.
 */
#ifndef SELFTESTS_FAULT_DISK_H
#define SELFTESTS_FAULT_DISK_H

#include <linux/types.h>

#define FAULT_DISK "/dev/fault_disk"
#define FAULT_DISK_SIZE (16 << 20)

/* With a cache or without. There can be one at a time. Functions answer -errno on failure. */
int fault_disk_make(int has_cache);
void fault_disk_destroy(void);

/* From now on, so many bytes cannot be read or written; both are multiples of 512. */
int fault_disk_break(__u64 off, __u64 len);
int fault_disk_repair(__u64 off, __u64 len);

/* Nobody has it open. */
int fault_disk_cut_power(void);

/* How many flushes it has done. */
long fault_disk_flushes(void);

#endif
