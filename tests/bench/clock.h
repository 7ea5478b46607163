/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions executed. Under QEMU's -icount shift=0 the time stamp counter
 * advances by one with each, in user mode and in the kernel.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>

static inline uint64_t clock_instructions(void)
{
	return __builtin_ia32_rdtsc();
}

/* Ends the program unless the counter counts instructions. */
void clock_check(void);

#endif
