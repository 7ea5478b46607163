// SPDX-License-Identifier: GPL-2.0-only
/* Files on a disk, whose data has to be fetched or brought there: the results are still those of
 * the system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define ENTRIES 64
#define CONTENT (4U << 20)
#define TAIL 1000		/* what the file has beyond it */
#define SIZE (CONTENT + TAIL)
#define CHUNK (CONTENT / ENTRIES)
#define SEED 3
#define OTHER_SEED 4
#define CUR_POS (~0ULL)

FIXTURE(disk)
{
	struct ring ring;
	int file;
	unsigned char *memory;		/* twice CONTENT */
};

FIXTURE_SETUP(disk)
{
	self->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, SIZE, SEED));
	self->memory = calloc(2, CONTENT);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, fsync(self->file));
	ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
}

FIXTURE_TEARDOWN(disk)
{
	ring_close(&self->ring);
	close(self->file);
	free(self->memory);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int run(const struct ring *ring, struct io_ring_sqe sqe)
{
	struct io_ring_cqe cqe;
	int error = ring_run(ring, &sqe, &cqe);

	return error ?: cqe.res;
}

TEST_F(disk, read)
{
	EXPECT_EQ(CONTENT, run(&self->ring, sqe_rw(IO_RING_OP_READ, self->file, self->memory,
						   CONTENT, 0)));
	EXPECT_EQ(CONTENT, pattern_mismatch(self->memory, CONTENT, SEED, 0));
	EXPECT_LT(0, worker_count(getpid()));
}

TEST_F(disk, reads_end_with_the_file)
{
	static const __u64 offsets[] = { 1, CONTENT - 1, CONTENT, SIZE - 1, SIZE, SIZE + 1, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		int expected = offsets[i] < SIZE ? SIZE - offsets[i] : 0;

		ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
		EXPECT_EQ(expected, run(&self->ring, sqe_rw(IO_RING_OP_READ, self->file,
							    self->memory, 2 * CONTENT,
							    offsets[i])));
		EXPECT_EQ(expected, pattern_mismatch(self->memory, expected, SEED, offsets[i]));
	}
}

/* Uneven parts of memory, in reverse order. */
TEST_F(disk, vector_read)
{
	struct iovec iov[] = {
		{ self->memory + CONTENT / 2 + 17, CONTENT / 2 - 17 },
		{ self->memory + 1, CONTENT / 2 },
		{ self->memory, 1 },
	};

	EXPECT_EQ(CONTENT - 16, run(&self->ring, sqe_rw(IO_RING_OP_READV, self->file, iov,
							ARRAY_SIZE(iov), 5)));
	EXPECT_EQ(CONTENT / 2 - 17, pattern_mismatch(iov[0].iov_base, iov[0].iov_len, SEED, 5));
	EXPECT_EQ(CONTENT / 2, pattern_mismatch(iov[1].iov_base, iov[1].iov_len, SEED,
						CONTENT / 2 - 12));
	EXPECT_EQ(1, pattern_mismatch(iov[2].iov_base, 1, SEED, CONTENT - 12));
}

/* Request number i works on chunk i, the last one first. */
static void run_chunks(struct __test_metadata *_metadata, const struct ring *ring, __u8 opcode,
		       int file, unsigned char *memory)
{
	bool seen[ENTRIES] = { 0 };
	struct io_ring_cqe cqe;

	for (__u32 i = ENTRIES; i-- > 0;) {
		struct io_ring_sqe sqe = sqe_rw(opcode, file, memory + i * CHUNK, CHUNK, i * CHUNK);

		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
	ASSERT_EQ(ENTRIES, ring_enter(ring, ENTRIES, ENTRIES));
	while (ring_pop(ring, &cqe)) {
		ASSERT_GT(ENTRIES, cqe.user_data);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
		EXPECT_EQ(CHUNK, cqe.res);
	}
	for (__u32 i = 0; i < ENTRIES; i++)
		EXPECT_TRUE(seen[i]);
}

TEST_F(disk, many_reads)
{
	run_chunks(_metadata, &self->ring, IO_RING_OP_READ, self->file, self->memory);
	EXPECT_EQ(CONTENT, pattern_mismatch(self->memory, CONTENT, SEED, 0));
}

/* What is in the file now, the disk asked again. */
static void expect_written(struct __test_metadata *_metadata, int file,
			   unsigned char *memory)
{
	ASSERT_EQ(0, posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
	memset(memory, 0, CONTENT);
	ASSERT_EQ(CONTENT, pread(file, memory, CONTENT, 0));
	EXPECT_EQ(CONTENT, pattern_mismatch(memory, CONTENT, OTHER_SEED, 0));
	ASSERT_EQ(TAIL, pread(file, memory, CONTENT, CONTENT));
	EXPECT_EQ(TAIL, pattern_mismatch(memory, TAIL, SEED, CONTENT));
}

TEST_F(disk, write_and_fsync)
{
	pattern_fill(self->memory, CONTENT, OTHER_SEED);
	EXPECT_EQ(CONTENT, run(&self->ring, sqe_rw(IO_RING_OP_WRITE, self->file, self->memory,
						   CONTENT, 0)));
	EXPECT_EQ(0, run(&self->ring, sqe_fsync(self->file, 0, 0, 0)));
	EXPECT_LT(0, worker_count(getpid()));
	expect_written(_metadata, self->file, self->memory);
}

TEST_F(disk, many_writes_and_fsync)
{
	pattern_fill(self->memory, CONTENT, OTHER_SEED);
	run_chunks(_metadata, &self->ring, IO_RING_OP_WRITE, self->file, self->memory);
	EXPECT_EQ(0, run(&self->ring, sqe_fsync(self->file, 0, 0, IO_RING_FSYNC_DATASYNC)));
	expect_written(_metadata, self->file, self->memory);
}

/* A write that is over when the disk has it is not done by the thread that submits. */
TEST_F(disk, synchronous_write)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, self->file, self->memory, CONTENT, 0);

	pattern_fill(self->memory, CONTENT, OTHER_SEED);
	sqe.op_flags = RWF_DSYNC;
	EXPECT_EQ(CONTENT, run(&self->ring, sqe));
	EXPECT_LT(0, worker_count(getpid()));
	expect_written(_metadata, self->file, self->memory);
}

TEST_F(disk, fsync_lets_others_pass)
{
	struct io_ring_sqe sqe = sqe_fsync(self->file, 0, 0, 0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, pattern_write(self->file, CONTENT, OTHER_SEED));
	sqe.user_data = 1;
	ring_push(&self->ring, &sqe);
	ring_push_nops(&self->ring, 1, 2);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(2, cqe.user_data);
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(1, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
}

TEST_F(disk, reads_at_the_file_position)
{
	ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
	for (__u32 i = 0; i < ENTRIES; i++) {
		ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
		ASSERT_EQ(CHUNK, run(&self->ring, sqe_rw(IO_RING_OP_READ, self->file, self->memory,
							 CHUNK, CUR_POS)));
		EXPECT_EQ(CHUNK, pattern_mismatch(self->memory, CHUNK, SEED, i * CHUNK));
		EXPECT_EQ((i + 1) * CHUNK, lseek(self->file, 0, SEEK_CUR));
	}
	EXPECT_EQ(TAIL, run(&self->ring, sqe_rw(IO_RING_OP_READ, self->file, self->memory, CHUNK,
						CUR_POS)));
	EXPECT_EQ(0, run(&self->ring, sqe_rw(IO_RING_OP_READ, self->file, self->memory, CHUNK,
					     CUR_POS)));
	EXPECT_EQ(SIZE, lseek(self->file, 0, SEEK_CUR));
}

TEST_F(disk, writes_at_the_file_position)
{
	pattern_fill(self->memory, CONTENT, OTHER_SEED);
	ASSERT_EQ(0, lseek(self->file, 0, SEEK_SET));
	for (__u32 i = 0; i < ENTRIES; i++) {
		ASSERT_EQ(CHUNK, run(&self->ring, sqe_rw(IO_RING_OP_WRITE, self->file,
							 self->memory + i * CHUNK, CHUNK,
							 CUR_POS)));
		EXPECT_EQ((i + 1) * CHUNK, lseek(self->file, 0, SEEK_CUR));
	}
	EXPECT_EQ(0, run(&self->ring, sqe_fsync(self->file, 0, 0, 0)));
	expect_written(_metadata, self->file, self->memory);
}

/* Two pages that can be used, and one that cannot; in between, and in the latter alone. */
TEST_F(disk, bad_buffers)
{
	unsigned char *pages = guarded_pages(2);
	size_t usable = 2 * getpagesize();

	ASSERT_NE(NULL, pages);
	for (__u8 op = IO_RING_OP_READ; op <= IO_RING_OP_WRITE; op++) {
		ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
		EXPECT_EQ(-EFAULT, run(&self->ring, sqe_rw(op, self->file, pages + usable, CHUNK,
							   0)));
		ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
		EXPECT_EQ(usable - 100, run(&self->ring, sqe_rw(op, self->file, pages + 100, CHUNK,
								100)));
		EXPECT_EQ(usable - 100, pattern_mismatch(pages + 100, usable - 100, SEED, 100));
	}
	guarded_free(pages, 2);
}

TEST_F(disk, file_size_limit)
{
	const struct rlimit limit = { SIZE + 10, SIZE + 10 };

	ASSERT_NE(SIG_ERR, signal(SIGXFSZ, SIG_IGN));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	for (__u32 flags = 0; flags <= RWF_DSYNC; flags += RWF_DSYNC) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, self->file, self->memory, CHUNK,
						SIZE);

		sqe.op_flags = flags;
		EXPECT_EQ(10, run(&self->ring, sqe));
		sqe.off = SIZE + 10;
		EXPECT_EQ(-EFBIG, run(&self->ring, sqe));
	}
	EXPECT_EQ(SIZE + 10, lseek(self->file, 0, SEEK_END));
}

TEST_F(disk, closed_while_busy)
{
	for (unsigned int round = 0; round < 20; round++) {
		struct io_ring_sqe sqe = sqe_fsync(self->file, 0, 0, 0);
		struct ring ring;

		ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
		ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
		for (__u32 i = 0; i < ENTRIES / 2; i++) {
			struct io_ring_sqe read = sqe_rw(IO_RING_OP_READ, self->file,
							 self->memory + i * CHUNK, CHUNK,
							 i * CHUNK);

			ring_push(&ring, &read);
		}
		ring_push(&ring, &sqe);
		ASSERT_EQ(ENTRIES / 2 + 1, ring_enter(&ring, ENTRIES / 2 + 1, round % 3));
		ring_close(&ring);
		/* From here on nobody writes to the memory of those reads. */
		memset(self->memory, 0xee, CONTENT);
		sleep_ms(round % 5);
		EXPECT_TRUE(all_bytes(self->memory, CONTENT, 0xee));
	}
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
}

TEST_HARNESS_MAIN
