// SPDX-License-Identifier: GPL-2.0-only
/* FALLOCATE, FTRUNCATE, FADVISE and SYNC_FILE_RANGE, held against the system calls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define LEN 20000
#define DISK_PAGES 8
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))
#define WORKER CQE_VIA(IO_RING_PATH_WORKER)

static struct io_ring_sqe sqe_fallocate(int fd, __u32 mode, __u64 off, __u64 len)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_FALLOCATE, .fd = fd, .off = off, .addr = len, .len = mode,
	};
}

static struct io_ring_sqe sqe_ftruncate(int fd, __u64 len)
{
	return (struct io_ring_sqe) { .opcode = IO_RING_OP_FTRUNCATE, .fd = fd, .off = len };
}

static struct io_ring_sqe sqe_range(__u8 opcode, int fd, __u64 off, __u32 len, __u32 op_flags)
{
	return (struct io_ring_sqe) {
		.opcode = opcode, .fd = fd, .off = off, .len = len, .op_flags = op_flags,
	};
}

FIXTURE(calls)
{
	struct ring ring;
	int fd;		/* by the ring */
	int twin;	/* by system calls */
};

FIXTURE_VARIANT(calls)
{
	const char *dir;
};

FIXTURE_VARIANT_ADD(calls, ext4) { .dir = EXT4_DIR };
FIXTURE_VARIANT_ADD(calls, tmpfs) { .dir = TMPFS_DIR };

FIXTURE_SETUP(calls)
{
	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->fd = temp_file(variant->dir);
	self->twin = temp_file(variant->dir);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->twin);
	ASSERT_EQ(0, pattern_write(self->fd, LEN, 1));
	ASSERT_EQ(0, pattern_write(self->twin, LEN, 1));
}

FIXTURE_TEARDOWN(calls)
{
	ring_close(&self->ring);
	close(self->fd);
	close(self->twin);
}

static int run(struct __test_metadata *_metadata, const struct ring *ring, struct io_ring_sqe sqe,
	       __u32 flags)
{
	struct io_ring_cqe cqe = { 0 };

	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(flags, cqe.flags) {
		TH_LOG("opcode %u: result %d", sqe.opcode, cqe.res);
	}
	return cqe.res;
}

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    struct io_ring_sqe sqe, int error, int field)
{
	struct io_ring_cqe cqe = { 0 };

	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(error, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("opcode %u", sqe.opcode);
	}
}

/* Two files are the same in size and content, and in blocks as far as they can. */
static void expect_twins(struct __test_metadata *_metadata, int fd, int twin)
{
	static unsigned char left[4 * LEN];
	static unsigned char right[4 * LEN];
	struct stat a;
	struct stat b;
	ssize_t n;

	ASSERT_EQ(0, fsync(fd) | fsync(twin));
	ASSERT_EQ(0, fstat(fd, &a));
	ASSERT_EQ(0, fstat(twin, &b));
	EXPECT_EQ(b.st_size, a.st_size);
	/* One may need a block more than the other, for the list of where its blocks are. */
	EXPECT_GE(4096 / 512, llabs((long long)b.st_blocks - a.st_blocks));
	n = pread(twin, right, sizeof(right), 0);
	ASSERT_EQ(n, pread(fd, left, sizeof(left), 0));
	EXPECT_EQ(0, memcmp(left, right, n));
}

TEST_F(calls, fallocate)
{
	static const struct {
		int mode;
		off_t off;
		off_t len;
	} calls[] = {
		{ 0, 0, 30000 }, { FALLOC_FL_KEEP_SIZE, 0, 60000 },
		{ FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192 },
		{ FALLOC_FL_PUNCH_HOLE, 4096, 8192 }, { FALLOC_FL_ZERO_RANGE, 100, 5000 },
		{ FALLOC_FL_COLLAPSE_RANGE, 4096, 4096 }, { FALLOC_FL_INSERT_RANGE, 8192, 4096 },
		{ 0, 0, 0 }, { 1 << 30, 0, 1 }, { 0, INT64_MAX, 1 }, { 0, 1, INT64_MAX },
	};
	unsigned int done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int error = fallocate(self->twin, calls[i].mode, calls[i].off, calls[i].len);
		int expected = error ? -errno : 0;

		EXPECT_EQ(expected, run(_metadata, &self->ring,
					sqe_fallocate(self->fd, calls[i].mode, calls[i].off,
						      calls[i].len), WORKER)) {
			TH_LOG("call %zu", i);
		}
		expect_twins(_metadata, self->fd, self->twin);
		done += !error;
	}
	EXPECT_LE(3, done);
}

TEST_F(calls, ftruncate)
{
	static const off_t lengths[] = { 100, 0, 30000, 5000, INT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		int expected = ftruncate(self->twin, lengths[i]) ? -errno : 0;

		EXPECT_EQ(expected, run(_metadata, &self->ring,
					sqe_ftruncate(self->fd, lengths[i]), WORKER));
		if (lengths[i] < LEN * 2)
			expect_twins(_metadata, self->fd, self->twin);
	}
}

TEST_F(calls, ftruncate_needs_a_file_that_is_open_for_writing)
{
	int reader = reopen(self->fd, O_RDONLY);

	ASSERT_LE(0, reader);
	EXPECT_EQ(-EINVAL, run(_metadata, &self->ring, sqe_ftruncate(reader, 0), WORKER));
	EXPECT_EQ(LEN, lseek(self->fd, 0, SEEK_END));
	close(reader);
}

TEST_F(calls, fallocate_needs_a_file_that_is_open_for_writing)
{
	int reader = reopen(self->fd, O_RDONLY);

	ASSERT_LE(0, reader);
	EXPECT_EQ(-EBADF, run(_metadata, &self->ring, sqe_fallocate(reader, 0, 0, 1), WORKER));
	close(reader);
}

/* What is not kept of the file by its descriptor: the permission is asked for again. */
TEST_F(calls, ftruncate_asks_who_is_asking)
{
	int pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (!pid) {
		struct io_ring_sqe sqe = sqe_ftruncate(self->fd, 0);
		struct io_ring_cqe cqe;
		struct ring ring;
		int error;

		if (fchmod(self->fd, 0600))
			_exit(10);
		/* The node is root's, so the ring is made first and bound later. */
		error = ring_open(&ring, 4, IO_RING_SETUP_REBIND);
		if (error || setresuid(1000, 1000, 1000))
			_exit(11);
		error = ring_run(&ring, &sqe, &cqe);
		_exit(error ? 12 : cqe.res == -EACCES ? 0 : 13);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(LEN, lseek(self->fd, 0, SEEK_END));
}

TEST_F(calls, sync_file_range)
{
	for (__u32 flags = 0; flags < 8; flags++) {
		EXPECT_EQ(0, run(_metadata, &self->ring,
				 sqe_range(IO_RING_OP_SYNC_FILE_RANGE, self->fd, 4096, 8192, flags),
				 WORKER));
		EXPECT_EQ(0, run(_metadata, &self->ring,
				 sqe_range(IO_RING_OP_SYNC_FILE_RANGE, self->fd, 100, 0, flags),
				 WORKER));
	}
}

TEST_F(calls, fadvise)
{
	static const struct {
		int advice;
		__u32 flags;
	} all[] = {
		{ POSIX_FADV_NORMAL, 0 }, { POSIX_FADV_RANDOM, 0 }, { POSIX_FADV_SEQUENTIAL, 0 },
		{ POSIX_FADV_NOREUSE, 0 }, { POSIX_FADV_WILLNEED, WORKER },
		{ POSIX_FADV_DONTNEED, WORKER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		EXPECT_EQ(0, run(_metadata, &self->ring,
				 sqe_range(IO_RING_OP_FADVISE, self->fd, 0, 0, all[i].advice),
				 all[i].flags));
}

TEST_F(calls, with_values_out_of_range_are_rejected)
{
	const __u8 sync_range = IO_RING_OP_SYNC_FILE_RANGE;
	const __u8 fadvise = IO_RING_OP_FADVISE;
	const __u64 negative = 1ULL << 63;
	const struct {
		struct io_ring_sqe sqe;
		int error;
		int field;
	} bad[] = {
		{ sqe_fallocate(self->fd, 0, negative, 1), -EINVAL, AT(off) },
		{ sqe_fallocate(self->fd, 0, 0, negative), -EINVAL, AT(addr) },
		{ sqe_fallocate(-1, 0, 0, 1), -EBADF, AT(fd) },
		{ sqe_ftruncate(self->fd, negative), -EINVAL, AT(off) },
		{ sqe_ftruncate(-1, 0), -EBADF, AT(fd) },
		{ sqe_range(sync_range, self->fd, negative, 0, 2), -EINVAL, AT(off) },
		{ sqe_range(sync_range, self->fd, negative - 9, 100, 2), -EINVAL, AT(len) },
		{ sqe_range(sync_range, self->fd, 0, 0, 8), -EINVAL, AT(op_flags) },
		{ sqe_range(sync_range, -1, 0, 0, 2), -EBADF, AT(fd) },
		{ sqe_range(fadvise, self->fd, negative, 0, 0), -EINVAL, AT(off) },
		{ sqe_range(fadvise, self->fd, 0, 0, 6), -EINVAL, AT(op_flags) },
		{ sqe_range(fadvise, self->fd, 0, 0, 7), -EINVAL, AT(op_flags) },
		{ sqe_range(fadvise, -1, 0, 0, 0), -EBADF, AT(fd) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_rejected(_metadata, &self->ring, bad[i].sqe, bad[i].error, bad[i].field);
	expect_twins(_metadata, self->fd, self->twin);
}

/* Files that cannot do it say so at once; the ring itself is one of them. */
TEST_F(calls, on_other_files)
{
	int pipe_fds[2];
	int pair[2];
	int dir = open("/", O_RDONLY | O_DIRECTORY);

	ASSERT_LE(0, dir);
	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_EQ(-ESPIPE, run(_metadata, &self->ring, sqe_fallocate(pipe_fds[1], 0, 0, 1), 0));
	EXPECT_EQ(-ENODEV, run(_metadata, &self->ring, sqe_fallocate(pair[0], 0, 0, 1), 0));
	EXPECT_EQ(-EINVAL, run(_metadata, &self->ring, sqe_ftruncate(pipe_fds[1], 0), 0));
	EXPECT_EQ(-EINVAL, run(_metadata, &self->ring, sqe_ftruncate(dir, 0), WORKER));
	EXPECT_EQ(-ESPIPE, run(_metadata, &self->ring,
			       sqe_range(IO_RING_OP_SYNC_FILE_RANGE, pair[0], 0, 0, 2), 0));
	EXPECT_EQ(-ESPIPE, run(_metadata, &self->ring,
			       sqe_range(IO_RING_OP_FADVISE, pipe_fds[0], 0, 0, 4), 0));
	EXPECT_GT(0, run(_metadata, &self->ring, sqe_fallocate(self->ring.fd, 0, 0, 1), 0));
	EXPECT_GT(0, run(_metadata, &self->ring, sqe_ftruncate(self->ring.fd, 0), 0));
	close(dir);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(calls, on_registered_files)
{
	struct ring ring;
	struct io_ring_setup wanted = ring_wanted(8, 0);
	struct io_ring_sqe sqes[] = {
		sqe_fallocate(0, 0, 0, 30000),
		sqe_range(IO_RING_OP_SYNC_FILE_RANGE, 0, 0, 0, 7),
		sqe_range(IO_RING_OP_FADVISE, 0, 0, 0, POSIX_FADV_WILLNEED),
		sqe_ftruncate(0, 100),
	};

	wanted.files = (uintptr_t)&self->fd;
	wanted.nr_files = 1;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (size_t i = 0; i < ARRAY_SIZE(sqes); i++) {
		sqes[i].flags = IO_RING_SQE_FIXED_FILE;
		EXPECT_EQ(0, run(_metadata, &ring, sqes[i], WORKER));
		sqes[i].fd = 1;
		expect_rejected(_metadata, &ring, sqes[i], -EBADF, AT(fd));
	}
	EXPECT_EQ(100, lseek(self->fd, 0, SEEK_END));
	ring_close(&ring);
}

/* How many sectors have been written to the disk. */
static long sectors_written(void)
{
	unsigned long long n = 0;
	char text[256];

	if (text_read("/sys/block/nullb0/stat", text, sizeof(text)) ||
	    sscanf(text, "%*u %*u %*u %*u %*u %*u %llu", &n) != 1)
		return -1;
	return n;
}

static unsigned int pages_in_memory(int fd)
{
	unsigned char resident[DISK_PAGES];
	unsigned int count = 0;
	void *map = mmap(NULL, DISK_PAGES * 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED || mincore(map, DISK_PAGES * 4096, resident))
		return ~0U;
	for (unsigned int i = 0; i < DISK_PAGES; i++)
		count += resident[i] & 1;
	munmap(map, DISK_PAGES * 4096);
	return count;
}

/* What they are for, on a disk that tells what it gets. */
TEST(calls_have_an_effect)
{
	const __u32 flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			    SYNC_FILE_RANGE_WAIT_AFTER;
	const __u32 len = DISK_PAGES * 4096;
	struct ring ring;
	long before;
	int fd;

	ASSERT_EQ(0, ring_open(&ring, 8, 0));
	fd = open(NULL_BLK, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pattern_write(fd, len, 1));
	before = sectors_written();
	ASSERT_LE(0, before);
	EXPECT_EQ(DISK_PAGES, pages_in_memory(fd));
	EXPECT_EQ(0, run(_metadata, &ring, sqe_range(IO_RING_OP_SYNC_FILE_RANGE, fd, 0, len,
						     flags), WORKER));
	EXPECT_LE(len / 512, sectors_written() - before);
	EXPECT_EQ(0, run(_metadata, &ring, sqe_range(IO_RING_OP_FADVISE, fd, 0, len,
						     POSIX_FADV_DONTNEED), WORKER));
	EXPECT_EQ(0, pages_in_memory(fd));
	EXPECT_EQ(0, run(_metadata, &ring, sqe_range(IO_RING_OP_FADVISE, fd, 0, len,
						     POSIX_FADV_WILLNEED), WORKER));
	for (long end = now_ms() + patience(SOON); now_ms() < end; sleep_ms(10))
		if (pages_in_memory(fd) == DISK_PAGES)
			break;
	EXPECT_EQ(DISK_PAGES, pages_in_memory(fd));
	close(fd);
	ring_close(&ring);
}

TEST_HARNESS_MAIN
