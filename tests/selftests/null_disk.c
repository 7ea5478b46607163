// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "null_disk.h"

/* The driver is configured by directories and files. */
#define CONFIG "/sys/kernel/config"
#define DISKS CONFIG "/nullb/"

static int set(const char *name, const char *attribute, __u64 value)
{
	char path[128];
	int err = 0;
	FILE *file;

	snprintf(path, sizeof(path), DISKS "%s/%s", name, attribute);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	if (fprintf(file, "%llu", value) < 0)
		err = -errno;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

void null_disk_destroy(const char *name)
{
	char path[128];

	set(name, "power", 0);
	snprintf(path, sizeof(path), DISKS "%s", name);
	rmdir(path);
}

int null_disk_make(const char *name, const struct null_disk_setting *settings)
{
	char path[128];
	int err = 0;

	if (mount("configfs", CONFIG, "configfs", 0, NULL) && errno != EBUSY)
		return -errno;
	/* A test that was killed may have left one. */
	null_disk_destroy(name);
	snprintf(path, sizeof(path), DISKS "%s", name);
	if (mkdir(path, 0700))
		return -errno;
	for (; settings->attribute && !err; settings++)
		err = set(name, settings->attribute, settings->value);
	if (err)
		null_disk_destroy(name);
	return err;
}
