// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_TIMEOUT: times by each clock, counted completions, and what ends it early. */
#include <errno.h>
#include <sys/mman.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "timed.h"

#define SPAN (30 * MS)
#define MANY 300

static struct io_ring_timespec timespec_of(__u64 ns)
{
	return (struct io_ring_timespec){ .sec = ns / SECOND, .nsec = ns % SECOND };
}

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

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    const struct io_ring_sqe *sqe, __s32 res, size_t field)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, sqe, &cqe));
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("len %u, off %llu, flags %#x", sqe->len, sqe->off, sqe->op_flags);
	}
}

TEST_F(timeout, invalid_entries)
{
	const __u32 known = IO_RING_TIMEOUT_ABS | IO_RING_TIMEOUT_BOOTTIME |
			    IO_RING_TIMEOUT_REALTIME | IO_RING_TIMEOUT_ETIME_SUCCESS |
			    IO_RING_TIMEOUT_MULTISHOT;
	const size_t op_flags = offsetof(struct io_ring_sqe, op_flags);
	const struct ring *ring = &self->ring;
	struct io_ring_sqe sqe;

	for (unsigned int bit = 0; bit < 32; bit++) {
		sqe = sqe_timeout(&far, 0, 1U << bit);
		if (!(known & sqe.op_flags))
			expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	}
	sqe = sqe_timeout(&far, 0, IO_RING_TIMEOUT_BOOTTIME | IO_RING_TIMEOUT_REALTIME);
	expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	sqe = sqe_timeout(&far, 0, IO_RING_TIMEOUT_MULTISHOT | IO_RING_TIMEOUT_ABS);
	expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	for (__u64 len = 0; len < 1ULL << 32; len = len ? len * 2 : 2) {
		sqe = sqe_timeout(&far, 0, 0);
		sqe.len = len;
		expect_rejected(_metadata, ring, &sqe, -EINVAL, offsetof(struct io_ring_sqe, len));
	}
	sqe = sqe_timeout(&far, 0, 0);
	sqe.off = 1ULL << 32;
	expect_rejected(_metadata, ring, &sqe, -EINVAL, offsetof(struct io_ring_sqe, off));
}

TEST_F(timeout, invalid_times)
{
	static const struct io_ring_timespec wrong[] = {
		{ .nsec = SECOND }, { .nsec = ~0ULL }, { .nsec = 1ULL << 63 },
		{ .sec = 1ULL << 63 }, { .sec = ~0ULL }, { .sec = ~0ULL, .nsec = ~0ULL },
	};
	const size_t addr = offsetof(struct io_ring_sqe, addr);
	const struct io_ring_timespec zero = { };
	struct io_ring_sqe sqe;
	char *pages;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		sqe = sqe_timeout(&wrong[i], 0, 0);
		expect_rejected(_metadata, &self->ring, &sqe, -EINVAL, addr);
		sqe = sqe_timeout(&wrong[i], 0, IO_RING_TIMEOUT_ABS);
		expect_rejected(_metadata, &self->ring, &sqe, -EINVAL, addr);
	}
	sqe = sqe_timeout(&zero, 0, IO_RING_TIMEOUT_MULTISHOT);
	expect_rejected(_metadata, &self->ring, &sqe, -EINVAL, addr);
	sqe = sqe_timeout(NULL, 0, 0);
	expect_rejected(_metadata, &self->ring, &sqe, -EFAULT, addr);
	sqe.addr = 1ULL << 63;
	expect_rejected(_metadata, &self->ring, &sqe, -EFAULT, addr);
	/* The second half is not there. */
	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + 4096, 4096));
	sqe.addr = (uintptr_t)pages + 4096 - 8;
	expect_rejected(_metadata, &self->ring, &sqe, -EFAULT, addr);
	munmap(pages, 4096);
}

/* By each clock, after a span and at a time. */
static const struct {
	clockid_t id;
	__u32 flag;
} clocks[] = {
	{ CLOCK_MONOTONIC, 0 },
	{ CLOCK_BOOTTIME, IO_RING_TIMEOUT_BOOTTIME },
	{ CLOCK_REALTIME, IO_RING_TIMEOUT_REALTIME },
};

TEST_F(timeout, comes_when_its_time_has_come)
{
	for (size_t i = 0; i < ARRAY_SIZE(clocks) * 2; i++) {
		const __u64 begin = clock_now(clocks[i / 2].id);
		const bool absolute = i % 2;
		const struct io_ring_timespec time = timespec_of(absolute ? begin + SPAN : SPAN);
		struct io_ring_cqe cqe;
		__u64 end;

		submit(_metadata, &self->ring,
		       sqe_timeout(&time, 0, clocks[i / 2].flag |
				   (absolute ? IO_RING_TIMEOUT_ABS : 0)), THE_ONE);
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
		end = clock_now(clocks[i / 2].id);
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(THE_ONE, cqe.user_data);
		EXPECT_EQ(-ETIME, cqe.res);
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_POLLED), cqe.flags);
		EXPECT_LE(SPAN, end - begin);
		EXPECT_GT(LATE, end - begin);
		/* It needs no thread. */
		EXPECT_EQ(0, worker_count(getpid()));
	}
}

TEST_F(timeout, comes_at_once_if_it_is_over)
{
	const struct io_ring_timespec past = { .nsec = 1 }, zero = { };

	submit(_metadata, &self->ring, sqe_timeout(&zero, 0, 0), THE_ONE);
	expect_cqe(_metadata, &self->ring, THE_ONE, -ETIME);
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		submit(_metadata, &self->ring,
		       sqe_timeout(&past, 0, clocks[i].flag | IO_RING_TIMEOUT_ABS), THE_ONE);
		expect_cqe(_metadata, &self->ring, THE_ONE, -ETIME);
	}
	submit(_metadata, &self->ring, sqe_timeout(&zero, 0, IO_RING_TIMEOUT_ETIME_SUCCESS),
	       THE_ONE);
	expect_cqe(_metadata, &self->ring, THE_ONE, -ETIME);
}

TEST_F(timeout, never_comes_if_it_is_too_far)
{
	static const struct io_ring_timespec times[] = {
		{ .sec = INT64_MAX, .nsec = 999999999 }, { .sec = INT64_MAX / SECOND + 1 },
	};
	__u32 left;

	for (size_t i = 0; i < ARRAY_SIZE(times) * 2; i++)
		submit(_metadata, &self->ring,
		       sqe_timeout(&times[i / 2], 0, i % 2 ? IO_RING_TIMEOUT_ABS : 0), THE_ONE);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(4, fdinfo_value(self->ring.fd, "timers"));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	for (unsigned int i = 0; i < 4; i++)
		expect_cqe(_metadata, &self->ring, THE_ONE, -ECANCELED);
}

TEST_F(timeout, is_copied)
{
	struct io_ring_timespec time = timespec_of(SPAN);

	submit(_metadata, &self->ring, sqe_timeout(&time, 0, 0), THE_ONE);
	time = far;
	expect_cqe(_metadata, &self->ring, THE_ONE, -ETIME);
}

TEST_F(timeout, in_order_of_time)
{
	struct io_ring_timespec times[ENTRIES];

	for (unsigned int i = 0; i < ENTRIES; i++) {
		times[i] = timespec_of(clock_now(CLOCK_MONOTONIC) + SPAN + (ENTRIES - i) * 5 * MS);
		push(&self->ring, sqe_timeout(&times[i], 0, IO_RING_TIMEOUT_ABS), i);
	}
	ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, ENTRIES));
	for (unsigned int i = ENTRIES; i > 0; i--)
		expect_cqe(_metadata, &self->ring, i - 1, -ETIME);
}

static void nops(struct __test_metadata *_metadata, const struct ring *ring, unsigned int count)
{
	struct io_ring_cqe cqe;

	ring_push_nops(ring, count, 1000);
	ASSERT_EQ(count, ring_enter(ring, count, 0));
	for (unsigned int i = 0; i < count; i++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		ASSERT_LE(1000, cqe.user_data);
	}
}

TEST_F(timeout, counts_completions)
{
	for (unsigned int count = 1; count < ENTRIES; count++) {
		submit(_metadata, &self->ring, sqe_timeout(&far, count, 0), THE_ONE);
		for (unsigned int i = 0; i < count; i++) {
			ASSERT_EQ(0, ring_ready(&self->ring));
			nops(_metadata, &self->ring, 1);
		}
		expect_cqe(_metadata, &self->ring, THE_ONE, 0);
	}
}

/* Those are in no queue. */
TEST_F(timeout, counts_nothing_that_is_silent)
{
	struct io_ring_sqe silent = sqe_nop(OTHER);

	silent.flags = IO_RING_SQE_CQE_SKIP_SUCCESS;
	submit(_metadata, &self->ring, sqe_timeout(&far, 1, 0), THE_ONE);
	for (unsigned int i = 0; i < 4; i++)
		submit(_metadata, &self->ring, silent, OTHER);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	nops(_metadata, &self->ring, 1);
	expect_cqe(_metadata, &self->ring, THE_ONE, 0);
}

TEST_F(timeout, counts_no_less)
{
	const struct io_ring_timespec soon = timespec_of(SPAN);

	submit(_metadata, &self->ring, sqe_timeout(&soon, 3, 0), THE_ONE);
	nops(_metadata, &self->ring, 2);
	expect_cqe(_metadata, &self->ring, THE_ONE, -ETIME);
	submit(_metadata, &self->ring, sqe_timeout(&far, ~0U, 0), THE_ONE);
	nops(_metadata, &self->ring, ENTRIES);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	submit(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), OTHER);
	expect_cqe(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
}

/* Not what was submitted before it, in the same batch or not, and read later; nor timeouts. */
TEST_F(timeout, counts_what_comes_after_it)
{
	const struct io_ring_timespec soon = timespec_of(SPAN);
	struct io_ring_cqe cqe;
	__u64 user_data = 0;

	ring_push_nops(&self->ring, 2, 100);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ring_push_nops(&self->ring, 2, 102);
	push(&self->ring, sqe_timeout(&far, 2, 0), THE_ONE);
	push(&self->ring, sqe_timeout(&soon, 0, 0), OTHER);
	push(&self->ring, sqe_timeout(&soon, 0, 0), OTHER);
	push(&self->ring, sqe_timeout(&far, 2, 0), OTHER + 1);
	ASSERT_EQ(6, ring_enter(&self->ring, 6, 6));
	for (unsigned int i = 0; i < 4; i++)
		expect_cqe(_metadata, &self->ring, 100 + i, 0);
	expect_cqe(_metadata, &self->ring, OTHER, -ETIME);
	expect_cqe(_metadata, &self->ring, OTHER, -ETIME);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	/* In the same batch after it, they count. */
	push(&self->ring, sqe_timeout(&far, 1, 0), OTHER + 2);
	ring_push_nops(&self->ring, 1, 200);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	expect_cqe(_metadata, &self->ring, 200, 0);
	expect_cqe(_metadata, &self->ring, OTHER + 2, 0);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	nops(_metadata, &self->ring, 1);
	ASSERT_TRUE(await_completions(&self->ring, 2, SOON));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(0, cqe.res);
		user_data += cqe.user_data;
	}
	EXPECT_EQ(THE_ONE + OTHER + 1, user_data);
}

/* Completions that wait for room count as well, once. */
TEST_F(timeout, counts_what_is_parked)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct io_ring_cqe cqe;
	struct ring ring;

	wanted.cq_entries = ENTRIES;
	wanted.requests = 4 * ENTRIES;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit(_metadata, &ring, sqe_timeout(&far, ENTRIES + 2, 0), THE_ONE);
	submit(_metadata, &ring, sqe_timeout(&far, ENTRIES + 3, 0), OTHER);
	for (unsigned int i = 0; i < ENTRIES + 2; i++) {
		ring_push_nops(&ring, 1, 100);
		ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	}
	for (unsigned int i = 0; i < ENTRIES + 2; i++)
		expect_cqe(_metadata, &ring, 100, 0);
	expect_cqe(_metadata, &ring, THE_ONE, 0);
	sleep_ms(A_WHILE);
	EXPECT_FALSE(ring_pop(&ring, &cqe));
	ring_push_nops(&ring, 1, 100);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	expect_cqe(_metadata, &ring, 100, 0);
	expect_cqe(_metadata, &ring, OTHER, 0);
	ring_close(&ring);
}

TEST_F(timeout, counts_what_comes_late)
{
	char byte;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), OTHER);
	submit(_metadata, &self->ring, sqe_timeout(&far, 1, 0), THE_ONE);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	expect_cqe(_metadata, &self->ring, OTHER, 1);
	expect_cqe(_metadata, &self->ring, THE_ONE, 0);
	close(ends[0]);
	close(ends[1]);
}

TEST_F(timeout, many_count)
{
	struct io_ring_setup wanted = ring_wanted(2 * MANY, 0);
	struct io_ring_cqe cqe;
	struct ring ring;
	unsigned int seen = 0;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < MANY; i++)
		push(&ring, sqe_timeout(&far, 1 + (i * 7) % 40, 0), i);
	ASSERT_EQ(MANY, ring_enter(&ring, MANY, 0));
	for (unsigned int i = 0; i < 40; i++) {
		ring_push_nops(&ring, 1, MANY);
		ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	}
	while (seen < MANY + 40) {
		ASSERT_EQ(0, ring_enter(&ring, 0, 1));
		while (ring_pop(&ring, &cqe)) {
			EXPECT_EQ(0, cqe.res);
			seen++;
		}
	}
	EXPECT_EQ(0, fdinfo_value(ring.fd, "timers"));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
