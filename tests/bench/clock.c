// SPDX-License-Identifier: GPL-2.0-only
#include "clock.h"
#include "fail.h"

#define LOOPS 1000000ULL
#define INSTRUCTIONS (2 * LOOPS)
/* What timer interrupts may add. */
#define EXCESS (INSTRUCTIONS / 20)

void clock_check(void)
{
	uint64_t loops = LOOPS, begin = clock_instructions(), spent;

	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(loops) : : "cc");
	spent = clock_instructions() - begin;
	if (spent < INSTRUCTIONS || spent > INSTRUCTIONS + EXCESS)
		fail("%llu instructions were counted as %llu: this is not QEMU with -icount",
		     INSTRUCTIONS, (unsigned long long)spent);
}
