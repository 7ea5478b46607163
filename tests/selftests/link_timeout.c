// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_LINK_TIMEOUT: members of chains whose time is limited. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "await.h"
#include "chain.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "limited.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"
#include "stuck.h"

#define DRAIN IO_RING_SQE_DRAIN
#define QUIET IO_RING_SQE_CQE_SKIP_SUCCESS

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    struct io_ring_sqe sqe, int res, size_t field)
{
	struct io_ring_cqe cqe;

	chain_push(ring, sqe_nop(0), LINK);
	chain_push(ring, sqe, LINK);
	chain_push(ring, sqe_nop(2), 0);
	ASSERT_EQ(3, ring_enter(ring, 3, 3));
	EXPECT_EQ(-ECANCELED, chain_result(ring, 0));
	EXPECT_EQ(-ECANCELED, chain_result(ring, 2));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(1, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("flags %#x, op_flags %#x", sqe.flags, sqe.op_flags);
	}
	chain_drop(ring);
}

#define EXPECT_REJECTED(sqe, res, field) \
	expect_rejected(_metadata, &self->ring, sqe, res, offsetof(struct io_ring_sqe, field))

TEST_F(limit, has_values_that_are_refused)
{
	const __u32 known = IO_RING_TIMEOUT_ABS | IO_RING_TIMEOUT_BOOTTIME |
			    IO_RING_TIMEOUT_REALTIME | IO_RING_TIMEOUT_ETIME_SUCCESS;
	const struct io_ring_timespec bad[] = {
		{ .nsec = 1000000000 }, { .nsec = ~0ULL }, { .sec = 1ULL << 63 }, { .sec = ~0ULL },
	};
	const struct io_ring_sqe right = chain_limit(&never, 1);
	struct io_ring_sqe sqe;

	for (unsigned int bit = 0; bit < 32; bit++) {
		sqe = right;
		sqe.op_flags = 1U << bit;
		if (!(known & sqe.op_flags))
			EXPECT_REJECTED(sqe, -EINVAL, op_flags);
	}
	sqe = right;
	sqe.op_flags = IO_RING_TIMEOUT_BOOTTIME | IO_RING_TIMEOUT_REALTIME;
	EXPECT_REJECTED(sqe, -EINVAL, op_flags);
	sqe = right;
	sqe.len = 0;
	EXPECT_REJECTED(sqe, -EINVAL, len);
	sqe.len = 2;
	EXPECT_REJECTED(sqe, -EINVAL, len);
	sqe = right;
	sqe.off = 1;
	EXPECT_REJECTED(sqe, -EINVAL, off);
	sqe = right;
	sqe.fd = 1;
	EXPECT_REJECTED(sqe, -EINVAL, fd);
	sqe = right;
	sqe.flags = IO_RING_SQE_FIXED_FILE;
	EXPECT_REJECTED(sqe, -EINVAL, flags);
	sqe = right;
	sqe.addr = 0;
	EXPECT_REJECTED(sqe, -EFAULT, addr);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_REJECTED(chain_limit(&bad[i], 1), -EINVAL, addr);
}

static void expect_misplaced(struct __test_metadata *_metadata, const struct ring *ring,
			     __u64 user_data)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_EQ(offsetof(struct io_ring_sqe, opcode), cqe_rejected_field(&cqe));
}

TEST_F(limit, has_to_have_an_entry_before_it)
{
	const struct io_ring_sqe limit = chain_limit(&soon, 1);

	/* None at all, none in its chain, none in the same call. */
	chain_push(&self->ring, limit, 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	expect_misplaced(_metadata, &self->ring, 1);
	chain_push(&self->ring, limit, LINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	expect_misplaced(_metadata, &self->ring, 1);
	EXPECT_CQE_RES(2, -ECANCELED);
	for (unsigned int i = 0; i < 2; i++) {
		chain_push(&self->ring, sqe_nop(0), i ? LINK : DRAIN | FORCED);
		if (i)
			ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
		chain_push(&self->ring, limit, 0);
		ASSERT_EQ(2 - i, ring_enter(&self->ring, 2 - i, 2));
		EXPECT_EQ(0, chain_result(&self->ring, 0));
		EXPECT_EQ(-EINVAL, chain_result(&self->ring, 1));
		chain_drop(&self->ring);
	}
	/* Not one of its own kind either. */
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, limit, LINK);
	chain_push(&self->ring, chain_limit(&soon, 2), 0);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 3));
	EXPECT_CQE_RES(0, -ECANCELED);
	EXPECT_CQE_RES(1, -ECANCELED);
	expect_misplaced(_metadata, &self->ring, 2);
	/* What is bad itself can have one. */
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, -1, NULL, 1, 0), 0), LINK);
	chain_push(&self->ring, limit, 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	EXPECT_CQE_RES(0, -EBADF);
	EXPECT_CQE_RES(1, -ECANCELED);
}

TEST_F(limit, stops_a_ring_that_stops_on_reject)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_STOP_ON_REJECT));
	chain_push(&ring, chain_limit(&soon, 0), 0);
	chain_push(&ring, sqe_nop(1), 0);
	ASSERT_EQ(1, ring_enter(&ring, 2, 0));
	expect_misplaced(_metadata, &ring, 0);
	EXPECT_EQ(0, ring_ready(&ring));
	ring_close(&ring);
}

/* Where it is submitted, by readiness, by a worker, by a device. */
TEST_F(limit, ends_with_its_member)
{
	unsigned char *buffer = guarded_pages(1);
	int disk = slow_disk_open(20 * MS);
	int file = temp_file(EXT4_DIR);

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	ASSERT_LE(0, file);
	push_limited(&self->ring, sqe_nop(0), &soon);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_CQE(0, 0, CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_CQE(1, -ECANCELED, CQE_VIA(IO_RING_PATH_INLINE));

	push_limited(&self->ring, self->waits, &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "timers"));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	await_all(_metadata, &self->ring, 2);
	EXPECT_CQE_RES(0, 1);
	EXPECT_CQE_RES(1, -ECANCELED);

	push_limited(&self->ring, sqe_fsync(file, 0, 0, 0), &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	await_all(_metadata, &self->ring, 2);
	EXPECT_CQE_RES(0, 0);
	EXPECT_CQE_RES(1, -ECANCELED);

	push_limited(&self->ring, sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0),
		     &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	await_all(_metadata, &self->ring, 2);
	EXPECT_CQE_RES(0, SLOW_DISK_BLOCK);
	EXPECT_CQE_RES(1, -ECANCELED);

	/* Its failure, too. */
	push_limited(&self->ring, sqe_fsync(self->pipe[0], 0, 0, 0), &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	await_all(_metadata, &self->ring, 2);
	EXPECT_CQE_RES(0, -EINVAL);
	EXPECT_CQE_RES(1, -ECANCELED);
	close(file);
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

/* Wherever the member waits. */
TEST_F(limit, ends_its_member)
{
	const struct io_ring_sqe sqes[] = {
		self->waits, sqe_poll(self->pipe[0], POLLIN, 0),
		sqe_poll(self->pipe[0], POLLIN, IO_RING_POLL_ADD_MULTI),
		sqe_timeout(&never, 0, 0), sqe_timeout(&never, 100, 0),
		sqe_timeout(&never, 0, IO_RING_TIMEOUT_MULTISHOT),
	};
	const __u64 span = soon.nsec;

	for (unsigned int i = 0; i < 2 * sizeof(sqes) / sizeof(*sqes); i++) {
		struct io_ring_sqe sqe = sqes[i / 2];
		__u64 begin = clock_now(CLOCK_MONOTONIC);

		sqe.flags |= i % 2 ? FORCED : 0;
		push_limited(&self->ring, sqe, &soon);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		await_all(_metadata, &self->ring, 2);
		EXPECT_LE(span, clock_since(begin));
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
		EXPECT_EQ(-ETIME, chain_result(&self->ring, 1));
		chain_drop(&self->ring);
	}
}

/* What cannot be stopped ends when it ends. */
TEST_F(limit, does_not_wait_for_what_it_cannot_end)
{
	struct stuck stuck;

	ASSERT_EQ(0, stuck_open(&stuck));
	push_limited(&self->ring, stuck_read(&stuck, 0), &soon);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_TRUE(await_completions(&self->ring, 1, 10 * SOON));
	EXPECT_CQE_RES(1, -ETIME);
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_flight"));
	stuck_let_go(&stuck);
	await_all(_metadata, &self->ring, 1);
	EXPECT_EQ(1, chain_count(&self->ring, 0));
	stuck_close(&stuck);
}

TEST_F(limit, does_not_wait_for_a_device)
{
	unsigned char *buffer = guarded_pages(1);
	int disk = slow_disk_open(4 * SECOND);

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	push_limited(&self->ring, sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0), &soon);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	await_all(_metadata, &self->ring, 2);
	EXPECT_EQ(-ETIME, chain_result(&self->ring, 1));
	EXPECT_EQ(SLOW_DISK_BLOCK, chain_result(&self->ring, 0));
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

/* The chain goes by what becomes of the member. */
TEST_F(limit, is_passed_over_by_its_chain)
{
	for (unsigned int way = 0; way < 4; way++) {
		const bool is_late = way % 2;
		const bool goes_on = !is_late || way / 2;

		chain_push(&self->ring, chain_tagged(self->waits, 0), way / 2 ? HARDLINK : LINK);
		chain_push(&self->ring, chain_limit(is_late ? &soon : &never, 1), LINK);
		chain_push(&self->ring, chain_tagged(self->elsewhere, 2), LINK);
		chain_push(&self->ring, chain_limit(&never, 3), LINK);
		chain_push(&self->ring, sqe_nop(4), 0);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
		if (!is_late)
			ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		if (goes_on)
			ASSERT_EQ(1, write(self->other[1], "a", 1));
		await_all(_metadata, &self->ring, 5);
		EXPECT_EQ(is_late ? -ECANCELED : 1, chain_result(&self->ring, 0));
		EXPECT_EQ(is_late ? -ETIME : -ECANCELED, chain_result(&self->ring, 1));
		EXPECT_EQ(goes_on ? 1 : -ECANCELED, chain_result(&self->ring, 2));
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 3));
		EXPECT_EQ(goes_on ? 0 : -ECANCELED, chain_result(&self->ring, 4));
		chain_drop(&self->ring);
	}
}

/* Not while the member waits for its turn: in its chain, or for all before it. */
TEST_F(limit, begins_with_its_member)
{
	for (unsigned int i = 0; i < 2; i++) {
		chain_push(&self->ring, chain_tagged(self->waits, 0), i ? 0 : LINK);
		chain_push(&self->ring, chain_tagged(self->elsewhere, 1), i ? LINK | DRAIN : LINK);
		chain_push(&self->ring, chain_limit(&soon, 2), 0);
		ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
		sleep_ms(A_WHILE);
		EXPECT_EQ(0, ring_ready(&self->ring));
		EXPECT_EQ(2, fdinfo_value(self->ring.fd, "in_line"));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "timers"));
		ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		await_all(_metadata, &self->ring, 3);
		EXPECT_CQE_RES(0, 1);
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 1));
		EXPECT_EQ(-ETIME, chain_result(&self->ring, 2));
		chain_drop(&self->ring);
	}
}

/* One with DRAIN waits for both of them. */
TEST_F(limit, is_drained)
{
	push_limited(&self->ring, self->waits, &soon);
	chain_push(&self->ring, sqe_nop(2), DRAIN);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	await_all(_metadata, &self->ring, 3);
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
	EXPECT_EQ(-ETIME, chain_result(&self->ring, 1));
	EXPECT_EQ(2, ring_cqe(&self->ring, ring_load(&self->ring, self->ring.setup.cq_off.head) + 2)
			     ->user_data);
}

TEST_F(limit, may_be_a_point_in_time)
{
	static const struct {
		clockid_t clock;
		__u32 flags;
	} clocks[] = {
		{ CLOCK_MONOTONIC, 0 },
		{ CLOCK_BOOTTIME, IO_RING_TIMEOUT_BOOTTIME },
		{ CLOCK_REALTIME, IO_RING_TIMEOUT_REALTIME },
	};

	for (unsigned int i = 0; i < 6; i++) {
		const __u64 time = clock_now(clocks[i / 2].clock) + (i % 2 ? soon.nsec : -MS);
		const struct io_ring_timespec at = { .sec = time / SECOND, .nsec = time % SECOND };
		struct io_ring_sqe limit = chain_limit(&at, 1);

		limit.op_flags = IO_RING_TIMEOUT_ABS | clocks[i / 2].flags;
		chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
		chain_push(&self->ring, limit, 0);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		await_all(_metadata, &self->ring, 2);
		EXPECT_LE(time, clock_now(clocks[i / 2].clock));
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
		EXPECT_EQ(-ETIME, chain_result(&self->ring, 1));
		chain_drop(&self->ring);
	}
}

TEST_F(limit, may_be_silent)
{
	struct io_ring_sqe limit = chain_limit(&never, 1);

	/* Not needed: where it is submitted, and after a while. */
	chain_push(&self->ring, sqe_nop(0), LINK | QUIET);
	chain_push(&self->ring, limit, QUIET);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "skipped"));
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, limit, QUIET);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	await_all(_metadata, &self->ring, 1);
	EXPECT_CQE_RES(0, 1);
	EXPECT_EQ(3, fdinfo_value(self->ring.fd, "skipped"));
	/* Its time comes, which is a failure or not. */
	for (unsigned int i = 0; i < 2; i++) {
		limit = chain_limit(&soon, 1);
		limit.op_flags = i ? IO_RING_TIMEOUT_ETIME_SUCCESS : 0;
		chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
		chain_push(&self->ring, limit, QUIET);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		for (long end = now_ms() + patience(10 * SOON);
		     fdinfo_value(self->ring.fd, "in_flight") && now_ms() < end;)
			sleep_ms(1);
		await_all(_metadata, &self->ring, 2 - i);
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
		EXPECT_EQ(1 - i, chain_count(&self->ring, 1));
		EXPECT_EQ(3 + i, fdinfo_value(self->ring.fd, "skipped"));
		chain_drop(&self->ring);
	}
}

TEST_HARNESS_MAIN
