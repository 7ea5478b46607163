// SPDX-License-Identifier: GPL-2.0-only
/* GETDENTS, held against getdents64(2). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define NAMES 200
#define ROOM 16384
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))
#define WORKER CQE_VIA(IO_RING_PATH_WORKER)

FIXTURE(getdents)
{
	struct ring ring;
	char path[64];
	int fd;		/* by the ring */
	int twin;	/* by the system call */
};

FIXTURE_VARIANT(getdents)
{
	const char *dir;
};

FIXTURE_VARIANT_ADD(getdents, ext4) { .dir = EXT4_DIR };
FIXTURE_VARIANT_ADD(getdents, tmpfs) { .dir = TMPFS_DIR };
FIXTURE_VARIANT_ADD(getdents, proc) { .dir = "/proc/self/fdinfo" };

/* A directory with names of all lengths up to 200, unless it is there. */
FIXTURE_SETUP(getdents)
{
	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	snprintf(self->path, sizeof(self->path), "%s/dir.XXXXXX", variant->dir);
	if (*variant->dir == '/' && strncmp(variant->dir, "/proc", 5)) {
		ASSERT_NE(NULL, mkdtemp(self->path));
		for (int i = 1; i <= NAMES; i++) {
			char path[sizeof(self->path) + NAMES + 8];

			snprintf(path, sizeof(path), "%s/%0*d", self->path, i, i);
			ASSERT_EQ(0, mknod(path, i % 2 ? S_IFREG | 0600 : S_IFIFO | 0600, 0));
		}
	} else {
		snprintf(self->path, sizeof(self->path), "%s", variant->dir);
	}
	self->fd = open(self->path, O_RDONLY | O_DIRECTORY);
	self->twin = open(self->path, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->twin);
}

FIXTURE_TEARDOWN(getdents)
{
	char path[sizeof(self->path) + NAMES + 8];

	for (int i = 1; i <= NAMES; i++) {
		snprintf(path, sizeof(path), "%s/%0*d", self->path, i, i);
		unlink(path);
	}
	rmdir(self->path);
	ring_close(&self->ring);
	close(self->fd);
	close(self->twin);
}

static int by_ring(const struct ring *ring, int fd, void *buffer, __u32 len,
		   struct io_ring_cqe *cqe)
{
	struct io_ring_sqe sqe = {
		.opcode = IO_RING_OP_GETDENTS, .fd = fd, .addr = (uintptr_t)buffer, .len = len,
	};
	int error = ring_run(ring, &sqe, cqe);

	return error ? error : cqe->res;
}

static int by_syscall(int fd, void *buffer, unsigned int len)
{
	int n = syscall(SYS_getdents64, fd, buffer, len);

	return n < 0 ? -errno : n;
}

/* The same result, the same bytes, and the same position afterwards. */
static int expect_same(struct __test_metadata *_metadata, const struct ring *ring, int fd, int twin,
		       unsigned int len)
{
	static unsigned char buffer[ROOM];
	static unsigned char other[ROOM];
	struct io_ring_cqe cqe;
	int n;

	memset(buffer, 0x5a, sizeof(buffer));
	memset(other, 0x5a, sizeof(other));
	n = by_syscall(twin, other, len);
	EXPECT_EQ(n, by_ring(ring, fd, buffer, len, &cqe)) {
		TH_LOG("%u bytes", len);
	}
	EXPECT_EQ(WORKER, cqe.flags);
	EXPECT_EQ(lseek(twin, 0, SEEK_CUR), lseek(fd, 0, SEEK_CUR));
	if (n > 0) {
		/* What lies between names is not the system call's business. */
		for (int at = 0; at < n;) {
			const struct dirent_head {
				__u64 ino;
				__s64 off;
				unsigned short reclen;
				unsigned char type;
				char name[];
			} *a = (void *)(buffer + at), *b = (void *)(other + at);

			EXPECT_EQ(b->ino, a->ino);
			EXPECT_EQ(b->off, a->off);
			EXPECT_EQ(b->type, a->type);
			EXPECT_STREQ(b->name, a->name);
			ASSERT_EQ(b->reclen, a->reclen);
			at += b->reclen;
		}
	}
	EXPECT_TRUE(all_bytes(buffer + (n > 0 ? n : 0), ROOM - (n > 0 ? n : 0), 0x5a));
	return n;
}

TEST_F(getdents, is_getdents64)
{
	static const unsigned int lengths[] = { ROOM, 4096, 1000, 300 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		unsigned int calls = 0;

		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		ASSERT_EQ(0, lseek(self->twin, 0, SEEK_SET));
		while (expect_same(_metadata, &self->ring, self->fd, self->twin, lengths[i]) > 0)
			ASSERT_GT(1000, ++calls);
		EXPECT_LE(1, calls);
	}
}

TEST_F(getdents, without_room)
{
	EXPECT_EQ(-EINVAL, expect_same(_metadata, &self->ring, self->fd, self->twin, 0));
	EXPECT_EQ(-EINVAL, expect_same(_metadata, &self->ring, self->fd, self->twin, 23));
	EXPECT_LT(0, expect_same(_metadata, &self->ring, self->fd, self->twin, 24));
}

TEST_F(getdents, to_memory_that_cannot_be_written)
{
	unsigned char *page = guarded_pages(1);
	struct io_ring_cqe cqe;

	ASSERT_NE(NULL, page);
	EXPECT_EQ(-EFAULT, by_ring(&self->ring, self->fd, page + 4096, 4096, &cqe));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-EFAULT, by_ring(&self->ring, self->fd, WILD_ADDRESS, 4096, &cqe));
	EXPECT_EQ(-EFAULT, by_ring(&self->ring, self->fd, NULL, 4096, &cqe));
	guarded_free(page, 1);
}

TEST_F(getdents, of_what_is_no_directory)
{
	unsigned char buffer[1024];
	struct io_ring_cqe cqe;
	int file = temp_file(TMPFS_DIR);
	int fds[2];

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-ENOTDIR, by_ring(&self->ring, file, buffer, sizeof(buffer), &cqe));
	EXPECT_EQ(-ENOTDIR, by_ring(&self->ring, fds[0], buffer, sizeof(buffer), &cqe));
	EXPECT_EQ(0, cqe.flags);
	EXPECT_EQ(-ENOTDIR, by_ring(&self->ring, self->ring.fd, buffer, sizeof(buffer), &cqe));
	EXPECT_EQ(0, cqe.flags);
	EXPECT_EQ(-EBADF, by_ring(&self->ring, -1, buffer, sizeof(buffer), &cqe));
	EXPECT_EQ(AT(fd), cqe_rejected_field(&cqe));
	close(file);
	close(fds[0]);
	close(fds[1]);
}

/* The directory is gone, and still open. */
TEST(getdents_of_a_directory_that_is_gone)
{
	unsigned char buffer[1024];
	char path[] = TMPFS_DIR "/gone.XXXXXX";
	struct io_ring_cqe cqe;
	struct ring ring;
	int fd;

	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&ring, 8, 0));
	ASSERT_NE(NULL, mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, rmdir(path));
	EXPECT_EQ(-ENOENT, by_ring(&ring, fd, buffer, sizeof(buffer), &cqe));
	close(fd);
	ring_close(&ring);
}

TEST_HARNESS_MAIN
