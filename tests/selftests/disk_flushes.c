// SPDX-License-Identifier: GPL-2.0-only
/* What has to reach a disk does: flushes are counted, and its power is cut. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "fault_disk.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 16
#define TIMES 20
#define CUTS 20		/* IO_RING_CUTS says otherwise */
#define KEPT 8		/* pages that are written and flushed, and as many that are not */
#define LINK IO_RING_SQE_LINK
#define ASYNC IO_RING_SQE_FORCE_ASYNC

FIXTURE(disk)
{
	struct ring ring;
	unsigned char *pages;
	int fd;
};

FIXTURE_SETUP(disk)
{
	ASSERT_EQ(0, fault_disk_make(1));
	self->fd = open(FAULT_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->pages = new_pages(2 * KEPT);
	ASSERT_NE(NULL, self->pages);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(disk)
{
	ring_close(&self->ring);
	close(self->fd);
	fault_disk_destroy();
	EXPECT_STREQ("", counters_busy() ?: "");
}

static struct io_ring_sqe write_page(int fd, const unsigned char *pages, unsigned int number,
				     __u32 op_flags)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, fd, pages + number * PAGE, PAGE,
					(__u64)number * PAGE);

	sqe.op_flags = op_flags;
	sqe.user_data = number;
	return sqe;
}

/* How many flushes come of writing a page and synchronising it, TIMES over. */
static long by_calls(int fd, const unsigned char *pages, int (*sync)(int), int rwf)
{
	const struct iovec vec = { .iov_base = (void *)pages, .iov_len = PAGE };
	long before = fault_disk_flushes();

	for (unsigned int i = 0; i < TIMES; i++) {
		if (pwritev2(fd, &vec, 1, 0, rwf) != PAGE || (sync && sync(fd)))
			return -EIO;
	}
	return fault_disk_flushes() - before;
}

/* Likewise by the ring. */
static long by_ring(const struct ring *ring, int fd, const unsigned char *pages,
		    const struct io_ring_sqe *sync, __u32 rwf, __u8 flags)
{
	long before = fault_disk_flushes();

	for (unsigned int i = 0; i < TIMES; i++) {
		__u32 count = sync ? 2 : 1;

		chain_push(ring, write_page(fd, pages, 0, rwf), sync ? flags | LINK : flags);
		if (sync)
			chain_push(ring, chain_tagged(*sync, 1), flags);
		if (ring_enter(ring, count, count) != (int)count ||
		    chain_result(ring, 0) != PAGE || (sync && chain_result(ring, 1)))
			return -EIO;
		chain_drop(ring);
	}
	return fault_disk_flushes() - before;
}

static const __u8 ways[] = { 0, ASYNC };

TEST_F(disk, fsync_flushes_as_fsync_does)
{
	const struct io_ring_sqe sync = sqe_fsync(self->fd, 0, 0, 0);
	long want = by_calls(self->fd, self->pages, fsync, 0);

	EXPECT_EQ(TIMES, want);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		EXPECT_EQ(want, by_ring(&self->ring, self->fd, self->pages, &sync, 0, ways[i]));
}

TEST_F(disk, fdatasync_flushes_as_fdatasync_does)
{
	const struct io_ring_sqe sync = sqe_fsync(self->fd, 0, 0, IO_RING_FSYNC_DATASYNC);
	long want = by_calls(self->fd, self->pages, fdatasync, 0);

	EXPECT_EQ(TIMES, want);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		EXPECT_EQ(want, by_ring(&self->ring, self->fd, self->pages, &sync, 0, ways[i]));
}

/*
 * This disk knows no writes that are there at once, so that the kernel flushes after each,
 * and who has waited for the write flushes once more: calls do, and requests may not.
 */
TEST_F(disk, writes_flush_if_they_are_to_be_there)
{
	static const int flags[] = { RWF_DSYNC, RWF_DSYNC | RWF_SYNC };

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
			EXPECT_LE(TIMES, by_ring(&self->ring, self->fd, self->pages, NULL,
						 flags[f], ways[i]));
	}
	EXPECT_EQ(0, by_calls(self->fd, self->pages, NULL, 0));
	EXPECT_EQ(0, by_ring(&self->ring, self->fd, self->pages, NULL, 0, 0));
}

TEST_F(disk, writes_of_registered_files_flush_if_those_are_synchronous)
{
	int files[] = { self->fd, reopen(self->fd, O_RDWR | O_DIRECT | O_DSYNC) };

	ASSERT_EQ(0, buffer_register(&self->ring, self->pages, PAGE));
	ASSERT_EQ(0, files_register(&self->ring, files, NULL, ARRAY_SIZE(files)));
	for (int file = 0; file < 2; file++) {
		const struct io_ring_sqe sqe = sqe_fixed(sqe_buffer(IO_RING_OP_WRITE_FIXED, 0, 0,
								    self->pages, PAGE, 0), file);
		long before = fault_disk_flushes();
		struct io_ring_cqe cqe;

		for (unsigned int i = 0; i < TIMES; i++) {
			ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
			EXPECT_EQ(PAGE, cqe.res);
		}
		EXPECT_EQ(file, fault_disk_flushes() - before >= TIMES);
		EXPECT_EQ(!file, fault_disk_flushes() == before);
	}
	close(files[1]);
}

/* How writes get to where they stay. */
enum { BY_FSYNC, BY_DATASYNC, BY_CHAIN, BY_WORKER, BY_FLAG, HOWS };

/* Writes pages that are to stay. False if anything was not acknowledged as it should be. */
static bool write_kept(const struct ring *ring, int fd, const unsigned char *pages, int how)
{
	const __u32 kind = how == BY_DATASYNC ? IO_RING_FSYNC_DATASYNC : 0;
	const __u32 rwf = how == BY_FLAG ? RWF_DSYNC : 0;
	const __u8 async = how == BY_WORKER ? ASYNC : 0;
	__u8 flags = how == BY_CHAIN || how == BY_WORKER ? async | LINK : async;
	bool is_good = true;

	for (unsigned int i = 0; i < KEPT; i++)
		chain_push(ring, write_page(fd, pages, i, rwf), flags);
	if (!(flags & LINK))
		is_good = ring_enter(ring, KEPT, KEPT) == KEPT;
	else
		chain_push(ring, chain_tagged(sqe_fsync(fd, 0, 0, 0), KEPT), async);
	if (flags & LINK)
		is_good = ring_enter(ring, KEPT + 1, KEPT + 1) == KEPT + 1;
	for (unsigned int i = 0; i < KEPT; i++)
		is_good = is_good && chain_result(ring, i) == PAGE;
	if (flags & LINK)
		is_good = is_good && chain_result(ring, KEPT) == 0;
	chain_drop(ring);
	if (how == BY_FSYNC || how == BY_DATASYNC) {
		chain_push(ring, chain_tagged(sqe_fsync(fd, 0, 0, kind), KEPT), 0);
		is_good = is_good && ring_enter(ring, 1, 1) == 1 && chain_result(ring, KEPT) == 0;
		chain_drop(ring);
	}
	return is_good;
}

/* Another process reads: the first page that is not as it should be, or the number of pages. */
static unsigned int first_lost(unsigned int first, unsigned int end, unsigned int seed)
{
	unsigned char *page = new_pages(1);
	int fd = open(FAULT_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	while (fd >= 0 && page && first < end &&
	       pread(fd, page, PAGE, (off_t)first * PAGE) == PAGE &&
	       pattern_mismatch(page, PAGE, seed, (size_t)first * PAGE) == PAGE)
		first++;
	return first;
}

static unsigned int child_sees(unsigned int first, unsigned int end, unsigned int seed)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(first_lost(first, end, seed));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 0;
	return WEXITSTATUS(status);
}

TEST_F_TIMEOUT(disk, what_was_synchronised_survives_a_power_cut, 600)
{
	const char *text = getenv("IO_RING_CUTS");
	unsigned int cuts = text ? strtoul(text, NULL, 10) : CUTS;
	unsigned int lost = 0;

	for (unsigned int round = 1; round <= cuts; round++) {
		pattern_fill(self->pages, 2 * KEPT * PAGE, round);
		ASSERT_TRUE(write_kept(&self->ring, self->fd, self->pages, round % HOWS));
		for (unsigned int i = KEPT; i < 2 * KEPT; i++) {
			chain_push(&self->ring, write_page(self->fd, self->pages, i, 0), 0);
			ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
			ASSERT_EQ(PAGE, chain_result(&self->ring, i));
			chain_drop(&self->ring);
		}
		close(self->fd);
		ASSERT_EQ(0, fault_disk_cut_power());
		ASSERT_EQ(KEPT, child_sees(0, KEPT, round)) {
			TH_LOG("round %u", round);
		}
		lost += child_sees(KEPT, 2 * KEPT, round) < 2 * KEPT;
		self->fd = open(FAULT_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
		ASSERT_LE(0, self->fd);
	}
	/* Else a disk that loses nothing would do. */
	EXPECT_EQ(cuts, lost);
	TH_LOG("figure: %u cuts, %u times what was not synchronised was lost", cuts, lost);
}

TEST_HARNESS_MAIN
