// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "null_disk.h"
#include "slow_disk.h"

#define NAME "slow_disk"

void slow_disk_destroy(void)
{
	null_disk_destroy(NAME);
}

int slow_disk_make(__u64 delay, enum slow_disk_kind kind)
{
	const struct null_disk_setting settings[] = {
		{ "size", SLOW_DISK_MB },
		{ "blocksize", kind == SLOW_DISK_STORES ? 512 : SLOW_DISK_BLOCK },
		{ "memory_backed", kind == SLOW_DISK_STORES },
		{ "irqmode", 2 }, { "completion_nsec", delay }, { "power", 1 }, { NULL, 0 },
	};

	return null_disk_make(NAME, settings);
}

int slow_disk_open(__u64 delay)
{
	int err = slow_disk_make(delay, SLOW_DISK_FORGETS);
	int fd;

	if (err)
		return err;
	fd = open(SLOW_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	err = -errno;
	slow_disk_destroy();
	return err;
}

void slow_disk_close(int fd)
{
	close(fd);
	slow_disk_destroy();
}
