/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Copying through a ring. */
#ifndef COPY_H
#define COPY_H

#include "endpoints.h"
#include "libio_ring.h"
#include "progress.h"

/* How much is under way at a time. */
struct depth {
	unsigned int	slots;
	uint32_t	block_size;
};

/* What a copy came to. */
struct copy_result {
	uint64_t	bytes;
	uint64_t	requests;
	uint64_t	short_reads;	/* that did not end at the end of the file */
	uint64_t	short_writes;
};

/*
 * Copies all of the source. Returns 0 or -1; the reason has been printed. After
 * a failure the kernel may use @buffers, which hold a block for each slot,
 * until ioring_exit().
 */
int copy_run(struct ioring *ring, const struct endpoints *endpoints, const struct depth *depth,
	     char *buffers, struct progress *progress, struct copy_result *result);

#endif /* COPY_H */
