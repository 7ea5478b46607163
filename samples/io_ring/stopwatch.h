/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef STOPWATCH_H
#define STOPWATCH_H

#include <time.h>

/* Seconds since some fixed moment. */
static inline double stopwatch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif /* STOPWATCH_H */
