/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that are made to pause: stopped by a signal, or frozen by their cgroup. */
#ifndef SELFTESTS_PAUSE_H
#define SELFTESTS_PAUSE_H

#include <stdbool.h>
#include <sys/types.h>

struct pause {
	bool (*begin)(pid_t pid);	/* returns when the process does nothing any more */
	bool (*end)(pid_t pid);
};

extern const struct pause pause_by_signal;
extern const struct pause pause_by_freezer;

/* The cgroup that the freezer needs; it goes when nobody is in it. */
bool pause_prepare(void);
bool pause_clean_up(void);

/* What pause_by_freezer begins with: it does not wait until the process is frozen. */
bool begin_to_freeze(pid_t pid);

/* Waits until a child has stopped. */
bool await_stop(pid_t pid);

#endif
