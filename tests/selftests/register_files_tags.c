// SPDX-License-Identifier: GPL-2.0-only
/* Registered files that leave the table: who still uses them, what is told, when they close. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "registered.h"
#include "ring.h"
#include "slow_disk.h"
#include "stream.h"
#include "stuck.h"

#define ENTRIES 8
#define FILES 3
#define READ 1			/* user_data of reads */
#define TAG 0x7a67000000000000ULL
#define DELAY (300 * MS)

/* A ring whose file 0 is a pipe that can be read, with a tag. */
FIXTURE(tags)
{
	struct ring ring;
	int ends[2];
	char bytes[ENTRIES * 2];
};

FIXTURE_SETUP(tags)
{
	const __u64 tag = TAG;

	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, files_register(&self->ring, NULL, NULL, FILES));
	ASSERT_EQ(0, files_update(&self->ring, 0, self->ends, &tag, 1));
}

FIXTURE_TEARDOWN(tags)
{
	ring_close(&self->ring);
	close(self->ends[0]);
	close(self->ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe)
{
	sqe.user_data = READ;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void read_file(struct __test_metadata *_metadata, const struct ring *ring, int number,
		      char *byte)
{
	submit(_metadata, ring, sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, byte, 1, 0), number));
}

/* These completions, in whatever order, and no others. */
static void expect_completions(struct __test_metadata *_metadata, const struct ring *ring,
			       const __u64 *tags, unsigned int ntags, __s32 res, unsigned int reads)
{
	unsigned int all = ntags + reads;
	unsigned int seen = 0;

	ASSERT_TRUE(await_completions(ring, all, SOON));
	for (unsigned int i = 0; i < all; i++) {
		struct io_ring_cqe cqe = { 0 };

		ASSERT_TRUE(ring_pop(ring, &cqe));
		if (cqe.user_data == READ) {
			EXPECT_EQ(res, cqe.res);
			continue;
		}
		for (unsigned int k = 0; k < ntags; k++)
			seen |= cqe.user_data == tags[k] ? 1 << k : 0;
		EXPECT_EQ(0, cqe.res);
		EXPECT_EQ(0, cqe.flags);
	}
	EXPECT_EQ((1U << ntags) - 1, seen);
	EXPECT_EQ(0, ring_ready(ring));
}

static void expect_tag(struct __test_metadata *_metadata, const struct ring *ring)
{
	static const __u64 tag = TAG;

	expect_completions(_metadata, ring, &tag, 1, 0, 0);
}

static void expect_nothing(struct __test_metadata *_metadata, const struct ring *ring)
{
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(tags, of_a_file_that_nobody_uses)
{
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	EXPECT_EQ(1, ring_ready(&self->ring));
	expect_tag(_metadata, &self->ring);
}

TEST_F(tags, of_a_file_that_has_been_used)
{
	static const __u64 tag = TAG;

	read_file(_metadata, &self->ring, 0, self->bytes);
	ASSERT_EQ(1, write(self->ends[1], "x", 1));
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	ASSERT_EQ(0, file_replace(&self->ring, 0, self->ends[1], 0));
	expect_completions(_metadata, &self->ring, &tag, 1, 0, 0);
}

TEST_F(tags, zero_tells_nothing)
{
	ASSERT_EQ(0, file_replace(&self->ring, 0, self->ends[0], 0));
	expect_tag(_metadata, &self->ring);
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	ASSERT_EQ(0, file_replace(&self->ring, 0, self->ends[0], 0));
	ASSERT_EQ(0, files_unregister(&self->ring));
	expect_nothing(_metadata, &self->ring);
}

/* What waits keeps the file that it was given, and its tag for later. */
TEST_F(tags, after_the_last_user)
{
	static const __u64 tag = TAG;
	int next[2];
	char byte;

	ASSERT_EQ(0, pipe2(next, O_CLOEXEC));
	read_file(_metadata, &self->ring, 0, &self->bytes[0]);
	read_file(_metadata, &self->ring, 0, &self->bytes[1]);
	ASSERT_EQ(0, file_replace(&self->ring, 0, next[0], 0));
	expect_nothing(_metadata, &self->ring);
	EXPECT_EQ(3, fdinfo_value(self->ring.fd, "in_flight") + 1);
	ASSERT_EQ(1, write(next[1], "n", 1));
	read_file(_metadata, &self->ring, 0, &byte);
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	EXPECT_EQ('n', byte);
	ASSERT_EQ(1, write(self->ends[1], "o", 1));
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	expect_nothing(_metadata, &self->ring);
	ASSERT_EQ(1, write(self->ends[1], "o", 1));
	expect_completions(_metadata, &self->ring, &tag, 1, 1, 1);
	EXPECT_EQ('o', self->bytes[0]);
	EXPECT_EQ('o', self->bytes[1]);
	close(next[0]);
	close(next[1]);
}

TEST_F(tags, keeping_keeps_the_tag)
{
	const int keep = IO_RING_FILE_KEEP;

	ASSERT_EQ(0, files_update(&self->ring, 0, &keep, NULL, 1));
	expect_nothing(_metadata, &self->ring);
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	expect_tag(_metadata, &self->ring);
}

TEST_F(tags, unregister_tells_all)
{
	static const __u64 tags[FILES] = { TAG + 1, 0, TAG + 2 };
	static const __u64 told[] = { TAG + 1, TAG + 2 };
	const int same[FILES] = { self->ends[0], self->ends[0], self->ends[0] };

	ASSERT_EQ(0, files_update(&self->ring, 0, same, tags, FILES));
	expect_tag(_metadata, &self->ring);
	read_file(_metadata, &self->ring, 2, self->bytes);
	ASSERT_EQ(0, files_unregister(&self->ring));
	/* One file, but a tag for each place: only one of them is in use. */
	expect_completions(_metadata, &self->ring, told, 1, 0, 0);
	expect_nothing(_metadata, &self->ring);
	ASSERT_EQ(1, write(self->ends[1], "x", 1));
	expect_completions(_metadata, &self->ring, told + 1, 1, 1, 1);
}

TEST_F(tags, of_requests_that_are_cancelled)
{
	static const __u64 tag = TAG;
	struct io_ring_sqe sqe = sqe_cancel(0, READ, 0, 0);

	read_file(_metadata, &self->ring, 0, self->bytes);
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	expect_nothing(_metadata, &self->ring);
	sqe.user_data = TAG + 9;
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	{
		const __u64 both[] = { tag, TAG + 9 };

		expect_completions(_metadata, &self->ring, both, 2, -ECANCELED, 1);
	}
}

TEST_F(tags, quiesce_waits_for_them)
{
	static const __u64 tag = TAG;
	__u32 left = 1;

	read_file(_metadata, &self->ring, 0, self->bytes);
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	EXPECT_EQ(2, ring_ready(&self->ring));
	expect_completions(_metadata, &self->ring, &tag, 1, -ECANCELED, 1);
}

TEST_F(tags, of_a_file_that_a_device_uses)
{
	static const __u64 tag = TAG + 3;
	int disk = slow_disk_open(DELAY);
	void *page = guarded_pages(1);
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, 0, page, SLOW_DISK_BLOCK, 0);

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, file_replace(&self->ring, 1, disk, tag));
	submit(_metadata, &self->ring, sqe_fixed(sqe, 1));
	ASSERT_EQ(0, file_replace(&self->ring, 1, -1, 0));
	/* The request is the last that has the file open. */
	slow_disk_close(disk);
	expect_completions(_metadata, &self->ring, &tag, 1, SLOW_DISK_BLOCK, 1);
	guarded_free(page, 1);
}

TEST_F(tags, of_a_file_that_a_worker_uses)
{
	static const __u64 tag = TAG + 3;
	struct stuck stuck;

	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(0, file_replace(&self->ring, 1, stuck.disk, tag));
	submit(_metadata, &self->ring, sqe_fixed(stuck_read(&stuck, 0), 1));
	ASSERT_EQ(0, file_replace(&self->ring, 1, -1, 0));
	expect_nothing(_metadata, &self->ring);
	stuck_let_go(&stuck);
	expect_completions(_metadata, &self->ring, &tag, 1, STUCK_PAGE, 1);
	stuck_close(&stuck);
}

/* Nobody can be told of it, but everything else goes on. */
TEST_F(tags, ring_that_is_closed)
{
	char byte;

	ASSERT_EQ(0, file_replace(&self->ring, 1, self->ends[1], TAG + 1));
	close(self->ends[1]);
	read_file(_metadata, &self->ring, 0, self->bytes);
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	ring_close(&self->ring);
	EXPECT_EQ(0, read(self->ends[0], &byte, 1));
	EXPECT_STREQ("", counters_busy() ?: "");
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

/* All slots have requests that wait: two entries, two slots. */
FIXTURE(full)
{
	struct ring ring;
	int ends[2];
	char bytes[2];
};

FIXTURE_SETUP(full)
{
	const __u64 tags[] = { TAG, 0, TAG + 1 };
	struct io_ring_setup wanted = ring_wanted(2, IO_RING_SETUP_CQSIZE);
	int fds[FILES];

	wanted.cq_entries = 2;
	wanted.requests = 2;
	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
	for (int i = 0; i < FILES; i++)
		fds[i] = self->ends[0];
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
	ASSERT_EQ(0, files_register(&self->ring, fds, tags, FILES));
	read_file(_metadata, &self->ring, 1, &self->bytes[0]);
	read_file(_metadata, &self->ring, 1, &self->bytes[1]);
}

FIXTURE_TEARDOWN(full)
{
	ring_close(&self->ring);
	close(self->ends[0]);
	close(self->ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(full, no_slot_for_a_tag)
{
	static const __u64 tags[] = { TAG, TAG + 1 };
	const int changes[FILES] = { -1, self->ends[0], -1 };

	EXPECT_EQ(-EBUSY, file_replace(&self->ring, 0, -1, 0));
	EXPECT_EQ(-EBUSY, files_unregister(&self->ring));
	EXPECT_EQ(-EBUSY, files_update(&self->ring, 0, changes, NULL, FILES));
	ASSERT_EQ(1, write(self->ends[1], "x", 1));
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	/* One slot is free, two are needed. */
	EXPECT_EQ(-EBUSY, files_update(&self->ring, 0, changes, NULL, FILES));
	EXPECT_EQ(-EBUSY, files_unregister(&self->ring));
	ASSERT_EQ(1, write(self->ends[1], "x", 1));
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	EXPECT_EQ(0, files_update(&self->ring, 0, changes, NULL, FILES));
	expect_completions(_metadata, &self->ring, tags, 2, 0, 0);
}

/* A refusal has changed nothing: neither the files, nor who waits for what. */
TEST_F(full, refusal_leaves_no_trace)
{
	EXPECT_EQ(-EBUSY, files_unregister(&self->ring));
	EXPECT_EQ(0, file_replace(&self->ring, 1, self->ends[0], 0));
	ASSERT_EQ(2, write(self->ends[1], "xx", 2));
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 2);
	ASSERT_EQ(1, write(self->ends[1], "y", 1));
	read_file(_metadata, &self->ring, 0, &self->bytes[0]);
	expect_completions(_metadata, &self->ring, NULL, 0, 1, 1);
	EXPECT_EQ('y', self->bytes[0]);
}

/* A tag that finds the queue full waits for room as any other completion. */
TEST_F(full, tag_that_has_to_wait_for_room)
{
	struct io_ring_setup wanted = ring_wanted(2, IO_RING_SETUP_CQSIZE);
	struct io_ring_cqe cqe;
	struct ring ring;
	__u64 tag = TAG;

	wanted.cq_entries = 2;
	wanted.requests = 4;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_EQ(0, files_register(&ring, self->ends, &tag, 1));
	ring_push_nops(&ring, 2, READ);
	ASSERT_EQ(2, ring_enter(&ring, 2, 0));
	ASSERT_EQ(0, files_unregister(&ring));
	EXPECT_EQ(2, ring_ready(&ring));
	EXPECT_EQ(1, fdinfo_value(ring.fd, "parked"));
	while (ring_pop(&ring, &cqe))
		;
	EXPECT_EQ(0, ring_enter(&ring, 0, 1));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(TAG, cqe.user_data);
	ring_close(&ring);
}

/* When the last user is gone a file is closed, and before that it is not. */
TEST_F(tags, reader_sees_the_end)
{
	struct pollfd end = { .fd = self->ends[0] };

	ASSERT_EQ(0, file_replace(&self->ring, 1, self->ends[1], 0));
	close(self->ends[1]);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, poll(&end, 1, 0));
	ASSERT_EQ(0, file_replace(&self->ring, 1, -1, 0));
	EXPECT_EQ(1, poll(&end, 1, 0));
	EXPECT_EQ(POLLHUP, end.revents);
}

TEST_F(tags, reader_sees_the_end_after_the_last_user)
{
	static const __u64 tag = TAG + 1;
	struct pollfd end = { .fd = self->ends[0] };
	size_t before = stream_fill(self->ends[1]);
	char bytes[100];
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, 0, bytes, sizeof(bytes), 0);

	ASSERT_LT(0, before);
	ASSERT_EQ(0, file_replace(&self->ring, 1, self->ends[1], tag));
	close(self->ends[1]);
	submit(_metadata, &self->ring, sqe_fixed(sqe, 1));
	ASSERT_EQ(0, file_replace(&self->ring, 1, -1, 0));
	expect_nothing(_metadata, &self->ring);
	EXPECT_EQ(0, poll(&end, 1, 0));
	EXPECT_EQ(before + sizeof(bytes), stream_drain(self->ends[0], before + sizeof(bytes)));
	expect_completions(_metadata, &self->ring, &tag, 1, sizeof(bytes), 1);
	EXPECT_EQ(1, poll(&end, 1, 0));
	EXPECT_EQ(POLLHUP, end.revents);
}

TEST_F(tags, lock_is_free)
{
	int file = temp_file(EXT4_DIR);
	int other = reopen(file, O_RDWR);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, flock(file, LOCK_EX));
	ASSERT_EQ(0, file_replace(&self->ring, 1, file, 0));
	close(file);
	EXPECT_EQ(-1, flock(other, LOCK_EX | LOCK_NB));
	ASSERT_EQ(0, files_unregister(&self->ring));
	EXPECT_EQ(0, flock(other, LOCK_EX | LOCK_NB));
	close(other);
}

TEST_HARNESS_MAIN
