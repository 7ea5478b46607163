/* SPDX-License-Identifier: GPL-2.0-only */
/* Rings with a submission thread, which takes entries without being asked. */
#ifndef SELFTESTS_SQ_RING_H
#define SELFTESTS_SQ_RING_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

/* A ring whose thread sleeps after so many milliseconds, or IO_RING_SQ_IDLE_NEVER. -errno. */
int sq_open(struct ring *ring, __u32 entries, __u32 idle_ms);

bool sq_needs_call(const struct ring *ring);

/* What a program does that has offered something: 1 if it has called the thread, 0, or -errno. */
int sq_offered(const struct ring *ring);

/* ENTER with these flags and nothing else. -errno. */
int sq_call(const struct ring *ring, __u32 flags);

/* Offer one entry, and call the thread if need be. As sq_offered(). */
int sq_push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data);

/* These wait until it is so, and say whether it is. */
bool sq_await_sleep(const struct ring *ring);
bool sq_await_entries(const struct ring *ring, long entries);

/* The thread, as soon as it runs. */
pid_t sq_thread(const struct ring *ring);

/* One more completion, as soon as it is there. */
bool sq_pop(const struct ring *ring, struct io_ring_cqe *cqe);

#endif
