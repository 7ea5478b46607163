// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "reader.h"

#include <err.h>

void reader_request(const struct reader *reader, struct io_ring_sqe *sqe)
{
	uint32_t missing = reader->wanted - reader->done;
	uint32_t length = (missing + reader->alignment - 1) / reader->alignment * reader->alignment;

	ioring_prep_read(sqe, reader->fd, reader->data + reader->done, length,
			 reader->offset + reader->done);
}

enum reader_state reader_advance(struct reader *reader, const struct io_ring_cqe *cqe)
{
	uint32_t missing = reader->wanted - reader->done;
	uint32_t got = (uint32_t)cqe->res;
	char text[200];

	if (cqe->res < 0) {
		warnx("%s: cannot read at byte %llu: %s", reader->name,
		      (unsigned long long)(reader->offset + reader->done),
		      ioring_cqe_strerror(cqe, text, sizeof(text)));
		return READER_FAILED;
	}
	reader->done += got < missing ? got : missing;
	if (got >= missing)
		return READER_FULL;
	/* With O_DIRECT only the end of the file gives a count that is not aligned. */
	return got == 0 || got % reader->alignment ? READER_EOF : READER_SHORT;
}
