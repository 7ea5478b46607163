// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SQE_CQE_SKIP_SUCCESS and IO_RING_SQE_FORCE_ASYNC. */
#include <errno.h>
#include <fcntl.h>

#include "await.h"
#include "chain.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"

#define ENTRIES 64
#define QUIET IO_RING_SQE_CQE_SKIP_SUCCESS
#define FORCED IO_RING_SQE_FORCE_ASYNC
#define LINK IO_RING_SQE_LINK

FIXTURE(flags)
{
	struct ring ring;
	int pipe[2];		/* nothing is in it */
	char byte;
	struct io_ring_sqe waits;	/* a READ of it */
};

FIXTURE_SETUP(flags)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	self->waits = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(flags)
{
	ring_close(&self->ring);
	close(self->pipe[0]);
	close(self->pipe[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Nothing has been said, and nothing is under way. */
static void expect_silence(struct __test_metadata *_metadata, const struct ring *ring,
			   unsigned int skipped)
{
	long end = now_ms() + patience(10 * SOON);

	while (fdinfo_value(ring->fd, "in_flight") && now_ms() < end)
		sleep_ms(1);
	EXPECT_EQ(0, ring_ready(ring));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "in_flight"));
	EXPECT_EQ(skipped, fdinfo_value(ring->fd, "skipped"));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "completed"));
}

TEST_F(flags, skip_what_is_done_at_once)
{
	for (unsigned int i = 0; i < ENTRIES; i++)
		chain_push(&self->ring, sqe_nop(i), QUIET);
	ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
	expect_silence(_metadata, &self->ring, ENTRIES);
	/* All slots have come back. */
	ring_push_nops(&self->ring, ENTRIES, 0);
	ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, ENTRIES));
}

TEST_F(flags, skip_what_waits)
{
	chain_push(&self->ring, self->waits, QUIET);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	sleep_ms(A_WHILE);
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_flight"));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	expect_silence(_metadata, &self->ring, 1);
	EXPECT_EQ('a', self->byte);
}

TEST_F(flags, skip_what_a_device_does)
{
	unsigned char *buffer = guarded_pages(1);
	int disk = slow_disk_open(3 * SECOND);

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	chain_push(&self->ring, sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0), QUIET);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_flight"));
	expect_silence(_metadata, &self->ring, 1);
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

TEST_F(flags, skip_what_a_worker_does)
{
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	chain_push(&self->ring, sqe_fsync(file, 0, 0, 0), QUIET);
	chain_push(&self->ring, sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0), QUIET);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	expect_silence(_metadata, &self->ring, 2);
	close(file);
}

/* Failures, short transfers, what is cancelled and what is rejected. */
TEST_F(flags, skip_no_failure)
{
	char buffer[8];
	struct io_ring_sqe bad = sqe_nop(4);

	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 1234, 0, 0), 1), QUIET);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(1, -ENOENT, 0);

	ASSERT_EQ(3, write(self->pipe[1], "abc", 3));
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, self->pipe[0], buffer,
						    sizeof(buffer), 0), 2), QUIET);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE_RES(2, 3);

	chain_push(&self->ring, chain_tagged(self->waits, 3), QUIET);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 3, 0, 0), 5), QUIET);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 1));
	EXPECT_CQE_RES(3, -ECANCELED);

	bad.off = 1;
	chain_push(&self->ring, bad, QUIET);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE_RES(4, -EINVAL);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "skipped"));
}

/* Who waits for a completion that does not come is told so. */
TEST_F(flags, skip_and_stall)
{
	struct io_ring_enter args = {
		.to_submit = 1,
		.min_complete = 1,
		.flags = IO_RING_ENTER_NO_STALL,
	};

	chain_push(&self->ring, sqe_nop(1), QUIET);
	ASSERT_EQ(1, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(-EDEADLK, args.wait_error);

	/* Not before it has ended. */
	args.wait_error = 0;
	chain_push(&self->ring, sqe_fsync(temp_file(EXT4_DIR), 0, 0, 0), QUIET);
	ASSERT_EQ(1, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(-EDEADLK, args.wait_error);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

TEST_F(flags, skip_in_a_chain)
{
	chain_push(&self->ring, chain_tagged(self->waits, 1), LINK | QUIET);
	chain_push(&self->ring, sqe_nop(2), LINK | QUIET);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 1234, 0, 0), 3), LINK | QUIET);
	chain_push(&self->ring, sqe_nop(4), LINK | QUIET);
	chain_push(&self->ring, sqe_nop(5), QUIET);
	ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	ASSERT_TRUE(await_completions(&self->ring, 3, 10 * SOON));
	/* What is cancelled says so, whatever the failing one would have said. */
	EXPECT_CQE_RES(3, -ENOENT);
	EXPECT_CQE_RES(4, -ECANCELED);
	EXPECT_CQE_RES(5, -ECANCELED);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "skipped"));
}

TEST_F(flags, skip_in_a_long_chain)
{
	struct io_ring_setup wanted = ring_wanted(4096, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 4096; i++)
		chain_push(&ring, sqe_nop(i), i < 4095 ? LINK | QUIET : 0);
	ASSERT_EQ(4096, ring_enter(&ring, 4096, 1));
	EXPECT_EQ(0, chain_result(&ring, 4095));
	EXPECT_EQ(1, ring_ready(&ring));
	EXPECT_EQ(4095, fdinfo_value(ring.fd, "skipped"));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

/* What has ended leaves its slot to one that waits, and counts nevertheless. */
TEST_F(flags, skip_with_the_last_slot)
{
	struct io_ring_setup wanted = ring_wanted(8, IO_RING_SETUP_CQSIZE);
	struct ring ring;

	wanted.cq_entries = 8;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_EQ(8, ring.setup.requests);
	for (unsigned int i = 0; i < 7; i++)
		chain_push(&ring, self->waits, 0);
	ASSERT_EQ(7, ring_enter(&ring, 7, 0));
	chain_push(&ring, sqe_nop(7), QUIET);
	chain_push(&ring, self->waits, 0);
	ASSERT_EQ(2, ring_enter(&ring, 2, 0));
	EXPECT_EQ(1, fdinfo_value(ring.fd, "skipped"));
	EXPECT_EQ(8, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

/* What ENTER would have done at once. */
TEST_F(flags, force_a_worker)
{
	char buffer[4] = "";
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	chain_push(&self->ring, sqe_nop(1), FORCED);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(1, 0, CQE_VIA(IO_RING_PATH_WORKER));
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, file, "abc", 3, 0), 2),
		   FORCED);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(2, 3, CQE_VIA(IO_RING_PATH_WORKER));
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, file, buffer, 3, 0), 3),
		   FORCED);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(3, 3, CQE_VIA(IO_RING_PATH_WORKER));
	EXPECT_STREQ("abc", buffer);
	close(file);
}

TEST_F(flags, force_a_worker_and_cancel)
{
	/* It does not find itself, wherever it is. */
	chain_push(&self->ring, chain_tagged(sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), 1), FORCED);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(1, 0, CQE_VIA(IO_RING_PATH_WORKER));
	chain_push(&self->ring, chain_tagged(self->waits, 2), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2, 0, 0), 3), FORCED);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	EXPECT_CQE_RES(2, -ECANCELED);
	EXPECT_CQE(3, 0, CQE_VIA(IO_RING_PATH_WORKER));
}

/* A file that can be waited for keeps no worker. */
TEST_F(flags, force_a_worker_that_does_not_wait)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);
	struct ring ring;

	wanted.max_workers = 2;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 8; i++)
		chain_push(&ring, chain_tagged(self->waits, i), FORCED);
	chain_push(&ring, sqe_nop(8), FORCED);
	ASSERT_EQ(9, ring_enter(&ring, 9, 1));
	EXPECT_EQ(0, chain_result(&ring, 8));
	ASSERT_EQ(8, write(self->pipe[1], "abcdefgh", 8));
	ASSERT_TRUE(await_completions(&ring, 9, 10 * SOON));
	for (unsigned int i = 0; i < 8; i++)
		EXPECT_EQ(1, chain_result(&ring, i));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
