/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* A reader fills a buffer from a file, with as many READ requests as that takes. */
#ifndef READER_H
#define READER_H

#include "libio_ring.h"

/**
 * struct reader - one stretch of a file on its way into memory
 * @name: Of the file, for messages.
 * @fd: The file.
 * @data: The buffer; it has room for @wanted rounded up to @alignment.
 * @offset: Where the stretch starts in the file.
 * @wanted: How long it is.
 * @done: How much of it is there.
 * @alignment: Requests are multiples of this.
 */
struct reader {
	const char	*name;
	int		fd;
	char		*data;
	uint64_t	offset;
	uint32_t	wanted;
	uint32_t	done;
	uint32_t	alignment;
};

enum reader_state {
	READER_SHORT,	/* there is more to read */
	READER_FULL,	/* all that was wanted is there */
	READER_EOF,	/* the file ends before that */
	READER_FAILED,	/* the reason has been printed */
};

/* Makes the request for what is still missing. */
void reader_request(const struct reader *reader, struct io_ring_sqe *sqe);

/* Takes the result of the last request. */
enum reader_state reader_advance(struct reader *reader, const struct io_ring_cqe *cqe);

#endif /* READER_H */
