// SPDX-License-Identifier: GPL-2.0-only
/* Disks with bad places: each error gets to the request that met it, and nothing else is harmed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "fault_disk.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "ring.h"

#define ENTRIES 64
#define PAGES 64
#define BAD_PAGE 8
#define BAD_SECTOR (BAD_PAGE * PAGE + 3 * 512)
#define MANY (PAGES / 2)	/* requests at once, a page apart: else the disk gets fewer */
#define EVERY 4		/* one of them in so many meets a bad place */
#define SEED 5
#define LINK IO_RING_SQE_LINK
#define ASYNC IO_RING_SQE_FORCE_ASYNC

/* How the bytes get there. */
enum { PLAIN, VECTOR, REGISTERED, KINDS };

FIXTURE(disk)
{
	struct ring ring;
	unsigned char *pages;
	unsigned char *twin;
	int fd;
};

FIXTURE_VARIANT(disk)
{
	int open_flags;
	__u32 ring_flags;
};

FIXTURE_VARIANT_ADD(disk, buffered) { .open_flags = 0 };
FIXTURE_VARIANT_ADD(disk, direct) { .open_flags = O_DIRECT };
FIXTURE_VARIANT_ADD(disk, polled) {
	.open_flags = O_DIRECT, .ring_flags = IO_RING_SETUP_IOPOLL,
};

FIXTURE_SETUP(disk)
{
	ASSERT_EQ(0, fault_disk_make(0));
	self->fd = open(FAULT_DISK, O_RDWR | O_CLOEXEC | variant->open_flags);
	ASSERT_LE(0, self->fd);
	self->pages = new_pages(PAGES);
	self->twin = new_pages(PAGES);
	ASSERT_NE(NULL, self->pages);
	ASSERT_NE(NULL, self->twin);
	pattern_fill(self->pages, PAGES * PAGE, SEED);
	ASSERT_EQ(PAGES * PAGE, pwrite(self->fd, self->pages, PAGES * PAGE, 0));
	ASSERT_EQ(0, fsync(self->fd));
	ASSERT_EQ(0, ioctl(self->fd, BLKFLSBUF));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, variant->ring_flags));
	ASSERT_EQ(0, buffer_register(&self->ring, self->pages, PAGES * PAGE));
}

FIXTURE_TEARDOWN(disk)
{
	ring_close(&self->ring);
	close(self->fd);
	fault_disk_destroy();
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* A transfer of the first bytes of the pages. */
static struct io_ring_sqe transfer(bool writes, int kind, int fd, unsigned char *pages,
				   struct iovec *vec, __u32 len, __u64 off)
{
	static const __u8 opcodes[KINDS][2] = {
		[PLAIN] = { IO_RING_OP_READ, IO_RING_OP_WRITE },
		[VECTOR] = { IO_RING_OP_READV, IO_RING_OP_WRITEV },
		[REGISTERED] = { IO_RING_OP_READ_FIXED, IO_RING_OP_WRITE_FIXED },
	};
	__u8 opcode = opcodes[kind][writes];

	if (kind == REGISTERED)
		return sqe_buffer(opcode, fd, 0, pages, len, off);
	if (kind == PLAIN)
		return sqe_rw(opcode, fd, pages, len, off);
	vec[0] = (struct iovec) { pages, len / 2 };
	vec[1] = (struct iovec) { pages + len / 2, len - len / 2 };
	return sqe_rw(opcode, fd, vec, 2, off);
}

/* Whether nothing of the disk is in memory, so that reading it asks the disk. */
static bool forget(int fd)
{
	return !ioctl(fd, BLKFLSBUF);
}

TEST_F(disk, reads_end_as_pread_does)
{
	const __u8 ways[] = { 0, variant->ring_flags ? 0 : ASYNC };
	unsigned int failed = 0;
	struct io_ring_cqe cqe;
	struct iovec vec[2];

	ASSERT_EQ(0, fault_disk_break(BAD_SECTOR, 512));
	for (unsigned int i = 0; i < 4 * 4 * KINDS * 2; i++) {
		__u64 off = (BAD_PAGE - 2 + i % 4) * PAGE;
		__u32 len = (1 + i / 4 % 4) * PAGE;
		struct io_ring_sqe sqe = transfer(false, i / 16 % KINDS, self->fd, self->pages,
						  vec, len, off);
		ssize_t want;

		ASSERT_TRUE(forget(self->fd));
		want = pread(self->fd, self->twin, len, off);
		want = want < 0 ? -errno : want;
		ASSERT_TRUE(forget(self->fd));
		memset(self->pages, 0, len);
		sqe.flags |= ways[i / 16 / KINDS];
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(want, cqe.res) {
			TH_LOG("%u bytes at %llu, kind %u", len, off, i / 16 % KINDS);
		}
		failed += cqe.res < 0;
		if (cqe.res > 0)
			EXPECT_EQ(cqe.res, pattern_mismatch(self->pages, cqe.res, SEED, off));
	}
	EXPECT_NE(0, failed);
	ASSERT_EQ(0, fault_disk_repair(BAD_SECTOR, 512));
}

/* Bytes before the bad place are read, as far as pages of the cache can be. */
TEST_F(disk, partial_reads)
{
	const __s32 whole = variant->open_flags & O_DIRECT ? -EIO : 2 * PAGE;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->fd, self->pages, 4 * PAGE,
					(BAD_PAGE - 2) * PAGE);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, fault_disk_break(BAD_SECTOR, 512));
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(whole, cqe.res);
	sqe.off += 2 * PAGE;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(-EIO, cqe.res);
	ASSERT_EQ(0, fault_disk_repair(BAD_SECTOR, 512));
	sqe.off -= 2 * PAGE;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(4 * PAGE, cqe.res);
	EXPECT_EQ(4 * PAGE, pattern_mismatch(self->pages, 4 * PAGE, SEED, sqe.off));
}

static int set_bad_places(int (*set)(__u64 off, __u64 len))
{
	int error = 0;

	for (unsigned int i = 0; i < MANY && !error; i += EVERY)
		error = set(2 * i * PAGE, PAGE);
	return error;
}

/* Many at once: each answer is that of its own request. */
TEST_F(disk, errors_get_to_whom_they_belong)
{
	bool seen[MANY] = { };
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, set_bad_places(fault_disk_break));
	/* Without read-ahead, which would meet the bad places of others. */
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_TRUE(forget(self->fd));
	memset(self->pages, 0, PAGES * PAGE);
	for (unsigned int i = 0; i < MANY; i++) {
		chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_READ, self->fd,
							    self->pages + i * PAGE, PAGE,
							    2ULL * i * PAGE), i), 0);
	}
	ASSERT_EQ(MANY, ring_enter(&self->ring, MANY, MANY));
	for (unsigned int n = 0; n < MANY; n++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		ASSERT_GT(MANY, cqe.user_data);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
		EXPECT_EQ(cqe.user_data % EVERY ? PAGE : -EIO, cqe.res);
		if (cqe.res == PAGE)
			EXPECT_EQ(PAGE, pattern_mismatch(self->pages + cqe.user_data * PAGE, PAGE,
							 SEED, 2 * cqe.user_data * PAGE));
	}
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, set_bad_places(fault_disk_repair));
}

/* Another process: how many of the pages are as they should be. */
static int child_counts(unsigned int seed, unsigned int end)
{
	unsigned char *page = new_pages(1);
	pid_t pid = fork();
	int status, good = 0;

	if (!pid) {
		int fd = open(FAULT_DISK, O_RDONLY | O_DIRECT);

		for (unsigned int i = 0; i < end; i++)
			good += pread(fd, page, PAGE, (off_t)i * PAGE) == PAGE &&
				pattern_mismatch(page, PAGE, seed, (size_t)i * PAGE) == PAGE;
		_exit(good);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(disk, writes_that_were_acknowledged_are_there)
{
	const __u8 ways[] = { 0, variant->ring_flags ? 0 : ASYNC };
	struct iovec vec[2];

	if (!(variant->open_flags & O_DIRECT))
		return;
	for (unsigned int i = 0; i < KINDS * 2; i++) {
		unsigned int seed = SEED + 1 + i;
		struct io_ring_cqe cqe;
		int good = 0;

		pattern_fill(self->twin, PAGES * PAGE, seed);
		ASSERT_EQ(0, fault_disk_break(BAD_SECTOR, 512));
		for (unsigned int n = 0; n < PAGES; n++) {
			struct io_ring_sqe sqe = transfer(true, i % KINDS, self->fd, self->pages,
							  vec, PAGE, (__u64)n * PAGE);

			memcpy(self->pages, self->twin + n * PAGE, PAGE);
			sqe.flags |= ways[i / KINDS];
			ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
			EXPECT_EQ(n == BAD_PAGE ? -EIO : PAGE, cqe.res);
			good += cqe.res == PAGE;
		}
		ASSERT_EQ(0, fault_disk_repair(BAD_SECTOR, 512));
		EXPECT_EQ(PAGES - 1, good);
		EXPECT_EQ(good, child_counts(seed, PAGES));
	}
}

/* What the cache took and the disk did not is told once, by FSYNC, and ends the chain. */
TEST_F(disk, fsync_tells_what_was_not_written)
{
	if (variant->open_flags & O_DIRECT)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		pattern_fill(self->pages, PAGES * PAGE, SEED + i);
		ASSERT_EQ(0, fault_disk_break(BAD_SECTOR, 512));
		chain_push(&self->ring, chain_tagged(sqe_rw(IO_RING_OP_WRITE, self->fd, self->pages,
							    PAGES * PAGE, 0), 1), LINK);
		chain_push(&self->ring, chain_tagged(sqe_fsync(self->fd, 0, 0, 0), 2),
			   LINK | (i ? ASYNC : 0));
		chain_push(&self->ring, sqe_nop(3), 0);
		ASSERT_EQ(3, ring_enter(&self->ring, 3, 3));
		EXPECT_EQ(PAGES * PAGE, chain_result(&self->ring, 1));
		EXPECT_EQ(-EIO, chain_result(&self->ring, 2));
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 3));
		chain_drop(&self->ring);
		ASSERT_EQ(0, fault_disk_repair(BAD_SECTOR, 512));
		chain_push(&self->ring, chain_tagged(sqe_fsync(self->fd, 0, 0, 0), 4), 0);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
		EXPECT_EQ(0, chain_result(&self->ring, 4));
		chain_drop(&self->ring);
	}
}

TEST_HARNESS_MAIN
