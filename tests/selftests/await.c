// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "await.h"
#include "module.h"

#define WORKER_NAME "io_ring_worker\n"
#define STEP_MS 2
#define SLOWNESS 7	/* of a kernel that checks its locks and memory */

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(long ms)
{
	usleep(ms * 1000);
}

long patience(long ms)
{
	bool is_fast = access("/proc/lockdep", F_OK) && access("/sys/kernel/debug/kcsan", F_OK);

	return is_fast ? ms : ms * SLOWNESS;
}

static bool is_worker(pid_t pid, const char *thread)
{
	char path[320];
	char name[32];

	snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", pid, thread);
	return !text_read(path, name, sizeof(name)) && !strcmp(name, WORKER_NAME);
}

int worker_count(pid_t pid)
{
	struct dirent *entry;
	char path[32];
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]) && is_worker(pid, entry->d_name))
			count++;
	closedir(dir);
	return count;
}

bool await_workers(pid_t pid, int count, long limit)
{
	long end = now_ms() + patience(limit);

	while (worker_count(pid) != count) {
		if (now_ms() > end)
			return false;
		sleep_ms(STEP_MS);
	}
	return true;
}

bool await_completions(const struct ring *ring, __u32 count, long limit)
{
	long end = now_ms() + patience(limit);

	while (ring_ready(ring) < count) {
		if (now_ms() > end)
			return false;
		sleep_ms(STEP_MS);
	}
	return true;
}

bool await_exit(pid_t pid, long limit)
{
	struct pollfd pollfd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool gone;

	if (pollfd.fd < 0)
		return false;
	gone = poll(&pollfd, 1, patience(limit)) == 1;
	close(pollfd.fd);
	return gone;
}
