/* SPDX-License-Identifier: GPL-2.0-only */
/* What long-running proofs have in common: how often, and what they say. */
#ifndef SOAK_SOAK_H
#define SOAK_SOAK_H

#include <kselftest.h>
#include <linux/types.h>

/* How often, or how many seconds: all of it, or a fiftieth if SOAK_QUICK is in the environment. */
unsigned int soak_scaled(unsigned int full);

/* What the proof has shown, in a line of its own. */
#define soak_figure(format, ...) ksft_print_msg("figure: " format "\n", ##__VA_ARGS__)

/* How far it is; every call is cheap, few print anything. */
void soak_progress(unsigned int done, unsigned int all);

/* Keeps the longest time: since begin, by clock_now(CLOCK_MONOTONIC). */
void keep_worst(__u64 *worst, __u64 begin);
double in_ms(__u64 nanoseconds);

#endif
