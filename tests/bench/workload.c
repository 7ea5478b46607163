// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "array.h"
#include "workload.h"

#define SECTOR 512
#define PAGE 4096

/*
 * Registered buffers are for O_DIRECT, where they save the pinning of pages. The
 * files are those that scripts/guest/measure makes.
 */
const struct workload workloads[] = {
	{ .name = "nop", .weight = 8 },
	{ .name = "ext4-512", .path = "/mnt/ext4/read", .block = SECTOR },
	{ .name = "ext4", .path = "/mnt/ext4/read", .block = PAGE },
	{ .name = "tmpfs", .path = "/tmp/read", .block = PAGE },
	{ .name = "null", .path = "/dev/nullb0", .block = PAGE, .direct = true, .fixed = true },
	{ .name = "null-unfixed", .path = "/dev/nullb0", .block = PAGE, .direct = true },
	{ .name = "null-timer", .path = "/dev/nullb1", .block = PAGE, .direct = true,
	  .fixed = true, .least_depth = 32 },
	{ .name = "brd", .path = "/dev/ram0", .block = PAGE, .direct = true, .fixed = true },
	{ .name = "null-write", .path = "/dev/nullb0", .block = PAGE, .write = true,
	  .direct = true, .fixed = true },
	{ .name = "ext4-write", .path = "/mnt/ext4/write", .block = PAGE, .write = true },
};

const unsigned int workloads_nr = ARRAY_SIZE(workloads);

const struct workload *workload_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < workloads_nr; i++) {
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	}
	return NULL;
}
