// SPDX-License-Identifier: GPL-2.0-only
/* Reading into and writing from registered buffers: which bytes, and how long a buffer is kept. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "chain.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "pinned.h"
#include "slow_disk.h"

#define PAGES 5
#define LEN (PAGES * PAGE)
#define SKEW 100		/* bytes of the first page before the buffer */
#define SIZE (LEN - 2 * SKEW)	/* of the buffer */
#define SEED 3
#define THE_TAG 99
#define THE_READ 1

FIXTURE(io)
{
	struct ring ring;
	unsigned char *memory;
	unsigned char *buffer;	/* number 0: in memory, not aligned at either end */
	int file;
};

FIXTURE_VARIANT(io)
{
	const char *dir;
};

FIXTURE_VARIANT_ADD(io, tmpfs) { .dir = TMPFS_DIR };
FIXTURE_VARIANT_ADD(io, ext4) { .dir = EXT4_DIR };

FIXTURE_SETUP(io)
{
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->memory = new_pages(PAGES);
	ASSERT_NE(NULL, self->memory);
	self->buffer = self->memory + SKEW;
	self->file = temp_file(variant->dir);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, LEN, SEED));
	ASSERT_EQ(0, buffer_register(&self->ring, self->buffer, SIZE));
}

FIXTURE_TEARDOWN(io)
{
	ring_close(&self->ring);
	close(self->file);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pins_of_kernel());
}

/* Places and lengths at which something could go wrong: ends, pages, single bytes. */
static const struct {
	__u32 at;
	__u32 len;
} parts[] = {
	{ 0, SIZE }, { 0, 1 }, { SIZE - 1, 1 }, { 0, PAGE - SKEW }, { 0, PAGE - SKEW + 1 },
	{ PAGE - SKEW, PAGE }, { PAGE - SKEW - 1, 2 }, { 1, SIZE - 2 }, { 3 * PAGE - SKEW, 7 },
	{ SIZE / 2, SIZE - SIZE / 2 }, { 2 * PAGE - SKEW, 2 * PAGE }, { 17, 2 * PAGE },
};

TEST_F(io, reads_what_is_asked_for)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		unsigned char *at = self->buffer + parts[i].at;
		const size_t before = at - self->memory, len = parts[i].len;

		memset(self->memory, 0xee, LEN);
		EXPECT_EQ(len, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, at, len,
					 i));
		EXPECT_EQ(len, pattern_mismatch(at, len, SEED, i)) {
			TH_LOG("%zu bytes at %u", len, parts[i].at);
		}
		EXPECT_TRUE(all_bytes(self->memory, before, 0xee));
		EXPECT_TRUE(all_bytes(at + len, LEN - before - len, 0xee));
	}
}

TEST_F(io, writes_what_is_asked_for)
{
	unsigned char content[LEN];

	pattern_fill(self->buffer, SIZE, SEED + 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const size_t at = parts[i].at, len = parts[i].len;

		ASSERT_EQ(0, ftruncate(self->file, 0));
		EXPECT_EQ(len, run_fixed(&self->ring, IO_RING_OP_WRITE_FIXED, self->file,
					 self->buffer + at, len, i));
		ASSERT_EQ(i + len, pread(self->file, content, LEN, 0));
		EXPECT_EQ(len, pattern_mismatch(content + i, len, SEED + 1, at)) {
			TH_LOG("%zu bytes at %zu", len, at);
		}
	}
}

TEST_F(io, reads_several_parts)
{
	unsigned char *const b = self->buffer;
	struct iovec iov[] = {
		{ b + 3 * PAGE, 5 }, { b, 0 }, { b + SIZE, 0 }, { b, 2 * PAGE },
		{ b + SIZE - 1, 1 },
	};

	EXPECT_EQ(2 * PAGE + 6, run_fixed(&self->ring, IO_RING_OP_READV_FIXED, self->file, iov,
					  ARRAY_SIZE(iov), 1));
	EXPECT_EQ(5, pattern_mismatch(b + 3 * PAGE, 5, SEED, 1));
	EXPECT_EQ(2 * PAGE, pattern_mismatch(b, 2 * PAGE, SEED, 6));
	EXPECT_EQ(1, pattern_mismatch(b + SIZE - 1, 1, SEED, 2 * PAGE + 6));
	EXPECT_TRUE(all_bytes(b + 2 * PAGE, PAGE, 0));
	EXPECT_TRUE(all_bytes(b + 3 * PAGE + 5, SIZE - 3 * PAGE - 6, 0));
	/* One part alone, and none. */
	memset(b, 0, SIZE);
	EXPECT_EQ(5, run_fixed(&self->ring, IO_RING_OP_READV_FIXED, self->file, iov, 1, 1));
	EXPECT_EQ(5, pattern_mismatch(b + 3 * PAGE, 5, SEED, 1));
	EXPECT_EQ(0, run_fixed(&self->ring, IO_RING_OP_READV_FIXED, self->file, iov + 1, 2, 1));
	EXPECT_EQ(0, run_fixed(&self->ring, IO_RING_OP_READV_FIXED, self->file, iov, 0, 1));
}

TEST_F(io, writes_several_parts)
{
	unsigned char content[LEN + 1];
	struct iovec iov[1024];

	/* The whole buffer, from the end on. */
	pattern_fill(self->buffer, SIZE, SEED + 1);
	for (unsigned int i = 0; i < 1024; i++) {
		iov[i].iov_len = i ? 19 : SIZE - 1023 * 19;
		iov[i].iov_base = self->buffer + (i ? (1023 - i) * 19 : 1023 * 19);
	}
	ASSERT_EQ(0, ftruncate(self->file, 0));
	EXPECT_EQ(SIZE, run_fixed(&self->ring, IO_RING_OP_WRITEV_FIXED, self->file, iov, 1024, 0));
	ASSERT_EQ(SIZE, pread(self->file, content, sizeof(content), 0));
	for (unsigned int i = 0, at = 0; i < 1024; at += iov[i++].iov_len)
		EXPECT_EQ(0, memcmp(content + at, iov[i].iov_base, iov[i].iov_len));
}

/* Refused with that error, naming that field, and nothing has happened. */
static void expect_outside(struct __test_metadata *_metadata, const struct ring *ring,
			   unsigned char *memory, struct io_ring_sqe sqe, int error,
			   unsigned int field)
{
	struct io_ring_cqe cqe;

	memset(memory, 0xee, LEN);
	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(-error, cqe.res) {
		TH_LOG("opcode %u, address 0x%llx, length %u", sqe.opcode, sqe.addr, sqe.len);
	}
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("opcode %u, address 0x%llx, length %u", sqe.opcode, sqe.addr, sqe.len);
	}
	EXPECT_TRUE(all_bytes(memory, LEN, 0xee));
}

TEST_F(io, does_not_reach_outside)
{
	const unsigned int addr = offsetof(struct io_ring_sqe, addr);
	const unsigned int len = offsetof(struct io_ring_sqe, len);
	const __u64 start = (uintptr_t)self->buffer;
	const struct {
		__u64 addr;
		__u32 len;
		unsigned int field;
	} bad[] = {
		{ start - 1, 1, addr }, { start - 1, 0, addr }, { start - 1, SIZE, addr },
		{ start, SIZE + 1, len }, { start + 1, SIZE, len }, { start + SIZE, 1, len },
		{ start + SIZE - 1, 2, len }, { start + SIZE + 1, 0, addr },
		{ start + SIZE + 1, 1, addr }, { start, ~0U, len }, { start + 1, ~0U, len },
		{ 0, 1, addr }, { 0, 0, addr }, { ~0ULL, 1, addr }, { ~0ULL, 2, addr },
		{ ~0ULL, ~0U, addr }, { start + (1ULL << 32), 1, addr },
		{ start ^ (1ULL << 63), 1, addr }, { start - (1ULL << 32), 1, addr },
	};

	for (__u8 op = IO_RING_OP_READ_FIXED; op <= IO_RING_OP_WRITE_FIXED; op++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			struct io_ring_sqe sqe = sqe_buffer(op, self->file, 0, NULL, bad[i].len, 0);

			sqe.addr = bad[i].addr;
			expect_outside(_metadata, &self->ring, self->memory, sqe, EFAULT,
				       bad[i].field);
		}
		/* No byte, just behind the last. */
		EXPECT_EQ(0, run_fixed(&self->ring, op, self->file, self->buffer + SIZE, 0, 0));
		EXPECT_EQ(0, run_fixed(&self->ring, op, self->file, self->buffer, 0, 0));
	}
}

TEST_F(io, parts_do_not_reach_outside)
{
	const unsigned int addr = offsetof(struct io_ring_sqe, addr);
	const unsigned int len = offsetof(struct io_ring_sqe, len);
	const struct ring *ring = &self->ring;
	unsigned char *const b = self->buffer;
	struct io_ring_sqe sqe;
	const struct iovec bad[] = {
		{ b - 1, 1 }, { b - 1, 0 }, { b, SIZE + 1 }, { b + SIZE, 1 }, { b + SIZE + 1, 0 },
		{ b + 1, SIZE }, { NULL, 1 }, { self->memory, LEN }, { b, SIZE_MAX / 4 },
		{ &self->ring, 1 },
	};

	for (__u8 op = IO_RING_OP_READV_FIXED; op <= IO_RING_OP_WRITEV_FIXED; op++) {
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
			struct iovec iov[] = { { b, 7 }, bad[i], { b, 7 } };

			sqe = sqe_buffer(op, self->file, 0, iov, 3, 0);
			expect_outside(_metadata, ring, self->memory, sqe, EFAULT, addr);
			sqe = sqe_buffer(op, self->file, 0, iov + 1, 1, 0);
			expect_outside(_metadata, ring, self->memory, sqe, EFAULT, addr);
		}
		sqe = sqe_buffer(op, self->file, 0, NULL, 1, 0);
		expect_outside(_metadata, ring, self->memory, sqe, EFAULT, addr);
		sqe = sqe_buffer(op, self->file, 0, b, 1025, 0);
		expect_outside(_metadata, ring, self->memory, sqe, EINVAL, len);
		sqe.len = ~0U;
		expect_outside(_metadata, ring, self->memory, sqe, EINVAL, len);
	}
}

TEST_F(io, numbers_without_a_buffer)
{
	static const __u8 ops[] = {
		IO_RING_OP_READ_FIXED, IO_RING_OP_WRITE_FIXED,
		IO_RING_OP_READV_FIXED, IO_RING_OP_WRITEV_FIXED,
	};
	const unsigned int field = offsetof(struct io_ring_sqe, buf_index);
	const struct ring *ring = &self->ring;
	struct io_ring_sqe sqe;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		for (unsigned int bit = 0; bit < 16; bit++) {
			sqe = sqe_buffer(ops[i], self->file, 1U << bit, self->buffer, 1, 0);
			expect_outside(_metadata, ring, self->memory, sqe, EFAULT, field);
		}
	}
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		sqe = sqe_buffer(ops[i], self->file, 0, self->buffer, 1, 0);
		expect_outside(_metadata, ring, self->memory, sqe, EFAULT, field);
	}
}

FIXTURE(kept)
{
	struct ring ring;
	unsigned char *memory;
};

FIXTURE_SETUP(kept)
{
	const __u64 tag = THE_TAG;
	struct io_ring_buffer buffer;

	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->memory = new_pages(2);
	ASSERT_NE(NULL, self->memory);
	buffer = buffer_at(self->memory, 2 * PAGE);
	ASSERT_EQ(0, buffers_register(&self->ring, &buffer, 1, &tag));
}

FIXTURE_TEARDOWN(kept)
{
	ring_close(&self->ring);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

/* A file whose operations only take addresses. */
TEST_F(kept, not_for_old_files)
{
	int comm = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, comm, 0, self->memory, 1,
					   (uintptr_t)self->memory + PAGE);
	struct io_ring_cqe cqe;

	ASSERT_LE(0, comm);
	for (__u8 op = IO_RING_OP_READ_FIXED; op <= IO_RING_OP_WRITE_FIXED; op++) {
		sqe.opcode = op;
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(-EOPNOTSUPP, cqe.res);
		EXPECT_EQ(offsetof(struct io_ring_sqe, fd), cqe_rejected_field(&cqe));
	}
	close(comm);
}

/* What waits for its file keeps the buffer, whatever becomes of the table. */
TEST_F(kept, while_a_request_waits)
{
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct iovec iov;
	int ends[2];

	iov = (struct iovec) { self->memory, 8 };
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	sqe = sqe_buffer(IO_RING_OP_READ_FIXED, ends[0], 0, self->memory + PAGE, 8, 0);
	ring_push(&self->ring, &sqe);
	sqe = sqe_buffer(IO_RING_OP_READV_FIXED, ends[0], 0, &iov, 1, 0);
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(2, pinned_here());
	ASSERT_EQ(16, write(ends[1], "first...second..", 16));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 3));
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(cqe.user_data == THE_TAG ? 0 : 8, cqe.res);
	}
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, pinned_here());
	EXPECT_TRUE(!memcmp(self->memory, "first...", 8) ||
		    !memcmp(self->memory + PAGE, "first...", 8));
	EXPECT_TRUE(!memcmp(self->memory, "second..", 8) ||
		    !memcmp(self->memory + PAGE, "second..", 8));
	close(ends[0]);
	close(ends[1]);
}

/* What waits for another request has its buffer, too. */
TEST_F(kept, while_its_turn_has_not_come)
{
	int ends[2], file = temp_file(TMPFS_DIR);
	struct io_ring_sqe sqe;
	char byte;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, PAGE, SEED));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	for (unsigned int round = 0; round < 2; round++) {
		const struct io_ring_buffer buffer = buffer_at(self->memory, 2 * PAGE);
		const __u64 tag = THE_TAG;
		const bool is_cancelled = round;

		memset(self->memory, 0, PAGE);
		chain_push(&self->ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0),
			   IO_RING_SQE_LINK);
		sqe = sqe_buffer(IO_RING_OP_READ_FIXED, file, 0, self->memory, PAGE, 0);
		ring_push(&self->ring, &sqe);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		ASSERT_EQ(0, buffers_unregister(&self->ring));
		EXPECT_EQ(0, ring_ready(&self->ring));
		EXPECT_EQ(2, pinned_here());
		if (is_cancelled) {
			sqe = (struct io_ring_sqe) {
				.opcode = IO_RING_OP_CANCEL, .op_flags = IO_RING_CANCEL_ANY,
			};
			ring_push(&self->ring, &sqe);
			ASSERT_EQ(1, ring_enter(&self->ring, 1, 4));
		} else {
			ASSERT_EQ(1, write(ends[1], "", 1));
			ASSERT_EQ(0, ring_enter(&self->ring, 0, 3));
		}
		EXPECT_EQ(0, chain_result(&self->ring, THE_TAG));
		EXPECT_EQ(is_cancelled ? 0 : PAGE, pattern_mismatch(self->memory, PAGE, SEED, 0));
		EXPECT_EQ(0, pinned_here());
		chain_drop(&self->ring);
		ASSERT_EQ(0, buffers_register(&self->ring, &buffer, 1, &tag));
	}
	close(ends[0]);
	close(ends[1]);
	close(file);
}

/* Nothing waits for it: everything is given back when close returns. */
TEST_F(kept, not_beyond_close)
{
	struct io_ring_sqe sqe;
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	sqe = sqe_buffer(IO_RING_OP_READ_FIXED, ends[0], 0, self->memory, 8, 0);
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(2, pinned_here());
	ring_close(&self->ring);
	EXPECT_EQ(0, pinned_here());
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	close(ends[0]);
	close(ends[1]);
}

/* Takes that many completions: the results of the read and of the tag, if they are there. */
static void take(struct __test_metadata *_metadata, const struct ring *ring, unsigned int count,
		 int *read, int *tag)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_enter(ring, 0, count));
	while (count--) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		if (cqe.user_data == THE_TAG)
			*tag = cqe.res;
		else if (cqe.user_data == THE_READ)
			*read = cqe.res;
	}
}

/* With another buffer in its place: tried with slower disks until one is slower than we are. */
TEST_F(kept, while_a_device_has_it)
{
	const struct io_ring_buffer first = buffer_at(self->memory, 2 * PAGE);
	const struct io_ring_buffer next = buffer_at(self->memory, PAGE);
	const __u64 tag = THE_TAG;
	bool under_way = false;

	for (__u64 delay = 100 * MS; !under_way; delay *= 2) {
		int disk = slow_disk_open(delay), read = -1, told = -1;
		struct io_ring_sqe sqe;
		long pinned;

		ASSERT_LE(0, disk);
		ASSERT_GT(30 * SECOND, delay);
		sqe = sqe_buffer(IO_RING_OP_READ_FIXED, disk, 0, self->memory + PAGE, PAGE, 0);
		sqe.user_data = THE_READ;
		ring_push(&self->ring, &sqe);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		ASSERT_EQ(0, buffers_update(&self->ring, 0, &next, 1, NULL));
		pinned = pinned_here();
		under_way = ring_ready(&self->ring) == 0;
		EXPECT_EQ(under_way ? 3 : pinned, pinned);
		take(_metadata, &self->ring, 2, &read, &told);
		EXPECT_EQ(PAGE, read);
		EXPECT_EQ(0, told);
		EXPECT_EQ(1, pinned_here());
		/* The one that is there now does not reach that far. */
		EXPECT_EQ(-EFAULT, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, disk,
					     self->memory + PAGE, PAGE, 0));
		ASSERT_EQ(0, buffers_update(&self->ring, 0, &first, 1, &tag));
		slow_disk_close(disk);
	}
}

TEST_F(kept, by_close_until_the_device_is_done)
{
	int disk = slow_disk_open(50 * MS);
	struct io_ring_sqe sqe;

	ASSERT_LE(0, disk);
	for (unsigned int i = 0; i < 4; i++) {
		sqe = sqe_buffer(IO_RING_OP_READ_FIXED, disk, 0, self->memory, PAGE, i * PAGE);
		ring_push(&self->ring, &sqe);
	}
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	ring_close(&self->ring);
	EXPECT_EQ(0, pinned_here());
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	slow_disk_close(disk);
}

TEST_HARNESS_MAIN
