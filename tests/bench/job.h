/* SPDX-License-Identifier: GPL-2.0-only */
/* One workload at one depth: the file, the buffers and where the next request goes. */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include <stdint.h>

#include "workload.h"

/* What the requests go over, and how many blocks lie between one and the next. */
#define JOB_SPAN (16U << 20)
/* Odd, so that all blocks get their turn; not 1, so that the block layer has nothing to merge. */
#define JOB_STRIDE 17

struct job {
	const struct workload *workload;
	unsigned int depth;
	unsigned int block;	/* bytes a request, 0 if it does nothing */
	int fd;
	unsigned char *buffers;	/* depth blocks */
	uint64_t offset;
};

static inline uint64_t job_next_offset(struct job *job)
{
	uint64_t offset = job->offset;

	job->offset = (offset + JOB_STRIDE * job->block) & (JOB_SPAN - 1);
	return offset;
}

static inline void *job_buffer(const struct job *job, unsigned int slot)
{
	return job->buffers + slot * job->block;
}

/* How many completions to wait for while so many requests are under way. */
static inline unsigned int job_batch(const struct job *job, unsigned int under_way)
{
	/* The other half keeps a device busy that completes later. */
	unsigned int half = (job->depth + 1) / 2;

	return under_way < half ? under_way : half;
}

#endif
