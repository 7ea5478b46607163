// SPDX-License-Identifier: GPL-2.0-only
/* io_submit(2) and io_getevents(2). */
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine.h"
#include "fail.h"

static struct {
	aio_context_t context;
	struct iocb *iocbs;
	struct iocb **offered;
	struct io_event *events;
} aio;

static void libaio_open(const struct job *job)
{
	unsigned int slot;

	aio.iocbs = calloc(job->depth, sizeof(*aio.iocbs));
	aio.offered = calloc(job->depth, sizeof(*aio.offered));
	aio.events = calloc(job->depth, sizeof(*aio.events));
	if (!aio.iocbs || !aio.offered || !aio.events)
		fail("no memory");
	for (slot = 0; slot < job->depth; slot++) {
		struct iocb *iocb = &aio.iocbs[slot];

		iocb->aio_lio_opcode = job->workload->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		iocb->aio_fildes = job->fd;
		iocb->aio_buf = (uintptr_t)job_buffer(job, slot);
		iocb->aio_nbytes = job->block;
	}
	must(syscall(SYS_io_setup, job->depth, &aio.context));
}

static inline struct iocb *libaio_fill(struct job *job, struct iocb *iocb)
{
	iocb->aio_offset = job_next_offset(job);
	return iocb;
}

static void libaio_run(struct job job, unsigned int requests)
{
	const unsigned int block = job.block;
	unsigned int offered, i, left = requests, to_start = requests - job.depth;
	long got;

	for (offered = 0; offered < job.depth; offered++)
		aio.offered[offered] = libaio_fill(&job, &aio.iocbs[offered]);
	while (left) {
		if (offered && syscall(SYS_io_submit, aio.context, offered, aio.offered) != offered)
			fail("libaio: of %u not all were taken", offered);
		got = syscall(SYS_io_getevents, aio.context, job_batch(&job, left), job.depth,
			      aio.events, NULL);
		if (got <= 0)
			fail("libaio: no completion");
		offered = 0;
		for (i = 0; i < got; i++) {
			const struct io_event *event = &aio.events[i];

			if (event->res != block)
				fail("libaio: result %lld", (long long)event->res);
			if (to_start) {
				to_start--;
				aio.offered[offered++] =
					libaio_fill(&job, (struct iocb *)(uintptr_t)event->obj);
			}
		}
		left -= got;
	}
}

const struct engine engine_libaio = {
	.name = "libaio",
	.needs_file = true,
	.open = libaio_open,
	.run = libaio_run,
};
