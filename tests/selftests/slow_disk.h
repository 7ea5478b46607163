/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk that takes its time: requests for it are under way, and nobody waits for them. */
#ifndef SELFTESTS_SLOW_DISK_H
#define SELFTESTS_SLOW_DISK_H

#include <linux/types.h>

#define SLOW_DISK_BLOCK 4096

/*
 * Makes the disk and opens it for reading with O_DIRECT. Each transfer takes
 * that many nanoseconds, several at the same time. The result is a descriptor
 * or -errno.
 */
int slow_disk_open(__u64 delay);
void slow_disk_close(int fd);

#endif
