/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of TIMEOUT: what is submitted, and what comes last. */
#ifndef SELFTESTS_TIMED_H
#define SELFTESTS_TIMED_H

#include "harness.h"
#include "ring.h"

#define ENTRIES 16
#define THE_ONE 7
#define OTHER 8
#define FAR { .sec = 3600 }

static const struct io_ring_timespec far = FAR;

static void push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	push(ring, sqe, user_data);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void expect_cqe(struct __test_metadata *_metadata, const struct ring *ring,
		       __u64 user_data, __s32 res)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_enter(ring, 0, 1));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(0, cqe.flags & IO_RING_CQE_F_MORE);
}

#endif
