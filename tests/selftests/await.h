/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for what has to happen soon, and being patient with slow kernels. */
#ifndef SELFTESTS_AWAIT_H
#define SELFTESTS_AWAIT_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

#define SOON 1000	/* milliseconds in which everything that is due happens */
#define A_WHILE 100	/* milliseconds in which what is not due would show */

long now_ms(void);

/* A limit in milliseconds as this kernel needs it: several times longer if it checks itself. */
long patience(long ms);

/* How many worker threads a process has, or -errno; none if it is gone. */
int worker_count(pid_t pid);

/* These wait until it is so, patience(limit) at most, and say whether it is. */
bool await_completions(const struct ring *ring, __u32 count, long limit);
bool await_workers(pid_t pid, int count, long limit);
bool await_exit(pid_t pid, long limit);

void sleep_ms(long ms);

#endif
