/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries with flags, and the completions of a ring on which nothing else is going on. */
#ifndef SELFTESTS_CHAIN_H
#define SELFTESTS_CHAIN_H

#include "ring.h"

struct io_ring_sqe chain_tagged(struct io_ring_sqe sqe, __u64 user_data);
struct io_ring_sqe chain_limit(const struct io_ring_timespec *time, __u64 user_data);
void chain_push(const struct ring *ring, struct io_ring_sqe sqe, __u8 flags);

/* The result of an entry whose completion can be read, or INT32_MIN if it cannot. */
__s32 chain_result(const struct ring *ring, __u64 user_data);

/* How many completions of it can be read. */
unsigned int chain_count(const struct ring *ring, __u64 user_data);

/* Reads all that can be read. */
void chain_drop(const struct ring *ring);

/* Of the next completion of a fixture's ring. */
#define EXPECT_CQE_RES(expected_data, expected_res) \
do { \
	struct io_ring_cqe next_cqe; \
	ASSERT_TRUE(ring_pop(&self->ring, &next_cqe)); \
	EXPECT_EQ((__u64)(expected_data), next_cqe.user_data); \
	EXPECT_EQ((__s32)(expected_res), next_cqe.res); \
} while (0)

#define EXPECT_CQE(expected_data, expected_res, expected_flags) \
do { \
	EXPECT_EQ((__u32)(expected_flags), \
		  ring_cqe(&self->ring, \
			   ring_load(&self->ring, self->ring.setup.cq_off.head))->flags); \
	EXPECT_CQE_RES(expected_data, expected_res); \
} while (0)

#endif
