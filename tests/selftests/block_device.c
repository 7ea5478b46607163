// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers between registered buffers and block devices that are registered files with
 * O_DIRECT: whatever way they go, they do what pread(2) and pwrite(2) do.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "null_disk.h"
#include "pinned.h"
#include "registered.h"

#define NAME "block_device"
#define DISK "/dev/" NAME
#define SIZE (16ULL << 20)
#define SECTOR 512
#define PAGES 640	/* more than the most that goes at once, twice */
#define MEMORY (PAGES * PAGE)
#define DEPTH 64
#define SEED 3
#define READ IO_RING_OP_READ_FIXED
#define WRITE IO_RING_OP_WRITE_FIXED

FIXTURE(device)
{
	struct ring ring;
	unsigned char *memory;	/* buffer 0 */
	unsigned char *twin;
	int fd;			/* file 0 */
};

FIXTURE_VARIANT(device)
{
	__u64 delay;	/* in nanoseconds; it completes at once without */
	__u64 queue;
};

FIXTURE_VARIANT_ADD(device, at_once) { .queue = 64 };
FIXTURE_VARIANT_ADD(device, later) { .delay = 100000, .queue = 64 };
FIXTURE_VARIANT_ADD(device, one_by_one) { .delay = 20000, .queue = 1 };

FIXTURE_SETUP(device)
{
	const struct null_disk_setting settings[] = {
		{ "size", SIZE >> 20 }, { "blocksize", SECTOR }, { "memory_backed", 1 },
		{ "irqmode", variant->delay ? 2 : 0 }, { "completion_nsec", variant->delay },
		{ "hw_queue_depth", variant->queue }, { "power", 1 }, { NULL, 0 },
	};

	ASSERT_EQ(0, null_disk_make(NAME, settings));
	self->fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->memory = new_pages(PAGES);
	self->twin = new_pages(PAGES);
	ASSERT_NE(NULL, self->memory);
	ASSERT_NE(NULL, self->twin);
	ASSERT_EQ(0, ring_open(&self->ring, DEPTH, 0));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, MEMORY));
	ASSERT_EQ(0, files_register(&self->ring, &self->fd, NULL, 1));
	pattern_fill(self->memory, MEMORY, SEED);
	ASSERT_EQ(MEMORY, pwrite(self->fd, self->memory, MEMORY, 0));
	memset(self->memory, 0, MEMORY);
}

FIXTURE_TEARDOWN(device)
{
	ring_close(&self->ring);
	close(self->fd);
	null_disk_destroy(NAME);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pins_of_kernel());
}

static struct io_ring_sqe transfer(__u8 opcode, const unsigned char *at, __u32 len, __u64 off)
{
	return sqe_fixed(sqe_buffer(opcode, 0, 0, at, len, off), 0);
}

static int run(const struct ring *ring, struct io_ring_sqe sqe)
{
	struct io_ring_cqe cqe;
	int err = ring_run(ring, &sqe, &cqe);

	return err ?: cqe.res;
}

static ssize_t or_errno(ssize_t n)
{
	return n < 0 ? -errno : n;
}

/* All that can be asked for: where the memory is, how much, and where on the disk. */
static const struct {
	unsigned int at;
	__u32 len;
	__u64 off;
} shapes[] = {
	{ 0, SECTOR, 0 }, { 0, PAGE, 0 }, { SECTOR, PAGE, SECTOR }, { 3 * SECTOR, 5 * SECTOR, 0 },
	{ PAGE - SECTOR, 2 * SECTOR, 7 * SECTOR }, { 0, 16 * PAGE, PAGE }, { SECTOR, 1 << 20, 0 },
	{ 0, (1 << 20) + SECTOR, SECTOR }, { 0, 1 << 21, 0 }, { MEMORY - SECTOR, SECTOR, 0 },
	/* At the end of the disk, and behind it. */
	{ 0, PAGE, SIZE - PAGE }, { 0, PAGE, SIZE - SECTOR }, { 0, 1 << 20, SIZE - 3 * SECTOR },
	{ 0, SECTOR, SIZE }, { 0, PAGE, SIZE + PAGE }, { 0, SECTOR, 1ULL << 40 },
	{ 0, PAGE, (1ULL << 63) - PAGE }, { 0, SECTOR, (1ULL << 63) - SECTOR },
	/* Not what the disk can do. */
	{ 0, 0, 0 }, { 0, 1, 0 }, { 0, SECTOR - 1, 0 }, { 0, SECTOR + 1, 0 }, { 0, SECTOR, 1 },
	{ 0, SECTOR, SECTOR - 1 }, { 1, SECTOR, 0 }, { 3, PAGE, 0 }, { SECTOR - 1, PAGE, 0 },
	{ 0, PAGE, 1ULL << 63 },
};

TEST_F(device, reads_are_those_of_pread)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const unsigned int at = shapes[i].at;
		const __u32 len = shapes[i].len;
		const __u64 off = shapes[i].off;

		memset(self->memory, 0, MEMORY);
		memset(self->twin, 0, MEMORY);
		EXPECT_EQ(or_errno(pread(self->fd, self->twin + at, len, off)),
			  run(&self->ring, transfer(READ, self->memory + at, len, off))) {
			TH_LOG("memory + %u, %u bytes at %llu", at, len, off);
		}
		EXPECT_EQ(0, memcmp(self->twin, self->memory, MEMORY)) {
			TH_LOG("memory + %u, %u bytes at %llu", at, len, off);
		}
	}
}

/* The disk after each: what pwrite(2) would have made of it. */
TEST_F(device, writes_are_those_of_pwrite)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const unsigned int at = shapes[i].at;
		const __u32 len = shapes[i].len;
		const __u64 off = shapes[i].off;
		const __u64 near = off < SIZE ? off & -(__u64)PAGE : 0;
		const size_t some = near + MEMORY < SIZE ? MEMORY : SIZE - near;
		ssize_t n;

		pattern_fill(self->memory, MEMORY, SEED + 1);
		n = or_errno(pwrite(self->fd, self->memory + at, len, off));
		ASSERT_EQ(some, pread(self->fd, self->twin, some, near));
		pattern_fill(self->memory, MEMORY, SEED + 2);
		if (n > 0)
			memcpy(self->twin + (off - near), self->memory + at, n);
		EXPECT_EQ(n, run(&self->ring, transfer(WRITE, self->memory + at, len, off))) {
			TH_LOG("memory + %u, %u bytes at %llu", at, len, off);
		}
		ASSERT_EQ(some, pread(self->fd, self->memory, some, near));
		EXPECT_EQ(0, memcmp(self->twin, self->memory, some)) {
			TH_LOG("memory + %u, %u bytes at %llu", at, len, off);
		}
	}
}

/* More at a time than the disk takes, so that some have to be done again. */
TEST_F(device, many_at_a_time)
{
	for (unsigned int writes = 0; writes < 2; writes++) {
		__u64 seen = 0;

		pattern_fill(self->memory, MEMORY, writes ? SEED + 1 : SEED + 2);
		for (unsigned int i = 0; i < DEPTH; i++) {
			struct io_ring_sqe sqe = transfer(writes ? WRITE : READ,
							  self->memory + 2 * i * PAGE, PAGE,
							  (__u64)2 * i * PAGE);

			sqe.user_data = i;
			ring_push(&self->ring, &sqe);
		}
		ASSERT_EQ(DEPTH, ring_enter(&self->ring, DEPTH, DEPTH));
		for (unsigned int i = 0; i < DEPTH; i++) {
			struct io_ring_cqe cqe;

			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
			EXPECT_EQ(PAGE, cqe.res);
			ASSERT_LT(cqe.user_data, DEPTH);
			seen |= 1ULL << cqe.user_data;
		}
		EXPECT_EQ(~0ULL, seen);
		ASSERT_EQ(MEMORY, pread(self->fd, self->twin, MEMORY, 0));
		for (size_t page = 0; page < 2 * DEPTH * PAGE; page += PAGE) {
			const bool is_its = page % (2 * PAGE) == 0;
			const unsigned int seed = writes && is_its ? SEED + 1 : SEED;

			EXPECT_EQ(PAGE, pattern_mismatch(self->twin + page, PAGE, seed, page));
			if (is_its)
				EXPECT_EQ(0, memcmp(self->memory + page, self->twin + page, PAGE));
		}
	}
}

/* What is in the page cache and not on the disk yet is read; what is written is not in it. */
TEST_F(device, the_page_cache_is_not_passed_by)
{
	const int cached = reopen(self->fd, O_RDWR);

	ASSERT_LE(0, cached);
	pattern_fill(self->twin, MEMORY, SEED + 1);
	ASSERT_EQ(PAGE, pwrite(cached, self->twin, PAGE, PAGE));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(READ, self->memory, PAGE, PAGE)));
	EXPECT_EQ(0, memcmp(self->twin, self->memory, PAGE));
	ASSERT_EQ(PAGE, pwrite(cached, self->twin, PAGE, PAGE));
	memset(self->memory, 0xee, PAGE);
	EXPECT_EQ(PAGE, run(&self->ring, transfer(WRITE, self->memory, PAGE, PAGE)));
	ASSERT_EQ(PAGE, pread(cached, self->twin, PAGE, PAGE));
	EXPECT_TRUE(all_bytes(self->twin, PAGE, 0xee));
	ASSERT_EQ(0, fsync(cached));
	close(cached);
	ASSERT_EQ(PAGE, pread(self->fd, self->twin, PAGE, PAGE));
	EXPECT_TRUE(all_bytes(self->twin, PAGE, 0xee));
}

TEST_F(device, a_disk_that_is_read_only_is_not_written)
{
	int on = 1, off = 0;

	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &on));
	EXPECT_EQ(-EPERM, run(&self->ring, transfer(WRITE, self->memory, PAGE, 0)));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(READ, self->memory, PAGE, 0)));
	EXPECT_EQ(PAGE, pattern_mismatch(self->memory, PAGE, SEED, 0));
	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &off));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(WRITE, self->memory, PAGE, 0)));
}

/* What the file was opened for counts, and what has become of it since. */
TEST_F(device, the_file_says_what_is_done)
{
	const int reader = reopen(self->fd, O_RDONLY | O_DIRECT);
	const int writer = reopen(self->fd, O_WRONLY | O_DIRECT);
	const int synced = reopen(self->fd, O_RDWR | O_DIRECT | O_DSYNC);

	ASSERT_EQ(0, file_replace(&self->ring, 0, reader, 0));
	EXPECT_EQ(-EBADF, run(&self->ring, transfer(WRITE, self->memory, PAGE, 0)));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(READ, self->memory, PAGE, 0)));
	ASSERT_EQ(0, file_replace(&self->ring, 0, writer, 0));
	EXPECT_EQ(-EBADF, run(&self->ring, transfer(READ, self->memory, PAGE, 0)));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(WRITE, self->memory, PAGE, 0)));
	ASSERT_EQ(0, file_replace(&self->ring, 0, synced, 0));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(WRITE, self->memory, PAGE, 0)));

	/* Without O_DIRECT it need not be whole sectors. */
	ASSERT_EQ(0, fcntl(synced, F_SETFL, 0));
	EXPECT_EQ(100, run(&self->ring, transfer(READ, self->memory + 1, 100, 7)));
	EXPECT_EQ(100, pattern_mismatch(self->memory + 1, 100, SEED, 7));
	ASSERT_EQ(0, fcntl(synced, F_SETFL, O_DIRECT));
	EXPECT_EQ(-EINVAL, run(&self->ring, transfer(READ, self->memory + 1, 100, 7)));
	EXPECT_EQ(PAGE, run(&self->ring, transfer(READ, self->memory, PAGE, PAGE)));
	EXPECT_EQ(PAGE, pattern_mismatch(self->memory, PAGE, SEED, PAGE));
	ASSERT_EQ(0, file_replace(&self->ring, 0, self->fd, 0));
	close(reader);
	close(writer);
	close(synced);
}

/* The times of the device's node, as pread(2) and pwrite(2) change them. */
TEST_F(device, it_is_noted_when_it_was_used)
{
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct stat by_call, by_ring;

	for (unsigned int writes = 0; writes < 2; writes++) {
		ASSERT_EQ(0, futimens(self->fd, old));
		ASSERT_EQ(PAGE, writes ? pwrite(self->fd, self->memory, PAGE, 0)
				       : pread(self->fd, self->memory, PAGE, 0));
		ASSERT_EQ(0, fstat(self->fd, &by_call));
		ASSERT_EQ(0, futimens(self->fd, old));
		EXPECT_EQ(PAGE, run(&self->ring, transfer(writes ? WRITE : READ, self->memory,
							  PAGE, 0)));
		ASSERT_EQ(0, fstat(self->fd, &by_ring));
		EXPECT_EQ(by_call.st_atim.tv_sec > 1000, by_ring.st_atim.tv_sec > 1000);
		EXPECT_EQ(by_call.st_mtim.tv_sec > 2000, by_ring.st_mtim.tv_sec > 2000);
	}
}

/* What asks for something special is done with that. */
TEST_F(device, what_is_special_is_done_so)
{
	struct io_ring_sqe sqe = transfer(READ, self->memory, PAGE, 0);
	const __u8 flags[] = {
		IO_RING_SQE_FORCE_ASYNC, IO_RING_SQE_DRAIN, IO_RING_SQE_LINK,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_sqe other = sqe;

		other.flags |= flags[i];
		EXPECT_EQ(PAGE, run(&self->ring, other));
	}
	ASSERT_EQ(2 * PAGE, lseek(self->fd, 2 * PAGE, SEEK_SET));
	sqe.off = (__u64)-1;
	EXPECT_EQ(PAGE, run(&self->ring, sqe));
	EXPECT_EQ(PAGE, pattern_mismatch(self->memory, PAGE, SEED, 2 * PAGE));
	EXPECT_EQ(3 * PAGE, lseek(self->fd, 0, SEEK_CUR));
	sqe.off = 0;
	sqe.personality = 1;
	EXPECT_EQ(-EINVAL, run(&self->ring, sqe));
	sqe.personality = 0;
	sqe.op_flags = 1U << 31;
	EXPECT_EQ(-EINVAL, run(&self->ring, sqe));
	sqe.op_flags = 0;
	sqe.ioprio = 7 << 13;
	EXPECT_EQ(-EINVAL, run(&self->ring, sqe));
	sqe.ioprio = 2 << 13 | 3;
	EXPECT_EQ(PAGE, run(&self->ring, sqe));
}

/* They have places in the completion queue like all others. */
TEST_F(device, none_is_lost_when_the_queue_is_full)
{
	const __u32 size = self->ring.setup.cq_entries;
	unsigned int reads = 0, nops = 0;
	struct io_ring_cqe cqe;

	for (__u32 left = size; left; left -= DEPTH) {
		ring_push_nops(&self->ring, DEPTH, 1000);
		ASSERT_EQ(DEPTH, ring_enter(&self->ring, DEPTH, 0));
	}
	for (unsigned int i = 0; i < DEPTH / 2; i++) {
		const struct io_ring_sqe sqe = transfer(READ, self->memory + i * PAGE, PAGE,
							(__u64)i * PAGE);

		ring_push(&self->ring, &sqe);
	}
	ASSERT_EQ(DEPTH / 2, ring_enter(&self->ring, DEPTH / 2, 0));
	while (reads + nops < size + DEPTH / 2) {
		if (!ring_pop(&self->ring, &cqe)) {
			ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
			continue;
		}
		reads += cqe.user_data < 1000;
		nops += cqe.user_data >= 1000;
		EXPECT_EQ(cqe.user_data < 1000 ? PAGE : 0, cqe.res);
	}
	EXPECT_EQ(DEPTH / 2, reads);
	EXPECT_EQ(size, nops);
	EXPECT_EQ(DEPTH / 2 * PAGE, pattern_mismatch(self->memory, DEPTH / 2 * PAGE, SEED, 0));
}

TEST_HARNESS_MAIN
