// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SETUP_IOPOLL: transfers that complete when their device is asked, and only then. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "polled_disk.h"
#include "registered.h"
#include "ring.h"
#include "waiter.h"

#define ENTRIES 256
#define CHUNK 4096
#define CHUNKS 256
#define DEPTH 16
#define SEED 7

FIXTURE(iopoll)
{
	struct ring ring;
	int disk;
	unsigned char *buffers;
};

FIXTURE_SETUP(iopoll)
{
	const struct polled_disk how = { .queues = 1, .depth = DEPTH };

	self->disk = polled_disk_open(&how);
	ASSERT_LE(0, self->disk);
	self->buffers = mmap(NULL, CHUNKS * CHUNK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffers);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
}

FIXTURE_TEARDOWN(iopoll)
{
	ring_close(&self->ring);
	munmap(self->buffers, CHUNKS * CHUNK);
	polled_disk_close(self->disk);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Request number i is about chunk i. They do not join: the disk has to take each of them. */
static void push_chunks(const struct ring *ring, __u8 opcode, int fd, unsigned char *buffers,
			unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++) {
		struct io_ring_sqe sqe = sqe_rw(opcode, fd, buffers + i * CHUNK, CHUNK,
						2ULL * i * CHUNK);

		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
}

static void expect_chunks(struct __test_metadata *_metadata, const struct ring *ring,
			  unsigned int count)
{
	bool seen[CHUNKS] = { false };
	struct io_ring_cqe cqe;

	ASSERT_LE(count, CHUNKS);
	ASSERT_EQ(count, ring_ready(ring));
	for (unsigned int n = 0; n < count; n++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		ASSERT_EQ(CHUNK, cqe.res);
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
		ASSERT_LT(cqe.user_data, CHUNKS);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
	}
}

static void run_chunks(struct __test_metadata *_metadata, const struct ring *ring, __u8 opcode,
		       int fd, unsigned char *buffers, unsigned int count)
{
	push_chunks(ring, opcode, fd, buffers, 0, count);
	ASSERT_EQ(count, ring_enter(ring, count, count));
	expect_chunks(_metadata, ring, count);
}

/* From one request to many times more than the disk takes at once. */
TEST_F(iopoll, reads_what_was_written)
{
	for (unsigned int count = 1; count <= CHUNKS; count *= 2) {
		pattern_fill(self->buffers, count * CHUNK, SEED + count);
		run_chunks(_metadata, &self->ring, IO_RING_OP_WRITE, self->disk, self->buffers,
			   count);
		memset(self->buffers, 0, count * CHUNK);
		run_chunks(_metadata, &self->ring, IO_RING_OP_READ, self->disk, self->buffers,
			   count);
		EXPECT_EQ(count * CHUNK,
			  pattern_mismatch(self->buffers, count * CHUNK, SEED + count, 0));
	}
}

TEST_F(iopoll, vectors)
{
	struct iovec iov[2] = {
		{ .iov_base = self->buffers, .iov_len = CHUNK },
		{ .iov_base = self->buffers + 2 * CHUNK, .iov_len = CHUNK },
	};
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITEV, self->disk, iov, 2, CHUNK);
	struct io_ring_cqe cqe;

	pattern_fill(self->buffers, 3 * CHUNK, SEED);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(2 * CHUNK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
	memset(self->buffers, 0, 3 * CHUNK);
	sqe.opcode = IO_RING_OP_READV;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(2 * CHUNK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
	EXPECT_EQ(CHUNK, pattern_mismatch(self->buffers, CHUNK, SEED, 0));
	EXPECT_TRUE(all_bytes(self->buffers + CHUNK, CHUNK, 0));
	EXPECT_EQ(CHUNK, pattern_mismatch(self->buffers + 2 * CHUNK, CHUNK, SEED, 2 * CHUNK));
}

TEST_F(iopoll, registered_buffers_and_files)
{
	struct iovec iov = { .iov_base = self->buffers + CHUNK, .iov_len = CHUNK };
	struct io_ring_cqe cqe;
	struct io_ring_sqe sqe;

	ASSERT_EQ(0, buffer_register(&self->ring, self->buffers, 2 * CHUNK));
	ASSERT_EQ(0, files_register(&self->ring, &self->disk, NULL, 1));
	pattern_fill(self->buffers, 2 * CHUNK, SEED);
	sqe = sqe_fixed(sqe_buffer(IO_RING_OP_WRITE_FIXED, 0, 0, self->buffers, CHUNK, 0), 0);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
	sqe = sqe_fixed(sqe_buffer(IO_RING_OP_WRITEV_FIXED, 0, 0, &iov, 1, CHUNK), 0);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	memset(self->buffers, 0, 2 * CHUNK);
	sqe = sqe_fixed(sqe_buffer(IO_RING_OP_READ_FIXED, 0, 0, self->buffers, CHUNK, 0), 0);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	sqe = sqe_fixed(sqe_buffer(IO_RING_OP_READV_FIXED, 0, 0, &iov, 1, CHUNK), 0);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
	EXPECT_EQ(2 * CHUNK, pattern_mismatch(self->buffers, 2 * CHUNK, SEED, 0));
}

TEST_F(iopoll, nothing_completes_before_somebody_asks)
{
	/* Neither what the disk has nor what it could not take; its timer takes microseconds. */
	push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, 8 * DEPTH);
	ASSERT_EQ(8 * DEPTH, ring_enter(&self->ring, 8 * DEPTH, 0));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	/* To ask once is enough here for what the disk has, and takes no entry. */
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(DEPTH, ring_ready(&self->ring));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 8 * DEPTH));
	expect_chunks(_metadata, &self->ring, 8 * DEPTH);
}

TEST_F(iopoll, a_submission_asks_as_well)
{
	push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, 2);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_LE(1, ring_ready(&self->ring));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 2));
	expect_chunks(_metadata, &self->ring, 2);
}

/* The disk takes DEPTH, and the rest waits; only who asked for that is told. */
TEST_F(iopoll, who_must_not_wait_is_told)
{
	unsigned int refused = 0, done = 0;
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < 8 * DEPTH; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->disk,
						self->buffers + i * CHUNK, CHUNK, 2 * i * CHUNK);

		sqe.op_flags = i % 2 ? RWF_NOWAIT : 0;
		sqe.user_data = i;
		ring_push(&self->ring, &sqe);
	}
	ASSERT_EQ(8 * DEPTH, ring_enter(&self->ring, 8 * DEPTH, 8 * DEPTH));
	while (ring_pop(&self->ring, &cqe)) {
		if (cqe.user_data % 2 && cqe.res == -EAGAIN)
			refused++;
		else if (cqe.res == CHUNK)
			done++;
	}
	EXPECT_EQ(8 * DEPTH, done + refused);
	EXPECT_LT(0, refused);
	EXPECT_LE(4 * DEPTH, done);
}

TEST_F(iopoll, at_the_file_position)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->disk, self->buffers, CHUNK, ~0ULL);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_WORKER), cqe.flags);
	EXPECT_EQ(CHUNK, lseek(self->disk, 0, SEEK_CUR));
}

TEST_F(iopoll, beyond_the_end)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->disk, self->buffers, CHUNK,
					POLLED_DISK_MB << 20);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(0, cqe.res);
	sqe.opcode = IO_RING_OP_WRITE;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(-ENOSPC, cqe.res);
}

TEST_F(iopoll, nop)
{
	struct io_ring_sqe sqe = sqe_nop(5);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(0, cqe.res);
	EXPECT_EQ(5, cqe.user_data);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_INLINE), cqe.flags);
}

/* More completions than the queue holds: those that are parked come later. */
TEST_F(iopoll, completions_are_parked)
{
	struct io_ring_setup wanted = ring_wanted(8, IO_RING_SETUP_IOPOLL | IO_RING_SETUP_CQSIZE);
	unsigned int seen = 0;
	struct io_ring_cqe cqe;
	struct ring ring;

	wanted.cq_entries = 8;
	wanted.requests = 64;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int first = 0; first < 32; first += 8) {
		push_chunks(&ring, IO_RING_OP_READ, self->disk, self->buffers, first, 8);
		ASSERT_EQ(8, ring_enter(&ring, 8, 0));
	}
	for (unsigned int round = 0; round < 32 && seen < 32; round++) {
		ASSERT_EQ(0, ring_enter(&ring, 0, 1));
		while (ring_pop(&ring, &cqe)) {
			EXPECT_EQ(CHUNK, cqe.res);
			seen++;
		}
	}
	EXPECT_EQ(32, seen);
	ring_close(&ring);
}

/* Who has no slot left and tries again gets one, also if it never does anything else. */
TEST_F(iopoll, no_slot_left)
{
	struct io_ring_setup wanted = ring_wanted(DEPTH, IO_RING_SETUP_IOPOLL |
							  IO_RING_SETUP_CQSIZE);
	struct ring ring;

	wanted.cq_entries = DEPTH;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	push_chunks(&ring, IO_RING_OP_READ, self->disk, self->buffers, 0, DEPTH);
	ASSERT_EQ(DEPTH, ring_enter(&ring, DEPTH, 0));
	push_chunks(&ring, IO_RING_OP_READ, self->disk, self->buffers, 0, 1);
	EXPECT_EQ(-EBUSY, ring_enter(&ring, 1, 1));
	expect_chunks(_metadata, &ring, DEPTH);
	EXPECT_EQ(1, ring_enter(&ring, 1, 1));
	expect_chunks(_metadata, &ring, 1);
	ring_close(&ring);
}

/* It does not ask. */
TEST_F(iopoll, poll)
{
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };

	push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, 2);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_EQ(0, poll(&pollfd, 1, A_WHILE));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_EQ(POLLIN, pollfd.revents);
	expect_chunks(_metadata, &self->ring, 2);
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
}

#define THREADS 4
#define ROUNDS 200

struct crowd {
	struct ring *ring;
	unsigned int popped;
	bool failed;
};

/* All wait at the same time, for what another thread submits. */
static void *reap(void *arg)
{
	struct crowd *crowd = arg;

	while (__atomic_load_n(&crowd->popped, __ATOMIC_RELAXED) < ROUNDS * DEPTH) {
		struct io_ring_enter args = { .min_complete = 1, .timeout = 10 * MS };
		int ret = ring_enter_fd(crowd->ring->fd, &args);

		if (ret && ret != -ETIME)
			crowd->failed = true;
		while (pop_alone(crowd->ring))
			__atomic_add_fetch(&crowd->popped, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(iopoll, several_threads_ask)
{
	struct crowd crowd = { .ring = &self->ring };
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, reap, &crowd));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, DEPTH);
		for (unsigned int left = DEPTH; left;) {
			int taken = ring_enter(&self->ring, left, 0);

			ASSERT_TRUE(taken > 0 || taken == -EBUSY);
			left -= taken > 0 ? taken : 0;
		}
	}
	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_FALSE(crowd.failed);
	EXPECT_EQ(ROUNDS * DEPTH, crowd.popped);
	EXPECT_EQ(0, ring_ready(&self->ring));
}

/* Who sleeps because there was nothing to ask for is woken to do so. */
TEST_F(iopoll, a_sleeper_begins_to_ask)
{
	struct waiter waiter = { .ring = &self->ring, .args.min_complete = 2, .take = 2 };

	ASSERT_TRUE(waiter_start(&waiter));
	ASSERT_FALSE(waiter_is_over(&waiter));
	push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, 2);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_TRUE(await_waiter(&waiter));
	EXPECT_EQ(0, waiter.result);
	EXPECT_EQ(2, waiter.taken);
}

/* Each is told of its own requests, whoever asked the disk. */
TEST_F(iopoll, two_rings_of_one_disk)
{
	struct ring other;

	ASSERT_EQ(0, ring_open(&other, ENTRIES, IO_RING_SETUP_IOPOLL));
	for (unsigned int round = 0; round < 100; round++) {
		push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, DEPTH / 2);
		push_chunks(&other, IO_RING_OP_READ, self->disk, self->buffers, DEPTH, DEPTH / 2);
		ASSERT_EQ(DEPTH / 2, ring_enter(&self->ring, DEPTH / 2, 0));
		ASSERT_EQ(DEPTH / 2, ring_enter(&other, DEPTH / 2, DEPTH / 2));
		/* The disk has completed all of it, but nobody looked. */
		EXPECT_EQ(0, ring_ready(&self->ring));
		ASSERT_EQ(0, ring_enter(&self->ring, 0, DEPTH / 2));
		expect_chunks(_metadata, &self->ring, DEPTH / 2);
		expect_chunks(_metadata, &other, DEPTH / 2);
	}
	ring_close(&other);
}

/* Those that another ring keeps out do not wait for that to ask. */
TEST_F(iopoll, another_ring_has_all_that_the_disk_takes)
{
	struct io_ring_cqe cqe;
	struct ring other;

	ASSERT_EQ(0, ring_open(&other, ENTRIES, IO_RING_SETUP_IOPOLL));
	push_chunks(&other, IO_RING_OP_READ, self->disk, self->buffers, 0, 2 * DEPTH);
	ASSERT_EQ(2 * DEPTH, ring_enter(&other, 2 * DEPTH, 0));
	push_chunks(&self->ring, IO_RING_OP_READ, self->disk, self->buffers, 0, DEPTH);
	ASSERT_EQ(DEPTH, ring_enter(&self->ring, DEPTH, DEPTH));
	for (unsigned int i = 0; i < DEPTH; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(CHUNK, cqe.res);
	}
	ASSERT_EQ(0, ring_enter(&other, 0, 2 * DEPTH));
	expect_chunks(_metadata, &other, 2 * DEPTH);
	ring_close(&other);
}

TEST_HARNESS_MAIN
