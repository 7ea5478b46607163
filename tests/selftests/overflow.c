// SPDX-License-Identifier: GPL-2.0-only
/* Completions without room in the queue wait in the kernel, in order; then slots run out. */
#include <errno.h>
#include <poll.h>

#include "harness.h"
#include "ring.h"

#define ENTRIES 4
#define CQ_ENTRIES 4

/* A ring, and how many NOPs, numbered on, have gone in and come out. */
struct flow {
	struct ring ring;
	__u64 sent;
	__u64 seen;
};

FIXTURE(overflow)
{
	struct flow flow;
};

FIXTURE_VARIANT(overflow)
{
	__u32 requests;
};

FIXTURE_VARIANT_ADD(overflow, fewest_slots) { .requests = 4 };
FIXTURE_VARIANT_ADD(overflow, some_slots) { .requests = 16 };
FIXTURE_VARIANT_ADD(overflow, odd_slots) { .requests = 23 };
FIXTURE_VARIANT_ADD(overflow, many_slots) { .requests = 1024 };

FIXTURE_SETUP(overflow)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = CQ_ENTRIES;
	wanted.requests = variant->requests;
	ASSERT_EQ(0, ring_open_as(&self->flow.ring, &wanted));
}

FIXTURE_TEARDOWN(overflow)
{
	ring_close(&self->flow.ring);
}

static bool flagged(const struct ring *ring)
{
	return ring_load(ring, ring->setup.sq_off.flags) & IO_RING_SQ_CQ_OVERFLOW;
}

static __u32 sq_head(const struct ring *ring)
{
	return ring_load(ring, ring->setup.sq_off.head);
}

static __u32 overflowed(const struct ring *ring)
{
	return ring_load(ring, ring->setup.cq_off.overflow);
}

/* Offer NOPs, numbered on, and submit them without reading a completion, until one is refused. */
static int send_all(struct flow *flow, __u64 limit)
{
	__u32 offered = ring_load(&flow->ring, flow->ring.setup.sq_off.tail);

	while (flow->sent < limit) {
		int taken;

		if (offered == flow->sent)
			ring_push_nops(&flow->ring, 1, offered++);
		taken = ring_enter(&flow->ring, 1, 0);
		if (taken < 0)
			return taken;
		flow->sent += taken;
	}
	return 0;
}

static void expect_next(struct __test_metadata *_metadata, struct flow *flow)
{
	struct io_ring_cqe cqe;

	while (ring_pop(&flow->ring, &cqe)) {
		EXPECT_EQ(flow->seen++, cqe.user_data);
		EXPECT_EQ(0, cqe.res);
		EXPECT_EQ(0, cqe.flags);
	}
}

/* Read and flush until everything that was sent has been seen. */
static void expect_rest(struct __test_metadata *_metadata, struct flow *flow)
{
	while (flow->seen < flow->sent) {
		__u64 before = flow->seen;

		EXPECT_EQ(0, ring_enter(&flow->ring, 0, 1));
		expect_next(_metadata, flow);
		ASSERT_LT(before, flow->seen);
	}
	EXPECT_EQ(0, ring_enter(&flow->ring, 0, 0));
	EXPECT_EQ(0, ring_ready(&flow->ring));
	EXPECT_FALSE(flagged(&flow->ring));
}

TEST_F(overflow, does_not_happen_while_there_is_room)
{
	EXPECT_EQ(0, send_all(&self->flow, CQ_ENTRIES));
	EXPECT_EQ(CQ_ENTRIES, ring_ready(&self->flow.ring));
	EXPECT_FALSE(flagged(&self->flow.ring));
	EXPECT_EQ(0, overflowed(&self->flow.ring));
	expect_rest(_metadata, &self->flow);
}

TEST_F(overflow, is_flagged_and_counted)
{
	for (__u32 parked = 1; parked <= variant->requests; parked++) {
		ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + parked));
		EXPECT_TRUE(flagged(&self->flow.ring));
		EXPECT_EQ(parked, overflowed(&self->flow.ring));
		EXPECT_EQ(CQ_ENTRIES, ring_ready(&self->flow.ring));
	}
	expect_rest(_metadata, &self->flow);
	EXPECT_EQ(variant->requests, overflowed(&self->flow.ring));
}

TEST_F(overflow, does_not_touch_what_is_in_the_queue)
{
	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + variant->requests));
	for (__u32 i = 0; i < CQ_ENTRIES; i++)
		EXPECT_EQ(i, ring_cqe(&self->flow.ring, i)->user_data);
	expect_rest(_metadata, &self->flow);
}

TEST_F(overflow, is_flushed_by_enter_alone)
{
	__u32 parked = variant->requests;

	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + parked));
	while (parked) {
		__u32 moved = parked < CQ_ENTRIES ? parked : CQ_ENTRIES;

		expect_next(_metadata, &self->flow);
		EXPECT_TRUE(flagged(&self->flow.ring));
		EXPECT_EQ(0, ring_enter(&self->flow.ring, 0, 0));
		EXPECT_EQ(moved, ring_ready(&self->flow.ring));
		parked -= moved;
		EXPECT_EQ(parked != 0, flagged(&self->flow.ring));
	}
	expect_rest(_metadata, &self->flow);
}

TEST_F(overflow, is_flushed_by_poll)
{
	struct pollfd pollfd = { .fd = self->flow.ring.fd, .events = POLLIN };

	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + 1));
	expect_next(_metadata, &self->flow);
	EXPECT_EQ(0, ring_ready(&self->flow.ring));
	EXPECT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_EQ(POLLIN, pollfd.revents);
	EXPECT_EQ(1, ring_ready(&self->flow.ring));
	EXPECT_FALSE(flagged(&self->flow.ring));
	expect_rest(_metadata, &self->flow);
}

TEST_F(overflow, makes_use_of_a_single_free_place)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + 2));
	ASSERT_TRUE(ring_pop(&self->flow.ring, &cqe));
	EXPECT_EQ(self->flow.seen++, cqe.user_data);
	EXPECT_EQ(0, ring_enter(&self->flow.ring, 0, CQ_ENTRIES));
	EXPECT_EQ(CQ_ENTRIES, ring_ready(&self->flow.ring));
	EXPECT_TRUE(flagged(&self->flow.ring));
	EXPECT_EQ(2, overflowed(&self->flow.ring));
	expect_rest(_metadata, &self->flow);
}

/* What waits comes first, also when there is room again by the time of the next submission. */
TEST_F(overflow, is_not_overtaken)
{
	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + variant->requests));
	for (unsigned int round = 0; round < 3; round++) {
		expect_next(_metadata, &self->flow);
		ASSERT_EQ(0, send_all(&self->flow, self->flow.sent + 1));
	}
	expect_rest(_metadata, &self->flow);
}

/* What waits, not what is in the queue, holds a slot. */
TEST_F(overflow, ends_in_busy_when_slots_run_out)
{
	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES + variant->requests));
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(-EBUSY, send_all(&self->flow, self->flow.sent + 1));
		EXPECT_EQ(self->flow.sent, sq_head(&self->flow.ring));
	}
	/* It is no obstacle to waiting. */
	EXPECT_EQ(0, ring_enter(&self->flow.ring, 0, CQ_ENTRIES));
	expect_next(_metadata, &self->flow);
	EXPECT_EQ(0, send_all(&self->flow, self->flow.sent + 1));
	expect_rest(_metadata, &self->flow);
}

TEST_F(overflow, takes_only_what_has_slots)
{
	const __u64 capacity = CQ_ENTRIES + variant->requests;

	ASSERT_EQ(0, send_all(&self->flow, capacity - 1));
	ring_push_nops(&self->flow.ring, ENTRIES, self->flow.sent);
	/* One of four is taken, which is fewer than asked for: no wait. */
	EXPECT_EQ(1, ring_enter(&self->flow.ring, ENTRIES, CQ_ENTRIES));
	self->flow.sent++;
	EXPECT_EQ(self->flow.sent, sq_head(&self->flow.ring));
	EXPECT_EQ(-EBUSY, ring_enter(&self->flow.ring, ENTRIES - 1, 0));
	expect_next(_metadata, &self->flow);
	EXPECT_EQ(ENTRIES - 1, ring_enter(&self->flow.ring, ENTRIES - 1, 0));
	self->flow.sent += ENTRIES - 1;
	expect_rest(_metadata, &self->flow);
	EXPECT_EQ(capacity + ENTRIES - 1, self->flow.seen);
}

TEST_F(overflow, recovers_again_and_again)
{
	const __u64 capacity = CQ_ENTRIES + variant->requests;

	for (unsigned int round = 0; round < 20; round++) {
		EXPECT_EQ(0, send_all(&self->flow, self->flow.sent + capacity));
		EXPECT_EQ(-EBUSY, send_all(&self->flow, self->flow.sent + 1));
		expect_rest(_metadata, &self->flow);
		/* The one that was refused is still offered. */
		EXPECT_EQ(0, send_all(&self->flow, self->flow.sent + 1));
		expect_rest(_metadata, &self->flow);
	}
}

/* Rejections complete like anything else. */
TEST_F(overflow, holds_rejections_too)
{
	struct io_ring_sqe bad = sqe_nop(0xbad);
	struct io_ring_cqe cqe;

	bad.buf_index = 1;
	ASSERT_EQ(0, send_all(&self->flow, CQ_ENTRIES));
	ring_push(&self->flow.ring, &bad);
	EXPECT_EQ(1, ring_enter(&self->flow.ring, 1, 0));
	EXPECT_TRUE(flagged(&self->flow.ring));
	EXPECT_EQ(1, overflowed(&self->flow.ring));
	expect_next(_metadata, &self->flow);
	EXPECT_EQ(0, ring_enter(&self->flow.ring, 0, 1));
	ASSERT_TRUE(ring_pop(&self->flow.ring, &cqe));
	EXPECT_EQ(0xbad, cqe.user_data);
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_EQ((int)offsetof(struct io_ring_sqe, buf_index), cqe_rejected_field(&cqe));
}

TEST_HARNESS_MAIN
