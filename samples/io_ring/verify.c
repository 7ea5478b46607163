// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Each slot of the pipeline compares one block: it reads it from the source,
 * then from the target.
 */
#include "verify.h"

#include <err.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline.h"
#include "reader.h"

enum { SOURCE, TARGET, SIDES };

struct pair {
	struct reader	readers[SIDES];
	int		side;		/* which one is being read */
};

struct verify {
	const struct endpoints	*endpoints;
	const struct depth	*depth;
	char			*buffers;
	struct pair		*pairs;
	struct progress		*progress;
	uint64_t		bytes;
	uint64_t		next;	/* where the next block starts */
	uint64_t		compared;
};

static void prepare_reader(const struct verify *verify, unsigned int slot, int side,
			   uint32_t length)
{
	const struct endpoints *endpoints = verify->endpoints;
	size_t buffer = (size_t)slot * SIDES + (size_t)side;

	verify->pairs[slot].readers[side] = (struct reader){
		.name = side == SOURCE ? endpoints->source_name : endpoints->target_name,
		.fd = side == SOURCE ? endpoints->source : endpoints->target,
		.data = verify->buffers + buffer * verify->depth->block_size,
		.offset = verify->next,
		.wanted = length,
		.alignment = endpoints->alignment,
	};
}

static bool start(void *job, unsigned int slot, unsigned int busy, struct io_ring_sqe *sqe)
{
	struct verify *verify = job;
	uint64_t left = verify->bytes - verify->next;
	uint32_t length = verify->depth->block_size;

	(void)busy;
	if (!left)
		return false;
	if (left < length)
		length = (uint32_t)left;
	prepare_reader(verify, slot, SOURCE, length);
	prepare_reader(verify, slot, TARGET, length);
	verify->pairs[slot].side = SOURCE;
	verify->next += length;
	reader_request(&verify->pairs[slot].readers[SOURCE], sqe);
	return true;
}

static enum pipeline_step compare(struct verify *verify, const struct pair *pair)
{
	const struct reader *source = &pair->readers[SOURCE];
	const struct reader *target = &pair->readers[TARGET];
	uint32_t same = 0;

	if (memcmp(source->data, target->data, source->wanted)) {
		while (source->data[same] == target->data[same])
			same++;
		warnx("%s and %s differ at byte %llu", source->name, target->name,
		      (unsigned long long)(source->offset + same));
		return PIPELINE_FAILED;
	}
	verify->compared += source->wanted;
	progress_update(verify->progress, verify->compared);
	return PIPELINE_DONE;
}

static enum pipeline_step advance(void *job, unsigned int slot, const struct io_ring_cqe *cqe,
				  struct io_ring_sqe *sqe)
{
	struct verify *verify = job;
	struct pair *pair = &verify->pairs[slot];
	struct reader *reader = &pair->readers[pair->side];

	switch (reader_advance(reader, cqe)) {
	case READER_SHORT:
		break;
	case READER_FULL:
		if (pair->side == TARGET)
			return compare(verify, pair);
		pair->side = TARGET;
		break;
	case READER_EOF:
		warnx("%s: ends at byte %llu, should have %llu", reader->name,
		      (unsigned long long)(reader->offset + reader->done),
		      (unsigned long long)verify->bytes);
		return PIPELINE_FAILED;
	case READER_FAILED:
		return PIPELINE_FAILED;
	}
	reader_request(&pair->readers[pair->side], sqe);
	return PIPELINE_NEXT;
}

static int check_size(const struct endpoints *endpoints, uint64_t bytes)
{
	struct stat status;

	if (fstat(endpoints->target, &status)) {
		warn("%s", endpoints->target_name);
		return -1;
	}
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size == bytes)
		return 0;
	warnx("%s: has %lld bytes, should have %llu", endpoints->target_name,
	      (long long)status.st_size, (unsigned long long)bytes);
	return -1;
}

int verify_run(struct ioring *ring, const struct endpoints *endpoints, const struct depth *depth,
	       char *buffers, uint64_t bytes, struct progress *progress, uint64_t *requests)
{
	static const struct pipeline_ops ops = { .start = start, .advance = advance };
	struct verify verify = {
		.endpoints = endpoints,
		.depth = depth,
		.buffers = buffers,
		.pairs = calloc(depth->slots, sizeof(struct pair)),
		.progress = progress,
		.bytes = bytes,
	};
	int error;

	if (!verify.pairs) {
		warn("%u blocks", depth->slots);
		return -1;
	}
	error = pipeline_run(ring, depth->slots, &ops, &verify, requests);
	free(verify.pairs);
	return error ? error : check_size(endpoints, bytes);
}
