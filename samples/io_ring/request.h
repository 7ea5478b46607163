/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef REQUEST_H
#define REQUEST_H

#include "libio_ring.h"

/* Puts a copy of the request, with this user_data, into a ring that has room for it. */
void request_queue(struct ioring *ring, const struct io_ring_sqe *request, uint64_t user_data);

/*
 * Has the kernel carry out one request, on a ring that has nothing else to do,
 * and returns the completion. Ends the program if the ring itself fails.
 */
struct io_ring_cqe request_run(struct ioring *ring, const struct io_ring_sqe *request);

#endif /* REQUEST_H */
