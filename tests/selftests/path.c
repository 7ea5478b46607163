// SPDX-License-Identifier: GPL-2.0-only
/* How requests come to their results: what completions tell of it, and that ENTER does not wait. */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"
#include "source.h"
#include "stream.h"

#define ENTRIES 16
#define LEN 16384
#define SEED 3
#define CURRENT (~0ULL)
#define DELAY (500 * MS)

struct bench {
	struct ring ring;
	unsigned char *buffer;
	struct iovec iov;
};

FIXTURE(path)
{
	struct bench bench;
};

FIXTURE_SETUP(path)
{
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	self->bench.buffer = guarded_pages(LEN / 4096);
	ASSERT_NE(NULL, self->bench.buffer);
	pattern_fill(self->bench.buffer, LEN, SEED);
	self->bench.iov = (struct iovec) { self->bench.buffer, LEN };
}

FIXTURE_TEARDOWN(path)
{
	ring_close(&self->bench.ring);
	guarded_free(self->bench.buffer, LEN / 4096);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void expect_path(struct __test_metadata *_metadata, const struct ring *ring,
			struct io_ring_sqe sqe, __s32 res, enum io_ring_path path)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(res, cqe.res) {
		TH_LOG("opcode %u", sqe.opcode);
	}
	EXPECT_EQ(CQE_VIA(path), cqe.flags) {
		TH_LOG("opcode %u", sqe.opcode);
	}
}

/* The four transfers of LEN bytes at the start of a file. */
static struct io_ring_sqe transfer(struct bench *bench, __u8 opcode, int fd)
{
	bool is_vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV;

	return sqe_rw(opcode, fd, is_vector ? (void *)&bench->iov : bench->buffer,
		      is_vector ? 1 : LEN, 0);
}

static const __u8 readers[] = { IO_RING_OP_READ, IO_RING_OP_READV };
static const __u8 writers[] = { IO_RING_OP_WRITE, IO_RING_OP_WRITEV };

static void expect_all(struct __test_metadata *_metadata, struct bench *bench,
		       const __u8 *opcodes, int fd, enum io_ring_path path)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		expect_path(_metadata, &bench->ring, transfer(bench, opcodes[i], fd), LEN, path);
}

TEST_F(path, nop_and_cancel)
{
	expect_path(_metadata, &self->bench.ring, sqe_nop(0), 0, IO_RING_PATH_INLINE);
	expect_path(_metadata, &self->bench.ring, sqe_cancel(0, 1, 0, 0), -ENOENT,
		    IO_RING_PATH_INLINE);
}

TEST_F(path, refused)
{
	const struct io_ring_sqe sqes[] = {
		{ .opcode = IO_RING_OP_NOP, .addr3 = 1 },
		{ .opcode = 255 },
		sqe_rw(IO_RING_OP_READ, -1, self->bench.buffer, 1, 0),
		sqe_fsync(-1, 0, 0, 0),
	};

	for (size_t i = 0; i < ARRAY_SIZE(sqes); i++) {
		struct io_ring_cqe cqe;

		ASSERT_EQ(0, ring_run(&self->bench.ring, &sqes[i], &cqe));
		EXPECT_GT(0, cqe.res);
		EXPECT_EQ(IO_RING_PATH_INLINE,
			  (cqe.flags >> IO_RING_CQE_PATH_SHIFT) & IO_RING_CQE_PATH_MASK);
	}
}

TEST_F(path, tmpfs)
{
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	expect_all(_metadata, &self->bench, writers, file, IO_RING_PATH_INLINE);
	expect_all(_metadata, &self->bench, readers, file, IO_RING_PATH_INLINE);
	expect_path(_metadata, &self->bench.ring, sqe_fsync(file, 0, 0, 0), 0, IO_RING_PATH_WORKER);
	close(file);
}

TEST_F(path, devices_of_memory)
{
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, zero);
	ASSERT_LE(0, null);
	expect_all(_metadata, &self->bench, readers, zero, IO_RING_PATH_INLINE);
	expect_all(_metadata, &self->bench, writers, null, IO_RING_PATH_INLINE);
	close(zero);
	close(null);
}

TEST_F(path, ext4)
{
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	expect_all(_metadata, &self->bench, writers, file, IO_RING_PATH_WORKER);
	expect_all(_metadata, &self->bench, readers, file, IO_RING_PATH_INLINE);
	expect_path(_metadata, &self->bench.ring, sqe_fsync(file, 0, 0, 0), 0, IO_RING_PATH_WORKER);
	expect_path(_metadata, &self->bench.ring, sqe_fsync(file, 0, 0, IO_RING_FSYNC_DATASYNC), 0,
		    IO_RING_PATH_WORKER);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		ASSERT_EQ(0, posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
		memset(self->bench.buffer, 0, LEN);
		expect_path(_metadata, &self->bench.ring,
			    transfer(&self->bench, readers[i], file), LEN, IO_RING_PATH_WORKER);
		EXPECT_EQ(LEN, pattern_mismatch(self->bench.buffer, LEN, SEED, 0));
	}
	close(file);
}

static void expect_direct(struct __test_metadata *_metadata, struct bench *bench, int file)
{
	int direct = reopen(file, O_RDWR | O_DIRECT);

	ASSERT_LE(0, direct);
	ASSERT_EQ(0, fsync(file));
	expect_all(_metadata, bench, readers, direct, IO_RING_PATH_DEVICE);
	EXPECT_EQ(LEN, pattern_mismatch(bench->buffer, LEN, SEED, 0));
	close(direct);
}

TEST_F(path, ext4_direct)
{
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, LEN, SEED));
	expect_direct(_metadata, &self->bench, file);
	close(file);
}

TEST_F(path, null_blk_direct)
{
	int direct = open(NULL_BLK, O_RDWR | O_DIRECT | O_CLOEXEC);

	ASSERT_LE(0, direct);
	expect_all(_metadata, &self->bench, writers, direct, IO_RING_PATH_DEVICE);
	memset(self->bench.buffer, 0, LEN);
	expect_direct(_metadata, &self->bench, direct);
	close(direct);
}

/* What is there when the request comes is nothing to wait for. */
TEST_F(path, stream_that_is_ready)
{
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	expect_path(_metadata, &self->bench.ring,
		    transfer(&self->bench, IO_RING_OP_WRITE, ends[1]), LEN, IO_RING_PATH_INLINE);
	expect_path(_metadata, &self->bench.ring,
		    transfer(&self->bench, IO_RING_OP_READ, ends[0]), LEN, IO_RING_PATH_INLINE);
	close(ends[0]);
	close(ends[1]);
}

/* Of some files the kernel does not know how to use them without the risk of blocking. */
static enum io_ring_path path_of(enum source_kind kind)
{
	switch (kind) {
	case SOURCE_FIFO:
	case SOURCE_TERMINAL:
	case SOURCE_MASTER:
		return IO_RING_PATH_WORKER;
	default:
		return IO_RING_PATH_POLLED;
	}
}

TEST_F(path, sources_that_become_ready)
{
	for (enum source_kind kind = 0; kind < SOURCE_KINDS; kind++) {
		struct source source;
		struct io_ring_sqe sqe;
		struct io_ring_cqe cqe;
		int len;

		ASSERT_TRUE(source_open(&source, kind));
		sqe = sqe_rw(IO_RING_OP_READ, source.reader, self->bench.buffer, SOURCE_LEN, 0);
		ring_push(&self->bench.ring, &sqe);
		ASSERT_EQ(1, ring_enter(&self->bench.ring, 1, 0));
		sleep_ms(A_WHILE / 10);
		ASSERT_EQ(0, ring_ready(&self->bench.ring));
		len = source_feed(&source);
		ASSERT_EQ(0, ring_enter(&self->bench.ring, 0, 1));
		ASSERT_TRUE(ring_pop(&self->bench.ring, &cqe));
		EXPECT_EQ(len, cqe.res);
		EXPECT_EQ(CQE_VIA(path_of(kind)), cqe.flags) {
			TH_LOG("%s", source_names[kind]);
		}
		source_close(&source);
	}
}

TEST_F(path, pipe_that_gets_room)
{
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	size_t filled;
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	filled = stream_fill(ends[1]);
	ASSERT_LT(0, filled);
	sqe = transfer(&self->bench, IO_RING_OP_WRITEV, ends[1]);
	ring_push(&self->bench.ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->bench.ring, 1, 0));
	EXPECT_EQ(filled + LEN, stream_drain(ends[0], filled + LEN));
	ASSERT_EQ(0, ring_enter(&self->bench.ring, 0, 1));
	ASSERT_TRUE(ring_pop(&self->bench.ring, &cqe));
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_POLLED), cqe.flags);
	close(ends[0]);
	close(ends[1]);
}

/* Whatever of a disk that takes its time is asked for, ENTER returns at once. */
FIXTURE(slow)
{
	struct ring ring;
	int disk;
	void *buffer;
};

FIXTURE_VARIANT(slow)
{
	bool cached;
	__u64 off;
	enum io_ring_path path;
};

FIXTURE_VARIANT_ADD(slow, direct) { .path = IO_RING_PATH_DEVICE };
FIXTURE_VARIANT_ADD(slow, cached) { .cached = true, .path = IO_RING_PATH_WORKER };
FIXTURE_VARIANT_ADD(slow, cached_at_position) {
	.cached = true, .off = CURRENT, .path = IO_RING_PATH_WORKER,
};

FIXTURE_SETUP(slow)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->disk = slow_disk_open(DELAY);
	ASSERT_LE(0, self->disk);
	if (variant->cached)
		ASSERT_EQ(0, fcntl(self->disk, F_SETFL, O_RDONLY));
	self->buffer = mmap(NULL, SLOW_DISK_BLOCK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffer);
}

FIXTURE_TEARDOWN(slow)
{
	ring_close(&self->ring);
	slow_disk_close(self->disk);
	munmap(self->buffer, SLOW_DISK_BLOCK);
}

TEST_F(slow, enter_does_not_wait)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->disk, self->buffer, SLOW_DISK_BLOCK,
					variant->off);
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_cqe cqe;

	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_GT(DELAY, clock_since(begin));
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	EXPECT_LE(DELAY, clock_since(begin));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(SLOW_DISK_BLOCK, cqe.res);
	EXPECT_EQ(CQE_VIA(variant->path), cqe.flags);
}

/* The file position is that of one request at a time, so that a worker has to wait for the disk. */
TEST(enter_does_not_wait_for_the_file_position)
{
	int disk = slow_disk_open(DELAY);
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	void *buffer = guarded_pages(2);
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_LE(0, disk);
	ASSERT_NE(NULL, buffer);
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	sqe = sqe_rw(IO_RING_OP_READ, disk, buffer, SLOW_DISK_BLOCK, CURRENT);
	for (unsigned int i = 0; i < 2; i++) {
		ring_push(&ring, &sqe);
		sqe.addr += SLOW_DISK_BLOCK;
	}
	ASSERT_EQ(2, ring_enter(&ring, 2, 0));
	EXPECT_GT(DELAY, clock_since(begin));
	ASSERT_EQ(0, ring_enter(&ring, 0, 2));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(SLOW_DISK_BLOCK, cqe.res);
	}
	EXPECT_EQ(2 * SLOW_DISK_BLOCK, lseek(disk, 0, SEEK_CUR));
	ring_close(&ring);
	slow_disk_close(disk);
	guarded_free(buffer, 2);
}

TEST_HARNESS_MAIN
