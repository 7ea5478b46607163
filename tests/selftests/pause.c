// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "module.h"
#include "pause.h"

#define CGROUP "/sys/fs/cgroup/io_ring-selftest"
#define LIMIT (3 * SOON)	/* the system call that it is in comes to its end first */

bool pause_prepare(void)
{
	return !mkdir(CGROUP, 0755) || errno == EEXIST;
}

bool pause_clean_up(void)
{
	return !rmdir(CGROUP);
}

bool await_stop(pid_t pid)
{
	long end = now_ms() + patience(LIMIT);
	siginfo_t info = { .si_pid = 0 };

	while (!waitid(P_PID, pid, &info, WSTOPPED | WNOHANG) && !info.si_pid && now_ms() < end)
		sleep_ms(1);
	return info.si_pid == pid;
}

static bool stop(pid_t pid)
{
	return !kill(pid, SIGSTOP) && await_stop(pid);
}

static bool carry_on(pid_t pid)
{
	return !kill(pid, SIGCONT);
}

bool begin_to_freeze(pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), "%d", pid);
	return !text_write(CGROUP "/cgroup.procs", text) &&
	       !text_write(CGROUP "/cgroup.freeze", "1");
}

static bool freeze(pid_t pid)
{
	long end = now_ms() + patience(LIMIT);
	char text[64];

	if (!begin_to_freeze(pid))
		return false;
	do {
		if (text_read(CGROUP "/cgroup.events", text, sizeof(text)))
			return false;
		if (strstr(text, "frozen 1"))
			return true;
		sleep_ms(1);
	} while (now_ms() < end);
	return false;
}

static bool thaw(pid_t pid)
{
	(void)pid;
	return !text_write(CGROUP "/cgroup.freeze", "0");
}

const struct pause pause_by_signal = { .begin = stop, .end = carry_on };
const struct pause pause_by_freezer = { .begin = freeze, .end = thaw };
