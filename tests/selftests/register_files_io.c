// SPDX-License-Identifier: GPL-2.0-only
/* Registered files: all that can be done with a descriptor can be done with a number. */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "registered.h"
#include "ring.h"
#include "slow_disk.h"
#include "source.h"
#include "stream.h"
#include "stuck.h"

#define ENTRIES 8
#define PAGE 4096
#define LEN (2 * PAGE)
#define SEED 5
#define NUMBER 1		/* of the file that is meant; its neighbour is another one */
#define THE_ONE 7		/* user_data */
#define OTHER 8
#define DELAY (300 * MS)

static const __u8 transfers[] = {
	IO_RING_OP_WRITE, IO_RING_OP_READ, IO_RING_OP_WRITEV, IO_RING_OP_READV,
};

/* A ring with places for files, the first of which is another file, and memory. */
struct bench {
	struct ring ring;
	unsigned char *memory;
	struct iovec iov;
	int decoy;
};

FIXTURE(fixed)
{
	struct bench bench;
};

FIXTURE_SETUP(fixed)
{
	self->bench.decoy = open("/dev/full", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->bench.decoy);
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	ASSERT_EQ(0, files_register(&self->bench.ring, NULL, NULL, 3));
	ASSERT_EQ(0, file_replace(&self->bench.ring, 0, self->bench.decoy, 0));
	self->bench.memory = guarded_pages(LEN / PAGE);
	ASSERT_NE(NULL, self->bench.memory);
	self->bench.iov = (struct iovec) { self->bench.memory, LEN };
}

FIXTURE_TEARDOWN(fixed)
{
	ring_close(&self->bench.ring);
	close(self->bench.decoy);
	guarded_free(self->bench.memory, LEN / PAGE);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static struct io_ring_sqe transfer(__u8 opcode, int fd, struct iovec *iov)
{
	bool is_vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV;

	return sqe_rw(opcode, fd, is_vector ? (void *)iov : iov->iov_base,
		      is_vector ? 1 : iov->iov_len, 0);
}

/* By descriptor and by number, the completion tells the same. */
static void expect_same(struct __test_metadata *_metadata, const struct ring *ring,
			struct io_ring_sqe sqe, __s32 res)
{
	const struct io_ring_sqe fixed = sqe_fixed(sqe, NUMBER);
	struct io_ring_cqe by_fd, by_number;

	/* The first write to a file may have to make room. */
	ASSERT_EQ(0, ring_run(ring, &sqe, &by_fd));
	ASSERT_EQ(0, ring_run(ring, &sqe, &by_fd));
	ASSERT_EQ(0, ring_run(ring, &fixed, &by_number));
	EXPECT_EQ(res, by_fd.res);
	EXPECT_EQ(res, by_number.res);
	/* Which way it went is up to a device. */
	if (by_fd.flags != CQE_VIA(IO_RING_PATH_DEVICE) &&
	    by_number.flags != CQE_VIA(IO_RING_PATH_DEVICE)) {
		EXPECT_EQ(by_fd.flags, by_number.flags) {
			TH_LOG("opcode %u", sqe.opcode);
		}
	}
}

static void expect_same_transfers(struct __test_metadata *_metadata, struct bench *bench,
				  int fd)
{
	ASSERT_EQ(0, file_replace(&bench->ring, NUMBER, fd, 0));
	for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
		pattern_fill(bench->memory, LEN, SEED + i / 2);
		expect_same(_metadata, &bench->ring, transfer(transfers[i], fd, &bench->iov), LEN);
		EXPECT_EQ(LEN, pattern_mismatch(bench->memory, LEN, SEED + i / 2, 0));
	}
	expect_same(_metadata, &bench->ring, sqe_fsync(fd, 0, 0, 0), 0);
	expect_same(_metadata, &bench->ring, sqe_fsync(fd, 0, LEN, IO_RING_FSYNC_DATASYNC), 0);
	close(fd);
}

TEST_F(fixed, tmpfs)
{
	expect_same_transfers(_metadata, &self->bench, temp_file(TMPFS_DIR));
}

TEST_F(fixed, ext4)
{
	expect_same_transfers(_metadata, &self->bench, temp_file(EXT4_DIR));
}

TEST_F(fixed, ext4_direct)
{
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, LEN + CACHED_TAIL, SEED));
	ASSERT_EQ(0, fsync(file));
	expect_same_transfers(_metadata, &self->bench, reopen(file, O_RDWR | O_DIRECT));
	close(file);
}

TEST_F(fixed, disk_direct)
{
	expect_same_transfers(_metadata, &self->bench,
			      open(NULL_BLK, O_RDWR | O_DIRECT | O_CLOEXEC));
}

TEST_F(fixed, wrong_mode)
{
	int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_WRITE, 0, "x", 1, 0), NUMBER);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, file, 0));
	ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
	EXPECT_EQ(-EBADF, cqe.res);
	EXPECT_EQ(offsetof(struct io_ring_sqe, fd), cqe_rejected_field(&cqe));
	close(file);
}

TEST_F(fixed, at_the_file_position)
{
	int file = temp_file(TMPFS_DIR);
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, self->bench.memory, 3, ~0ULL),
					   NUMBER);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, pattern_write(file, LEN, SEED));
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, file, 0));
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
		EXPECT_EQ(3, cqe.res);
		EXPECT_EQ(3, pattern_mismatch(self->bench.memory, 3, SEED, 3 * i));
	}
	EXPECT_EQ(9, lseek(file, 0, SEEK_CUR));
	close(file);
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void submit_waiting(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_sqe sqe, __u64 user_data)
{
	submit(_metadata, ring, sqe, user_data);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(ring));
}

static void expect_one(struct __test_metadata *_metadata, const struct ring *ring,
		       __u64 user_data, __s32 res)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, 1, SOON));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
}

TEST_F(fixed, reads_that_wait)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, 0, self->bench.memory, SOURCE_LEN, 0);

	for (int kind = 0; kind < SOURCE_KINDS; kind++) {
		struct source source;

		if (kind == SOURCE_SOCKET)	/* not of AF_UNIX */
			continue;
		ASSERT_TRUE(source_open(&source, kind));
		ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, source.reader, 0));
		submit_waiting(_metadata, &self->bench.ring, sqe_fixed(sqe, NUMBER), THE_ONE);
		expect_one(_metadata, &self->bench.ring, THE_ONE, source_feed(&source));
		ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, -1, 0));
		source_close(&source);
	}
}

TEST_F(fixed, write_that_waits)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, 0, self->bench.memory, LEN, 0);
	int ends[2];
	size_t before;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	before = stream_fill(ends[1]);
	ASSERT_LT(0, before);
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, ends[1], 0));
	close(ends[1]);
	submit_waiting(_metadata, &self->bench.ring, sqe_fixed(sqe, NUMBER), THE_ONE);
	EXPECT_EQ(before + LEN, stream_drain(ends[0], before + LEN));
	expect_one(_metadata, &self->bench.ring, THE_ONE, LEN);
	close(ends[0]);
}

/* In the queue of the workers when its file leaves the table. */
TEST_F(fixed, read_by_a_worker)
{
	struct stuck stuck;
	struct io_ring_sqe sqe;

	ASSERT_EQ(0, stuck_open(&stuck));
	sqe = sqe_fixed(stuck_read(&stuck, 0), NUMBER);
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, stuck.disk, 0));
	submit_waiting(_metadata, &self->bench.ring, sqe, THE_ONE);
	EXPECT_LE(1, worker_count(getpid()));
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, -1, 0));
	stuck_let_go(&stuck);
	expect_one(_metadata, &self->bench.ring, THE_ONE, STUCK_PAGE);
	stuck_close(&stuck);
}

TEST_F(fixed, read_that_a_device_has)
{
	int disk = slow_disk_open(DELAY);
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, 0, self->bench.memory, PAGE, 0);

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, disk, 0));
	submit(_metadata, &self->bench.ring, sqe_fixed(sqe, NUMBER), THE_ONE);
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, self->bench.decoy, 0));
	slow_disk_close(disk);
	expect_one(_metadata, &self->bench.ring, THE_ONE, PAGE);
}

/* Nothing but the table holds the file any more, and its descriptor is another file. */
TEST_F(fixed, descriptor_is_not_needed)
{
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, self->bench.memory, LEN, 0),
					   NUMBER);
	int file = temp_file(EXT4_DIR);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, pattern_write(file, LEN, SEED));
	ASSERT_EQ(0, file_replace(&self->bench.ring, NUMBER, file, 0));
	close(file);
	ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
	EXPECT_EQ(LEN, cqe.res);
	ASSERT_EQ(file, dup2(self->bench.decoy, file));
	memset(self->bench.memory, 0, LEN);
	ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(LEN, pattern_mismatch(self->bench.memory, LEN, SEED, 0));
	close(file);
}

/* Two reads wait for one pipe: by descriptor, and by number. */
FIXTURE(cancel_fixed)
{
	struct ring ring;
	int ends[2];
	int other[2];
	char bytes[2];
};

FIXTURE_SETUP(cancel_fixed)
{
	struct io_ring_sqe sqe;

	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->other, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, files_register(&self->ring, NULL, NULL, 3));
	ASSERT_EQ(0, file_replace(&self->ring, NUMBER, self->ends[0], 0));
	ASSERT_EQ(0, file_replace(&self->ring, 2, self->other[0], 0));
	sqe = sqe_rw(IO_RING_OP_READ, self->ends[0], &self->bytes[0], 1, 0);
	submit(_metadata, &self->ring, sqe, THE_ONE);
	sqe = sqe_rw(IO_RING_OP_READ, 0, &self->bytes[1], 1, 0);
	submit_waiting(_metadata, &self->ring, sqe_fixed(sqe, NUMBER), THE_ONE);
}

FIXTURE_TEARDOWN(cancel_fixed)
{
	ring_close(&self->ring);
	for (unsigned int i = 0; i < 2; i++) {
		close(self->ends[i]);
		close(self->other[i]);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The CANCEL answers count, and so many reads have been cancelled. */
static void expect_cancelled(struct __test_metadata *_metadata, const struct ring *ring,
			     __u32 flags, int fd, __s32 count)
{
	submit(_metadata, ring, sqe_cancel(flags | IO_RING_CANCEL_ALL, 0, fd, 0), OTHER);
	for (__s32 i = 0; i < count; i++)
		expect_one(_metadata, ring, THE_ONE, -ECANCELED);
	expect_one(_metadata, ring, OTHER, count);
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(cancel_fixed, by_descriptor)
{
	expect_cancelled(_metadata, &self->ring, IO_RING_CANCEL_FD, self->other[0], 0);
	expect_cancelled(_metadata, &self->ring, IO_RING_CANCEL_FD, self->ends[0], 2);
}

TEST_F(cancel_fixed, by_number)
{
	const __u32 flags = IO_RING_CANCEL_FD | IO_RING_CANCEL_FD_FIXED;

	expect_cancelled(_metadata, &self->ring, flags, 2, 0);
	expect_cancelled(_metadata, &self->ring, flags, NUMBER, 2);
}

/* What the number stood for when they were taken does not count. */
TEST_F(cancel_fixed, by_number_that_is_another_file)
{
	const __u32 flags = IO_RING_CANCEL_FD | IO_RING_CANCEL_FD_FIXED;

	ASSERT_EQ(0, file_replace(&self->ring, NUMBER, self->other[0], 0));
	expect_cancelled(_metadata, &self->ring, flags, NUMBER, 0);
	ASSERT_EQ(0, file_replace(&self->ring, 2, self->ends[0], 0));
	expect_cancelled(_metadata, &self->ring, flags, 2, 2);
}

TEST_F(cancel_fixed, by_number_that_is_none)
{
	static const int numbers[] = { 0, 3, -1, 1 << 30 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const __u32 flags = IO_RING_CANCEL_FD | IO_RING_CANCEL_FD_FIXED;
		const struct io_ring_sqe sqe = sqe_cancel(flags, 0, numbers[i], 0);
		struct io_ring_cqe cqe;

		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(-EBADF, cqe.res);
		EXPECT_EQ(offsetof(struct io_ring_sqe, fd), cqe_rejected_field(&cqe));
	}
	expect_cancelled(_metadata, &self->ring, IO_RING_CANCEL_FD, self->ends[0], 2);
}

TEST_HARNESS_MAIN
