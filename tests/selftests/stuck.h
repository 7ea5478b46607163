/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads that keep a worker thread until they are let go: what they read is on a
 * slow disk, so that a worker does it, and where it goes to is missing memory.
 * Of all signals only those that kill end it.
 */
#ifndef SELFTESTS_STUCK_H
#define SELFTESTS_STUCK_H

#include "ring.h"

#define STUCK_PAGE 4096
#define STUCK_MARK 0xee	/* what the page that is there is full of */

struct stuck {
	int device;
	int disk;
	int faults;
	unsigned char *memory;
};

/* The result is -errno. There can be one at a time, and no other slow disk. */
int stuck_open(struct stuck *stuck);

/* Read number n, of STUCK_PAGE bytes: each number is good for one of the two kinds. */
struct io_ring_sqe stuck_read(const struct stuck *stuck, __u32 n);

/* Likewise, of twice as many, of which the first half gets there. */
struct io_ring_sqe stuck_read_half(const struct stuck *stuck, __u32 n);

/* From now on none gets stuck. */
void stuck_let_go(struct stuck *stuck);

void stuck_close(struct stuck *stuck);

#endif
