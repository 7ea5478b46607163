// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_TIMEOUT that recurs, and IO_RING_OP_TIMEOUT_REMOVE. */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define ENTRIES 8
#define THE_ONE 7
#define OTHER 8
#define SPAN (20 * MS)
#define FAR { .sec = 3600 }
#define ROUNDS 1000

static const struct io_ring_timespec far = FAR;
static const struct io_ring_timespec soon = { .nsec = SPAN };

FIXTURE(timeout)
{
	struct ring ring;
};

FIXTURE_SETUP(timeout)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(timeout)
{
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "timers"));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void expect_cqe(struct __test_metadata *_metadata, const struct ring *ring,
		       __u64 user_data, __s32 res, __u32 more)
{
	struct io_ring_cqe cqe = { };

	EXPECT_TRUE(await_completions(ring, 1, SOON));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(more, cqe.flags & IO_RING_CQE_F_MORE);
}

static void expect_last(struct __test_metadata *_metadata, const struct ring *ring,
			__u64 user_data, __s32 res)
{
	expect_cqe(_metadata, ring, user_data, res, 0);
}

static void expect_more(struct __test_metadata *_metadata, const struct ring *ring)
{
	expect_cqe(_metadata, ring, THE_ONE, -ETIME, IO_RING_CQE_F_MORE);
}

static void expect_none(struct __test_metadata *_metadata, const struct ring *ring)
{
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(ring));
}

static const __u32 multi = IO_RING_TIMEOUT_MULTISHOT;

TEST_F(timeout, recurs_so_often)
{
	__u64 begin;

	for (unsigned int count = 1; count < ENTRIES; count++) {
		begin = clock_now(CLOCK_MONOTONIC);
		submit(_metadata, &self->ring, sqe_timeout(&soon, count, multi), THE_ONE);
		for (unsigned int i = 1; i < count; i++) {
			expect_more(_metadata, &self->ring);
			EXPECT_LE(i * SPAN, clock_since(begin));
		}
		expect_last(_metadata, &self->ring, THE_ONE, -ETIME);
		EXPECT_LE(count * SPAN, clock_since(begin));
	}
	expect_none(_metadata, &self->ring);
}

TEST_F(timeout, recurs_by_each_clock)
{
	static const __u32 clocks[] = { 0, IO_RING_TIMEOUT_BOOTTIME, IO_RING_TIMEOUT_REALTIME };

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		submit(_metadata, &self->ring, sqe_timeout(&soon, 3, multi | clocks[i]), THE_ONE);
		expect_more(_metadata, &self->ring);
		expect_more(_metadata, &self->ring);
		expect_last(_metadata, &self->ring, THE_ONE, -ETIME);
	}
}

TEST_F(timeout, recurs_until_it_is_removed)
{
	const struct io_ring_sqe remove = {
		.opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE,
	};
	bool is_answered = false, has_ended = false;
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring, sqe_timeout(&soon, 0, multi), THE_ONE);
	for (unsigned int i = 0; i < 3 * ENTRIES; i++)
		expect_more(_metadata, &self->ring);
	submit(_metadata, &self->ring, remove, OTHER);
	while (!is_answered || !has_ended) {
		ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		if (cqe.user_data == OTHER) {
			/* A thread may be about to let it wait again. */
			EXPECT_TRUE(cqe.res == 0 || cqe.res == -EALREADY);
			is_answered = true;
			continue;
		}
		has_ended = !(cqe.flags & IO_RING_CQE_F_MORE);
		EXPECT_EQ(has_ended ? -ECANCELED : -ETIME, cqe.res);
	}
	expect_none(_metadata, &self->ring);
}

/* It ends with what finds no room; that is kept, in order, and told later. */
TEST_F(timeout, recurs_until_there_is_no_room)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct io_ring_cqe cqe;
	struct ring ring;

	wanted.cq_entries = ENTRIES;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit(_metadata, &ring, sqe_timeout(&soon, 0, multi), THE_ONE);
	for (long end = now_ms() + patience(SOON); fdinfo_value(ring.fd, "overflow") != 1;) {
		ASSERT_LT(now_ms(), end);
		sleep_ms(1);
	}
	EXPECT_EQ(ENTRIES, ring_ready(&ring));
	for (unsigned int i = 0; i < ENTRIES; i++)
		expect_more(_metadata, &ring);
	ASSERT_EQ(0, ring_enter(&ring, 0, 1));
	expect_last(_metadata, &ring, THE_ONE, -ETIME);
	sleep_ms(A_WHILE);
	EXPECT_FALSE(ring_pop(&ring, &cqe));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

static struct io_ring_sqe sqe_change(const struct io_ring_timespec *time, __u32 flags)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_TIMEOUT_REMOVE,
		.addr = THE_ONE,
		.off = (uintptr_t)time,
		.op_flags = flags | IO_RING_TIMEOUT_UPDATE,
	};
}

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    const struct io_ring_sqe *sqe, __s32 res, size_t field)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, sqe, &cqe));
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("off %llu, flags %#x", sqe->off, sqe->op_flags);
	}
}

TEST_F(timeout, invalid_changes)
{
	static const struct io_ring_timespec wrong[] = {
		{ .nsec = SECOND }, { .nsec = ~0ULL }, { .sec = 1ULL << 63 }, { .sec = ~0ULL },
	};
	const __u32 known = IO_RING_TIMEOUT_ABS | IO_RING_TIMEOUT_UPDATE;
	const size_t op_flags = offsetof(struct io_ring_sqe, op_flags);
	const size_t off = offsetof(struct io_ring_sqe, off);
	const struct ring *ring = &self->ring;
	struct io_ring_sqe sqe;

	submit(_metadata, ring, sqe_timeout(&far, 0, 0), THE_ONE);
	for (unsigned int bit = 0; bit < 32; bit++) {
		sqe = sqe_change(&soon, 1U << bit);
		if (!(known & 1U << bit))
			expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	}
	sqe = sqe_change(NULL, 0);
	sqe.op_flags = IO_RING_TIMEOUT_ABS;
	expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	sqe.op_flags = 0;
	sqe.off = 1;
	expect_rejected(_metadata, ring, &sqe, -EINVAL, off);
	sqe = sqe_change(NULL, 0);
	expect_rejected(_metadata, ring, &sqe, -EFAULT, off);
	sqe.off = 1ULL << 63;
	expect_rejected(_metadata, ring, &sqe, -EFAULT, off);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		sqe = sqe_change(&wrong[i], 0);
		expect_rejected(_metadata, ring, &sqe, -EINVAL, off);
	}
	/* It is as it was. */
	expect_none(_metadata, ring);
	submit(_metadata, ring, sqe_cancel(0, THE_ONE, 0, 0), OTHER);
	expect_last(_metadata, ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, ring, OTHER, 0);
}

TEST_F(timeout, gets_an_earlier_time)
{
	const __u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_timespec time = { };
	__u64 end = begin + 2 * SPAN;

	submit(_metadata, &self->ring, sqe_timeout(&far, 0, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(&soon, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	expect_last(_metadata, &self->ring, THE_ONE, -ETIME);
	EXPECT_LE(SPAN, clock_since(begin));
	time = (struct io_ring_timespec) { .sec = end / SECOND, .nsec = end % SECOND };
	submit(_metadata, &self->ring, sqe_timeout(&far, 0, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(&time, IO_RING_TIMEOUT_ABS), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	expect_last(_metadata, &self->ring, THE_ONE, -ETIME);
	EXPECT_LE(2 * SPAN, clock_since(begin));
	submit(_metadata, &self->ring, sqe_change(&soon, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
}

TEST_F(timeout, gets_a_later_time)
{
	const struct io_ring_timespec later = { .sec = 5 };

	submit(_metadata, &self->ring, sqe_timeout(&later, 0, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(&far, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	sleep_ms(5 * 1000 + A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
}

TEST_F(timeout, counts_no_more)
{
	submit(_metadata, &self->ring, sqe_timeout(&far, 1, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(&far, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	submit(_metadata, &self->ring, sqe_nop(0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	expect_none(_metadata, &self->ring);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
}

TEST_F(timeout, goes_on_recurring)
{
	const struct io_ring_timespec zero = { };

	submit(_metadata, &self->ring, sqe_timeout(&far, 3, multi), THE_ONE);
	/* What it cannot have. */
	submit(_metadata, &self->ring, sqe_change(&zero, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -EINVAL);
	submit(_metadata, &self->ring, sqe_change(&soon, IO_RING_TIMEOUT_ABS), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -EINVAL);
	submit(_metadata, &self->ring, sqe_change(&soon, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	expect_more(_metadata, &self->ring);
	expect_more(_metadata, &self->ring);
	expect_last(_metadata, &self->ring, THE_ONE, -ETIME);
}

/* Others by the same name are neither removed nor changed. */
TEST_F(timeout, others_are_left_alone)
{
	struct io_ring_sqe remove = { .opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE };
	int fd = eventfd(0, EFD_CLOEXEC);

	ASSERT_LE(0, fd);
	submit(_metadata, &self->ring, sqe_poll(fd, 1, 0), THE_ONE);
	submit(_metadata, &self->ring, remove, OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	submit(_metadata, &self->ring, sqe_change(&soon, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	expect_none(_metadata, &self->ring);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	close(fd);
}

/* Removed or changed while its time comes, each request has one last completion. */
static void race(struct __test_metadata *_metadata, const struct ring *ring,
		 struct io_ring_sqe other, unsigned int *won)
{
	for (long i = ROUNDS / patience(1); i > 0; i--) {
		const struct io_ring_timespec time = { .nsec = 1000 * (i % 200) };
		bool is_found = false, is_over = false;

		submit(_metadata, ring, sqe_timeout(&time, 0, 0), THE_ONE);
		submit(_metadata, ring, other, OTHER);
		for (unsigned int n = 0; n < 2; n++) {
			struct io_ring_cqe cqe;

			ASSERT_TRUE(await_completions(ring, 1, SOON));
			ASSERT_TRUE(ring_pop(ring, &cqe));
			if (cqe.user_data == OTHER) {
				is_found = cqe.res == 0;
				ASSERT_TRUE(is_found || cqe.res == -ENOENT);
				continue;
			}
			ASSERT_FALSE(is_over);
			is_over = true;
			*won += cqe.res == -ECANCELED;
			ASSERT_TRUE(cqe.res == -ETIME || cqe.res == -ECANCELED);
		}
		ASSERT_TRUE(is_over);
		ASSERT_EQ(0, ring_ready(ring));
	}
}

TEST_F(timeout, is_removed_when_its_time_comes)
{
	struct io_ring_sqe remove = { .opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE };
	unsigned int won = 0;

	race(_metadata, &self->ring, remove, &won);
	TH_LOG("%u of %ld were removed", won, ROUNDS / patience(1));
}

TEST_F(timeout, is_changed_when_its_time_comes)
{
	static const struct io_ring_timespec little = { .nsec = 50000 };
	unsigned int won = 0;

	race(_metadata, &self->ring, sqe_change(&little, 0), &won);
	EXPECT_EQ(0, won);
}

TEST_HARNESS_MAIN
