// SPDX-License-Identifier: GPL-2.0-only
/* What the program writes into the ring: index array, SQ tail, CQ head, right or wrong. */
#include <errno.h>

#include "harness.h"
#include "ring.h"

#define ENTRIES 8

FIXTURE(indices)
{
	struct ring ring;
};

FIXTURE_SETUP(indices)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(indices)
{
	ring_close(&self->ring);
}

#define SQ(ring, member) ((ring)->setup.sq_off.member)
#define CQ(ring, member) ((ring)->setup.cq_off.member)

static void set_index(const struct ring *ring, __u32 position, __u32 index)
{
	ring_store(ring, SQ(ring, array) + 4 * (position & (ENTRIES - 1)), index);
}

/* Entry i is a NOP with user_data i; the array says which are offered, in that order. */
static void offer(const struct ring *ring, const __u32 *order, unsigned int count)
{
	__u32 tail = ring_load(ring, SQ(ring, tail));

	for (__u32 i = 0; i < ENTRIES; i++)
		*ring_sqe(ring, i) = sqe_nop(i);
	for (unsigned int i = 0; i < count; i++)
		set_index(ring, tail + i, order[i]);
	ring_store(ring, SQ(ring, tail), tail + count);
}

static void expect_completions(struct __test_metadata *_metadata, const struct ring *ring,
			       const __u32 *order, unsigned int count)
{
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < count; i++) {
		if (order[i] >= ENTRIES)
			continue;
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(order[i], cqe.user_data);
		EXPECT_EQ(0, cqe.res);
	}
	EXPECT_EQ(0, ring_ready(ring));
}

static void expect_order(struct __test_metadata *_metadata, const struct ring *ring,
			 const __u32 order[ENTRIES])
{
	offer(ring, order, ENTRIES);
	EXPECT_EQ(ENTRIES, ring_enter(ring, ENTRIES, 0));
	expect_completions(_metadata, ring, order, ENTRIES);
}

TEST_F(indices, in_any_order)
{
	static const __u32 backwards[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	static const __u32 shuffled[] = { 3, 0, 7, 1, 6, 2, 5, 4 };

	expect_order(_metadata, &self->ring, backwards);
	expect_order(_metadata, &self->ring, shuffled);
	EXPECT_EQ(0, ring_load(&self->ring, SQ(&self->ring, dropped)));
}

TEST_F(indices, that_repeat)
{
	static const __u32 same[] = { 5, 5, 5, 5, 5, 5, 5, 5 };
	static const __u32 some[] = { 0, 1, 0, 1, 2, 2, 0, 0 };

	expect_order(_metadata, &self->ring, same);
	expect_order(_metadata, &self->ring, some);
	EXPECT_EQ(0, ring_load(&self->ring, SQ(&self->ring, dropped)));
}

TEST_F(indices, that_name_no_entry_are_dropped)
{
	static const __u32 bad[] = { ENTRIES, ENTRIES + 1, 255, 1U << 16, 1U << 31, ~0U };
	__u32 dropped = 0;

	for (size_t b = 0; b < ARRAY_SIZE(bad); b++) {
		for (unsigned int place = 0; place < ENTRIES; place++) {
			__u32 order[ENTRIES] = { 0, 1, 2, 3, 4, 5, 6, 7 };
			__u32 head = ring_load(&self->ring, SQ(&self->ring, head));

			order[place] = bad[b];
			expect_order(_metadata, &self->ring, order);
			EXPECT_EQ(++dropped, ring_load(&self->ring, SQ(&self->ring, dropped))) {
				TH_LOG("index %u at %u", bad[b], place);
			}
			EXPECT_EQ(head + place,
				  ring_load(&self->ring, SQ(&self->ring, dropped_at))) {
				TH_LOG("index %u at %u", bad[b], place);
			}
			EXPECT_EQ(head + ENTRIES, ring_load(&self->ring, SQ(&self->ring, head)));
		}
	}
}

TEST_F(indices, that_all_name_no_entry)
{
	static const __u32 order[] = { 8, 9, 10, 11, 12, 13, 14, ~0U };

	expect_order(_metadata, &self->ring, order);
	EXPECT_EQ(ENTRIES, ring_load(&self->ring, SQ(&self->ring, dropped)));
	EXPECT_EQ(ENTRIES - 1, ring_load(&self->ring, SQ(&self->ring, dropped_at)));
}

/* The kernel's counters are its own: what the program writes there does not matter. */
TEST_F(indices, words_of_the_kernel_are_only_written)
{
	static const __u32 order[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct ring *ring = &self->ring;
	const __u32 words[] = {
		SQ(ring, head), SQ(ring, ring_mask), SQ(ring, ring_entries), SQ(ring, flags),
		SQ(ring, dropped), SQ(ring, dropped_at), CQ(ring, ring_mask),
		CQ(ring, ring_entries), CQ(ring, overflow),
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		ring_store(ring, words[i], 0xdeadbeef);
		expect_order(_metadata, ring, order);
	}
	EXPECT_EQ(ARRAY_SIZE(words) * ENTRIES, ring_load(ring, SQ(ring, head)));
}

TEST_F(indices, sq_tail_out_of_range)
{
	static const __u32 lies[] = {
		ENTRIES + 1, 2 * ENTRIES, 1U << 16, (1U << 31) - 1, 1U << 31, (1U << 31) + 1,
		~0U - 1, ~0U,
	};
	static const __u32 order[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct ring *ring = &self->ring;

	for (unsigned int round = 0; round < 2; round++) {
		__u32 head = ring_load(ring, SQ(ring, head));

		for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
			ring_store(ring, SQ(ring, tail), head + lies[i]);
			EXPECT_EQ(-EOVERFLOW, ring_enter(ring, 1, 0)) {
				TH_LOG("tail = head + %u", lies[i]);
			}
			EXPECT_EQ(-EOVERFLOW, ring_enter(ring, ~0U, 1));
			EXPECT_EQ(head, ring_load(ring, SQ(ring, head)));
			EXPECT_EQ(0, ring_ready(ring));
		}
		ring_store(ring, SQ(ring, tail), head);
		expect_order(_metadata, ring, order);
	}
	EXPECT_EQ(0, ring_load(ring, SQ(ring, dropped)));
}

static const __u32 cq_lies[] = {
	/* subtracted from the true head: behind by more than the queue holds, or ahead */
	2 * ENTRIES + 1, 1U << 16, 1U << 31, ~0U, ~0U - 1, (1U << 31) + 1,
};

TEST_F(indices, cq_head_out_of_range_for_a_waiter)
{
	struct ring *ring = &self->ring;
	struct io_ring_sqe sqe = sqe_nop(0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	for (size_t i = 0; i < ARRAY_SIZE(cq_lies); i++) {
		__u32 head = ring_load(ring, CQ(ring, head));

		ring_store(ring, CQ(ring, head), head - cq_lies[i]);
		EXPECT_EQ(-EOVERFLOW, ring_enter(ring, 0, 1)) {
			TH_LOG("head = true head - %u", cq_lies[i]);
		}
		ring_store(ring, CQ(ring, head), head);
		ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	}
}

/* Nothing is taken whose completion could not be placed. */
TEST_F(indices, cq_head_out_of_range_for_a_submitter)
{
	struct ring *ring = &self->ring;
	struct io_ring_sqe sqe = sqe_nop(0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	for (size_t i = 0; i < ARRAY_SIZE(cq_lies); i++) {
		__u32 head = ring_load(ring, CQ(ring, head));
		__u32 sq_head = ring_load(ring, SQ(ring, head));

		ring_push_nops(ring, 1, 77);
		ring_store(ring, CQ(ring, head), head - cq_lies[i]);
		EXPECT_EQ(-EOVERFLOW, ring_enter(ring, 1, 0)) {
			TH_LOG("head = true head - %u", cq_lies[i]);
		}
		EXPECT_EQ(-EOVERFLOW, ring_enter(ring, 1, 1));
		EXPECT_EQ(sq_head, ring_load(ring, SQ(ring, head)));
		/* With nothing to do there is nothing to complain about. */
		EXPECT_EQ(0, ring_enter(ring, 0, 0));
		ring_store(ring, CQ(ring, head), head);
		EXPECT_EQ(1, ring_enter(ring, 1, 1));
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(77, cqe.user_data);
		EXPECT_EQ(0, ring_ready(ring));
	}
}

/* Whatever the head says meanwhile, completions that have not been read are not overwritten. */
TEST_F(indices, cq_head_out_of_range_of_a_full_queue)
{
	static const __u32 order[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct ring *ring = &self->ring;
	struct io_ring_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(cq_lies); i++) {
		__u32 head = ring_load(ring, CQ(ring, head));

		offer(ring, order, ENTRIES);
		ASSERT_EQ(ENTRIES, ring_enter(ring, ENTRIES, 0));
		offer(ring, order, ENTRIES);
		ASSERT_EQ(ENTRIES, ring_enter(ring, ENTRIES, 0));
		ring_push_nops(ring, 1, 77);
		/* Relative to the tail here: one more than there is, or less than nothing. */
		ring_store(ring, CQ(ring, head), head + 2 * ENTRIES - cq_lies[i]);
		EXPECT_EQ(-EOVERFLOW, ring_enter(ring, 1, 0));
		ring_store(ring, CQ(ring, head), head);
		EXPECT_EQ(1, ring_enter(ring, 1, 0));
		for (unsigned int n = 0; n < 2 * ENTRIES; n++) {
			ASSERT_TRUE(ring_pop(ring, &cqe));
			EXPECT_EQ(n % ENTRIES, cqe.user_data) {
				TH_LOG("head = tail - %u", cq_lies[i]);
			}
		}
		EXPECT_EQ(0, ring_enter(ring, 0, 1));
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(77, cqe.user_data);
		EXPECT_EQ(0, ring_ready(ring));
	}
}

/* Moved back within the queue, the head merely makes it look fuller: nothing is overwritten. */
TEST_F(indices, cq_head_moved_back_within_range)
{
	static const __u32 order[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct ring *ring = &self->ring;
	struct io_ring_cqe cqe;

	offer(ring, order, ENTRIES);
	ASSERT_EQ(ENTRIES, ring_enter(ring, ENTRIES, ENTRIES));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	ring_store(ring, CQ(ring, head), 0);
	offer(ring, order, ENTRIES);
	EXPECT_EQ(ENTRIES, ring_enter(ring, ENTRIES, 2 * ENTRIES));
	EXPECT_EQ(2 * ENTRIES, ring_ready(ring));
	for (unsigned int i = 0; i < 2 * ENTRIES; i++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(i % ENTRIES, cqe.user_data);
	}
}

TEST_HARNESS_MAIN
