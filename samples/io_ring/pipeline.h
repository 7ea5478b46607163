/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A pipeline keeps a number of slots busy. Each slot works on one piece of a
 * job, one request at a time; the job says what the requests are.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "libio_ring.h"

/* What a job makes of the result of a slot's request. */
enum pipeline_step {
	PIPELINE_NEXT,		/* @sqe is the slot's next request */
	PIPELINE_DONE,		/* the slot's piece of work is done */
	PIPELINE_FAILED,	/* so is the job; the reason has been printed */
};

/**
 * struct pipeline_ops - a job
 * @start: Gives an idle slot a piece of work, while @busy others have one.
 *         Fills in the first request and returns true, or returns false if
 *         there is nothing to start at the moment.
 * @advance: Takes the result of the slot's request.
 *
 * The job ends when no slot is busy and there is nothing to start.
 */
struct pipeline_ops {
	bool (*start)(void *job, unsigned int slot, unsigned int busy, struct io_ring_sqe *sqe);
	enum pipeline_step (*advance)(void *job, unsigned int slot, const struct io_ring_cqe *cqe,
				      struct io_ring_sqe *sqe);
};

/*
 * Runs the job on a ring that has at least @slots entries and is otherwise
 * unused. Adds the number of requests made to *@requests. Returns 0 or -1; the
 * reason has been printed. The kernel may use the job's buffers until then,
 * and after a failure until ioring_exit().
 */
int pipeline_run(struct ioring *ring, unsigned int slots, const struct pipeline_ops *ops,
		 void *job, uint64_t *requests);

#endif /* PIPELINE_H */
