// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slow_disk.h"

/* The test driver for block devices is configured by directories and files. */
#define CONFIG "/sys/kernel/config"
#define NAME "slow_disk"
#define DIR CONFIG "/nullb/" NAME

static int set(const char *attribute, __u64 value)
{
	char path[128];
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), DIR "/%s", attribute);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	if (fprintf(file, "%llu", value) < 0)
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

static int configure(__u64 delay, enum slow_disk_kind kind)
{
	const struct {
		const char *attribute;
		__u64 value;
	} settings[] = {
		{ "size", SLOW_DISK_MB },
		{ "blocksize", kind == SLOW_DISK_STORES ? 512 : SLOW_DISK_BLOCK },
		{ "memory_backed", kind == SLOW_DISK_STORES },
		{ "irqmode", 2 }, { "completion_nsec", delay }, { "power", 1 }, { NULL, 0 },
	};
	int err = 0;

	for (size_t i = 0; settings[i].attribute && !err; i++)
		err = set(settings[i].attribute, settings[i].value);
	return err;
}

void slow_disk_destroy(void)
{
	set("power", 0);
	rmdir(DIR);
}

int slow_disk_make(__u64 delay, enum slow_disk_kind kind)
{
	int err;

	if (mount("configfs", CONFIG, "configfs", 0, NULL) && errno != EBUSY)
		return -errno;
	/* A test that was killed may have left one. */
	slow_disk_destroy();
	if (mkdir(DIR, 0700))
		return -errno;
	err = configure(delay, kind);
	if (err)
		slow_disk_destroy();
	return err;
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
