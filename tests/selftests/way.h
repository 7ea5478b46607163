/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests that come to their results in a way that is known beforehand: an enum io_ring_path. */
#ifndef SELFTESTS_WAY_H
#define SELFTESTS_WAY_H

#include <stdbool.h>

#include "ring.h"

#define WAYS (IO_RING_PATH_DEVICE + 1)

struct ways {
	int ends[2];
	int file;
	int disk;
	void *page;
};

extern const char * const way_names[WAYS];

/* Disk requests take so many nanoseconds. False, with errno, if something cannot be had. */
bool ways_open(struct ways *ways, __u64 disk_delay);
void ways_close(struct ways *ways);

/* Submits one request. The result is that of ring_enter(). */
int way_begin(const struct ways *ways, const struct ring *ring, enum io_ring_path way);

/* Sees to it that it comes to its result soon, which does not wait for this unless it is POLLED. */
bool way_end(const struct ways *ways, enum io_ring_path way);

/* Whether a completion is that of such a request that has succeeded. */
bool way_is(const struct io_ring_cqe *cqe, enum io_ring_path way);

#endif
