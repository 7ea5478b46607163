// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "fault_disk.h"
#include "module.h"
#include "null_disk.h"

#define NAME "fault_disk"
#define ATTRIBUTE(name) "/sys/kernel/config/nullb/" NAME "/" name
#define SECTOR 512
/* The 16th number of the line. */
#define FLUSHES "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld"

int fault_disk_make(int has_cache)
{
	const struct null_disk_setting settings[] = {
		{ "size", FAULT_DISK_SIZE >> 20 }, { "blocksize", SECTOR }, { "memory_backed", 1 },
		{ "submit_queues", 1 }, { "poll_queues", 1 }, { "cache_size", has_cache ? 8 : 0 },
		{ "fua", 0 }, { "power", 1 }, { NULL, 0 },
	};

	return null_disk_make(NAME, settings);
}

void fault_disk_destroy(void)
{
	null_disk_destroy(NAME);
}

static int set_bad(char sign, __u64 off, __u64 len)
{
	char text[64];

	snprintf(text, sizeof(text), "%c%llu-%llu", sign, off / SECTOR, (off + len) / SECTOR - 1);
	return text_write(ATTRIBUTE("badblocks"), text);
}

int fault_disk_break(__u64 off, __u64 len)
{
	return set_bad('+', off, len);
}

int fault_disk_repair(__u64 off, __u64 len)
{
	return set_bad('-', off, len);
}

int fault_disk_cut_power(void)
{
	int error = text_write(ATTRIBUTE("power"), "0");

	return error ?: text_write(ATTRIBUTE("power"), "1");
}

long fault_disk_flushes(void)
{
	char text[512];
	long flushes;
	int error = text_read("/sys/block/" NAME "/stat", text, sizeof(text));

	if (error)
		return error;
	if (sscanf(text, FLUSHES, &flushes) != 1)
		return -EIO;
	return flushes;
}
