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

static int configure(__u64 delay)
{
	const struct {
		const char *attribute;
		__u64 value;
	} settings[] = {
		{ "size", 16 }, { "blocksize", SLOW_DISK_BLOCK }, { "memory_backed", 0 },
		{ "irqmode", 2 }, { "completion_nsec", delay }, { "power", 1 }, { NULL, 0 },
	};
	int err = 0;

	for (size_t i = 0; settings[i].attribute && !err; i++)
		err = set(settings[i].attribute, settings[i].value);
	return err;
}

static void destroy(void)
{
	set("power", 0);
	rmdir(DIR);
}

int slow_disk_open(__u64 delay)
{
	int err, fd;

	if (mount("configfs", CONFIG, "configfs", 0, NULL) && errno != EBUSY)
		return -errno;
	/* A test that was killed may have left one. */
	destroy();
	if (mkdir(DIR, 0700))
		return -errno;
	err = configure(delay);
	if (!err) {
		fd = open("/dev/" NAME, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		err = -errno;
	}
	destroy();
	return err;
}

void slow_disk_close(int fd)
{
	close(fd);
	destroy();
}
