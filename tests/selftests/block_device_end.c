// SPDX-License-Identifier: GPL-2.0-only
/*
 * A block device has transfers between registered buffers and itself while what they use is
 * taken away, or who asked for them: none is lost, nothing goes before it is not used any more.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actor.h"
#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "process.h"
#include "registered.h"
#include "slow_disk.h"

#define DELAY 150000000ULL	/* nanoseconds */
#define READS 16
#define BUFFER_TAG 1001
#define FILE_TAG 1002
#define SEED 7

FIXTURE(device)
{
	struct ring ring;
	unsigned char *memory;	/* buffer 0 */
	int fd;			/* file 0 */
};

/* Asks for the beginning of the disk. The result is -errno. */
static int begin(const struct ring *ring, const unsigned char *memory)
{
	int n;

	for (unsigned int i = 0; i < READS; i++) {
		struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, 0, 0,
						    memory + i * PAGE, PAGE, (__u64)i * PAGE);

		sqe = sqe_fixed(sqe, 0);
		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
	n = ring_enter(ring, READS, 0);
	return n == READS ? 0 : n < 0 ? n : -1;
}

static int register_all(const struct ring *ring, unsigned char *memory, int fd)
{
	const struct io_ring_buffer buffer = buffer_at(memory, READS * PAGE);
	const __u64 buffer_tag = BUFFER_TAG, file_tag = FILE_TAG;

	return buffers_register(ring, &buffer, 1, &buffer_tag) ?:
	       files_register(ring, &fd, &file_tag, 1);
}

FIXTURE_SETUP(device)
{
	const int plain = slow_disk_make(DELAY, SLOW_DISK_STORES) ?: open(SLOW_DISK, O_RDWR);

	ASSERT_LE(0, plain);
	ASSERT_EQ(0, pattern_write(plain, READS * PAGE, SEED));
	ASSERT_EQ(0, fsync(plain));
	close(plain);
	self->fd = open(SLOW_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->memory = new_pages(READS);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, ring_open(&self->ring, 2 * READS, IO_RING_SETUP_REBIND));
}

FIXTURE_TEARDOWN(device)
{
	ring_close(&self->ring);
	/* What is still with the disk would keep it. */
	EXPECT_EQ(0, pins_of_kernel());
	EXPECT_STREQ("", counters_busy() ?: "");
	slow_disk_close(self->fd);
}

/* All reads have succeeded, and so many tags have come. */
static void expect_all(struct __test_metadata *_metadata, const struct ring *ring,
		       unsigned int tags)
{
	unsigned int reads = 0;

	ASSERT_TRUE(await_completions(ring, READS + tags, 10 * SOON));
	for (unsigned int i = 0; i < READS + tags; i++) {
		struct io_ring_cqe cqe;

		ASSERT_TRUE(ring_pop(ring, &cqe));
		if (cqe.user_data == BUFFER_TAG || cqe.user_data == FILE_TAG) {
			EXPECT_EQ(0, cqe.res);
			continue;
		}
		EXPECT_EQ(PAGE, cqe.res);
		reads++;
	}
	EXPECT_EQ(READS, reads);
	EXPECT_EQ(0, ring_ready(ring));
}

/* The disk still has them: otherwise the test shows nothing. */
static void expect_none_yet(struct __test_metadata *_metadata, const struct ring *ring)
{
	EXPECT_EQ(0, ring_ready(ring));
	EXPECT_EQ(READS, fdinfo_value(ring->fd, "in_flight"));
}

TEST_F(device, buffers_and_files_go_with_their_last_transfer)
{
	ASSERT_EQ(0, register_all(&self->ring, self->memory, self->fd));
	ASSERT_EQ(0, begin(&self->ring, self->memory));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, files_unregister(&self->ring));
	expect_none_yet(_metadata, &self->ring);
	expect_all(_metadata, &self->ring, 2);
	EXPECT_EQ(READS * PAGE, pattern_mismatch(self->memory, READS * PAGE, SEED, 0));
	EXPECT_EQ(0, pinned_here());
}

TEST_F(device, those_that_come_next_get_others)
{
	unsigned char *others = new_pages(READS);
	const struct io_ring_buffer buffer = buffer_at(others, READS * PAGE);
	const int other = open(SLOW_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	ASSERT_NE(NULL, others);
	ASSERT_EQ(0, register_all(&self->ring, self->memory, self->fd));
	ASSERT_EQ(0, begin(&self->ring, self->memory));
	ASSERT_EQ(0, buffers_update(&self->ring, 0, &buffer, 1, NULL));
	ASSERT_EQ(0, file_replace(&self->ring, 0, other, 0));
	expect_none_yet(_metadata, &self->ring);
	expect_all(_metadata, &self->ring, 2);
	ASSERT_EQ(0, begin(&self->ring, others));
	expect_all(_metadata, &self->ring, 0);
	EXPECT_EQ(READS * PAGE, pattern_mismatch(self->memory, READS * PAGE, SEED, 0));
	EXPECT_EQ(READS * PAGE, pattern_mismatch(others, READS * PAGE, SEED, 0));
	close(other);
}

TEST_F(device, memory_that_is_unmapped_is_read_into)
{
	ASSERT_EQ(0, register_all(&self->ring, self->memory, self->fd));
	ASSERT_EQ(0, begin(&self->ring, self->memory));
	ASSERT_EQ(0, munmap(self->memory, READS * PAGE));
	expect_none_yet(_metadata, &self->ring);
	expect_all(_metadata, &self->ring, 0);
}

TEST_F(device, closing_waits_for_them)
{
	struct ring other;

	ASSERT_EQ(0, ring_open(&other, READS, 0));
	ASSERT_EQ(0, register_all(&other, self->memory, self->fd));
	ASSERT_EQ(0, begin(&other, self->memory));
	expect_none_yet(_metadata, &other);
	ring_close(&other);
	EXPECT_EQ(READS * PAGE, pattern_mismatch(self->memory, READS * PAGE, SEED, 0));
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pins_of_kernel());
}

TEST_F(device, quiescing_waits_for_them)
{
	__u32 left = 1;

	ASSERT_EQ(0, register_all(&self->ring, self->memory, self->fd));
	ASSERT_EQ(0, begin(&self->ring, self->memory));
	expect_none_yet(_metadata, &self->ring);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	EXPECT_EQ(READS, ring_ready(&self->ring));
	expect_all(_metadata, &self->ring, 0);
}

static int reads_in_child(struct ring *ring)
{
	unsigned char *memory = new_pages(READS);
	const int fd = open(SLOW_DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	return register_all(ring, memory, fd) ?: begin(ring, memory);
}

/* Whoever asked for them has gone: its ring is as if it had closed it. */
static void run_leaving(struct __test_metadata *_metadata, const struct ring *ring,
			bool (*leaves)(struct actor *actor))
{
	struct actor actor;

	ASSERT_TRUE(actor_start(&actor, ring));
	ASSERT_EQ(0, actor_ask(&actor, reads_in_child));
	EXPECT_TRUE(leaves(&actor));
	actor_end(&actor);
}

TEST_F(device, a_process_exits)
{
	run_leaving(_metadata, &self->ring, actor_exits);
}

TEST_F(device, a_process_is_killed)
{
	run_leaving(_metadata, &self->ring, actor_is_killed);
}

TEST_F(device, a_process_executes_another_program)
{
	run_leaving(_metadata, &self->ring, actor_executes);
}

TEST_HARNESS_MAIN
