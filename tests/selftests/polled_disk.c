// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "null_disk.h"
#include "pinned.h"
#include "polled_disk.h"

#define NAME "polled_disk"
#define FILLED (4 << 20)

void polled_disk_destroy(void)
{
	null_disk_destroy(NAME);
}

int polled_disk_make(const struct polled_disk *how)
{
	const struct null_disk_setting settings[] = {
		{ "size", POLLED_DISK_MB }, { "blocksize", 512 }, { "memory_backed", 1 },
		{ "submit_queues", 1 }, { "poll_queues", how->queues },
		{ "hw_queue_depth", how->depth }, { "mbps", how->mb_per_second },
		{ "irqmode", 2 }, { "completion_nsec", 1000 }, { "power", 1 }, { NULL, 0 },
	};

	return null_disk_make(NAME, settings);
}

/*
 * Writes to where tests do: the disk finds memory for what is new, and may not wait
 * for that while it is asked, but does.
 */
static bool fill(int fd)
{
	const size_t size = 16 * PAGE;
	unsigned char *zeros = new_pages(16);
	off_t at = 0;

	while (zeros && at < FILLED && pwrite(fd, zeros, size, at) == (ssize_t)size)
		at += size;
	if (zeros)
		munmap(zeros, size);
	return at == FILLED;
}

int polled_disk_open(const struct polled_disk *how)
{
	int err = polled_disk_make(how);
	int fd;

	if (err)
		return err;
	fd = open(POLLED_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	/* Whoever looked for partitions left pages in the cache, which are in the way of writes. */
	if (fd >= 0 && !ioctl(fd, BLKFLSBUF) && (how->mb_per_second || fill(fd)))
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	polled_disk_destroy();
	return err;
}

void polled_disk_close(int fd)
{
	close(fd);
	polled_disk_destroy();
}
