// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Each slot of the pipeline copies one block: it reads until the block is full
 * or the file ends, then writes what it has.
 */
#include "copy.h"

#include <err.h>
#include <stdlib.h>

#include "pipeline.h"
#include "reader.h"

struct block {
	struct reader	reader;
	bool		writing;
	uint32_t	written;
	uint32_t	asked;		/* length of the write under way */
};

struct copy {
	const struct endpoints		*endpoints;
	const struct depth		*depth;
	char				*buffers;
	struct block			*blocks;
	struct progress			*progress;
	struct copy_result		*result;
	uint64_t			next;	/* where the next block starts */
	bool				eof;
};

static uint32_t block_length(const struct copy *copy)
{
	uint64_t left = copy->endpoints->size - copy->next;
	uint64_t alignment = copy->endpoints->alignment;
	uint64_t aligned = (left + alignment - 1) / alignment * alignment;

	if (copy->next >= copy->endpoints->size || aligned > copy->depth->block_size)
		return copy->depth->block_size;
	return (uint32_t)aligned;
}

static bool start(void *job, unsigned int slot, unsigned int busy, struct io_ring_sqe *sqe)
{
	struct copy *copy = job;
	struct block *block = &copy->blocks[slot];

	/* Past the expected end one block at a time looks whether there is more. */
	if (copy->eof || (copy->next >= copy->endpoints->size && busy))
		return false;

	*block = (struct block){
		.reader = {
			.name = copy->endpoints->source_name,
			.fd = copy->endpoints->source,
			.data = copy->buffers + (size_t)slot * copy->depth->block_size,
			.offset = copy->next,
			.wanted = block_length(copy),
			.alignment = copy->endpoints->alignment,
		},
	};
	copy->next += block->reader.wanted;
	reader_request(&block->reader, sqe);
	return true;
}

static void request_write(const struct endpoints *endpoints, struct block *block,
			  struct io_ring_sqe *sqe)
{
	uint32_t left = block->reader.done - block->written;
	uint32_t aligned = left - left % endpoints->alignment;

	/* What O_DIRECT cannot write goes through the page cache. */
	block->asked = aligned ? aligned : left;
	ioring_prep_write(sqe, aligned ? endpoints->target : endpoints->tail,
			  block->reader.data + block->written, block->asked,
			  block->reader.offset + block->written);
}

static enum pipeline_step advance_write(struct copy *copy, struct block *block,
					const struct io_ring_cqe *cqe, struct io_ring_sqe *sqe)
{
	char text[200];

	if (cqe->res <= 0) {
		warnx("%s: cannot write at byte %llu: %s", copy->endpoints->target_name,
		      (unsigned long long)(block->reader.offset + block->written),
		      cqe->res ? ioring_cqe_strerror(cqe, text, sizeof(text)) : "nothing written");
		return PIPELINE_FAILED;
	}
	if ((uint32_t)cqe->res < block->asked)
		copy->result->short_writes++;
	block->written += (uint32_t)cqe->res;
	copy->result->bytes += (uint32_t)cqe->res;
	progress_update(copy->progress, copy->result->bytes);
	if (block->written == block->reader.done)
		return PIPELINE_DONE;
	request_write(copy->endpoints, block, sqe);
	return PIPELINE_NEXT;
}

static enum pipeline_step advance(void *job, unsigned int slot, const struct io_ring_cqe *cqe,
				  struct io_ring_sqe *sqe)
{
	struct copy *copy = job;
	struct block *block = &copy->blocks[slot];

	if (block->writing)
		return advance_write(copy, block, cqe, sqe);

	switch (reader_advance(&block->reader, cqe)) {
	case READER_SHORT:
		copy->result->short_reads++;
		reader_request(&block->reader, sqe);
		return PIPELINE_NEXT;
	case READER_EOF:
		copy->eof = true;
		break;
	case READER_FULL:
		break;
	case READER_FAILED:
		return PIPELINE_FAILED;
	}
	if (!block->reader.done)
		return PIPELINE_DONE;
	block->writing = true;
	request_write(copy->endpoints, block, sqe);
	return PIPELINE_NEXT;
}

int copy_run(struct ioring *ring, const struct endpoints *endpoints, const struct depth *depth,
	     char *buffers, struct progress *progress, struct copy_result *result)
{
	static const struct pipeline_ops ops = { .start = start, .advance = advance };
	struct copy copy = {
		.endpoints = endpoints,
		.depth = depth,
		.buffers = buffers,
		.blocks = calloc(depth->slots, sizeof(struct block)),
		.progress = progress,
		.result = result,
	};
	int error;

	*result = (struct copy_result){ 0 };
	if (!copy.blocks) {
		warn("%u blocks", depth->slots);
		return -1;
	}
	error = pipeline_run(ring, depth->slots, &ops, &copy, &result->requests);
	free(copy.blocks);
	return error;
}
