// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest.h>

#include "fault.h"
#include "module.h"

#define DEBUGFS "/sys/kernel/debug/"

/* By default only those fail that must not sleep, and nothing smaller than two pages. */
static const struct {
	const char *path;
	const char *value;
} settings[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
	{ DEBUGFS "fail_usercopy/verbose", "0" },
};

/* Open all the time: what opens it could fail. */
static int plan = -1;

int fault_open(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
		int err = text_write(settings[i].path, settings[i].value);

		if (err)
			return err;
	}
	plan = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return plan < 0 ? -errno : 0;
}

void fault_close(void)
{
	close(plan);
}

bool fault_plan(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	return pwrite(plan, text, len, 0) == len;
}

bool fault_came(void)
{
	char text[16] = "";
	/* If this fails, that is the failure that was planned: it had not come before. */
	bool came = pread(plan, text, sizeof(text) - 1, 0) > 0 && !strtoul(text, NULL, 10);

	fault_plan(0);
	return came;
}
