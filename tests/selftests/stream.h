/* SPDX-License-Identifier: GPL-2.0-only */
/* Pipes and the like that are full, and what comes out of them. */
#ifndef SELFTESTS_STREAM_H
#define SELFTESTS_STREAM_H

#include <stddef.h>

/* Writes until there is no room. The result is how many bytes that took, or 0 if it failed. */
size_t stream_fill(int fd);

/*
 * Reads until so many bytes have come, for as long as what is due may take, and
 * then whatever else there is. The result is how many bytes came.
 */
size_t stream_drain(int fd, size_t expected);

#endif
