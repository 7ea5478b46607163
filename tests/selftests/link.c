// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SQE_LINK and IO_RING_SQE_HARDLINK: who starts when, and who does not start at all. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "await.h"
#include "chain.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"
#include "stream.h"

#define ENTRIES 64
#define LINK IO_RING_SQE_LINK
#define HARDLINK IO_RING_SQE_HARDLINK

FIXTURE(chain)
{
	struct ring ring;
	int pipe[2];		/* nothing is in it */
	char byte;
	struct io_ring_sqe waits;	/* a READ of it */
};

FIXTURE_SETUP(chain)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	self->waits = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(chain)
{
	ring_close(&self->ring);
	close(self->pipe[0]);
	close(self->pipe[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(chain, of_nops_goes_on_at_once)
{
	for (unsigned int i = 0; i < 5; i++)
		chain_push(&self->ring, sqe_nop(i), i < 4 ? LINK : 0);
	ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
	for (unsigned int i = 0; i < 5; i++)
		EXPECT_CQE(i, 0, CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_EQ(0, worker_count(getpid()));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

TEST_F(chain, starts_the_next_when_one_has_ended)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, chain_tagged(self->waits, 1), LINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	for (unsigned int i = 0; i < 2; i++) {
		sleep_ms(A_WHILE);
		ASSERT_EQ(0, ring_ready(&self->ring));
		EXPECT_EQ(2 - i, fdinfo_value(self->ring.fd, "in_line"));
		ASSERT_EQ(1, write(self->pipe[1], "ab" + i, 1));
		ASSERT_TRUE(await_completions(&self->ring, 1, 10 * SOON));
		EXPECT_CQE_RES(i, 1);
		EXPECT_EQ("ab"[i], self->byte);
	}
	ASSERT_TRUE(await_completions(&self->ring, 1, 10 * SOON));
	EXPECT_CQE(2, 0, CQE_VIA(IO_RING_PATH_WORKER));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
}

/* What a chain of a failing member does with those after it. */
static void expect_broken(struct __test_metadata *_metadata, const struct ring *ring,
			  struct io_ring_sqe failing, __s32 res)
{
	const struct ring *const r = ring;

	chain_push(r, sqe_nop(1), LINK);
	chain_push(r, chain_tagged(failing, 2), LINK);
	chain_push(r, sqe_nop(3), HARDLINK);
	chain_push(r, sqe_nop(4), 0);
	chain_push(r, sqe_nop(5), 0);
	ASSERT_EQ(5, ring_enter(r, 5, 5));
	EXPECT_EQ(0, chain_result(r, 1));
	EXPECT_EQ(res, chain_result(r, 2));
	EXPECT_EQ(-ECANCELED, chain_result(r, 3));
	EXPECT_EQ(-ECANCELED, chain_result(r, 4));
	EXPECT_EQ(0, chain_result(r, 5));
	chain_drop(r);
}

static void expect_whole(struct __test_metadata *_metadata, const struct ring *ring,
			 struct io_ring_sqe failing, __s32 res)
{
	chain_push(ring, chain_tagged(failing, 1), HARDLINK);
	chain_push(ring, chain_tagged(failing, 2), HARDLINK);
	chain_push(ring, sqe_nop(3), LINK);
	chain_push(ring, sqe_nop(4), 0);
	ASSERT_EQ(4, ring_enter(ring, 4, 4));
	EXPECT_EQ(res, chain_result(ring, 1));
	EXPECT_EQ(res, chain_result(ring, 2));
	EXPECT_EQ(0, chain_result(ring, 3));
	EXPECT_EQ(0, chain_result(ring, 4));
	chain_drop(ring);
}

/* A failure where it is submitted, in a worker, and in the wait for readiness. */
TEST_F(chain, ends_when_a_member_fails)
{
	const struct io_ring_sqe nowhere = sqe_cancel(0, 12345, 0, 0);
	const struct io_ring_sqe unsynchronised = sqe_fsync(self->pipe[0], 0, 0, 0);
	struct io_ring_sqe forced = unsynchronised;
	struct io_ring_sqe impatient = self->waits;

	impatient.op_flags = 0x8;	/* RWF_NOWAIT */
	forced.flags = IO_RING_SQE_FORCE_ASYNC;
	expect_broken(_metadata, &self->ring, nowhere, -ENOENT);
	expect_broken(_metadata, &self->ring, unsynchronised, -EINVAL);
	expect_broken(_metadata, &self->ring, forced, -EINVAL);
	expect_broken(_metadata, &self->ring, impatient, -EAGAIN);
	expect_whole(_metadata, &self->ring, nowhere, -ENOENT);
	expect_whole(_metadata, &self->ring, unsynchronised, -EINVAL);
	expect_whole(_metadata, &self->ring, forced, -EINVAL);
	expect_whole(_metadata, &self->ring, impatient, -EAGAIN);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

TEST_F(chain, ends_when_a_transfer_is_short)
{
	char buffer[8];
	const struct io_ring_sqe shorter = sqe_rw(IO_RING_OP_READ, self->pipe[0], buffer,
						  sizeof(buffer), 0);
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(3, write(self->pipe[1], "abc", 3));
		expect_broken(_metadata, &self->ring, shorter, 3);
	}
	/* At the end of the file there is nothing at all. */
	expect_broken(_metadata, &self->ring,
		      sqe_rw(IO_RING_OP_READ, file, buffer, sizeof(buffer), 0), 0);
	/* Nothing is asked for, and had. */
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, file, buffer, 0, 0), 1), LINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	EXPECT_CQE_RES(1, 0);
	EXPECT_CQE_RES(2, 0);
	close(file);
}

/* A rejected entry anywhere in it: nothing of the chain happens. */
TEST_F(chain, does_not_start_if_an_entry_is_rejected)
{
	char content[4] = "";
	int file = temp_file(TMPFS_DIR);
	const struct io_ring_sqe writes = sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0);

	ASSERT_LE(0, file);
	for (unsigned int bad = 0; bad < 4; bad++) {
		for (unsigned int i = 0; i < 4; i++) {
			struct io_ring_sqe sqe = chain_tagged(writes, i);

			if (i == bad)
				sqe.fd = -1;
			chain_push(&self->ring, sqe, i < 3 ? (i & 1 ? HARDLINK : LINK) : 0);
		}
		chain_push(&self->ring, sqe_nop(4), 0);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 5));
		for (unsigned int i = 0; i < 4; i++) {
			struct io_ring_cqe cqe;

			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
			EXPECT_EQ(i, cqe.user_data);
			EXPECT_EQ(i == bad ? -EBADF : -ECANCELED, cqe.res);
			EXPECT_EQ(i == bad ? (int)offsetof(struct io_ring_sqe, fd) : -1,
				  cqe_rejected_field(&cqe));
		}
		EXPECT_CQE_RES(4, 0);
	}
	EXPECT_EQ(0, pread(file, content, sizeof(content), 0));
	close(file);
}

TEST_F(chain, ends_with_what_enter_takes)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, chain_tagged(self->waits, 1), LINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	/* The third is not of the chain that way. */
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_CQE(2, 0, CQE_VIA(IO_RING_PATH_INLINE));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		ASSERT_TRUE(await_completions(&self->ring, 1, 10 * SOON));
		EXPECT_CQE_RES(i, 1);
	}
}

TEST_F(chain, is_taken_as_a_whole_by_a_ring_that_stops_on_reject)
{
	struct io_ring_sqe bad = sqe_nop(1);
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_STOP_ON_REJECT));
	bad.len = 1;
	chain_push(&ring, sqe_nop(0), LINK);
	chain_push(&ring, bad, LINK);
	chain_push(&ring, sqe_nop(2), 0);
	chain_push(&ring, sqe_nop(3), 0);
	ASSERT_EQ(3, ring_enter(&ring, 4, 0));
	EXPECT_EQ(-ECANCELED, chain_result(&ring, 0));
	EXPECT_EQ(-EINVAL, chain_result(&ring, 1));
	EXPECT_EQ(-ECANCELED, chain_result(&ring, 2));
	EXPECT_EQ(3, ring_ready(&ring));
	ASSERT_EQ(1, ring_enter(&ring, 1, 1));
	EXPECT_EQ(0, chain_result(&ring, 3));
	ring_close(&ring);
}

/* Files of all kinds in one chain, each of which only goes on when the one before has ended. */
TEST_F(chain, of_all_kinds_keeps_its_order)
{
	unsigned char *direct = guarded_pages(1);
	int disk = slow_disk_open(20 * 1000 * 1000);
	int file = temp_file(EXT4_DIR);
	char back = 0;

	ASSERT_NE(NULL, direct);
	ASSERT_LE(0, disk);
	ASSERT_LE(0, file);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, disk, direct,
						    SLOW_DISK_BLOCK, 0), 0), LINK);
	chain_push(&self->ring, sqe_nop(1), LINK);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, disk, direct,
						    SLOW_DISK_BLOCK, 0), 2), LINK);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, file, "w", 1, 0), 3), LINK);
	chain_push(&self->ring, chain_tagged(sqe_fsync(file, 0, 0, 0), 4), LINK);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, file, &back, 1, 0), 5), LINK);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, self->pipe[1], &back, 1, 0),
					     6), LINK);
	chain_push(&self->ring, chain_tagged(self->waits, 7), 0);
	ASSERT_EQ(8, ring_enter(&self->ring, 8, 0));
	ASSERT_TRUE(await_completions(&self->ring, 8, 10 * SOON));
	EXPECT_CQE_RES(0, SLOW_DISK_BLOCK);
	EXPECT_CQE_RES(1, 0);
	EXPECT_CQE_RES(2, SLOW_DISK_BLOCK);
	EXPECT_CQE_RES(3, 1);
	EXPECT_CQE_RES(4, 0);
	EXPECT_CQE_RES(5, 1);
	EXPECT_CQE_RES(6, 1);
	EXPECT_CQE_RES(7, 1);
	EXPECT_EQ('w', back);
	EXPECT_EQ('w', self->byte);
	close(file);
	slow_disk_close(disk);
	guarded_free(direct, 1);
}

#define MANY 4096

/* Longer than any stack could be deep, in ENTER, and in a worker. */
TEST_F(chain, may_be_long)
{
	struct io_ring_setup wanted = ring_wanted(MANY, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int way = 0; way < 3; way++) {
		for (unsigned int i = 0; i < MANY; i++) {
			struct io_ring_sqe sqe = sqe_nop(i);

			if (way && !i)
				sqe = chain_tagged(self->waits, i);
			/* It fails the third time. */
			if (way == 2 && !i)
				sqe.len = 2;
			chain_push(&ring, sqe, i < MANY - 1 ? LINK : 0);
		}
		ASSERT_EQ(MANY, ring_enter(&ring, MANY, 0));
		if (way)
			ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		ASSERT_TRUE(await_completions(&ring, MANY, 20 * SOON));
		for (unsigned int i = 0; i < MANY; i++) {
			struct io_ring_cqe cqe;
			int res = way && !i ? 1 : way == 2 ? -ECANCELED : 0;

			ASSERT_TRUE(ring_pop(&ring, &cqe));
			ASSERT_EQ(i, cqe.user_data);
			ASSERT_EQ(res, cqe.res);
		}
	}
	ring_close(&ring);
}

/* As many as there are slots: the rest of the chain is not taken. */
TEST_F(chain, takes_what_slots_there_are)
{
	struct io_ring_setup wanted = ring_wanted(8, IO_RING_SETUP_CQSIZE);
	struct ring ring;

	wanted.cq_entries = 8;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_EQ(8, ring.setup.requests);
	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int i = 0; i < 8; i++)
			chain_push(&ring, chain_tagged(self->waits, i), LINK);
		ASSERT_EQ(8, ring_enter(&ring, 8, 0));
		ring_push_nops(&ring, 1, 9);
		ASSERT_EQ(-EBUSY, ring_enter(&ring, 1, 0));
		ASSERT_EQ(0, ring_quiesce(&ring, 0, NULL));
		for (unsigned int i = 0; i < 8; i++)
			EXPECT_EQ(-ECANCELED, chain_result(&ring, i));
		chain_drop(&ring);
		ASSERT_EQ(1, ring_enter(&ring, 1, 1));
		chain_drop(&ring);
	}
	ring_close(&ring);
}

TEST_HARNESS_MAIN
