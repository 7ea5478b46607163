// SPDX-License-Identifier: GPL-2.0-only
/* Waits that do not sleep for completions that cannot come: IO_RING_ENTER_NO_STALL. */
#include <errno.h>
#include <pthread.h>

#include "clock.h"
#include "harness.h"
#include "ring.h"
#include "slow_disk.h"

#define ENTRIES 8
#define CQ_ENTRIES 8
#define DELAY (200 * MS)

struct bench {
	struct ring ring;
	int disk;
	void *buffer;
};

FIXTURE(stall)
{
	struct bench bench;
};

FIXTURE_SETUP(stall)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = CQ_ENTRIES;
	wanted.requests = 4 * CQ_ENTRIES;
	self->bench.disk = slow_disk_open(DELAY);
	ASSERT_LE(0, self->bench.disk);
	self->bench.buffer = mmap(NULL, SLOW_DISK_BLOCK, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->bench.buffer);
	ASSERT_EQ(0, ring_open_as(&self->bench.ring, &wanted));
}

FIXTURE_TEARDOWN(stall)
{
	ring_close(&self->bench.ring);
	munmap(self->bench.buffer, SLOW_DISK_BLOCK);
	slow_disk_close(self->bench.disk);
}

static int wait_awake(const struct ring *ring, __u32 to_submit, __u32 min_complete,
		      int *wait_error)
{
	struct io_ring_enter args = {
		.to_submit = to_submit,
		.min_complete = min_complete,
		.flags = IO_RING_ENTER_NO_STALL,
	};
	int result = ring_enter_fd(ring->fd, &args);

	*wait_error = args.wait_error;
	return result;
}

static void submit_reads(struct __test_metadata *_metadata, const struct bench *bench,
			 unsigned int count)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, bench->disk, bench->buffer,
					SLOW_DISK_BLOCK, 0);

	for (unsigned int i = 0; i < count; i++) {
		sqe.off = (__u64)i * SLOW_DISK_BLOCK * 16;
		ring_push(&bench->ring, &sqe);
	}
	ASSERT_EQ((int)count, ring_enter(&bench->ring, count, 0));
}

TEST_F(stall, with_nothing_under_way)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	int wait_error;

	for (__u32 min = 1; min <= CQ_ENTRIES + 1; min++)
		EXPECT_EQ(-EDEADLK, wait_awake(&self->bench.ring, 0, min, &wait_error));
	EXPECT_GT(LATE, clock_since(begin));
}

TEST_F(stall, leaves_what_was_taken)
{
	int wait_error;

	ring_push_nops(&self->bench.ring, 3, 0);
	EXPECT_EQ(3, wait_awake(&self->bench.ring, 3, 4, &wait_error));
	EXPECT_EQ(-EDEADLK, wait_error);
	EXPECT_EQ(3, ring_ready(&self->bench.ring));
	EXPECT_EQ(0, wait_awake(&self->bench.ring, 0, 3, &wait_error));
	EXPECT_EQ(-EDEADLK, wait_awake(&self->bench.ring, 0, 4, &wait_error));
}

TEST_F(stall, sleeps_for_what_a_device_has)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	int wait_error;

	submit_reads(_metadata, &self->bench, 3);
	EXPECT_EQ(-EDEADLK, wait_awake(&self->bench.ring, 0, 4, &wait_error));
	ring_push_nops(&self->bench.ring, 1, 0);
	EXPECT_EQ(1, wait_awake(&self->bench.ring, 1, 4, &wait_error));
	EXPECT_EQ(0, wait_error);
	EXPECT_LE(DELAY, clock_since(begin));
	EXPECT_EQ(4, ring_ready(&self->bench.ring));
	EXPECT_EQ(-EDEADLK, wait_awake(&self->bench.ring, 0, 5, &wait_error));
}

/* A full queue, with more completions behind it in the kernel. */
TEST_F(stall, counts_parked_completions)
{
	int wait_error;

	for (unsigned int i = 0; i < 2; i++) {
		ring_push_nops(&self->bench.ring, ENTRIES, 0);
		EXPECT_EQ(ENTRIES, ring_enter(&self->bench.ring, ENTRIES, 0));
	}
	EXPECT_EQ(0, wait_awake(&self->bench.ring, 0, CQ_ENTRIES, &wait_error));
	ring_store(&self->bench.ring, self->bench.ring.setup.cq_off.head, 3);
	EXPECT_EQ(0, wait_awake(&self->bench.ring, 0, CQ_ENTRIES, &wait_error));
	EXPECT_EQ(CQ_ENTRIES, ring_ready(&self->bench.ring));
}

static void *reap_one(void *arg)
{
	const struct bench *bench = arg;
	struct io_ring_cqe cqe;

	while (!ring_pop(&bench->ring, &cqe))
		clock_sleep(MS);
	return NULL;
}

/* What was missing comes, but somebody else took what had been there. */
TEST_F(stall, is_noticed_while_asleep)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	pthread_t reaper;
	int wait_error;

	submit_reads(_metadata, &self->bench, 1);
	ASSERT_EQ(0, pthread_create(&reaper, NULL, reap_one, &self->bench));
	clock_sleep(DELAY / 2);
	submit_reads(_metadata, &self->bench, 1);
	EXPECT_EQ(-EDEADLK, wait_awake(&self->bench.ring, 0, 2, &wait_error));
	EXPECT_LE(DELAY + DELAY / 2, clock_since(begin));
	EXPECT_EQ(1, ring_ready(&self->bench.ring));
	pthread_join(reaper, NULL);
}

struct reader {
	const struct ring *ring;
	int pipe;
	char byte;
};

static void *read_pipe(void *arg)
{
	struct reader *reader = arg;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, reader->pipe, &reader->byte, 1, 0);

	ring_push(reader->ring, &sqe);
	ring_enter(reader->ring, 1, 0);
	return NULL;
}

static void *write_later(void *arg)
{
	const int *fd = arg;

	clock_sleep(DELAY);
	return (void *)(write(*fd, "x", 1) - 1);
}

/* A request in the hands of another thread is under way, and does not keep the processor busy. */
TEST_F(stall, sleeps_while_another_thread_submits)
{
	struct reader reader = { .ring = &self->bench.ring };
	pthread_t submitter, writer;
	int pipe_fds[2], wait_error;
	const struct io_ring_sqe nop = sqe_nop(0);
	struct io_ring_cqe cqe;
	__u64 begin, busy;
	void *result;

	/* Once around, so that all requests have been seen idle. */
	ASSERT_EQ(0, ring_run(&self->bench.ring, &nop, &cqe));
	ASSERT_EQ(0, pipe(pipe_fds));
	reader.pipe = pipe_fds[0];
	ASSERT_EQ(0, pthread_create(&submitter, NULL, read_pipe, &reader));
	clock_sleep(DELAY / 2);
	ASSERT_EQ(0, pthread_create(&writer, NULL, write_later, &pipe_fds[1]));
	begin = clock_now(CLOCK_MONOTONIC);
	busy = clock_now(CLOCK_THREAD_CPUTIME_ID);
	EXPECT_EQ(0, wait_awake(&self->bench.ring, 0, 1, &wait_error));
	busy = clock_now(CLOCK_THREAD_CPUTIME_ID) - busy;
	EXPECT_LE(DELAY / 2, clock_since(begin));
	EXPECT_GT(DELAY / 4, busy);
	EXPECT_EQ(1, ring_ready(&self->bench.ring));
	pthread_join(submitter, NULL);
	pthread_join(writer, &result);
	EXPECT_EQ(NULL, result);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* With min_wait, a single one must be in sight once that time is over. */
TEST_F(stall, goes_by_what_is_wanted_now)
{
	struct io_ring_enter args = {
		.min_complete = 2,
		.flags = IO_RING_ENTER_NO_STALL,
		.min_wait = DELAY / 2,
	};

	submit_reads(_metadata, &self->bench, 1);
	EXPECT_EQ(-EDEADLK, ring_enter_fd(self->bench.ring.fd, &args));
	args.wait_error = 0;
	submit_reads(_metadata, &self->bench, 1);
	EXPECT_EQ(0, ring_enter_fd(self->bench.ring.fd, &args));
	EXPECT_LE(1, ring_ready(&self->bench.ring));
}

TEST_HARNESS_MAIN
