/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that flips bits of a ring's memory, all over it, while the kernel works. */
#ifndef FUZZ_MUTATOR_H
#define FUZZ_MUTATOR_H

#include <stddef.h>

#include <linux/types.h>

/* One at a time. The result is -errno. */
int mutator_start(unsigned char *region, size_t size, __u64 seed);
/* Returns when it has ended; nothing if there is none. */
void mutator_stop(void);

#endif
