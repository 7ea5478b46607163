/* SPDX-License-Identifier: GPL-2.0-only */
/* A cgroup whose processes can be frozen. */
#ifndef SOAK_CGROUP_H
#define SOAK_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* Functions that return int give -errno on failure. */

int cgroup_make(void);
int cgroup_add(pid_t pid);

/* Asks for it, and waits until all processes are frozen, or none is; -ETIME after limit ms. */
int cgroup_freeze(bool frozen, long limit);

/* Kills what is in it, and removes it. */
int cgroup_remove(void);

#endif
