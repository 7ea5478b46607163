/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks of the kernel's test driver for block devices, null_blk. */
#ifndef SELFTESTS_NULL_DISK_H
#define SELFTESTS_NULL_DISK_H

#include <linux/types.h>

struct null_disk_setting {
	const char *attribute;	/* NULL ends a list */
	__u64 value;
};

/* Makes the disk /dev/@name, in place of one that is left over. The result is -errno. */
int null_disk_make(const char *name, const struct null_disk_setting *settings);
void null_disk_destroy(const char *name);

#endif
