// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "request.h"

#include <err.h>
#include <errno.h>

#include "status.h"

void request_queue(struct ioring *ring, const struct io_ring_sqe *request, uint64_t user_data)
{
	struct io_ring_sqe *sqe = ioring_get_sqe(ring);

	if (!sqe)
		errx(STATUS_FAILED, "the submission queue is full");
	*sqe = *request;
	sqe->user_data = user_data;
}

struct io_ring_cqe request_run(struct ioring *ring, const struct io_ring_sqe *request)
{
	struct io_ring_cqe *cqe, result;
	int ret;

	request_queue(ring, request, 0);
	do {
		ret = ioring_submit_and_wait(ring, 1);
		if (ret < 0 && ret != -EINTR) {
			errno = -ret;
			err(STATUS_FAILED, "cannot enter the ring");
		}
		cqe = ioring_cqe_at(ring, 0);
	} while (!cqe);

	result = *cqe;
	ioring_cq_advance(ring, 1);
	return result;
}
