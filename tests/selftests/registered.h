/* SPDX-License-Identifier: GPL-2.0-only */
/* What a ring has registered, over bare ioctl(2). */
#ifndef SELFTESTS_REGISTERED_H
#define SELFTESTS_REGISTERED_H

#include "ring.h"

/* Functions that return int give -errno on failure. */

struct io_ring_register register_args(__u32 opcode, const void *addr, __u32 nr);
int ring_register(const struct ring *ring, struct io_ring_register *args);

/* Tables of files; fds and tags may be NULL. */
int files_register(const struct ring *ring, const int *fds, const __u64 *tags, __u32 nr);
int files_update(const struct ring *ring, __u32 first, const int *fds, const __u64 *tags,
		 __u32 nr);
int files_unregister(const struct ring *ring);

/* Replace one file, and have a tag for the one that comes. */
int file_replace(const struct ring *ring, __u32 number, int fd, __u64 tag);

/* The same request of registered file number. */
struct io_ring_sqe sqe_fixed(struct io_ring_sqe sqe, int number);

#endif
