// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "clock.h"
#include "soak.h"

#define QUICK_DIVISOR 50
#define PROGRESS_EVERY (10 * SECOND)

unsigned int soak_scaled(unsigned int full)
{
	if (!getenv("SOAK_QUICK"))
		return full;
	return (full + QUICK_DIVISOR - 1) / QUICK_DIVISOR;
}

void soak_progress(unsigned int done, unsigned int all)
{
	static __u64 last;

	if (!last)
		last = clock_now(CLOCK_MONOTONIC);
	if (clock_since(last) < PROGRESS_EVERY)
		return;
	last = clock_now(CLOCK_MONOTONIC);
	ksft_print_msg("progress: %u of %u\n", done, all);
}

void keep_worst(__u64 *worst, __u64 begin)
{
	__u64 span = clock_since(begin);

	if (span > *worst)
		*worst = span;
}

double in_ms(__u64 nanoseconds)
{
	return (double)nanoseconds / MS;
}
