// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SQE_DRAIN: who waits for whom, and who does not. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "await.h"
#include "chain.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"

#define ENTRIES 64
#define DRAIN IO_RING_SQE_DRAIN
#define LINK IO_RING_SQE_LINK
#define HARDLINK IO_RING_SQE_HARDLINK
#define QUIET IO_RING_SQE_CQE_SKIP_SUCCESS
#define FORCED IO_RING_SQE_FORCE_ASYNC

#define INLINE CQE_VIA(IO_RING_PATH_INLINE)
#define WORKER CQE_VIA(IO_RING_PATH_WORKER)

FIXTURE(drain)
{
	struct ring ring;
	int pipe[2];		/* nothing is in it */
	int other[2];
	char byte;
	struct io_ring_sqe waits;	/* a READ of the pipe */
	struct io_ring_sqe elsewhere;
};

FIXTURE_SETUP(drain)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, pipe(self->other));
	self->waits = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, 0);
	self->elsewhere = sqe_rw(IO_RING_OP_READ, self->other[0], &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(drain)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
	for (unsigned int i = 0; i < 2; i++) {
		close(self->pipe[i]);
		close(self->other[i]);
	}
}

/* Nothing happens, and so many wait. */
static void expect_standstill(struct __test_metadata *_metadata, const struct ring *ring,
			      __u32 ready, int in_line)
{
	sleep_ms(A_WHILE);
	EXPECT_EQ(ready, ring_ready(ring));
	EXPECT_EQ(in_line, fdinfo_value(ring->fd, "in_line"));
}

/* Lets a READ go on; afterwards so many completions can be read. */
static void feed(struct __test_metadata *_metadata, const struct ring *ring, int writer,
		 __u32 ready)
{
	EXPECT_EQ(1, write(writer, "a", 1));
	EXPECT_TRUE(await_completions(ring, ready, 10 * SOON));
	EXPECT_EQ(ready, ring_ready(ring));
}

TEST_F(drain, has_nothing_to_wait_for)
{
	for (unsigned int i = 0; i < 4; i++)
		chain_push(&self->ring, sqe_nop(i), i % 2 ? DRAIN : 0);
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_CQE(i, 0, INLINE);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
	EXPECT_EQ(0, worker_count(getpid()));
}

TEST_F(drain, waits_for_all_before_it)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, chain_tagged(self->elsewhere, 1), 0);
	chain_push(&self->ring, sqe_nop(2), DRAIN);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	expect_standstill(_metadata, &self->ring, 0, 1);
	feed(_metadata, &self->ring, self->other[1], 1);
	EXPECT_CQE_RES(1, 1);
	expect_standstill(_metadata, &self->ring, 0, 1);
	feed(_metadata, &self->ring, self->pipe[1], 2);
	EXPECT_CQE_RES(0, 1);
	EXPECT_CQE(2, 0, WORKER);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	/* It is over. */
	chain_push(&self->ring, chain_tagged(self->waits, 3), 0);
	chain_push(&self->ring, sqe_nop(4), 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_CQE(4, 0, INLINE);
}

/* Also those of later calls, and only those. */
TEST_F(drain, is_waited_for_by_all_behind_it)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), DRAIN);
	chain_push(&self->ring, sqe_nop(1), 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	chain_push(&self->ring, chain_tagged(self->elsewhere, 2), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	chain_push(&self->ring, sqe_nop(3), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	expect_standstill(_metadata, &self->ring, 0, 3);
	feed(_metadata, &self->ring, self->pipe[1], 3);
	EXPECT_EQ(1, chain_result(&self->ring, 0));
	EXPECT_EQ(0, chain_result(&self->ring, 1));
	EXPECT_EQ(0, chain_result(&self->ring, 3));
	chain_drop(&self->ring);
	feed(_metadata, &self->ring, self->other[1], 1);
	EXPECT_CQE_RES(2, 1);
}

/* Whatever it is that has not ended: where it waits, the rest goes on afterwards. */
TEST_F(drain, waits_for_all_kinds)
{
	unsigned char *buffer = guarded_pages(1);
	const struct io_ring_timespec span = { .nsec = 50 * MS };
	int disk = slow_disk_open(50 * MS);
	int file = temp_file(EXT4_DIR);
	struct io_ring_sqe sqes[6];

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	ASSERT_LE(0, file);
	sqes[0] = sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0);
	sqes[1] = sqe_fsync(file, 0, 0, 0);
	sqes[2] = self->waits;
	sqes[3] = sqe_poll(self->other[0], POLLIN, 0);
	sqes[4] = sqe_timeout(&span, 0, 0);
	sqes[5] = sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0);
	for (unsigned int i = 0; i < 6; i++) {
		chain_push(&self->ring, chain_tagged(sqes[i], 0), 0);
		chain_push(&self->ring, sqe_nop(1), DRAIN);
		chain_push(&self->ring, chain_tagged(sqes[(i + 1) % 6], 2), FORCED);
		chain_push(&self->ring, sqe_nop(3), DRAIN);
		ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
		if (i == 1 || i == 2)
			ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		if (i == 2 || i == 3)
			ASSERT_EQ(1, write(self->other[1], "b", 1));
		ASSERT_TRUE(await_completions(&self->ring, 4, 10 * SOON));
		for (unsigned int n = 0; n < 4; n++) {
			struct io_ring_cqe cqe;

			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
			EXPECT_EQ(n, cqe.user_data);
		}
		if (i == 2 || i == 3)
			ASSERT_EQ(1, read(self->other[0], buffer, 1));
	}
	close(file);
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

/* One of its members is enough. */
TEST_F(drain, holds_a_chain_back_as_a_whole)
{
	for (unsigned int member = 0; member < 3; member++) {
		chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
		for (unsigned int i = 0; i < 3; i++) {
			const struct io_ring_sqe sqe =
				i == 1 ? chain_tagged(self->elsewhere, 2) : sqe_nop(1 + i);

			chain_push(&self->ring, sqe,
				   (i < 2 ? LINK : 0) | (i == member ? DRAIN : 0));
		}
		chain_push(&self->ring, sqe_nop(4), 0);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
		expect_standstill(_metadata, &self->ring, 0, 4);
		feed(_metadata, &self->ring, self->pipe[1], 2);
		EXPECT_CQE_RES(0, 1);
		EXPECT_CQE_RES(1, 0);
		expect_standstill(_metadata, &self->ring, 0, 2);
		feed(_metadata, &self->ring, self->other[1], 3);
		for (unsigned int i = 0; i < 3; i++)
			EXPECT_CQE_RES(2 + i, i ? 0 : 1);
	}
}

/* A chain that is under way counts to its end. */
TEST_F(drain, waits_for_a_chain_as_a_whole)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, sqe_nop(1), LINK | QUIET);
	chain_push(&self->ring, chain_tagged(self->elsewhere, 2), LINK);
	chain_push(&self->ring, sqe_nop(3), 0);
	chain_push(&self->ring, sqe_nop(4), DRAIN);
	ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
	expect_standstill(_metadata, &self->ring, 0, 4);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE_RES(0, 1);
	expect_standstill(_metadata, &self->ring, 0, 2);
	feed(_metadata, &self->ring, self->other[1], 3);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_CQE_RES(2 + i, i ? 0 : 1);
}

TEST_F(drain, may_be_silent)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), QUIET);
	chain_push(&self->ring, chain_tagged(self->elsewhere, 1), DRAIN | QUIET | FORCED);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	EXPECT_EQ(1, write(self->other[1], "a", 1));
	expect_standstill(_metadata, &self->ring, 0, 2);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE(2, 0, WORKER);
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "skipped"));
}

/* Whether it succeeds or not, and whatever becomes of what was before it. */
TEST_F(drain, does_not_care_for_results)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, chain_tagged(sqe_fsync(self->pipe[0], 0, 0, 0), 1), DRAIN);
	chain_push(&self->ring, sqe_nop(2), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 0, 0, 0), 3), 0);
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	ASSERT_TRUE(await_completions(&self->ring, 4, 10 * SOON));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
	EXPECT_EQ(-EINVAL, chain_result(&self->ring, 1));
	EXPECT_EQ(0, chain_result(&self->ring, 2));
	EXPECT_EQ(0, chain_result(&self->ring, 3));
}

/* An entry that is rejected neither waits nor holds anybody back. */
TEST_F(drain, has_no_effect_if_it_is_rejected)
{
	struct io_ring_sqe bad = sqe_nop(1);

	bad.len = 1;
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, bad, DRAIN);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	EXPECT_CQE_RES(1, -EINVAL);
	EXPECT_CQE(2, 0, INLINE);
	/* Nor do those that are while others wait. */
	chain_push(&self->ring, sqe_nop(3), DRAIN);
	chain_push(&self->ring, bad, 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_CQE_RES(1, -EINVAL);
	feed(_metadata, &self->ring, self->pipe[1], 2);
}

/* Those who cancel do not wait for what they are to cancel, unless they say so. */
TEST_F(drain, lets_those_pass_who_cancel)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, sqe_nop(1), DRAIN);
	chain_push(&self->ring, sqe_nop(2), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2, 0, 0), 3), DRAIN);
	chain_push(&self->ring, sqe_nop(4), HARDLINK);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2, 0, 0), 5), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2, 0, 0), 6), 0);
	ASSERT_EQ(7, ring_enter(&self->ring, 7, 0));
	EXPECT_CQE_RES(2, -ECANCELED);
	EXPECT_CQE_RES(6, 0);
	expect_standstill(_metadata, &self->ring, 0, 4);
	feed(_metadata, &self->ring, self->pipe[1], 5);
	EXPECT_CQE_RES(0, 1);
	EXPECT_CQE_RES(1, 0);
	EXPECT_CQE_RES(3, -ENOENT);
	EXPECT_CQE_RES(4, 0);
	EXPECT_CQE_RES(5, -ENOENT);
}

/* Those behind it go on waiting for those before it. */
TEST_F(drain, may_be_cancelled)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, sqe_nop(1), DRAIN);
	chain_push(&self->ring, sqe_nop(2), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 1, 0, 0), 3), 0);
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	EXPECT_CQE_RES(1, -ECANCELED);
	EXPECT_CQE_RES(3, 0);
	expect_standstill(_metadata, &self->ring, 0, 1);
	feed(_metadata, &self->ring, self->pipe[1], 2);
	EXPECT_CQE_RES(0, 1);
	EXPECT_CQE_RES(2, 0);
}

/* The second of a chain takes the place of the first, and waits as that did. */
TEST_F(drain, may_lose_the_first_of_a_chain)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, sqe_nop(1), DRAIN | HARDLINK);
	chain_push(&self->ring, sqe_nop(2), LINK);
	chain_push(&self->ring, sqe_nop(3), 0);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 1, 0, 0), 4), 0);
	ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
	EXPECT_CQE_RES(1, -ECANCELED);
	EXPECT_CQE_RES(4, 0);
	expect_standstill(_metadata, &self->ring, 0, 2);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2, 0, 0), 5), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_CQE_RES(2, -ECANCELED);
	EXPECT_CQE_RES(3, -ECANCELED);
	EXPECT_CQE_RES(5, 0);
	/* Nothing of it is left. */
	chain_push(&self->ring, chain_tagged(self->elsewhere, 6), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE_RES(0, 1);
	feed(_metadata, &self->ring, self->other[1], 1);
	EXPECT_CQE_RES(6, 1);
}

/* Far more often than there is room for. */
TEST_F(drain, leaves_nothing_behind_when_it_is_cancelled)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	for (unsigned int i = 0; i < 20 * ENTRIES; i++) {
		chain_push(&self->ring, sqe_nop(1), DRAIN);
		chain_push(&self->ring, sqe_nop(2), i % 2 ? DRAIN : 0);
		chain_push(&self->ring, chain_tagged(sqe_cancel(0, 1 + i % 2, 0, 0), 3), 0);
		chain_push(&self->ring, chain_tagged(sqe_cancel(0, 2 - i % 2, 0, 0), 3), 0);
		ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
		ASSERT_EQ(4, ring_ready(&self->ring));
		ASSERT_EQ(2, chain_count(&self->ring, 3));
		ASSERT_EQ(0, chain_result(&self->ring, 3));
		chain_drop(&self->ring);
	}
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
	chain_push(&self->ring, sqe_nop(1), DRAIN);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	feed(_metadata, &self->ring, self->pipe[1], 2);
}

static void push_all_kinds(const struct ring *ring, struct io_ring_sqe waits)
{
	chain_push(ring, chain_tagged(waits, 0), 0);
	chain_push(ring, sqe_nop(1), DRAIN);
	chain_push(ring, chain_tagged(waits, 2), HARDLINK);
	chain_push(ring, sqe_nop(3), QUIET | DRAIN | FORCED);
	chain_push(ring, sqe_nop(4), 0);
}

TEST_F(drain, does_not_survive_quiesce)
{
	for (unsigned int round = 0; round < 50; round++) {
		push_all_kinds(&self->ring, self->waits);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
		ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
		EXPECT_EQ(5, ring_ready(&self->ring));
		for (unsigned int i = 0; i < 5; i++)
			EXPECT_EQ(-ECANCELED, chain_result(&self->ring, i));
		chain_drop(&self->ring);
		ring_push_nops(&self->ring, 1, 9);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		EXPECT_CQE(9, 0, INLINE);
	}
}

struct life {
	struct io_ring_sqe waits;
	bool is_killed;
	int told[2];
};

static int live(void *arg)
{
	const struct life *life = arg;
	struct ring ring;

	if (ring_open(&ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < 5; i++)
		push_all_kinds(&ring, life->waits);
	if (ring_enter(&ring, 25, 0) != 25 || write(life->told[1], "x", 1) != 1)
		return 2;
	if (life->is_killed)
		pause();
	return 0;
}

TEST_F(drain, does_not_survive_its_process)
{
	struct life life = { .waits = self->waits };
	char byte;

	ASSERT_EQ(0, pipe(life.told));
	for (unsigned int i = 0; i < 10; i++) {
		pid_t child;

		life.is_killed = i % 2;
		child = spawn(live, &life);
		ASSERT_LT(0, child);
		ASSERT_EQ(1, read(life.told[0], &byte, 1));
		if (life.is_killed)
			ASSERT_EQ(0, kill(child, SIGKILL));
		EXPECT_EQ(life.is_killed ? -SIGKILL : 0, outcome_of(child));
	}
	close(life.told[0]);
	close(life.told[1]);
}

/* What waits for room in the queue has ended. */
/* Until the last completion of it. */
TEST_F(drain, waits_for_what_recurs)
{
	struct io_ring_sqe poll = sqe_poll(self->pipe[0], POLLIN, IO_RING_POLL_ADD_MULTI);

	chain_push(&self->ring, chain_tagged(poll, 0), 0);
	chain_push(&self->ring, sqe_nop(1), DRAIN);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	expect_standstill(_metadata, &self->ring, 0, 1);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	expect_standstill(_metadata, &self->ring, 1, 1);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 0, 0, 0), 2), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 4));
	EXPECT_EQ(2, chain_count(&self->ring, 0));
	EXPECT_EQ(0, chain_result(&self->ring, 1));
	EXPECT_EQ(0, chain_result(&self->ring, 2));
}

TEST_F(drain, does_not_wait_for_the_program_to_read)
{
	const __u32 room = self->ring.setup.cq_entries;

	chain_push(&self->ring, chain_tagged(self->waits, 0), 0);
	chain_push(&self->ring, chain_tagged(self->elsewhere, 1), DRAIN);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	ASSERT_TRUE(await_completions(&self->ring, 1, 10 * SOON));
	EXPECT_CQE_RES(0, 1);
	chain_push(&self->ring, chain_tagged(sqe_cancel(0, 99, 0, 0), 3), 0);
	for (__u32 i = 0; i < room; i++) {
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		chain_push(&self->ring, chain_tagged(sqe_cancel(0, 99, 0, 0), 3), 0);
	}
	EXPECT_EQ(room, ring_ready(&self->ring));
	ASSERT_EQ(1, write(self->other[1], "a", 1));
	for (long end = now_ms() + patience(10 * SOON);
	     fdinfo_value(self->ring.fd, "parked") < 2 && now_ms() < end;)
		sleep_ms(1);
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "parked"));
	chain_drop(&self->ring);
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 2));
	EXPECT_CQE_RES(1, 1);
	EXPECT_CQE_RES(2, 0);
}

#define MANY 4096

/* One after the other, and all at once. */
TEST_F(drain, may_be_waited_for_by_many)
{
	struct io_ring_setup wanted = ring_wanted(MANY, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int way = 0; way < 2; way++) {
		chain_push(&ring, chain_tagged(self->waits, 0), 0);
		for (unsigned int i = 1; i < MANY; i++)
			chain_push(&ring, sqe_nop(i), i == 1 || (way && i < 500) ? DRAIN : 0);
		ASSERT_EQ(MANY, ring_enter(&ring, MANY, 0));
		EXPECT_EQ(0, ring_ready(&ring));
		EXPECT_EQ(MANY - 1, fdinfo_value(ring.fd, "in_line"));
		ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		ASSERT_TRUE(await_completions(&ring, MANY, 20 * SOON));
		for (unsigned int i = 0; i < (way ? 500 : 2); i++) {
			struct io_ring_cqe cqe;

			ASSERT_TRUE(ring_pop(&ring, &cqe));
			ASSERT_EQ(i, cqe.user_data);
		}
		chain_drop(&ring);
	}
	ring_close(&ring);
}

TEST_HARNESS_MAIN
