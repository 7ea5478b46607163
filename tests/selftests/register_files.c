// SPDX-License-Identifier: GPL-2.0-only
/* Registered files: the table, how it is made and changed, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 8
#define FILES 4			/* file n holds the byte 'a' + n */
#define NOTHING '-'		/* no file */

#define AT(member) offsetof(struct io_ring_register, member)

FIXTURE(table)
{
	struct ring ring;
	int fd[FILES];
	struct io_ring_resources what;
	struct io_ring_register args;
};

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	for (int i = 0; i < FILES; i++) {
		char byte = 'a' + i;

		self->fd[i] = temp_file(TMPFS_DIR);
		ASSERT_LE(0, self->fd[i]);
		ASSERT_EQ(1, write(self->fd[i], &byte, 1));
	}
	self->what.data = (uintptr_t)self->fd;
	self->args = register_args(IO_RING_REGISTER_FILES, &self->what, FILES);
}

FIXTURE_TEARDOWN(table)
{
	for (int i = 0; i < FILES; i++)
		close(self->fd[i]);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* What is in a registered file: its byte, NOTHING if the number is duly refused, or 0. */
static char in_file(const struct ring *ring, int number)
{
	char byte = 0;
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, &byte, 1, 0), number);
	struct io_ring_cqe cqe;

	if (ring_run(ring, &sqe, &cqe))
		return 0;
	if (cqe.res == 1)
		return byte;
	return cqe.res == -EBADF &&
	       cqe_rejected_field(&cqe) == offsetof(struct io_ring_sqe, fd) ? NOTHING : 0;
}

static void expect_table(struct __test_metadata *_metadata, const struct ring *ring,
			 const char *expected)
{
	char found[16] = "";

	for (size_t i = 0; i < strlen(expected); i++)
		found[i] = in_file(ring, i);
	EXPECT_STREQ(expected, found);
}

/* The call is refused, and what was there before is unchanged. */
static void expect_refused(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_register args, int error, __u32 field, __u32 index)
{
	EXPECT_EQ(-error, ring_register(ring, &args));
	EXPECT_EQ(field, args.error_field);
	EXPECT_EQ(index, args.error_index);
}

TEST_F(table, are_known_by_their_numbers)
{
	expect_table(_metadata, &self->ring, "----");
	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	expect_table(_metadata, &self->ring, "abcd-");
}

TEST_F(table, numbers_that_are_none)
{
	static const int numbers[] = { -1, -2, FILES, FILES + 1, 65536, INT_MAX, INT_MIN };

	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			EXPECT_EQ(NOTHING, in_file(&self->ring, numbers[i])) {
				TH_LOG("number %d", numbers[i]);
			}
		}
		if (!round)
			ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	}
}

/* Numbers are not descriptors, and descriptors not numbers. */
TEST_F(table, without_the_flag_it_is_a_descriptor)
{
	char byte = 0;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->fd[3], &byte, 1, 0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(1, cqe.res);
	EXPECT_EQ('d', byte);
}

TEST_F(table, made_empty)
{
	static const int none[FILES] = { -1, -2, -1, -2 };

	ASSERT_EQ(0, files_register(&self->ring, NULL, NULL, FILES));
	expect_table(_metadata, &self->ring, "-----");
	ASSERT_EQ(0, files_update(&self->ring, 1, self->fd, NULL, 2));
	expect_table(_metadata, &self->ring, "-ab--");
	ASSERT_EQ(0, files_unregister(&self->ring));
	ASSERT_EQ(0, files_register(&self->ring, none, NULL, FILES));
	expect_table(_metadata, &self->ring, "-----");
	ASSERT_EQ(0, files_update(&self->ring, 3, self->fd, NULL, 1));
	expect_table(_metadata, &self->ring, "---a-");
}

TEST_F(table, update_clears_and_keeps)
{
	const int changes[FILES] = { self->fd[3], IO_RING_FILE_KEEP, IO_RING_FILE_NONE,
				     self->fd[0] };

	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	ASSERT_EQ(0, files_update(&self->ring, 0, changes, NULL, FILES));
	expect_table(_metadata, &self->ring, "db-a-");
	ASSERT_EQ(0, files_update(&self->ring, 1, NULL, NULL, 2));
	expect_table(_metadata, &self->ring, "d--a-");
	ASSERT_EQ(0, files_update(&self->ring, 3, &self->fd[1], NULL, 1));
	expect_table(_metadata, &self->ring, "d--b-");
}

TEST_F(table, update_is_done_as_a_whole_or_not_at_all)
{
	int changes[FILES] = { self->fd[3], IO_RING_FILE_NONE, self->fd[0], self->fd[1] };

	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	self->what.data = (uintptr_t)changes;
	self->args.opcode = IO_RING_UPDATE_FILES;
	for (unsigned int i = 0; i < FILES; i++) {
		int good = changes[i];

		changes[i] = 12345;
		expect_refused(_metadata, &self->ring, self->args, EBADF, AT(addr), i);
		changes[i] = self->ring.fd;
		expect_refused(_metadata, &self->ring, self->args, ELOOP, AT(addr), i);
		changes[i] = good;
	}
	expect_table(_metadata, &self->ring, "abcd-");
	EXPECT_EQ(0, ring_register(&self->ring, &self->args));
	expect_table(_metadata, &self->ring, "d-ab-");
}

TEST_F(table, update_beyond_the_table)
{
	static const struct {
		__u32 first;
		__u32 nr;
	} ranges[] = {
		{ FILES, 1 }, { FILES - 1, 2 }, { 1, FILES }, { 0, FILES + 1 }, { ~0U, 1 },
		{ ~0U, 2 }, { 1U << 31, 1 }, { ~0U - FILES + 1, FILES }, { 65536, 1 },
		{ 0, IO_RING_MAX_FILES },
	};

	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct io_ring_resources what = { .first = ranges[i].first };

		expect_refused(_metadata, &self->ring,
			       register_args(IO_RING_UPDATE_FILES, &what, ranges[i].nr), EINVAL,
			       AT(nr), 0);
	}
	expect_table(_metadata, &self->ring, "abcd-");
}

TEST_F(table, update_without_a_table)
{
	expect_refused(_metadata, &self->ring,
		       register_args(IO_RING_UPDATE_FILES, &self->what, FILES), ENXIO,
		       IO_RING_NO_FIELD, 0);
}

TEST_F(table, one_table_at_a_time)
{
	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	expect_refused(_metadata, &self->ring, self->args, EBUSY, IO_RING_NO_FIELD, 0);
	expect_table(_metadata, &self->ring, "abcd-");
}

TEST_F(table, unregister)
{
	struct io_ring_register args = register_args(IO_RING_UNREGISTER_FILES, NULL, 0);

	expect_refused(_metadata, &self->ring, args, ENXIO, IO_RING_NO_FIELD, 0);
	ASSERT_EQ(0, ring_register(&self->ring, &self->args));
	for (unsigned int bit = 0; bit < 32; bit++) {
		args.nr = 1U << bit;
		expect_refused(_metadata, &self->ring, args, EINVAL, AT(nr), 0);
	}
	args.nr = 0;
	for (unsigned int bit = 0; bit < 64; bit++) {
		args.addr = 1ULL << bit;
		expect_refused(_metadata, &self->ring, args, EINVAL, AT(addr), 0);
	}
	expect_table(_metadata, &self->ring, "abcd-");
	EXPECT_EQ(0, files_unregister(&self->ring));
	expect_table(_metadata, &self->ring, "----");
	EXPECT_EQ(-ENXIO, files_unregister(&self->ring));
	EXPECT_EQ(0, files_register(&self->ring, &self->fd[2], NULL, 1));
	expect_table(_metadata, &self->ring, "c-");
}

TEST_F(table, numbers_of_files_that_cannot_be)
{
	static const __u32 numbers[] = { 0, IO_RING_MAX_FILES + 1, 1U << 31, ~0U };
	static const __u32 opcodes[] = { IO_RING_REGISTER_FILES, IO_RING_UPDATE_FILES };

	for (size_t op = 0; op < ARRAY_SIZE(opcodes); op++) {
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
			expect_refused(_metadata, &self->ring,
				       register_args(opcodes[op], &self->what, numbers[i]),
				       EINVAL, AT(nr), 0);
	}
}

TEST_F(table, members_that_must_be_zero)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		self->what = (struct io_ring_resources) { .resv = 1U << bit };
		self->args.opcode = IO_RING_REGISTER_FILES;
		expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 0);
		self->args.opcode = IO_RING_UPDATE_FILES;
		expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 0);
		self->what = (struct io_ring_resources) { .first = 1U << bit };
		self->args.opcode = IO_RING_REGISTER_FILES;
		expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 0);
	}
}

TEST_F(table, memory_that_cannot_be_read)
{
	unsigned char *guard = guarded_pages(1);
	const __u64 wild[] = { 8, (uintptr_t)guard + 4096, 1ULL << 63, ~0ULL };
	int *fds;
	__u64 *tags;

	ASSERT_NE(NULL, guard);
	self->args.addr = 0;
	expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		self->args.addr = wild[i];
		expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 0);
		self->args.addr = (uintptr_t)&self->what;
		self->what = (struct io_ring_resources) { .data = wild[i] };
		expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 0);
		self->what = (struct io_ring_resources) { .tags = wild[i] };
		expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 0);
	}
	self->args.addr = (uintptr_t)guard + 4096 - sizeof(self->what) + 1;
	expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 0);

	/* The first two can be read. */
	fds = (int *)(guard + 4096) - 2;
	memcpy(fds, self->fd, 2 * sizeof(int));
	self->args.addr = (uintptr_t)&self->what;
	self->what = (struct io_ring_resources) { .data = (uintptr_t)fds };
	expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 2);
	tags = (__u64 *)(guard + 4096) - 2;
	tags[0] = 1;
	tags[1] = 2;
	self->what.data = (uintptr_t)self->fd;
	self->what.tags = (uintptr_t)tags;
	expect_refused(_metadata, &self->ring, self->args, EFAULT, AT(addr), 2);
	expect_table(_metadata, &self->ring, "----");
	guarded_free(guard, 1);
}

TEST_F(table, tag_of_no_file)
{
	static const int none[] = { IO_RING_FILE_NONE, IO_RING_FILE_KEEP };
	static const __u64 tags[FILES] = { 0, 0, 7, 0 };
	int changes[FILES] = { self->fd[0], self->fd[1], 0, self->fd[3] };

	self->what.tags = (uintptr_t)tags;
	self->what.data = 0;
	expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 2);
	self->what.data = (uintptr_t)changes;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		changes[2] = none[i];
		expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 2);
	}
	ASSERT_EQ(0, files_register(&self->ring, self->fd, NULL, FILES));
	self->args.opcode = IO_RING_UPDATE_FILES;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		changes[2] = none[i];
		expect_refused(_metadata, &self->ring, self->args, EINVAL, AT(addr), 2);
	}
	expect_table(_metadata, &self->ring, "abcd-");
}

/* Each is refused wherever in the list it is, by all that take one. */
static void expect_unfit(struct __test_metadata *_metadata, const struct ring *ring, int fd,
			 int error, const char *name)
{
	struct io_ring_setup setup = ring_wanted(4, 0);
	int list[FILES];

	for (unsigned int i = 0; i < FILES; i++) {
		const struct io_ring_resources what = { .data = (uintptr_t)list };
		struct io_ring_register args = register_args(IO_RING_REGISTER_FILES, &what, FILES);

		for (unsigned int k = 0; k < FILES; k++)
			list[k] = k == i ? fd : STDIN_FILENO;
		EXPECT_EQ(-error, ring_register(ring, &args)) {
			TH_LOG("%s at %u", name, i);
		}
		EXPECT_EQ(AT(addr), args.error_field);
		EXPECT_EQ(i, args.error_index);
		setup.files = (uintptr_t)list;
		setup.nr_files = FILES;
		EXPECT_EQ(-error, ring_setup(&setup)) {
			TH_LOG("SETUP: %s at %u", name, i);
		}
		EXPECT_EQ(offsetof(struct io_ring_setup, files), setup.error_field);
		EXPECT_EQ(i, setup.limit_need);
		setup = ring_wanted(4, 0);
	}
}

TEST_F(table, what_could_hold_rings_is_refused)
{
	__u64 params[15] = { 0 };	/* struct io_uring_params */
	struct ring other;
	int pair[2];
	int fd;

	expect_unfit(_metadata, &self->ring, self->ring.fd, ELOOP, "the ring");
	ASSERT_EQ(0, ring_open(&other, 4, 0));
	expect_unfit(_metadata, &self->ring, other.fd, ELOOP, "another ring");
	ring_close(&other);
	fd = control_open();
	ASSERT_LE(0, fd);
	expect_unfit(_metadata, &self->ring, fd, ELOOP, "the device");
	close(fd);
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair));
		expect_unfit(_metadata, &self->ring, pair[0], ELOOP, "AF_UNIX pair");
		close(pair[0]);
		close(pair[1]);
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, fd);
	expect_unfit(_metadata, &self->ring, fd, ELOOP, "AF_UNIX socket");
	close(fd);
	fd = syscall(SYS_io_uring_setup, 4, params);
	ASSERT_LE(0, fd);
	expect_unfit(_metadata, &self->ring, fd, ELOOP, "io_uring");
	close(fd);
}

TEST_F(table, what_is_no_file_is_refused)
{
	int path = open("/", O_PATH | O_CLOEXEC);

	ASSERT_LE(0, path);
	expect_unfit(_metadata, &self->ring, path, EBADF, "O_PATH");
	close(path);
	expect_unfit(_metadata, &self->ring, 12345, EBADF, "not open");
	expect_unfit(_metadata, &self->ring, -3, EBADF, "-3");
	expect_unfit(_metadata, &self->ring, INT_MIN, EBADF, "the smallest");
	expect_unfit(_metadata, &self->ring, INT_MAX, EBADF, "the largest");
}

TEST_F(table, all_other_kinds_are_taken)
{
	int ends[2];
	int fds[7];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	fds[0] = ends[0];
	fds[1] = ends[1];
	fds[2] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	fds[3] = epoll_create1(EPOLL_CLOEXEC);
	fds[4] = eventfd(0, EFD_CLOEXEC);
	fds[5] = open("/", O_DIRECTORY | O_CLOEXEC);
	fds[6] = open("/dev/null", O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, files_register(&self->ring, fds, NULL, ARRAY_SIZE(fds)));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_LE(0, fds[i]);
		close(fds[i]);
	}
}

/* The same file any number of times; each place stands for itself. */
TEST_F(table, twice)
{
	const int same[] = { self->fd[1], self->fd[1], self->fd[1] };

	ASSERT_EQ(0, files_register(&self->ring, same, NULL, 3));
	ASSERT_EQ(0, files_update(&self->ring, 1, NULL, NULL, 1));
	expect_table(_metadata, &self->ring, "b-b");
}

TEST_HARNESS_MAIN
