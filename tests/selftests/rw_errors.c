// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors and files on which reading or writing fails. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "ring.h"

#define LEN 4096

static unsigned char buffer[4 * LEN];
static const struct iovec iov = { buffer, LEN };

FIXTURE(errors)
{
	struct ring ring;
	int file;
};

FIXTURE_SETUP(errors)
{
	self->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, LEN, 1));
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
}

FIXTURE_TEARDOWN(errors)
{
	ring_close(&self->ring);
	close(self->file);
}

static const __u8 readers[] = { IO_RING_OP_READ, IO_RING_OP_READV };
static const __u8 writers[] = { IO_RING_OP_WRITE, IO_RING_OP_WRITEV };

/* The result of a request for LEN bytes at the start of the file, with any opcode. */
static int result_of(const struct ring *ring, __u8 opcode, int fd)
{
	bool is_vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV;
	struct io_ring_sqe sqe = sqe_rw(opcode, fd, is_vector ? (void *)&iov : buffer,
					is_vector ? 1 : LEN, 0);
	struct io_ring_cqe cqe;
	int error;

	if (opcode == IO_RING_OP_FSYNC)
		sqe = sqe_fsync(fd, 0, 0, 0);
	error = ring_run(ring, &sqe, &cqe);
	if (error)
		fprintf(stderr, "# the ring did not run it: %s\n", strerror(-error));
	return error ? INT32_MIN : cqe.res;
}

static void expect_read(struct __test_metadata *_metadata, const struct ring *ring, int res,
			int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		EXPECT_EQ(res, result_of(ring, readers[i], fd));
}

static void expect_write(struct __test_metadata *_metadata, const struct ring *ring, int res,
			 int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		EXPECT_EQ(res, result_of(ring, writers[i], fd));
}

TEST_F(errors, descriptors_that_are_not_open)
{
	int closed = dup(self->file);
	const int bad[] = { -1, -2, closed, 1 << 20, INT32_MAX, INT32_MIN };

	ASSERT_LE(0, closed);
	close(closed);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		expect_read(_metadata, &self->ring, -EBADF, bad[i]);
		expect_write(_metadata, &self->ring, -EBADF, bad[i]);
		EXPECT_EQ(-EBADF, result_of(&self->ring, IO_RING_OP_FSYNC, bad[i])) {
			TH_LOG("descriptor %d", bad[i]);
		}
	}
}

TEST_F(errors, path_descriptors)
{
	int path = reopen(self->file, O_PATH);

	ASSERT_LE(0, path);
	expect_read(_metadata, &self->ring, -EBADF, path);
	expect_write(_metadata, &self->ring, -EBADF, path);
	EXPECT_EQ(-EBADF, result_of(&self->ring, IO_RING_OP_FSYNC, path));
}

TEST_F(errors, files_open_the_other_way)
{
	int reader = reopen(self->file, O_RDONLY);
	int writer = reopen(self->file, O_WRONLY);
	int ends[2];

	ASSERT_LE(0, reader);
	ASSERT_LE(0, writer);
	ASSERT_EQ(0, pipe(ends));
	expect_write(_metadata, &self->ring, -EBADF, reader);
	expect_read(_metadata, &self->ring, -EBADF, writer);
	expect_write(_metadata, &self->ring, -EBADF, ends[0]);
	expect_read(_metadata, &self->ring, -EBADF, ends[1]);
	expect_read(_metadata, &self->ring, LEN, reader);
	expect_write(_metadata, &self->ring, LEN, writer);
}

TEST_F(errors, directories)
{
	static const char * const dirs[] = { EXT4_DIR, TMPFS_DIR, "/proc" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int dir = open(dirs[i], O_RDONLY | O_DIRECTORY);

		ASSERT_LE(0, dir);
		expect_read(_metadata, &self->ring, -EISDIR, dir);
		expect_write(_metadata, &self->ring, -EBADF, dir);
		close(dir);
	}
}

TEST_F(errors, files_without_bytes)
{
	int control = control_open();
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	const int fds[] = { control, epoll, self->ring.fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		expect_read(_metadata, &self->ring, -EINVAL, fds[i]);
		expect_write(_metadata, &self->ring, -EINVAL, fds[i]);
	}
	close(control);
	close(epoll);
}

TEST_F(errors, pipe_without_reader)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, pipe(ends));
	close(ends[0]);
	expect_write(_metadata, &self->ring, -EPIPE, ends[1]);
}

TEST_F(errors, pipe_without_writer)
{
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	close(ends[1]);
	expect_read(_metadata, &self->ring, 0, ends[0]);
}

/* A file size limit cuts what crosses it and refuses what is beyond, as for write(2). */
TEST_F(errors, file_size_limit)
{
	struct rlimit limit;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, self->file, buffer, LEN, LEN);
	struct io_ring_cqe cqe;

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = LEN + 1000;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(1000, cqe.res);
	sqe.off = LEN + 1000;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(-EFBIG, cqe.res);
	EXPECT_EQ(LEN + 1000, lseek(self->file, 0, SEEK_END));
}

/* A tmpfs of a few pages, in a mount namespace that vanishes with the test. */
TEST_F(errors, no_space)
{
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	int small;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("small", TMPFS_DIR, "tmpfs", 0, "size=8k"));
	small = temp_file(TMPFS_DIR);
	ASSERT_LE(0, small);
	sqe = sqe_rw(IO_RING_OP_WRITE, small, buffer, sizeof(buffer), 0);
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(8192, cqe.res);
	sqe.off = 8192;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(-ENOSPC, cqe.res);
	close(small);
}

/* Which file a request works on is settled when the entry is taken. */
TEST_F(errors, descriptor_may_be_closed_afterwards)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->file, buffer, LEN, 0);
	int other = temp_file(TMPFS_DIR);
	struct io_ring_cqe cqe;

	ASSERT_LE(0, other);
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	ASSERT_EQ(self->file, dup2(other, self->file));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(LEN, pattern_mismatch(buffer, LEN, 1, 0));
	close(other);
}

TEST_HARNESS_MAIN
