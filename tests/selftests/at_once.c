// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done at once: reads of what is in memory. Whatever keeps one from that, its
 * result is that of a read which is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "registered.h"
#include "ring.h"

#define AT_ONCE 65536		/* most bytes that are read at once */
#define LEN (AT_ONCE + 3 * 4096 + 100)
#define SEED 11
#define ENTRIES 4
#define ROUNDS 2000

FIXTURE(reads)
{
	struct ring ring;
	int file;
	unsigned char *buffer;
};

FIXTURE_VARIANT(reads)
{
	const char *dir;
	bool by_number;
};

FIXTURE_VARIANT_ADD(reads, ext4)
{
	.dir = EXT4_DIR,
};

FIXTURE_VARIANT_ADD(reads, ext4_by_number)
{
	.dir = EXT4_DIR,
	.by_number = true,
};

FIXTURE_VARIANT_ADD(reads, tmpfs)
{
	.dir = TMPFS_DIR,
};

FIXTURE_VARIANT_ADD(reads, tmpfs_by_number)
{
	.dir = TMPFS_DIR,
	.by_number = true,
};

FIXTURE_SETUP(reads)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->file = temp_file(variant->dir);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, LEN, SEED));
	ASSERT_EQ(0, files_register(&self->ring, &self->file, NULL, 1));
	self->buffer = guarded_pages(LEN / 4096 + 1);
	ASSERT_NE(NULL, self->buffer);
}

FIXTURE_TEARDOWN(reads)
{
	ring_close(&self->ring);
	close(self->file);
	guarded_free(self->buffer, LEN / 4096 + 1);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Reads through the ring, to a buffer that had something else in it. */
static struct io_ring_cqe read_into(struct __test_metadata *_metadata, const struct ring *ring,
				    int file, bool by_number, void *buffer, __u32 len, __u64 off)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, file, buffer, len, off);
	struct io_ring_cqe cqe = { };

	if (by_number)
		sqe = sqe_fixed(sqe, 0);
	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	return cqe;
}

TEST_F(reads, whole)
{
	static const struct {
		__u32 len;
		__u64 off;
	} parts[] = {
		{ 1, 0 }, { 512, 512 }, { 4096, 0 }, { 4096, 1 }, { 100, 4090 }, { AT_ONCE, 0 },
		{ AT_ONCE, 77 }, { AT_ONCE + 1, 5 }, { LEN, 0 }, { 1, LEN - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct io_ring_cqe cqe;

		memset(self->buffer, 0, LEN);
		cqe = read_into(_metadata, &self->ring, self->file, variant->by_number,
				self->buffer, parts[i].len, parts[i].off);
		EXPECT_EQ(parts[i].len, cqe.res);
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_INLINE), cqe.flags);
		EXPECT_EQ(parts[i].len, pattern_mismatch(self->buffer, parts[i].len, SEED,
							 parts[i].off));
		EXPECT_TRUE(all_bytes(self->buffer + parts[i].len, LEN - parts[i].len, 0));
	}
}

TEST_F(reads, of_the_end)
{
	static const struct {
		__u32 len;
		__u64 off;
		__s32 res;
	} parts[] = {
		{ 4096, LEN - 100, 100 }, { 4096, LEN, 0 }, { 4096, LEN + 5000, 0 }, { 0, 0, 0 },
		{ AT_ONCE, LEN - 4097, 4097 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct io_ring_cqe cqe;

		memset(self->buffer, 0, AT_ONCE);
		cqe = read_into(_metadata, &self->ring, self->file, variant->by_number,
				self->buffer, parts[i].len, parts[i].off);
		EXPECT_EQ(parts[i].res, cqe.res);
		EXPECT_EQ(parts[i].res, pattern_mismatch(self->buffer, parts[i].res, SEED,
							 parts[i].off));
	}
}

TEST_F(reads, to_bad_memory)
{
	unsigned char *end = self->buffer + (LEN / 4096 + 1) * 4096;
	struct io_ring_cqe cqe;

	cqe = read_into(_metadata, &self->ring, self->file, variant->by_number, WILD_ADDRESS, 512,
			0);
	EXPECT_EQ(-EFAULT, cqe.res);
	/* As the system call has it: what there was room for. */
	cqe = read_into(_metadata, &self->ring, self->file, variant->by_number, end - 512, 1024,
			0);
	EXPECT_EQ(pread(self->file, end - 512, 1024, 0), cqe.res);
	EXPECT_EQ(512, pattern_mismatch(end - 512, 512, SEED, 0));
}

TEST_F(reads, at_the_file_position)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(1000, lseek(self->file, 1000, SEEK_SET));
	cqe = read_into(_metadata, &self->ring, self->file, variant->by_number, self->buffer, 500,
			~0ULL);
	EXPECT_EQ(500, cqe.res);
	EXPECT_EQ(500, pattern_mismatch(self->buffer, 500, SEED, 1000));
	EXPECT_EQ(1500, lseek(self->file, 0, SEEK_CUR));
	cqe = read_into(_metadata, &self->ring, self->file, variant->by_number, self->buffer, 500,
			~0ULL - 1);
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_EQ(offsetof(struct io_ring_sqe, off), cqe_rejected_field(&cqe));
	/* One at an offset leaves the position alone. */
	cqe = read_into(_metadata, &self->ring, self->file, variant->by_number, self->buffer, 500,
			0);
	EXPECT_EQ(500, cqe.res);
	EXPECT_EQ(1500, lseek(self->file, 0, SEEK_CUR));
}

TEST_F(reads, in_line_with_others)
{
	static const __u8 flags[] = {
		IO_RING_SQE_LINK, IO_RING_SQE_DRAIN, IO_RING_SQE_CQE_SKIP_SUCCESS,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->file, self->buffer, 512, 0);
		struct io_ring_sqe last = sqe_nop(2);
		bool is_told = flags[i] != IO_RING_SQE_CQE_SKIP_SUCCESS;
		struct io_ring_cqe cqe;

		if (variant->by_number)
			sqe = sqe_fixed(sqe, 0);
		sqe.flags |= flags[i];
		sqe.user_data = 1;
		memset(self->buffer, 0, 512);
		ring_push(&self->ring, &sqe);
		ring_push(&self->ring, &last);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, is_told ? 2 : 1));
		if (is_told) {
			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
			EXPECT_EQ(1, cqe.user_data);
			EXPECT_EQ(512, cqe.res);
		}
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(2, cqe.user_data);
		EXPECT_EQ(512, pattern_mismatch(self->buffer, 512, SEED, 0));
		EXPECT_FALSE(ring_pop(&self->ring, &cqe));
	}
}

FIXTURE(limits)
{
	struct ring ring;
	int file;
	unsigned char buffer[8192];
};

FIXTURE_SETUP(limits)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, LEN, SEED));
}

FIXTURE_TEARDOWN(limits)
{
	ring_close(&self->ring);
	close(self->file);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The cache has the first page, and not the second. */
TEST_F(limits, what_is_not_there_is_waited_for)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, fsync(self->file));
	ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(0, posix_fadvise(self->file, 0, 0, POSIX_FADV_DONTNEED));
	ASSERT_EQ(1, pread(self->file, self->buffer, 1, 0));
	memset(self->buffer, 0, sizeof(self->buffer));
	cqe = read_into(_metadata, &self->ring, self->file, false, self->buffer, 8192, 0);
	EXPECT_EQ(8192, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_WORKER), cqe.flags);
	EXPECT_EQ(8192, pattern_mismatch(self->buffer, 8192, SEED, 0));
}

/* It may become direct at any time, registered or not. */
TEST_F(limits, what_is_direct_is_not_read_from_memory)
{
	ASSERT_EQ(0, files_register(&self->ring, &self->file, NULL, 1));
	for (int by_number = 0; by_number < 2; by_number++) {
		struct io_ring_cqe cqe;

		ASSERT_EQ(0, fcntl(self->file, F_SETFL, O_DIRECT));
		cqe = read_into(_metadata, &self->ring, self->file, by_number, self->buffer + 1,
				512, 0);
		EXPECT_EQ(-EINVAL, cqe.res);
		ASSERT_EQ(0, fcntl(self->file, F_SETFL, 0));
		cqe = read_into(_metadata, &self->ring, self->file, by_number, self->buffer + 1,
				512, 0);
		EXPECT_EQ(512, cqe.res);
	}
}

TEST_F(limits, only_what_may_be_read)
{
	int file = reopen(self->file, O_WRONLY | O_CLOEXEC);
	struct io_ring_cqe cqe;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, files_register(&self->ring, &file, NULL, 1));
	for (int by_number = 0; by_number < 2; by_number++) {
		cqe = read_into(_metadata, &self->ring, file, by_number, self->buffer, 512, 0);
		EXPECT_EQ(-EBADF, cqe.res);
		EXPECT_EQ(offsetof(struct io_ring_sqe, fd), cqe_rejected_field(&cqe));
	}
	cqe = read_into(_metadata, &self->ring, 1000, false, self->buffer, 512, 0);
	EXPECT_EQ(-EBADF, cqe.res);
	cqe = read_into(_metadata, &self->ring, -1, false, self->buffer, 512, 0);
	EXPECT_EQ(-EBADF, cqe.res);
	close(file);
}

TEST_F(limits, only_what_is_allowed)
{
	static const __u8 ops[] = { IO_RING_OP_WRITE };
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);
	struct io_ring_cqe cqe;
	struct ring ring;

	wanted.ops = (uintptr_t)ops;
	wanted.nr_ops = ARRAY_SIZE(ops);
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	cqe = read_into(_metadata, &ring, self->file, false, self->buffer, 512, 0);
	EXPECT_EQ(-EACCES, cqe.res);
	EXPECT_EQ(0, cqe_rejected_field(&cqe));
	ring_close(&ring);
}

struct change {
	int descriptor;
	int files[2];
	bool stop;
};

/* Has the descriptor stand for one file and then for the other. */
static void *change_often(void *arg)
{
	struct change *change = arg;
	unsigned int i = 0;

	while (!__atomic_load_n(&change->stop, __ATOMIC_RELAXED))
		dup2(change->files[i++ % 2], change->descriptor);
	return NULL;
}

/* A file is read to the end that loses its descriptor meanwhile. */
TEST_F(limits, what_the_descriptor_stood_for)
{
	struct change change = { .files = { self->file, temp_file(TMPFS_DIR) } };
	pthread_t thread;

	ASSERT_LE(0, change.files[1]);
	ASSERT_EQ(0, pattern_write(change.files[1], LEN, SEED + 1));
	change.descriptor = dup(self->file);
	ASSERT_LE(0, change.descriptor);
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_often, &change));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct io_ring_cqe cqe = read_into(_metadata, &self->ring, change.descriptor,
						   false, self->buffer, 4096, 0);

		ASSERT_EQ(4096, cqe.res);
		ASSERT_TRUE(pattern_mismatch(self->buffer, 4096, SEED, 0) == 4096 ||
			    pattern_mismatch(self->buffer, 4096, SEED + 1, 0) == 4096);
	}
	__atomic_store_n(&change.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(change.descriptor);
	close(change.files[1]);
}

/* Slots that something else has taken are not counted on: each completion has its place. */
TEST(a_slot_for_each_completion)
{
	const __u64 tag = 77;
	const int none = -1;
	int ends[2], user_data[3] = { };
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct ring ring;
	char byte;

	wanted.cq_entries = ENTRIES;
	wanted.requests = ENTRIES;
	wanted.flags |= IO_RING_SETUP_CQSIZE;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, files_register(&ring, &ends[0], &tag, 1));
	sqe = sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, &byte, 1, 0), 0);
	sqe.user_data = 100;
	ring_push(&ring, &sqe);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	/* The queue is full, and three slots are left. */
	for (int i = 0; i < 2; i++) {
		ring_push_nops(&ring, 2, 0);
		ASSERT_EQ(2, ring_enter(&ring, 2, 0));
	}
	/* Two are left, since the tag needs one. */
	ASSERT_EQ(0, files_update(&ring, 0, &none, NULL, 1));
	ring_push_nops(&ring, 3, 1);
	ASSERT_EQ(2, ring_enter(&ring, 3, 0));
	for (int i = 0; i < 2 * 2; i++)
		ASSERT_TRUE(ring_pop(&ring, &cqe));
	ASSERT_EQ(1, ring_enter(&ring, 1, 3));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	for (int i = 0; i < 5; i++) {
		while (!ring_pop(&ring, &cqe))
			ASSERT_EQ(0, ring_enter(&ring, 0, 1));
		if (cqe.user_data <= 3)
			user_data[cqe.user_data - 1]++;
		else
			EXPECT_TRUE(cqe.user_data == tag || cqe.user_data == 100);
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(1, user_data[i]);
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
