/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Comparing two files through a ring. */
#ifndef VERIFY_H
#define VERIFY_H

#include "copy.h"

/*
 * Reads the first @bytes bytes of source and target and compares them, and sees
 * that a target that is a regular file has no more. Adds the number of requests
 * to *@requests. Returns 0 or -1; the reason has been printed. @buffers hold
 * two blocks for each slot; after a failure the kernel may use them until
 * ioring_exit().
 */
int verify_run(struct ioring *ring, const struct endpoints *endpoints, const struct depth *depth,
	       char *buffers, uint64_t bytes, struct progress *progress, uint64_t *requests);

#endif /* VERIFY_H */
