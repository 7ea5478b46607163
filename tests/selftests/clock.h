/* SPDX-License-Identifier: GPL-2.0-only */
/* Times in nanoseconds, as IO_RING_ENTER takes them. */
#ifndef SELFTESTS_CLOCK_H
#define SELFTESTS_CLOCK_H

#include <linux/types.h>
#include <time.h>

#define MS 1000000ULL
#define SECOND (1000 * MS)

/* Far more than a busy machine can be late by. */
#define LATE (5 * SECOND)

static inline __u64 clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (__u64)now.tv_sec * SECOND + now.tv_nsec;
}

static inline __u64 clock_since(__u64 begin)
{
	return clock_now(CLOCK_MONOTONIC) - begin;
}

static inline void clock_sleep(__u64 span)
{
	const struct timespec rest = { .tv_sec = span / SECOND, .tv_nsec = span % SECOND };

	nanosleep(&rest, NULL);
}

#endif
