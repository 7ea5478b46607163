/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk that keeps what is written, whose requests may complete when it is asked. */
#ifndef SELFTESTS_POLLED_DISK_H
#define SELFTESTS_POLLED_DISK_H

#include <linux/types.h>

#define POLLED_DISK "/dev/polled_disk"
#define POLLED_DISK_MB 16

/* With mb_per_second, so many bytes get through every 20 ms, and never a request of more. */
#define POLLED_DISK_SLICE 20480

struct polled_disk {
	__u32 queues;		/* that can be asked: 0 or 1 */
	__u32 depth;		/* requests that it takes at once */
	__u32 mb_per_second;	/* 0 for no limit, or 1 */
};

/* The result is -errno. There can be one at a time. */
int polled_disk_make(const struct polled_disk *how);
void polled_disk_destroy(void);

/* Makes one, and opens it for reading and writing with O_DIRECT: a descriptor or -errno. */
int polled_disk_open(const struct polled_disk *how);
void polled_disk_close(int fd);

#endif
