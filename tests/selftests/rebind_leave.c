// SPDX-License-Identifier: GPL-2.0-only
/* The process of a ring leaves: what becomes of its requests, and of others who wait. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "actor.h"
#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"

#define READS 3
#define GENERATIONS 40
#define SLOWLY 2000	/* milliseconds, much longer than it takes to change places */

/* What actors share with the test. */
static struct shared {
	int pipes[READS][2];
	char bytes[READS];
	int disk;
} shared;

static int submit_nop(struct ring *ring)
{
	ring_push_nops(ring, 1, 17);
	return ring_enter(ring, 1, 0);
}

static int block_reads(struct ring *ring)
{
	for (__u64 i = 0; i < READS; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, shared.pipes[i][0],
						&shared.bytes[i], 1, 0);

		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
	return ring_enter(ring, READS, 0);
}

static int check_reads(struct ring *ring)
{
	int error = ring_enter(ring, 0, READS);
	struct io_ring_cqe cqe;

	while (!error && ring_pop(ring, &cqe))
		if (cqe.res != 1 || shared.bytes[cqe.user_data] != "abcdefgh"[cqe.user_data])
			error = -EBADMSG;
	return error;
}

static int read_slowly(struct ring *ring)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, shared.disk,
					aligned_alloc(SLOW_DISK_BLOCK, SLOW_DISK_BLOCK),
					SLOW_DISK_BLOCK, 0);

	sqe.user_data = 99;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0);
}

static int wait_for_more(struct ring *ring)
{
	return ring_enter(ring, 0, ring_ready(ring) + 1);
}

static bool feed(void)
{
	for (size_t i = 0; i < READS; i++)
		if (write(shared.pipes[i][1], &"abcdefgh"[i], 1) != 1)
			return false;
	return true;
}

/* The test holds the ring as well as two others do. */
FIXTURE(leave)
{
	struct ring ring;
	struct actor owner;
	struct actor other;
};

FIXTURE_VARIANT(leave)
{
	bool (*leaves)(struct actor *actor);
};

FIXTURE_VARIANT_ADD(leave, exit) { .leaves = actor_exits };
FIXTURE_VARIANT_ADD(leave, kill) { .leaves = actor_is_killed };
FIXTURE_VARIANT_ADD(leave, exec) { .leaves = actor_executes };
FIXTURE_VARIANT_ADD(leave, exec_holding) { .leaves = actor_executes_holding };

FIXTURE_SETUP(leave)
{
	for (size_t i = 0; i < READS; i++)
		ASSERT_EQ(0, pipe2(shared.pipes[i], O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, 8, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&self->owner, &self->ring));
	ASSERT_TRUE(actor_start(&self->other, &self->ring));
}

FIXTURE_TEARDOWN(leave)
{
	actor_end(&self->owner);
	actor_end(&self->other);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(leave, waits_of_others_end)
{
	ASSERT_EQ(1, actor_ask(&self->owner, submit_nop));
	ASSERT_TRUE(actor_tell(&self->other, wait_for_more));
	sleep_ms(A_WHILE);
	ASSERT_TRUE(variant->leaves(&self->owner));
	EXPECT_EQ(-EOWNERDEAD, actor_answer(&self->other));
	EXPECT_EQ(-EOWNERDEAD, wait_for_more(&self->ring));
	EXPECT_EQ(0, ring_enter(&self->ring, 0, 1));
}

TEST_F(leave, waits_work_again_with_the_next)
{
	ASSERT_EQ(1, actor_ask(&self->owner, submit_nop));
	ASSERT_TRUE(variant->leaves(&self->owner));
	ASSERT_EQ(1, submit_nop(&self->ring));
	ASSERT_TRUE(actor_tell(&self->other, wait_for_more));
	sleep_ms(A_WHILE);
	ASSERT_EQ(1, submit_nop(&self->ring));
	EXPECT_EQ(0, actor_answer(&self->other));
}

static int let_go(struct ring *ring)
{
	ring_close(ring);
	return 0;
}

static int wait_for_many(struct ring *ring)
{
	return ring_enter(ring, 0, ~0U);
}

/* Nobody has seen it leave before. */
TEST_F(leave, the_next_tells_those_who_wait)
{
	ASSERT_EQ(1, actor_ask(&self->owner, submit_nop));
	ASSERT_TRUE(actor_tell(&self->other, wait_for_many));
	ASSERT_EQ(0, actor_ask(&self->owner, let_go));
	actor_end(&self->owner);
	sleep_ms(A_WHILE);
	ASSERT_EQ(1, submit_nop(&self->ring));
	EXPECT_EQ(-EOWNERDEAD, actor_answer(&self->other));
}

TEST_F(leave, hangs_up_until_there_is_another)
{
	struct pollfd pollfd = { .fd = self->ring.fd };

	ASSERT_EQ(1, actor_ask(&self->owner, submit_nop));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	ASSERT_TRUE(variant->leaves(&self->owner));
	EXPECT_EQ(1, poll(&pollfd, 1, patience(SOON)));
	EXPECT_EQ(POLLHUP, pollfd.revents);
	ASSERT_EQ(1, submit_nop(&self->ring));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
}

static void expect_cancelled(struct __test_metadata *_metadata, struct ring *ring)
{
	bool seen[READS] = { false };
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, READS, SOON));
	for (size_t i = 0; i < READS; i++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(-ECANCELED, cqe.res);
		ASSERT_GT(READS, cqe.user_data);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
	}
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(leave, its_requests_are_cancelled)
{
	ASSERT_EQ(READS, actor_ask(&self->owner, block_reads));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_TRUE(variant->leaves(&self->owner));
	expect_cancelled(_metadata, &self->ring);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "workers"));

	/* They did not read what the requests of the next find. */
	ASSERT_EQ(READS, actor_ask(&self->other, block_reads));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_TRUE(feed());
	EXPECT_EQ(0, actor_ask(&self->other, check_reads));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

/* Those that wait are cancelled even if the next process is there before anybody has noticed. */
TEST_F(leave, next_reads_the_completions)
{
	ASSERT_EQ(READS, actor_ask(&self->owner, block_reads));
	ASSERT_TRUE(variant->leaves(&self->owner));
	ring_push_nops(&self->ring, 1, 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, READS + 1));
	EXPECT_EQ(READS + 1, ring_ready(&self->ring));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

/* Each process of many leaves requests behind. */
TEST_F(leave, many_generations)
{
	for (unsigned int i = 0; i < GENERATIONS; i++) {
		struct actor next;

		ASSERT_TRUE(actor_start(&next, &self->ring));
		ASSERT_EQ(READS, actor_ask(&next, block_reads));
		EXPECT_EQ(next.pid, fdinfo_value(self->ring.fd, "owner"));
		ASSERT_TRUE(variant->leaves(&next));
		expect_cancelled(_metadata, &self->ring);
		actor_end(&next);
	}
	EXPECT_EQ(GENERATIONS * READS, fdinfo_value(self->ring.fd, "completed"));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

/* What a device has cannot be cancelled, and does not keep the next process waiting. */
TEST_F(leave, device_finishes_later)
{
	struct io_ring_cqe cqe;

	shared.disk = slow_disk_open(SLOWLY * 1000000ULL);
	ASSERT_LE(0, shared.disk);
	actor_end(&self->owner);
	ASSERT_TRUE(actor_start(&self->owner, &self->ring));
	ASSERT_EQ(1, actor_ask(&self->owner, read_slowly));
	ASSERT_TRUE(variant->leaves(&self->owner));
	ASSERT_EQ(1, submit_nop(&self->ring));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(17, cqe.user_data);
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_flight"));
	ASSERT_TRUE(await_completions(&self->ring, 1, 2 * SLOWLY));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(99, cqe.user_data);
	EXPECT_EQ(SLOW_DISK_BLOCK, cqe.res);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	actor_end(&self->owner);
	slow_disk_close(shared.disk);
}

/* Leaves a worker behind that no signal interrupts. */
static int sync_slowly(struct ring *ring)
{
	char path[32];
	struct io_ring_sqe sqe;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", shared.disk);
	sqe = sqe_fsync(open(path, O_WRONLY | O_CLOEXEC), 0, 0, 0);
	if (pwrite(sqe.fd, path, sizeof(path), 0) != sizeof(path))
		return -errno;
	sqe.user_data = 99;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0);
}

TEST(worker_finishes_later)
{
	struct pollfd pollfd = { .events = POLLHUP };
	struct io_ring_cqe cqe;
	struct actor owner;
	struct ring ring;

	for (size_t i = 0; i < READS; i++)
		ASSERT_EQ(0, pipe2(shared.pipes[i], O_CLOEXEC));
	shared.disk = slow_disk_open(SLOWLY * 1000000ULL);
	ASSERT_LE(0, shared.disk);
	ASSERT_EQ(0, ring_open(&ring, 8, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&owner, &ring));
	ASSERT_EQ(1, actor_ask(&owner, sync_slowly));
	/* Let the worker begin. */
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, kill(owner.pid, SIGKILL));
	pollfd.fd = ring.fd;
	ASSERT_EQ(1, poll(&pollfd, 1, patience(SOON)));
	ASSERT_EQ(READS, block_reads(&ring));
	EXPECT_EQ(READS + 1, fdinfo_value(ring.fd, "in_flight"));
	EXPECT_EQ(1, worker_count(owner.pid));

	EXPECT_EQ(0, ring_enter(&ring, 0, 1));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(99, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
	EXPECT_TRUE(await_workers(owner.pid, 0, SOON));

	/* Its end is none of the next one's requests. */
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	ASSERT_TRUE(feed());
	EXPECT_EQ(0, check_reads(&ring));
	actor_end(&owner);
	ring_close(&ring);
	slow_disk_close(shared.disk);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static int move_away(struct ring *ring)
{
	(void)ring;
	return run_on(1) ? 0 : -errno;
}

static int wait_for_a_while(struct ring *ring)
{
	struct io_ring_enter args = {
		.min_complete = ring_ready(ring) + 1,
		.timeout = patience(SOON) * 1000000LL,
	};

	return ring_enter_fd(ring->fd, &args);
}

/* Takes the ring over without sleeping, so that nobody else runs on this processor meanwhile. */
static int submit_as_soon_as_possible(struct ring *ring)
{
	struct sched_param urgent = { .sched_priority = 1 }, normal = { 0 };
	long end = now_ms() + patience(SOON);
	int result;

	if (sched_setscheduler(0, SCHED_FIFO, &urgent))
		return -errno;
	do {
		result = ring_enter(ring, 1, 0);
	} while (result == -EPERM && now_ms() < end);
	return sched_setscheduler(0, SCHED_OTHER, &normal) ? -errno : result;
}

/* One process leaves and the next one comes before a third, which waits, has got to run. */
TEST(wait_overtaken_by_the_next)
{
	struct actor owner, waiter;
	struct ring ring;

	ASSERT_TRUE(run_on(0));
	ASSERT_EQ(0, ring_open(&ring, 8, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&owner, &ring));
	ASSERT_TRUE(actor_start(&waiter, &ring));
	ASSERT_EQ(0, actor_ask(&owner, move_away));
	ASSERT_EQ(1, actor_ask(&owner, submit_nop));
	ASSERT_TRUE(actor_tell(&waiter, wait_for_a_while));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, kill(owner.pid, SIGKILL));
	ASSERT_EQ(0, submit_as_soon_as_possible(&ring));
	EXPECT_EQ(-EOWNERDEAD, actor_answer(&waiter));
	actor_end(&owner);
	actor_end(&waiter);
	ring_close(&ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
