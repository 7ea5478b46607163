// SPDX-License-Identifier: GPL-2.0-only
/* What the submission thread takes, and what it does not. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"
#include "sq_ring.h"
#include "waiter.h"

#define ENTRIES 8
#define DEPTH 32
#define READS 10000
#define BLOCKS 64
#define BLOCK 512
#define SLEEPY_MS 1
#define FULL 4			/* entries, completions and requests of a ring that is full soon */
#define FD_FIELD ((int)offsetof(struct io_ring_sqe, fd))

/* Entry number n of those that are offered next, which are not offered yet. */
static struct io_ring_sqe *entry(const struct ring *ring, __u32 n)
{
	__u32 position = ring_load(ring, ring->setup.sq_off.tail) + n;
	__u32 slot = position & (ring->setup.entries - 1);

	ring_store(ring, ring->setup.sq_off.array + slot * sizeof(__u32), slot);
	return ring_sqe(ring, position);
}

/* Offers so many at once. */
static int offer(const struct ring *ring, __u32 count)
{
	ring_store(ring, ring->setup.sq_off.tail,
		   ring_load(ring, ring->setup.sq_off.tail) + count);
	return sq_offered(ring);
}

/* No call of the ring at all: not one of them is there to be made. */
TEST(reads_without_a_call)
{
	static unsigned char memory[DEPTH][BLOCK];
	int file = temp_file(TMPFS_DIR);
	unsigned int offered = 0;
	unsigned int read = 0;
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, BLOCKS * BLOCK, 1));
	ASSERT_EQ(0, sq_open(&ring, DEPTH, IO_RING_SQ_IDLE_NEVER));
	while (read < READS) {
		for (; offered < READS && offered - read < DEPTH; offered++) {
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, file,
							memory[offered % DEPTH], BLOCK,
							offered % BLOCKS * BLOCK);

			sqe.user_data = offered;
			ring_push(&ring, &sqe);
		}
		ASSERT_TRUE(sq_pop(&ring, &cqe));
		ASSERT_EQ(read, cqe.user_data);
		ASSERT_EQ(BLOCK, cqe.res);
		ASSERT_EQ(BLOCK, pattern_mismatch(memory[read % DEPTH], BLOCK, 1,
						  read % BLOCKS * BLOCK));
		read++;
	}
	EXPECT_FALSE(sq_needs_call(&ring));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "sq_thread_naps"));
	EXPECT_TRUE(sq_await_entries(&ring, READS));
	EXPECT_EQ(READS, fdinfo_value(ring.fd, "submitted"));
	ring_close(&ring);
	close(file);
	EXPECT_STREQ("", counters_busy() ?: "");
}

FIXTURE(sleepy)
{
	struct ring ring;
};

FIXTURE_SETUP(sleepy)
{
	ASSERT_EQ(0, sq_open(&self->ring, ENTRIES, SLEEPY_MS));
}

FIXTURE_TEARDOWN(sleepy)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(sleepy, enter_takes_what_is_left)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(sq_await_sleep(&self->ring));
	ring_push_nops(&self->ring, 3, 10);
	EXPECT_EQ(3, ring_enter(&self->ring, 3, 3));
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(10 + i, cqe.user_data);
	}
	EXPECT_EQ(0, ring_enter(&self->ring, 3, 0));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "sq_thread_entries"));
	EXPECT_EQ(3, fdinfo_value(self->ring.fd, "submitted"));
}

/* The wait is one for completions, whoever takes the entries. */
TEST_F(sleepy, enter_calls_and_waits)
{
	struct io_ring_enter args = { .min_complete = 5, .flags = IO_RING_ENTER_SQ_WAKEUP };

	ASSERT_TRUE(sq_await_sleep(&self->ring));
	ring_push_nops(&self->ring, 5, 0);
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(5, ring_ready(&self->ring));
	EXPECT_TRUE(sq_await_entries(&self->ring, 5));
}

TEST_F(sleepy, descriptors_are_looked_up_when_it_takes)
{
	int file = temp_file(TMPFS_DIR);
	struct io_ring_cqe cqe;
	char byte = 0;
	int other;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, 1, 3));
	ASSERT_LE(0, sq_push(&self->ring, sqe_rw(IO_RING_OP_READ, file, &byte, 1, 0), 1));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	EXPECT_EQ(pattern_byte(3, 0), (unsigned char)byte);

	ASSERT_EQ(0, files_register(&self->ring, &file, NULL, 1));
	other = dup(file);
	close(file);
	ASSERT_TRUE(sq_await_sleep(&self->ring));
	ASSERT_LE(0, sq_push(&self->ring, sqe_rw(IO_RING_OP_READ, file, &byte, 1, 0), 2));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	EXPECT_EQ(-EBADF, cqe.res);
	EXPECT_EQ(FD_FIELD, cqe_rejected_field(&cqe));

	ASSERT_LE(0, sq_push(&self->ring,
			     sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, &byte, 1, 0), 0), 3));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	close(other);
}

/* Terminals and the like look at the descriptor table of who reads. */
TEST_F(sleepy, what_would_block_goes_the_usual_ways)
{
	struct io_ring_cqe cqe;
	char bytes[2] = "";
	int disk = temp_file(EXT4_DIR);
	int fds[2];

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_LE(0, sq_push(&self->ring, sqe_rw(IO_RING_OP_READ, fds[0], bytes, 1, 0), 1));
	ASSERT_LE(0, sq_push(&self->ring, sqe_fsync(disk, 0, 0, 0), 2));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	EXPECT_EQ(2, cqe.user_data);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_WORKER), cqe.flags);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	EXPECT_EQ(1, cqe.user_data);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_POLLED), cqe.flags);
	EXPECT_EQ('x', bytes[0]);
	close(fds[0]);
	close(fds[1]);
	close(disk);
}

TEST_F(sleepy, a_chain_that_is_offered_at_once_is_one)
{
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < 20; i++) {
		*entry(&self->ring, 0) = sqe_rw(IO_RING_OP_READ, -1, NULL, 0, 0);
		entry(&self->ring, 0)->flags = IO_RING_SQE_LINK;
		*entry(&self->ring, 1) = sqe_nop(1);
		entry(&self->ring, 1)->flags = IO_RING_SQE_LINK;
		*entry(&self->ring, 2) = sqe_nop(2);
		ASSERT_LE(0, offer(&self->ring, 3));
		ASSERT_TRUE(sq_pop(&self->ring, &cqe));
		EXPECT_EQ(-EBADF, cqe.res);
		ASSERT_TRUE(sq_pop(&self->ring, &cqe));
		EXPECT_EQ(-ECANCELED, cqe.res);
		ASSERT_TRUE(sq_pop(&self->ring, &cqe));
		EXPECT_EQ(-ECANCELED, cqe.res);
	}
}

/* An entry that is rejected ends what is taken at once, and the thread goes on behind it. */
TEST(goes_on_behind_what_is_rejected)
{
	static const __u32 flags[] = { 0, IO_RING_SETUP_STOP_ON_REJECT };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_setup wanted = ring_wanted(ENTRIES,
							  IO_RING_SETUP_SQPOLL | flags[i]);
		struct io_ring_cqe cqe;
		struct ring ring;

		ASSERT_EQ(0, ring_open_as(&ring, &wanted));
		*entry(&ring, 0) = sqe_nop(0);
		entry(&ring, 0)->opcode = 255;
		*entry(&ring, 1) = sqe_nop(1);
		ASSERT_LE(0, offer(&ring, 2));
		ASSERT_TRUE(sq_pop(&ring, &cqe));
		EXPECT_EQ(-EINVAL, cqe.res);
		ASSERT_TRUE(sq_pop(&ring, &cqe));
		EXPECT_EQ(0, cqe.res);
		EXPECT_EQ(1, cqe.user_data);
		ring_close(&ring);
	}
}

static void expect_told(struct __test_metadata *_metadata, const struct ring *ring, int error)
{
	EXPECT_EQ(-error, sq_call(ring, IO_RING_ENTER_SQ_WAKEUP));
	EXPECT_EQ(-error, sq_call(ring, IO_RING_ENTER_SQ_WAIT));
}

/* Indices that cannot be true: nothing is taken, and who calls is told. */
TEST_F(sleepy, tail_out_of_range)
{
	const __u32 tail_at = self->ring.setup.sq_off.tail;
	static const __u32 lies[] = { ENTRIES + 1, 1U << 31, ~0U };
	struct io_ring_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		__u32 tail = ring_load(&self->ring, tail_at);

		ring_store(&self->ring, tail_at, tail + lies[i]);
		ASSERT_TRUE(sq_await_sleep(&self->ring));
		expect_told(_metadata, &self->ring, EOVERFLOW);
		EXPECT_TRUE(sq_await_entries(&self->ring, i));
		ring_store(&self->ring, tail_at, tail);
		ASSERT_LE(0, sq_push(&self->ring, sqe_nop(0), i));
		ASSERT_TRUE(sq_pop(&self->ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
	}
}

TEST(head_out_of_range)
{
	struct io_ring_cqe cqe;
	struct ring ring;
	__u32 head_at;
	__u32 head;

	/* It sleeps although it looks for ever: there is nothing to look for. */
	ASSERT_EQ(0, sq_open(&ring, ENTRIES, IO_RING_SQ_IDLE_NEVER));
	head_at = ring.setup.cq_off.head;
	head = ring_load(&ring, head_at);
	ring_store(&ring, head_at, head + 1);
	ring_push_nops(&ring, 1, 7);
	ASSERT_TRUE(sq_await_sleep(&ring));
	expect_told(_metadata, &ring, EOVERFLOW);
	EXPECT_EQ(0, fdinfo_value(ring.fd, "sq_thread_entries"));
	ring_store(&ring, head_at, head);
	EXPECT_EQ(1, sq_offered(&ring));
	ASSERT_TRUE(sq_pop(&ring, &cqe));
	EXPECT_EQ(7, cqe.user_data);
	ring_close(&ring);
}

/* A ring all of whose requests wait for a pipe, and whose submission queue is full. */
FIXTURE(full)
{
	struct ring ring;
	int fds[2];
	char bytes[FULL];
};

FIXTURE_VARIANT(full)
{
	__u32 idle_ms;
};

FIXTURE_VARIANT_ADD(full, sleepy)
{
	.idle_ms = SLEEPY_MS,
};

FIXTURE_VARIANT_ADD(full, awake)
{
	.idle_ms = IO_RING_SQ_IDLE_NEVER,
};

FIXTURE_SETUP(full)
{
	struct io_ring_setup wanted = ring_wanted(FULL, IO_RING_SETUP_SQPOLL |
						  IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = FULL;
	wanted.requests = FULL;
	wanted.sq_thread_idle_ms = variant->idle_ms;
	ASSERT_EQ(0, pipe2(self->fds, O_CLOEXEC));
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
	for (unsigned int i = 0; i < FULL; i++)
		ASSERT_LE(0, sq_push(&self->ring, sqe_rw(IO_RING_OP_READ, self->fds[0],
							 &self->bytes[i], 1, 0), i));
	ASSERT_TRUE(sq_await_entries(&self->ring, FULL));
	ring_push_nops(&self->ring, FULL, FULL);
	ASSERT_LE(0, sq_offered(&self->ring));
}

FIXTURE_TEARDOWN(full)
{
	ring_close(&self->ring);
	close(self->fds[0]);
	close(self->fds[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Nobody calls the thread when slots become free, which ENTER without flags does not do. */
TEST_F(full, goes_on_when_requests_end)
{
	unsigned int reads = 0;
	struct io_ring_cqe cqe;

	if (variant->idle_ms == SLEEPY_MS)
		ASSERT_TRUE(sq_await_sleep(&self->ring));
	sleep_ms(A_WHILE);
	EXPECT_EQ(FULL, fdinfo_value(self->ring.fd, "sq_thread_entries"));
	ASSERT_EQ(FULL, write(self->fds[1], "abcd", FULL));
	for (unsigned int i = 0; i < 2 * FULL; i++) {
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(cqe.user_data < FULL, cqe.res);
		reads += cqe.user_data < FULL;
	}
	EXPECT_EQ(FULL, reads);
	EXPECT_TRUE(sq_await_entries(&self->ring, 2 * FULL));
}

static void *wait_for_room(void *arg)
{
	return (void *)(long)sq_call(arg, IO_RING_ENTER_SQ_WAIT);
}

TEST_F(full, room_can_be_waited_for)
{
	pthread_t thread;
	void *result = (void *)1;

	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_room, &self->ring));
	sleep_ms(A_WHILE);
	EXPECT_EQ(EBUSY, pthread_tryjoin_np(thread, &result));
	ASSERT_EQ(FULL, write(self->fds[1], "abcd", FULL));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(NULL, result);
	EXPECT_NE(FULL, ring_load(&self->ring, self->ring.setup.sq_off.tail) -
		  ring_load(&self->ring, self->ring.setup.sq_off.head));
	EXPECT_EQ(0, sq_call(&self->ring, IO_RING_ENTER_SQ_WAIT));
}

/* No call hands in what the thread takes: an eventfd is told of all. */
TEST_F(sleepy, eventfd_is_signalled)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct io_ring_register args;
	struct io_ring_cqe cqe;
	eventfd_t count = 0;

	ASSERT_LE(0, fd);
	args = register_args(IO_RING_REGISTER_EVENTFD_ASYNC, &fd, 1);
	ASSERT_EQ(0, ring_register(&self->ring, &args));
	ASSERT_LE(0, sq_push(&self->ring, sqe_nop(0), 1));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	ASSERT_TRUE(sq_await_sleep(&self->ring));
	EXPECT_EQ(0, eventfd_read(fd, &count));
	EXPECT_EQ(1, count);
	close(fd);
}

static int write_too_far(void *arg)
{
	const struct rlimit limit = { .rlim_cur = BLOCK, .rlim_max = BLOCK };
	int file = temp_file(EXT4_DIR);
	struct io_ring_cqe cqe;
	struct ring ring;

	(void)arg;
	if (file < 0 || sq_open(&ring, ENTRIES, SLEEPY_MS) ||
	    setrlimit(RLIMIT_FSIZE, &limit))
		return 1;
	if (sq_push(&ring, sqe_rw(IO_RING_OP_WRITE, file, "x", 1, BLOCK), 0) < 0)
		return 2;
	if (!sq_pop(&ring, &cqe) || cqe.res != -EFBIG)
		return 3;
	return 0;
}

TEST(limits_of_the_process_hold)
{
	EXPECT_EQ(0, in_child(write_too_far, NULL));
}

/* The table changes, and all is cancelled again and again, while the thread has plenty to do. */
#define CHANGES 200

struct feeder {
	const struct ring *ring;
	bool is_over;
	unsigned int fed;
};

static void *feed(void *arg)
{
	struct feeder *feeder = arg;
	struct io_ring_cqe cqe;

	while (!__atomic_load_n(&feeder->is_over, __ATOMIC_ACQUIRE)) {
		if (sq_push(feeder->ring, sqe_nop(0), 0) < 0 || !sq_pop(feeder->ring, &cqe))
			return NULL;
		feeder->fed++;
	}
	return feeder;
}

TEST(others_get_their_turn)
{
	int file = temp_file(TMPFS_DIR);
	struct feeder feeder = { 0 };
	struct ring ring;
	pthread_t thread;
	void *result;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, sq_open(&ring, ENTRIES, IO_RING_SQ_IDLE_NEVER));
	feeder.ring = &ring;
	ASSERT_EQ(0, pthread_create(&thread, NULL, feed, &feeder));
	for (unsigned int i = 0; i < CHANGES; i++) {
		EXPECT_EQ(0, files_register(&ring, &file, NULL, 1));
		EXPECT_EQ(0, files_unregister(&ring));
		EXPECT_EQ(0, ring_quiesce(&ring, 0, NULL));
	}
	__atomic_store_n(&feeder.is_over, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&feeder, result);
	EXPECT_TRUE(sq_await_entries(&ring, feeder.fed));
	ring_close(&ring);
	close(file);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
