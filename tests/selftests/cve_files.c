// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of files, descriptors and memory that a request was told of, while it waits. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"
#include "source.h"
#include "stream.h"
#include "stuck.h"

#define ENTRIES 8
#define PAGE 4096
#define STAIN 0xee
#define THE_ONE 1
#define OTHER 2
#define DELAY (300 * MS)

/* A ring, two pipes, and a page. */
FIXTURE(waiting)
{
	struct ring ring;
	int first[2];
	int second[2];
	unsigned char *page;
};

FIXTURE_SETUP(waiting)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);

	wanted.max_workers = 2;
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
	ASSERT_EQ(0, pipe2(self->first, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->second, O_CLOEXEC));
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	memset(self->page, STAIN, PAGE);
}

FIXTURE_TEARDOWN(waiting)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

/* Submits what has to wait. */
static void submit_waiting(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_sqe sqe)
{
	submit(_metadata, ring, sqe, THE_ONE);
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

TEST_F(waiting, descriptor_stands_for_another_pipe)
{
	int fd = self->first[0];
	char byte = 0;

	submit_waiting(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, fd, self->page, 1, 0));
	ASSERT_EQ(fd, dup2(self->second[0], fd));
	ASSERT_EQ(1, write(self->second[1], "b", 1));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&self->ring));
	submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_FD, 0, fd, 0), OTHER);
	expect_one(_metadata, &self->ring, OTHER, -ENOENT);
	ASSERT_EQ(1, write(self->first[1], "a", 1));
	expect_one(_metadata, &self->ring, THE_ONE, 1);
	EXPECT_EQ('a', self->page[0]);
	EXPECT_EQ(1, read(fd, &byte, 1));
	EXPECT_EQ('b', byte);
}

/* The request is in the queue of the workers, the only one of which that may block is stuck. */
TEST_F(waiting, descriptor_stands_for_another_file)
{
	int files[2];
	struct stuck stuck;
	int fd;

	for (unsigned int i = 0; i < 2; i++) {
		files[i] = temp_file(EXT4_DIR);
		ASSERT_LE(0, files[i]);
		ASSERT_EQ(0, pattern_write(files[i], PAGE, i));
		ASSERT_EQ(0, fsync(files[i]));
		ASSERT_EQ(0, posix_fadvise(files[i], 0, 0, POSIX_FADV_DONTNEED));
	}
	fd = dup(files[0]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, stuck_open(&stuck));
	submit_waiting(_metadata, &self->ring, stuck_read(&stuck, 0));
	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, fd, self->page, PAGE, 0), OTHER);
	ASSERT_EQ(fd, dup2(files[1], fd));
	close(files[0]);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&self->ring));
	stuck_let_go(&stuck);
	expect_one(_metadata, &self->ring, THE_ONE, STUCK_PAGE);
	expect_one(_metadata, &self->ring, OTHER, PAGE);
	EXPECT_EQ(PAGE, pattern_mismatch(self->page, PAGE, 0, 0));
	stuck_close(&stuck);
}

#define MOST_SEGMENTS 64

static const unsigned int segment_counts[] = { 1, 3, MOST_SEGMENTS };

/* Every other byte of the page, in an array that is about to become something else. */
static struct iovec *segments(void *page, unsigned int count)
{
	struct iovec *iov = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (iov == MAP_FAILED)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		iov[i] = (struct iovec) { .iov_base = page + 2 * i, .iov_len = 1 };
	return iov;
}

static void spoil(struct iovec *iov)
{
	memset(iov, 0xff, PAGE);
	munmap(iov, PAGE);
}

TEST_F(waiting, iovec_array_of_a_read_is_gone)
{
	unsigned char content[MOST_SEGMENTS];

	pattern_fill(content, MOST_SEGMENTS, 0);
	for (size_t n = 0; n < ARRAY_SIZE(segment_counts); n++) {
		unsigned int count = segment_counts[n];
		struct iovec *iov = segments(self->page, count);

		ASSERT_NE(NULL, iov);
		memset(self->page, STAIN, PAGE);
		submit_waiting(_metadata, &self->ring,
			       sqe_rw(IO_RING_OP_READV, self->first[0], iov, count, 0));
		spoil(iov);
		ASSERT_EQ(count, write(self->first[1], content, count));
		expect_one(_metadata, &self->ring, THE_ONE, count);
		for (unsigned int i = 0; i < count; i++) {
			EXPECT_EQ(content[i], self->page[2 * i]);
			EXPECT_EQ(STAIN, self->page[2 * i + 1]);
		}
	}
}

TEST_F(waiting, iovec_array_of_a_write_is_gone)
{
	size_t filled = stream_fill(self->first[1]);
	unsigned char rest[MOST_SEGMENTS];

	pattern_fill(self->page, PAGE, 0);
	for (size_t n = 0; n < ARRAY_SIZE(segment_counts); n++) {
		unsigned int count = segment_counts[n];
		struct iovec *iov = segments(self->page, count);

		ASSERT_NE(NULL, iov);
		submit_waiting(_metadata, &self->ring,
			       sqe_rw(IO_RING_OP_WRITEV, self->first[1], iov, count, 0));
		spoil(iov);
		for (size_t left = filled; left;) {
			static unsigned char chunk[PAGE];
			ssize_t got = read(self->first[0], chunk, left < PAGE ? left : PAGE);

			ASSERT_LT(0, got);
			left -= got;
		}
		expect_one(_metadata, &self->ring, THE_ONE, count);
		ASSERT_EQ(count, read(self->first[0], rest, MOST_SEGMENTS));
		for (unsigned int i = 0; i < count; i++)
			EXPECT_EQ(pattern_byte(0, 2 * i), rest[i]);
		filled = stream_fill(self->first[1]);
	}
}

/* Addresses mean what they mean when the data comes, and pages that are gone get nothing. */
TEST_F(waiting, buffer_is_other_memory)
{
	submit_waiting(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, self->first[0], self->page, 1, 0));
	ASSERT_EQ(self->page, mmap(self->page, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(1, write(self->first[1], "a", 1));
	expect_one(_metadata, &self->ring, THE_ONE, 1);
	EXPECT_EQ('a', self->page[0]);
}

/* The data stays for who can take it. */
static void expect_fault(struct __test_metadata *_metadata, const struct ring *ring,
			 const int *ends)
{
	char byte = 0;

	ASSERT_EQ(1, write(ends[1], "a", 1));
	expect_one(_metadata, ring, THE_ONE, -EFAULT);
	EXPECT_EQ(1, read(ends[0], &byte, 1));
	EXPECT_EQ('a', byte);
}

TEST_F(waiting, buffer_cannot_be_written)
{
	submit_waiting(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, self->first[0], self->page, 1, 0));
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ));
	expect_fault(_metadata, &self->ring, self->first);
	EXPECT_EQ(STAIN, self->page[0]);
}

TEST_F(waiting, buffer_is_beyond_the_end_of_its_file)
{
	int file = temp_file(EXT4_DIR);
	void *mapped;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, PAGE));
	mapped = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	submit_waiting(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, self->first[0], mapped, 1, 0));
	ASSERT_EQ(0, ftruncate(file, 0));
	expect_fault(_metadata, &self->ring, self->first);
}

/* Nobody has the file any more. */
static bool await_no_reader(int writer)
{
	long end = now_ms() + patience(SOON);

	while (write(writer, "x", 1) == 1) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return errno == EPIPE;
}

/* By the time that the READ lets go of it, nobody else has the file that came with the data. */
TEST_F(waiting, descriptors_that_a_read_discards_are_closed)
{
	struct stuck stuck;
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	/* Something else to wait for, so that the worker stays. */
	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, self->second[0], self->page, 1, 0),
	       OTHER);
	submit_waiting(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, pair[1], stuck.memory + STUCK_PAGE, 1, 0));
	ASSERT_EQ(0, send_fd(pair[0], self->first[0]));
	close(self->first[0]);
	sleep_ms(A_WHILE);
	EXPECT_EQ(1, write(self->first[1], "x", 1));
	stuck_let_go(&stuck);
	expect_one(_metadata, &self->ring, THE_ONE, 1);
	EXPECT_TRUE(await_no_reader(self->first[1]));
	stuck_close(&stuck);
}

/* A request lets go of its file first, and completes then. */
static bool await_overflow(const struct ring *ring)
{
	long end = now_ms() + patience(SOON);

	while (!(ring_load(ring, ring->setup.sq_off.flags) & IO_RING_SQ_CQ_OVERFLOW)) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

TEST(parked_completions_hold_no_file)
{
	struct io_ring_setup wanted = ring_wanted(1, IO_RING_SETUP_CQSIZE);
	struct ring ring;
	int ends[2];
	char byte;

	signal(SIGPIPE, SIG_IGN);
	wanted.cq_entries = 1;
	wanted.requests = 4;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), THE_ONE);
	submit(_metadata, &ring, sqe_nop(0), OTHER);
	ASSERT_EQ(1, ring_ready(&ring));
	close(ends[0]);
	EXPECT_TRUE(await_no_reader(ends[1]));
	EXPECT_TRUE(await_overflow(&ring));
	expect_one(_metadata, &ring, OTHER, 0);
	ASSERT_EQ(0, ring_enter(&ring, 0, 1));
	expect_one(_metadata, &ring, THE_ONE, 1);
	ring_close(&ring);
}

/* The other end goes away: terminals tell of an error at first, and of the end from then on. */
TEST_F(waiting, other_end_is_closed)
{
	static const enum source_kind kinds[] = {
		SOURCE_PIPE, SOURCE_SOCKET, SOURCE_TERMINAL, SOURCE_MASTER,
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct io_ring_cqe cqe;
		struct source source;

		ASSERT_TRUE(source_open(&source, kinds[i]));
		submit_waiting(_metadata, &self->ring,
			       sqe_rw(IO_RING_OP_READ, source.reader, self->page, 1, 0));
		close(source.feeder);
		ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_TRUE(cqe.res == 0 || (cqe.res == -EIO && kinds[i] >= SOURCE_TERMINAL)) {
			TH_LOG("%s: %d", source_names[kinds[i]], cqe.res);
		}
		EXPECT_EQ(0, ring_ready(&self->ring));
		close(source.reader);
	}
}

/* The disk goes away with its last descriptor but that of the request. */
TEST_F(waiting, disk_is_removed)
{
	int disk = slow_disk_open(DELAY);
	struct io_ring_cqe cqe;

	ASSERT_LE(0, disk);
	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, disk, self->page, PAGE, 0), THE_ONE);
	ASSERT_EQ(0, ring_ready(&self->ring));
	slow_disk_close(disk);
	ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_TRUE(cqe.res == PAGE || cqe.res == -EIO) {
		TH_LOG("result %d", cqe.res);
	}
	EXPECT_NE(0, access("/dev/slow_disk", F_OK));
}

TEST_HARNESS_MAIN
