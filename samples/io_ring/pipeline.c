// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "pipeline.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "request.h"

struct pipeline {
	struct ioring			*ring;
	const struct pipeline_ops	*ops;
	void				*job;
	unsigned int			*idle;		/* a stack of idle slots */
	unsigned int			nr_idle;
	unsigned int			nr_busy;
	uint64_t			requests;
	bool				failed;
};

static void queue(struct pipeline *pipeline, unsigned int slot, const struct io_ring_sqe *request)
{
	/* There is room: a slot has one request at a time, and the ring an entry for each. */
	request_queue(pipeline->ring, request, slot);
	pipeline->requests++;
}

static void start_idle_slots(struct pipeline *pipeline)
{
	struct io_ring_sqe request;
	unsigned int slot;

	while (pipeline->nr_idle) {
		slot = pipeline->idle[pipeline->nr_idle - 1];
		if (!pipeline->ops->start(pipeline->job, slot, pipeline->nr_busy, &request))
			return;
		queue(pipeline, slot, &request);
		pipeline->nr_idle--;
		pipeline->nr_busy++;
	}
}

static void advance_slot(struct pipeline *pipeline, const struct io_ring_cqe *cqe)
{
	unsigned int slot = (unsigned int)cqe->user_data;
	enum pipeline_step step = PIPELINE_FAILED;
	struct io_ring_sqe request;

	if (!pipeline->failed)
		step = pipeline->ops->advance(pipeline->job, slot, cqe, &request);
	if (step == PIPELINE_NEXT) {
		queue(pipeline, slot, &request);
		return;
	}
	if (step == PIPELINE_FAILED)
		pipeline->failed = true;
	pipeline->idle[pipeline->nr_idle++] = slot;
	pipeline->nr_busy--;
}

static int turn(struct pipeline *pipeline)
{
	struct io_ring_cqe *cqe;
	unsigned int nr;
	int ret;

	ret = ioring_submit_and_wait(pipeline->ring, 1);
	if (ret < 0 && ret != -EINTR) {
		errno = -ret;
		warn("cannot enter the ring");
		return -1;
	}
	for (nr = 0; (cqe = ioring_cqe_at(pipeline->ring, nr)); nr++)
		advance_slot(pipeline, cqe);
	ioring_cq_advance(pipeline->ring, nr);
	return 0;
}

int pipeline_run(struct ioring *ring, unsigned int slots, const struct pipeline_ops *ops,
		 void *job, uint64_t *requests)
{
	struct pipeline pipeline = { .ring = ring, .ops = ops, .job = job };

	pipeline.idle = calloc(slots, sizeof(*pipeline.idle));
	if (!pipeline.idle) {
		warn("%u slots", slots);
		return -1;
	}
	/* The lowest slot is on top of the stack. */
	while (slots)
		pipeline.idle[pipeline.nr_idle++] = --slots;

	for (;;) {
		/* After a failure, what is under way still ends before its buffers do. */
		if (!pipeline.failed)
			start_idle_slots(&pipeline);
		if (!pipeline.nr_busy)
			break;
		if (turn(&pipeline)) {
			pipeline.failed = true;
			break;
		}
	}
	free(pipeline.idle);
	*requests += pipeline.requests;
	return pipeline.failed ? -1 : 0;
}
