// SPDX-License-Identifier: GPL-2.0-only
/* Registered files: those of IO_RING_SETUP, and how many there can be. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"

#define AT(member) offsetof(struct io_ring_setup, member)

FIXTURE(setup_files)
{
	int zero;
	int full;
	struct io_ring_setup wanted;
};

FIXTURE_SETUP(setup_files)
{
	self->zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	self->full = open("/dev/full", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->zero);
	ASSERT_LE(0, self->full);
	self->wanted = ring_wanted(4, 0);
}

FIXTURE_TEARDOWN(setup_files)
{
	close(self->zero);
	close(self->full);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* What a write to registered file number answers. */
static int write_to(const struct ring *ring, int number)
{
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_WRITE, 0, "x", 1, 0), number);
	struct io_ring_cqe cqe;

	return ring_run(ring, &sqe, &cqe) ?: cqe.res;
}

TEST_F(setup_files, are_there_at_once)
{
	const int list[] = { self->full, -1, self->zero, -2 };
	struct ring ring;

	self->wanted.files = (uintptr_t)list;
	self->wanted.nr_files = 4;
	ASSERT_EQ(0, ring_open_as(&ring, &self->wanted));
	EXPECT_EQ((uintptr_t)list, ring.setup.files);
	EXPECT_EQ(4, ring.setup.nr_files);
	EXPECT_EQ(-ENOSPC, write_to(&ring, 0));
	EXPECT_EQ(-EBADF, write_to(&ring, 1));
	EXPECT_EQ(1, write_to(&ring, 2));
	EXPECT_EQ(-EBADF, write_to(&ring, 3));
	EXPECT_EQ(-EBADF, write_to(&ring, 4));
	EXPECT_EQ(-EBUSY, files_register(&ring, list, NULL, 4));
	EXPECT_EQ(0, files_update(&ring, 3, list, NULL, 1));
	EXPECT_EQ(-ENOSPC, write_to(&ring, 3));
	EXPECT_EQ(0, files_unregister(&ring));
	ring_close(&ring);
}

TEST_F(setup_files, places_for_later)
{
	struct ring ring;

	self->wanted.nr_files = 3;
	ASSERT_EQ(0, ring_open_as(&ring, &self->wanted));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EBADF, write_to(&ring, i));
	EXPECT_EQ(0, files_update(&ring, 2, &self->zero, NULL, 1));
	EXPECT_EQ(-EINVAL, files_update(&ring, 3, &self->zero, NULL, 1));
	EXPECT_EQ(1, write_to(&ring, 2));
	ring_close(&ring);
}

static void expect_refused(struct __test_metadata *_metadata, const struct io_ring_setup *wanted,
			   int error, unsigned int field, __u64 need)
{
	struct io_ring_setup s = *wanted;
	int next = next_fd();

	EXPECT_EQ(-error, ring_setup(&s));
	EXPECT_EQ(field, s.error_field);
	EXPECT_EQ(need, s.limit_need);
	EXPECT_EQ(next, next_fd());
}

TEST_F(setup_files, numbers_that_cannot_be)
{
	static const __u32 numbers[] = { IO_RING_MAX_FILES + 1, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		self->wanted.nr_files = numbers[i];
		expect_refused(_metadata, &self->wanted, EINVAL, AT(nr_files), 0);
	}
	self->wanted.nr_files = 0;
	self->wanted.files = (uintptr_t)&self->zero;
	expect_refused(_metadata, &self->wanted, EINVAL, AT(nr_files), 0);
}

TEST_F(setup_files, list_that_cannot_be_read)
{
	unsigned char *guard = guarded_pages(1);
	const __u64 wild[] = { 8, (uintptr_t)guard + 4096, 1ULL << 63, ~0ULL };
	int *list = (int *)(guard + 4096) - 2;

	ASSERT_NE(NULL, guard);
	self->wanted.nr_files = 3;
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		self->wanted.files = wild[i];
		expect_refused(_metadata, &self->wanted, EFAULT, AT(files), 0);
	}
	list[0] = self->zero;
	list[1] = -1;
	self->wanted.files = (uintptr_t)list;
	expect_refused(_metadata, &self->wanted, EFAULT, AT(files), 2);
	guarded_free(guard, 1);
}

/* Files that were looked up for nothing are let go of. */
TEST_F(setup_files, reader_sees_the_end_after_a_failure)
{
	int ends[2];
	int list[2];
	char byte;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	list[0] = ends[1];
	list[1] = 12345;
	self->wanted.files = (uintptr_t)list;
	self->wanted.nr_files = 2;
	expect_refused(_metadata, &self->wanted, EBADF, AT(files), 1);
	close(ends[1]);
	EXPECT_EQ(0, read(ends[0], &byte, 1));
	close(ends[0]);
}

/* With a limit of its own on open files; the result is the first step that went wrong. */
static int within_limit(void *arg)
{
	const struct rlimit limit = { .rlim_cur = 100, .rlim_max = 100 };
	struct io_ring_setup wanted = ring_wanted(4, 0);
	struct io_ring_resources none = { 0 };
	struct io_ring_register args = register_args(IO_RING_REGISTER_FILES, &none, 101);
	struct ring ring;

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	wanted.nr_files = 101;
	if (ring_setup(&wanted) != -EMFILE || wanted.error_field != AT(nr_files) ||
	    wanted.error_limit != IO_RING_LIMIT_FILES || wanted.limit_need != 101 ||
	    wanted.limit_have != 100)
		return 2;
	wanted = ring_wanted(4, 0);
	wanted.nr_files = 100;
	if (ring_open_as(&ring, &wanted))
		return 3;
	if (files_unregister(&ring) || ring_register(&ring, &args) != -EMFILE ||
	    args.error_field != offsetof(struct io_ring_register, nr) || args.error_index)
		return 4;
	return files_register(&ring, NULL, NULL, 100) ? 5 : 0;
}

TEST_F(setup_files, no_more_than_rlimit_nofile)
{
	EXPECT_EQ(0, in_child(within_limit, NULL));
}

TEST_F(setup_files, as_many_as_there_can_be)
{
	const struct rlimit limit = {
		.rlim_cur = IO_RING_MAX_FILES,
		.rlim_max = IO_RING_MAX_FILES,
	};
	int *list = malloc(IO_RING_MAX_FILES * sizeof(*list));
	__u64 *tags = malloc(IO_RING_MAX_FILES * sizeof(*tags));
	struct ring ring;

	ASSERT_NE(NULL, list);
	ASSERT_NE(NULL, tags);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (unsigned int i = 0; i < IO_RING_MAX_FILES; i++) {
		list[i] = i % 2 ? self->zero : self->full;
		tags[i] = i + 1;
	}
	self->wanted.entries = 64;
	self->wanted.cq_entries = IO_RING_MAX_CQ_ENTRIES;
	self->wanted.flags = IO_RING_SETUP_CQSIZE;
	self->wanted.requests = IO_RING_MAX_REQUESTS;
	ASSERT_EQ(0, ring_open_as(&ring, &self->wanted));
	ASSERT_EQ(0, files_register(&ring, list, tags, IO_RING_MAX_FILES));
	EXPECT_EQ(1, write_to(&ring, IO_RING_MAX_FILES - 1));
	EXPECT_EQ(-ENOSPC, write_to(&ring, IO_RING_MAX_FILES - 2));
	EXPECT_EQ(-EBADF, write_to(&ring, IO_RING_MAX_FILES));
	EXPECT_EQ(0, files_unregister(&ring));
	EXPECT_EQ(IO_RING_MAX_FILES, ring_ready(&ring));
	for (unsigned int i = 0; i < IO_RING_MAX_FILES; i++) {
		struct io_ring_cqe cqe = { 0 };

		ASSERT_TRUE(ring_pop(&ring, &cqe));
		ASSERT_EQ(i + 1, cqe.user_data);
	}
	ring_close(&ring);
	free(tags);
	free(list);
}

TEST_HARNESS_MAIN
