/* SPDX-License-Identifier: GPL-2.0-only */
/* A cgroup whose processes can be frozen, or kept from using much memory. */
#ifndef SOAK_CGROUP_H
#define SOAK_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Functions that return int give -errno on failure. */

int cgroup_make(void);
int cgroup_add(pid_t pid);

/* Asks for it, and waits until all processes are frozen, or none is; -ETIME after limit ms. */
int cgroup_freeze(bool frozen, long limit);

/* Limits its memory to so many bytes, a number in decimal. */
int cgroup_limit_memory(const char *bytes);

/* How many of its processes were killed because it had no memory left. */
long cgroup_oom_kills(void);

/* Kills what is in it, and removes it. */
int cgroup_remove(void);

#endif
