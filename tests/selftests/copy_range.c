// SPDX-License-Identifier: GPL-2.0-only
/* COPY_FILE_RANGE, held against copy_file_range(2). */
#include <errno.h>
#include <fcntl.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define LEN 100000
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))
#define WORKER CQE_VIA(IO_RING_PATH_WORKER)

static struct io_ring_sqe sqe_copy(int from, __u64 from_off, int to, __u64 off, __u32 len)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_COPY_FILE_RANGE, .fd = to, .off = off, .file_index = from,
		.addr = from_off, .len = len,
	};
}

FIXTURE(copy)
{
	struct ring ring;
	int from;
	int to;		/* by the ring */
	int twin;	/* by the system call */
};

FIXTURE_VARIANT(copy)
{
	const char *from;
	const char *to;
};

FIXTURE_VARIANT_ADD(copy, ext4) { .from = EXT4_DIR, .to = EXT4_DIR };
FIXTURE_VARIANT_ADD(copy, tmpfs) { .from = TMPFS_DIR, .to = TMPFS_DIR };
FIXTURE_VARIANT_ADD(copy, between) { .from = TMPFS_DIR, .to = EXT4_DIR };

FIXTURE_SETUP(copy)
{
	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->from = temp_file(variant->from);
	self->to = temp_file(variant->to);
	self->twin = temp_file(variant->to);
	ASSERT_LE(0, self->from);
	ASSERT_LE(0, self->to);
	ASSERT_LE(0, self->twin);
	ASSERT_EQ(0, pattern_write(self->from, LEN, 3));
}

FIXTURE_TEARDOWN(copy)
{
	ring_close(&self->ring);
	close(self->from);
	close(self->to);
	close(self->twin);
}

static int by_syscall(int from, loff_t from_off, int to, loff_t off, size_t len)
{
	ssize_t n = copy_file_range(from, &from_off, to, &off, len, 0);

	return n < 0 ? -errno : n;
}

static int by_ring(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u32 flags)
{
	struct io_ring_cqe cqe = { 0 };

	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(flags, cqe.flags) {
		TH_LOG("result %d", cqe.res);
	}
	return cqe.res;
}

static void expect_twins(struct __test_metadata *_metadata, int to, int twin)
{
	static unsigned char left[3 * LEN];
	static unsigned char right[3 * LEN];
	ssize_t n = pread(twin, right, sizeof(right), 0);

	ASSERT_EQ(n, pread(to, left, sizeof(left), 0));
	EXPECT_EQ(0, memcmp(left, right, n));
}

TEST_F(copy, is_copy_file_range)
{
	static const struct {
		loff_t from_off;
		loff_t off;
		size_t len;
	} calls[] = {
		{ 0, 0, LEN }, { 100, 5000, 3000 }, { LEN - 10, 0, 100 }, { LEN, 0, 10 },
		{ 0, LEN, LEN }, { 4096, 8192, 4096 }, { 0, 0, 0 }, { 0, INT64_MAX, 1 },
		{ INT64_MAX, 0, 1 },
	};
	size_t done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int n = by_syscall(self->from, calls[i].from_off, self->twin, calls[i].off,
				   calls[i].len);

		EXPECT_EQ(n, by_ring(_metadata, &self->ring,
				     sqe_copy(self->from, calls[i].from_off, self->to,
					      calls[i].off, calls[i].len), WORKER)) {
			TH_LOG("call %zu", i);
		}
		expect_twins(_metadata, self->to, self->twin);
		done += n > 0 ? n : 0;
	}
	/* Between file systems of different kinds the kernel does not copy. */
	EXPECT_EQ(strcmp(variant->from, variant->to) == 0, done > LEN);
	EXPECT_EQ(0, lseek(self->from, 0, SEEK_CUR));
	EXPECT_EQ(0, lseek(self->to, 0, SEEK_CUR));
}

TEST_F(copy, within_a_file)
{
	int n = by_syscall(self->from, 0, self->from, LEN / 2, LEN / 2);

	EXPECT_EQ(LEN / 2, n);
	EXPECT_EQ(n, by_ring(_metadata, &self->ring,
			     sqe_copy(self->from, 0, self->from, LEN / 2, LEN / 2), WORKER));
	EXPECT_EQ(-EINVAL, by_ring(_metadata, &self->ring,
				   sqe_copy(self->from, 0, self->from, 10, LEN / 2), WORKER));
}

TEST_F(copy, needs_files_that_are_open_for_it)
{
	int writer = reopen(self->from, O_WRONLY);
	int reader = reopen(self->to, O_RDONLY);
	int append = reopen(self->to, O_WRONLY | O_APPEND);

	ASSERT_LE(0, writer);
	ASSERT_LE(0, reader);
	ASSERT_LE(0, append);
	EXPECT_EQ(-EBADF, by_ring(_metadata, &self->ring, sqe_copy(writer, 0, self->to, 0, 1),
				  WORKER));
	EXPECT_EQ(-EBADF, by_ring(_metadata, &self->ring, sqe_copy(self->from, 0, reader, 0, 1),
				  WORKER));
	EXPECT_EQ(-EBADF, by_ring(_metadata, &self->ring, sqe_copy(self->from, 0, append, 0, 1),
				  WORKER));
	EXPECT_EQ(0, lseek(self->to, 0, SEEK_END));
	close(writer);
	close(reader);
	close(append);
}

TEST_F(copy, of_what_cannot_be_copied)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-EINVAL, by_ring(_metadata, &self->ring, sqe_copy(fds[0], 0, self->to, 0, 1), 0));
	EXPECT_EQ(-EINVAL, by_ring(_metadata, &self->ring, sqe_copy(self->from, 0, fds[1], 0, 1),
				   0));
	EXPECT_GT(0, by_ring(_metadata, &self->ring,
			     sqe_copy(self->ring.fd, 0, self->to, 0, 1), 0));
	EXPECT_GT(0, by_ring(_metadata, &self->ring,
			     sqe_copy(self->from, 0, self->ring.fd, 0, 1), 0));
	close(fds[0]);
	close(fds[1]);
}

TEST_F(copy, that_makes_no_sense_is_rejected)
{
	const __u64 negative = 1ULL << 63;
	const struct {
		struct io_ring_sqe sqe;
		int error;
		int field;
	} bad[] = {
		{ sqe_copy(self->from, negative, self->to, 0, 1), -EINVAL, AT(addr) },
		{ sqe_copy(self->from, 0, self->to, negative, 1), -EINVAL, AT(off) },
		{ sqe_copy(self->from, 0, -1, 0, 1), -EBADF, AT(fd) },
		{ sqe_copy(-1, 0, self->to, 0, 1), -EBADF, AT(file_index) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct io_ring_cqe cqe = { 0 };

		EXPECT_EQ(0, ring_run(&self->ring, &bad[i].sqe, &cqe));
		EXPECT_EQ(bad[i].error, cqe.res);
		EXPECT_EQ(bad[i].field, cqe_rejected_field(&cqe));
	}
	EXPECT_EQ(0, lseek(self->to, 0, SEEK_END));
}

TEST_F(copy, of_registered_files)
{
	const __s32 fds[] = { self->from, self->to };
	struct io_ring_setup wanted = ring_wanted(8, 0);
	struct io_ring_sqe sqe = sqe_copy(self->from, 0, 1, 0, LEN);
	struct ring ring;

	if (strcmp(variant->from, variant->to))
		sqe.fd = 0, sqe.off = LEN;
	wanted.files = (uintptr_t)fds;
	wanted.nr_files = 2;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	sqe.flags = IO_RING_SQE_FIXED_FILE;
	EXPECT_EQ(LEN, by_ring(_metadata, &ring, sqe, WORKER));
	sqe.op_flags = IO_RING_COPY_FROM_FIXED;
	sqe.file_index = 0;
	EXPECT_EQ(LEN, by_ring(_metadata, &ring, sqe, WORKER));
	sqe.file_index = 2;
	EXPECT_EQ(-EBADF, by_ring(_metadata, &ring, sqe, IO_RING_CQE_F_REJECTED |
				  AT(file_index) << IO_RING_CQE_FIELD_SHIFT));
	ring_close(&ring);
}

/* Both files are kept until it is done, whatever becomes of their descriptors. */
TEST_F(copy, keeps_its_files)
{
	struct io_ring_sqe sqe = sqe_copy(self->from, 0, self->to, 0, LEN);
	struct io_ring_cqe cqe;
	int to = dup(self->to);

	if (strcmp(variant->from, variant->to))
		sqe.fd = self->from, sqe.off = LEN;
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	close(self->from);
	close(self->to);
	self->from = open("/dev/null", O_RDWR);
	self->to = to;
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(LEN, cqe.res);
}

TEST_HARNESS_MAIN
