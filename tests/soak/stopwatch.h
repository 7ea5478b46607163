/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times that tell how late the machine was by itself. On each processor a thread
 * sleeps for a moment, again and again; what it oversleeps is time in which the
 * processor was not there for anybody, for example because it is an emulated one.
 */
#ifndef SOAK_STOPWATCH_H
#define SOAK_STOPWATCH_H

#include <stdbool.h>

#include <linux/types.h>

#define STOPWATCH_PROCESSORS 2

struct stopwatch {
	__u64 begin;
	__u64 late[STOPWATCH_PROCESSORS];
};

/* In nanoseconds. */
struct span {
	__u64 length;
	__u64 late;		/* the processor that was late for longest */
};

/* Starts the threads, once in a process. The result is -errno. */
int stopwatch_prepare(void);

struct stopwatch stopwatch_start(void);
struct span stopwatch_stop(const struct stopwatch *watch);

/* Whether it took no longer than it may, here. */
bool span_within(const struct span *span, __u64 limit);
void keep_longest(struct span *longest, const struct span *span);

#endif
