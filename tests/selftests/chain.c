// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>

#include "chain.h"

struct io_ring_sqe chain_tagged(struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	return sqe;
}

void chain_push(const struct ring *ring, struct io_ring_sqe sqe, __u8 flags)
{
	sqe.flags |= flags;
	ring_push(ring, &sqe);
}

struct io_ring_sqe chain_limit(const struct io_ring_timespec *time, __u64 user_data)
{
	struct io_ring_sqe sqe = sqe_timeout(time, 0, 0);

	sqe.opcode = IO_RING_OP_LINK_TIMEOUT;
	sqe.user_data = user_data;
	return sqe;
}

/* How many completions of an entry can be read, and the result of the last. */
static unsigned int look_for(const struct ring *ring, __u64 user_data, __s32 *res)
{
	__u32 head = ring_load(ring, ring->setup.cq_off.head);
	unsigned int count = 0;

	for (__u32 i = 0; i < ring_ready(ring); i++) {
		const struct io_ring_cqe *cqe = ring_cqe(ring, head + i);

		if (cqe->user_data != user_data)
			continue;
		*res = cqe->res;
		count++;
	}
	return count;
}

__s32 chain_result(const struct ring *ring, __u64 user_data)
{
	__s32 res = INT32_MIN;

	look_for(ring, user_data, &res);
	return res;
}

unsigned int chain_count(const struct ring *ring, __u64 user_data)
{
	__s32 res;

	return look_for(ring, user_data, &res);
}

void chain_drop(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe))
		;
}
