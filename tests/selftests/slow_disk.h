/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk that takes its time: requests for it are under way, and nobody waits for them. */
#ifndef SELFTESTS_SLOW_DISK_H
#define SELFTESTS_SLOW_DISK_H

#include <linux/types.h>

#define SLOW_DISK "/dev/slow_disk"
#define SLOW_DISK_MB 16
#define SLOW_DISK_BLOCK 4096

enum slow_disk_kind {
	SLOW_DISK_FORGETS,	/* what is written; blocks of SLOW_DISK_BLOCK bytes */
	SLOW_DISK_STORES,	/* blocks of 512 bytes */
};

/* Each transfer takes so many nanoseconds, several at the same time. The result is -errno. */
int slow_disk_make(__u64 delay, enum slow_disk_kind kind);
void slow_disk_destroy(void);

/* Makes a disk that forgets, and opens it for reading with O_DIRECT: a descriptor or -errno. */
int slow_disk_open(__u64 delay);
void slow_disk_close(int fd);

#endif
