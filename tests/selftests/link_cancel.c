// SPDX-License-Identifier: GPL-2.0-only
/* Chains that are stopped: by CANCEL, QUIESCE, and the end of the ring or its process. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
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
#define LINK IO_RING_SQE_LINK
#define HARDLINK IO_RING_SQE_HARDLINK
#define FORCED IO_RING_SQE_FORCE_ASYNC
#define CANCEL 100		/* user_data */

FIXTURE(chain)
{
	struct ring ring;
	int pipe[2];		/* nothing is in it */
	int other[2];
	int file;		/* empty, and stays so */
	char byte;
	struct io_ring_sqe waits;	/* a READ of the pipe */
};

FIXTURE_SETUP(chain)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, pipe(self->other));
	self->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->file);
	self->waits = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(chain)
{
	char content;

	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pread(self->file, &content, 1, 0));
	for (unsigned int i = 0; i < 2; i++) {
		close(self->pipe[i]);
		close(self->other[i]);
	}
	close(self->file);
}

/* What is offered is submitted, along with a CANCEL; its result. */
static __s32 cancel(struct __test_metadata *_metadata, const struct ring *ring, int offered,
		    struct io_ring_sqe sqe)
{
	__s32 res;

	if (offered)
		EXPECT_EQ(offered, ring_enter(ring, offered, 0));
	chain_push(ring, chain_tagged(sqe, CANCEL), 0);
	EXPECT_EQ(1, ring_enter(ring, 1, 0));
	res = chain_result(ring, CANCEL);
	return res;
}

/* Lets a READ of the pipe go on. */
static void feed(struct __test_metadata *_metadata, const struct ring *ring, int writer,
		 __u32 ready)
{
	EXPECT_EQ(1, write(writer, "a", 1));
	EXPECT_TRUE(await_completions(ring, ready, 10 * SOON));
}

TEST_F(chain, is_cut_where_a_member_is_cancelled)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, chain_tagged(self->waits, 1), LINK);
	chain_push(&self->ring, sqe_nop(2), LINK);
	chain_push(&self->ring, sqe_nop(3), HARDLINK);
	chain_push(&self->ring, sqe_nop(4), 0);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 5, sqe_cancel(0, 2, 0, 0)));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_line"));
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "in_flight"));
	for (unsigned int i = 2; i < 5; i++)
		EXPECT_CQE_RES(i, -ECANCELED);
	EXPECT_CQE_RES(CANCEL, 0);
	for (unsigned int i = 0; i < 2; i++) {
		feed(_metadata, &self->ring, self->pipe[1], 1);
		EXPECT_CQE_RES(i, 1);
	}
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

TEST_F(chain, closes_up_where_a_hard_link_is_cancelled)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, chain_tagged(self->waits, 1), HARDLINK);
	chain_push(&self->ring, chain_tagged(self->waits, 2), 0);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 3, sqe_cancel(0, 1, 0, 0)));
	EXPECT_CQE_RES(1, -ECANCELED);
	EXPECT_CQE_RES(CANCEL, 0);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE_RES(0, 1);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE_RES(2, 1);
}

/* The first of a chain is a request like others. */
TEST_F(chain, ends_when_its_first_is_cancelled)
{
	chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
	chain_push(&self->ring, sqe_nop(1), LINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 3, sqe_cancel(0, 0, 0, 0)));
	ASSERT_TRUE(await_completions(&self->ring, 4, 10 * SOON));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, i));
	chain_drop(&self->ring);

	chain_push(&self->ring, chain_tagged(self->waits, 0), HARDLINK);
	chain_push(&self->ring, sqe_nop(1), 0);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 2, sqe_cancel(0, 0, 0, 0)));
	ASSERT_TRUE(await_completions(&self->ring, 3, 10 * SOON));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
	EXPECT_EQ(0, chain_result(&self->ring, 1));
}

TEST_F(chain, is_searched_by_opcode_and_by_file)
{
	const struct io_ring_sqe elsewhere = sqe_rw(IO_RING_OP_READ, self->other[0], &self->byte,
						    1, 0);

	for (unsigned int i = 0; i < 2; i++) {
		const struct io_ring_sqe what =
			i ? sqe_cancel(IO_RING_CANCEL_ALL | IO_RING_CANCEL_FD, 0, self->file, 0) :
			    sqe_cancel(IO_RING_CANCEL_ALL | IO_RING_CANCEL_OP, 0, 0,
				       IO_RING_OP_FSYNC);

		chain_push(&self->ring, chain_tagged(self->waits, 0), LINK);
		chain_push(&self->ring, chain_tagged(sqe_fsync(self->file, 0, 0, 0), 1), HARDLINK);
		chain_push(&self->ring, chain_tagged(sqe_fsync(self->file, 0, 0, 0), 2), HARDLINK);
		chain_push(&self->ring, sqe_nop(3), 0);
		chain_push(&self->ring, chain_tagged(elsewhere, 4), LINK);
		chain_push(&self->ring, chain_tagged(elsewhere, 5), LINK);
		chain_push(&self->ring, chain_tagged(sqe_fsync(self->file, 0, 0, 0), 6), 0);
		EXPECT_EQ(3, cancel(_metadata, &self->ring, 7, what));
		EXPECT_EQ(4, ring_ready(&self->ring));
		feed(_metadata, &self->ring, self->pipe[1], 6);
		feed(_metadata, &self->ring, self->other[1], 7);
		feed(_metadata, &self->ring, self->other[1], 8);
		for (unsigned int n = 0; n < 7; n++)
			EXPECT_EQ(n == 1 || n == 2 || n == 6 ? -ECANCELED : n == 3 ? 0 : 1,
				  chain_result(&self->ring, n));
		chain_drop(&self->ring);
	}
}

static void push_all_kinds(const struct ring *ring, struct io_ring_sqe waits, int file)
{
	chain_push(ring, chain_tagged(waits, 0), LINK);
	chain_push(ring, sqe_nop(1), LINK);
	chain_push(ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0), 2), HARDLINK);
	chain_push(ring, chain_tagged(sqe_fsync(file, 0, 0, 0), 3), FORCED | LINK);
	chain_push(ring, chain_tagged(sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), 4), 0);
}

/* One that waits for its turn can be removed, and not be changed. */
TEST_F(chain, has_members_that_can_be_removed)
{
	struct io_ring_timespec far = { .sec = 3600 };
	struct io_ring_sqe change = {
		.opcode = IO_RING_OP_POLL_REMOVE,
		.addr = 1,
		.len = IO_RING_POLL_UPDATE_EVENTS,
		.op_flags = POLLIN,
	};
	struct io_ring_sqe remove = { .opcode = IO_RING_OP_POLL_REMOVE, .addr = 1 };

	chain_push(&self->ring, chain_tagged(self->waits, 0), HARDLINK);
	chain_push(&self->ring, chain_tagged(sqe_poll(self->other[0], POLLIN, 0), 1), HARDLINK);
	chain_push(&self->ring, chain_tagged(sqe_timeout(&far, 0, 0), 2), 0);
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring, 3, change));
	chain_drop(&self->ring);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 0, remove));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 1));
	chain_drop(&self->ring);
	change.opcode = IO_RING_OP_TIMEOUT_REMOVE;
	change.op_flags = IO_RING_TIMEOUT_UPDATE;
	change.addr = 2;
	change.len = 0;
	change.off = (uintptr_t)&far;
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring, 0, change));
	chain_drop(&self->ring);
	remove.opcode = IO_RING_OP_TIMEOUT_REMOVE;
	remove.addr = 2;
	EXPECT_EQ(0, cancel(_metadata, &self->ring, 0, remove));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 2));
	chain_drop(&self->ring);
	feed(_metadata, &self->ring, self->pipe[1], 1);
	EXPECT_CQE_RES(0, 1);
}

TEST_F(chain, is_cancelled_with_all_the_rest)
{
	push_all_kinds(&self->ring, self->waits, self->file);
	EXPECT_EQ(5, cancel(_metadata, &self->ring, 5, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0)));
	for (unsigned int i = 0; i < 5; i++)
		EXPECT_CQE_RES(i, -ECANCELED);
	EXPECT_CQE_RES(CANCEL, 5);
}

TEST_F(chain, is_cancelled_by_a_member_of_another)
{
	push_all_kinds(&self->ring, self->waits, self->file);
	chain_push(&self->ring, sqe_nop(5), FORCED | LINK);
	chain_push(&self->ring, chain_tagged(sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), 6), LINK);
	chain_push(&self->ring, sqe_nop(7), 0);
	ASSERT_EQ(8, ring_enter(&self->ring, 8, 0));
	ASSERT_TRUE(await_completions(&self->ring, 8, 10 * SOON));
	for (unsigned int i = 0; i < 5; i++)
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, i));
	EXPECT_EQ(0, chain_result(&self->ring, 5));
	/* Among those is the one that waits for it. */
	EXPECT_EQ(6, chain_result(&self->ring, 6));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 7));
}

TEST_F(chain, does_not_survive_quiesce)
{
	for (unsigned int round = 0; round < 50; round++) {
		push_all_kinds(&self->ring, self->waits, self->file);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
		ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
		for (unsigned int i = 0; i < 5; i++)
			EXPECT_CQE_RES(i, -ECANCELED);
	}
}

/* What a device has cannot be stopped, but what waits for it can. */
TEST_F(chain, does_not_survive_quiesce_behind_a_device)
{
	unsigned char *buffer = guarded_pages(1);
	int disk = slow_disk_open(3 * SECOND);

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	chain_push(&self->ring, sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0), LINK);
	chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, self->file, "x", 1, 0), 1),
		   HARDLINK);
	chain_push(&self->ring, sqe_nop(2), 0);
	ASSERT_EQ(3, ring_enter(&self->ring, 3, 0));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	EXPECT_EQ(3, ring_ready(&self->ring));
	EXPECT_EQ(SLOW_DISK_BLOCK, chain_result(&self->ring, 0));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 1));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 2));
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

TEST_F(chain, does_not_survive_its_ring)
{
	unsigned char *buffer = guarded_pages(1);
	int disk = slow_disk_open(100 * MS);
	struct ring ring;

	ASSERT_NE(NULL, buffer);
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	push_all_kinds(&ring, self->waits, self->file);
	chain_push(&ring, sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, 0), LINK);
	push_all_kinds(&ring, self->waits, self->file);
	ASSERT_EQ(11, ring_enter(&ring, 11, 0));
	ring_close(&ring);
	slow_disk_close(disk);
	guarded_free(buffer, 1);
}

enum leaving {
	EXITS,
	EXECUTES,
	IS_KILLED,
};

struct life {
	struct io_ring_sqe waits;
	int file;
	int told[2];
	enum leaving leaving;
};

static int live(void *arg)
{
	const struct life *life = arg;
	struct ring ring;

	if (ring_open(&ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < 10; i++)
		push_all_kinds(&ring, life->waits, life->file);
	if (ring_enter(&ring, 50, 0) != 50 || write(life->told[1], "x", 1) != 1)
		return 2;
	if (life->leaving == EXECUTES)
		execl("/bin/sleep", "sleep", "0", NULL);
	else if (life->leaving == IS_KILLED)
		pause();
	return 0;
}

TEST_F(chain, does_not_survive_its_process)
{
	struct life life = { .waits = self->waits, .file = self->file };
	char byte;

	ASSERT_EQ(0, pipe(life.told));
	for (unsigned int i = 0; i < 30; i++) {
		pid_t child;

		life.leaving = i % 3;
		child = spawn(live, &life);
		ASSERT_LT(0, child);
		ASSERT_EQ(1, read(life.told[0], &byte, 1));
		if (life.leaving == IS_KILLED)
			ASSERT_EQ(0, kill(child, SIGKILL));
		EXPECT_EQ(life.leaving == IS_KILLED ? -SIGKILL : 0, outcome_of(child));
	}
	/* Nobody has read on. */
	feed(_metadata, &self->ring, self->pipe[1], 0);
	EXPECT_EQ(1, read(self->pipe[0], &byte, 1));
	close(life.told[0]);
	close(life.told[1]);
}

static void ignore(int signal __maybe_unused)
{
}

/* A signal ends a batch, but no chain. */
TEST_F(chain, is_taken_as_a_whole_whatever_signals_come)
{
	struct io_ring_setup wanted = ring_wanted(1024, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_NE(SIG_ERR, signal(SIGALRM, ignore));
	for (unsigned int round = 0; round < 200; round++) {
		/* Any time in ENTER, and sometimes before or after it. */
		const struct itimerval once = { .it_value.tv_usec = 1 + 17 * round };

		for (unsigned int i = 0; i < 1024; i++)
			chain_push(&ring, sqe_nop(i), i < 1023 ? LINK : 0);
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &once, NULL));
		ASSERT_EQ(1024, ring_enter(&ring, 1024, 0));
		ASSERT_TRUE(await_completions(&ring, 1024, 10 * SOON));
		chain_drop(&ring);
	}
	ring_close(&ring);
}

/* Completions of a chain keep their order when they have to wait for room. */
TEST_F(chain, finds_the_queue_full)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct ring ring;

	wanted.cq_entries = ENTRIES;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ring_push_nops(&ring, ENTRIES, 0);
	ASSERT_EQ(ENTRIES, ring_enter(&ring, ENTRIES, 0));
	chain_push(&ring, chain_tagged(self->waits, 0), LINK);
	for (unsigned int i = 1; i < ENTRIES; i++)
		chain_push(&ring, sqe_nop(i), i == ENTRIES - 1 ? 0 :
			   i % 2 ? LINK : HARDLINK | IO_RING_SQE_CQE_SKIP_SUCCESS);
	ASSERT_EQ(ENTRIES, ring_enter(&ring, ENTRIES, 0));
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	for (long end = now_ms() + patience(10 * SOON);
	     fdinfo_value(ring.fd, "parked") < ENTRIES / 2 + 1 && now_ms() < end;)
		sleep_ms(1);
	EXPECT_EQ(ENTRIES / 2 + 1, fdinfo_value(ring.fd, "parked"));
	EXPECT_EQ(ENTRIES / 2 - 1, fdinfo_value(ring.fd, "skipped"));
	chain_drop(&ring);
	ASSERT_EQ(0, ring_enter(&ring, 0, ENTRIES / 2 + 1));
	for (unsigned int i = 0; i < ENTRIES; i++) {
		struct io_ring_cqe cqe;

		if (i && i % 2 == 0)
			continue;
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_EQ(i ? 0 : 1, cqe.res);
	}
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

/* Likewise one that ends with what ENTER takes, whether it is done or dropped. */
TEST_F(chain, finds_the_queue_full_at_the_end_of_a_batch)
{
	struct io_ring_sqe bad = sqe_nop(1);

	bad.len = 1;
	for (unsigned int round = 0; round < 2; round++) {
		const __u32 room = self->ring.setup.cq_entries;

		for (unsigned int i = 0; i < room; i += ENTRIES) {
			ring_push_nops(&self->ring, ENTRIES, 100);
			ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
		}
		chain_push(&self->ring, sqe_nop(0), LINK);
		chain_push(&self->ring, round ? bad : sqe_nop(1), LINK);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		EXPECT_EQ(2, fdinfo_value(self->ring.fd, "parked"));
		chain_drop(&self->ring);
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 2));
		EXPECT_CQE_RES(0, round ? -ECANCELED : 0);
		EXPECT_CQE_RES(1, round ? -EINVAL : 0);
	}
}

TEST_HARNESS_MAIN
