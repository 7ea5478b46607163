/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of LINK_TIMEOUT: a ring, members of chains that wait, and what limits their time. */
#ifndef SELFTESTS_LIMITED_H
#define SELFTESTS_LIMITED_H

#include <unistd.h>

#include "await.h"
#include "chain.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define ENTRIES 64
#define LINK IO_RING_SQE_LINK
#define HARDLINK IO_RING_SQE_HARDLINK
#define FORCED IO_RING_SQE_FORCE_ASYNC

static const struct io_ring_timespec soon = { .nsec = 20 * MS };
static const struct io_ring_timespec never = { .sec = 1000000 };

FIXTURE(limit)
{
	struct ring ring;
	int pipe[2];		/* nothing is in it */
	int other[2];
	char byte;
	struct io_ring_sqe waits;	/* a READ of the pipe */
	struct io_ring_sqe elsewhere;
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, pipe(self->other));
	self->waits = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, 0);
	self->elsewhere = sqe_rw(IO_RING_OP_READ, self->other[0], &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(limit)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
	for (unsigned int i = 0; i < 2; i++) {
		close(self->pipe[i]);
		close(self->other[i]);
	}
}

/* A member and what limits it, as entries 0 and 1. */
static void push_limited(const struct ring *ring, struct io_ring_sqe sqe,
			 const struct io_ring_timespec *time)
{
	chain_push(ring, chain_tagged(sqe, 0), LINK);
	chain_push(ring, chain_limit(time, 1), 0);
}

/* So many completions come, and nothing is left. */
static void await_all(struct __test_metadata *_metadata, const struct ring *ring, __u32 count)
{
	EXPECT_TRUE(await_completions(ring, count, 10 * SOON));
	for (long end = now_ms() + patience(10 * SOON);
	     fdinfo_value(ring->fd, "timers") && now_ms() < end;)
		sleep_ms(1);
	EXPECT_EQ(count, ring_ready(ring));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "in_flight"));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "in_line"));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "timers"));
}

#endif
