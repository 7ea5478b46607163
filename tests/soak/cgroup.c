// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "cgroup.h"
#include "module.h"

#define DIR "/sys/fs/cgroup/soak"

int cgroup_make(void)
{
	return mkdir(DIR, 0700) && errno != EEXIST ? -errno : 0;
}

int cgroup_add(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return text_write(DIR "/cgroup.procs", text);
}

/* Waits until the events of the cgroup have a line. */
static int await_event(const char *line, long limit)
{
	long end = now_ms() + limit;
	char text[256];

	for (;;) {
		int error = text_read(DIR "/cgroup.events", text, sizeof(text));

		if (error || strstr(text, line))
			return error;
		if (now_ms() > end)
			return -ETIME;
		sleep_ms(1);
	}
}

int cgroup_freeze(bool frozen, long limit)
{
	int error = text_write(DIR "/cgroup.freeze", frozen ? "1" : "0");

	return error ?: await_event(frozen ? "frozen 1\n" : "frozen 0\n", limit);
}

int cgroup_limit_memory(const char *bytes)
{
	int error = text_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");

	return error ?: text_write(DIR "/memory.max", bytes);
}

long cgroup_oom_kills(void)
{
	static const char key[] = "oom_kill ";
	char text[512];
	const char *line;
	int error = text_read(DIR "/memory.events", text, sizeof(text));

	if (error)
		return error;
	line = strstr(text, key);
	return line ? atol(line + strlen(key)) : -ENOENT;
}

int cgroup_remove(void)
{
	int error = text_write(DIR "/cgroup.kill", "1");

	error = error ?: await_event("populated 0\n", patience(2 * SOON));
	return error ?: rmdir(DIR) ? -errno : 0;
}
