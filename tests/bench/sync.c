// SPDX-License-Identifier: GPL-2.0-only
/* pread(2) and pwrite(2). */
#include <unistd.h>

#include "engine.h"
#include "fail.h"

static void sync_open(const struct job *job)
{
	(void)job;
}

static void sync_run(struct job job, unsigned int requests)
{
	const unsigned int block = job.block;
	const bool write = job.workload->write;
	ssize_t done;

	while (requests--) {
		uint64_t offset = job_next_offset(&job);

		if (write)
			done = pwrite(job.fd, job_buffer(&job, 0), block, offset);
		else
			done = pread(job.fd, job_buffer(&job, 0), block, offset);
		if (done != block)
			fail("sync: %zd bytes of %u", done, block);
	}
}

const struct engine engine_sync = {
	.name = "sync",
	.needs_file = true,
	.one_at_a_time = true,
	.open = sync_open,
	.run = sync_run,
};
