// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_CANCEL and requests that wait until their file is ready. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "source.h"
#include "stream.h"
#include "target.h"

#define ENTRIES 32
#define THE_ONE 7
#define CANCEL 99		/* user_data of what cancels */
#define ROUNDS 300
#define SEED 1
#define LARGE (4U << 20)	/* more than any pipe or socket takes at once */

static void push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	push(ring, sqe, user_data);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void expect_cqe(struct __test_metadata *_metadata, const struct ring *ring,
		       __u64 user_data, __s32 res)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
}

/* Cancels on a ring on which nothing else can complete; what is cancelled stays to be read. */
static __s32 cancel(struct __test_metadata *_metadata, const struct ring *ring,
		    struct io_ring_sqe sqe, __u32 cancelled)
{
	struct io_ring_cqe cqe;
	__u32 tail;

	submit(_metadata, ring, sqe, CANCEL);
	ASSERT_TRUE(await_completions(ring, cancelled + 1, SOON));
	EXPECT_EQ(cancelled + 1, ring_ready(ring));
	tail = ring_load(ring, ring->setup.cq_off.tail);
	cqe = *ring_cqe(ring, tail - 1);
	EXPECT_EQ(CANCEL, cqe.user_data);
	EXPECT_EQ(0, cqe.flags);
	return cqe.res;
}

static void drop_completions(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe))
		;
}

/* A READ that waits. */
FIXTURE(waiting)
{
	struct ring ring;
	struct source source;
	char buffer[SOURCE_LEN];
	struct io_ring_sqe read;
};

FIXTURE_VARIANT(waiting)
{
	enum source_kind kind;
};

FIXTURE_VARIANT_ADD(waiting, pipe) { .kind = SOURCE_PIPE };
FIXTURE_VARIANT_ADD(waiting, fifo) { .kind = SOURCE_FIFO };
FIXTURE_VARIANT_ADD(waiting, socket) { .kind = SOURCE_SOCKET };
FIXTURE_VARIANT_ADD(waiting, terminal) { .kind = SOURCE_TERMINAL };
FIXTURE_VARIANT_ADD(waiting, master) { .kind = SOURCE_MASTER };
FIXTURE_VARIANT_ADD(waiting, eventfd) { .kind = SOURCE_EVENTFD };
FIXTURE_VARIANT_ADD(waiting, timerfd) { .kind = SOURCE_TIMERFD };

FIXTURE_SETUP(waiting)
{
	ASSERT_TRUE(source_open(&self->source, variant->kind));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->read = sqe_rw(IO_RING_OP_READ, self->source.reader, self->buffer, SOURCE_LEN, 0);
	submit(_metadata, &self->ring, self->read, THE_ONE);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&self->ring));
}

FIXTURE_TEARDOWN(waiting)
{
	ring_close(&self->ring);
	source_close(&self->source);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* It is over, and what comes is for others. */
static void expect_cancelled(struct __test_metadata *_metadata, const struct ring *ring,
			     const struct source *source)
{
	char buffer[SOURCE_LEN];

	expect_cqe(_metadata, ring, THE_ONE, -ECANCELED);
	expect_cqe(_metadata, ring, CANCEL, 0);
	EXPECT_EQ(0, ring_ready(ring));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "in_flight"));
	EXPECT_EQ(source_feed(source), read(source->reader, buffer, SOURCE_LEN));
}

TEST_F(waiting, by_user_data)
{
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), 1));
	expect_cancelled(_metadata, &self->ring, &self->source);
}

TEST_F(waiting, by_file)
{
	const struct io_ring_sqe sqe = sqe_cancel(IO_RING_CANCEL_FD, 0, self->source.reader, 0);

	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe, 1));
	expect_cancelled(_metadata, &self->ring, &self->source);
}

TEST_F(waiting, not_by_what_is_not_its_own)
{
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring, sqe_cancel(0, THE_ONE + 1, 0, 0), 0));
	drop_completions(&self->ring);
	EXPECT_LT(0, source_feed(&self->source));
	ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
	expect_cqe(_metadata, &self->ring, THE_ONE,
		   variant->kind == SOURCE_EVENTFD || variant->kind == SOURCE_TIMERFD ? 8 : 1);
}

TEST_F(waiting, and_read_again)
{
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), 1));
	drop_completions(&self->ring);
	submit(_metadata, &self->ring, self->read, THE_ONE + 1);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_LT(0, source_feed(&self->source));
	ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
	EXPECT_EQ(THE_ONE + 1, ring_cqe(&self->ring, 2)->user_data);
	EXPECT_LT(0, ring_cqe(&self->ring, 2)->res);
}

TEST_F(waiting, in_the_same_batch)
{
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), 1));
	drop_completions(&self->ring);
	push(&self->ring, self->read, THE_ONE);
	push(&self->ring, sqe_cancel(0, THE_ONE, 0, 0), CANCEL);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	expect_cancelled(_metadata, &self->ring, &self->source);
}

struct race {
	pthread_barrier_t start;
	const struct source *source;
	unsigned int random;
};

static void *feed_many_times(void *arg)
{
	struct race *race = arg;
	unsigned int random = race->random + 1;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&race->start);
		for (int spin = rand_r(&random) % 20000; spin; spin--)
			__asm__ volatile("");
		source_feed(race->source);
		pthread_barrier_wait(&race->start);
	}
	return NULL;
}

/* Either the READ has got what came, or it is still there, and the CANCEL knows which. */
static void expect_one_winner(struct __test_metadata *_metadata, const struct ring *ring,
			      const struct source *source)
{
	char buffer[SOURCE_LEN];
	__s32 results[2] = { 0 };
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, 2, SOON));
	while (ring_pop(ring, &cqe))
		results[cqe.user_data == CANCEL] = cqe.res;
	if (results[0] > 0) {
		EXPECT_TRUE(results[1] == -ENOENT || results[1] == -EALREADY) {
			TH_LOG("cancelling what has read: %d", results[1]);
		}
	} else {
		EXPECT_EQ(-ECANCELED, results[0]);
		EXPECT_TRUE(results[1] == 0 || results[1] == -EALREADY) {
			TH_LOG("cancelling what has not read: %d", results[1]);
		}
		ASSERT_LT(0, read(source->reader, buffer, SOURCE_LEN));
	}
}

TEST_F(waiting, while_it_becomes_ready)
{
	struct race race = { .source = &self->source, .random = variant->kind };
	pthread_t feeder;

	ASSERT_EQ(0, pthread_barrier_init(&race.start, NULL, 2));
	ASSERT_EQ(0, pthread_create(&feeder, NULL, feed_many_times, &race));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (i)
			submit(_metadata, &self->ring, self->read, THE_ONE);
		pthread_barrier_wait(&race.start);
		for (int spin = rand_r(&race.random) % 20000; spin; spin--)
			__asm__ volatile("");
		submit(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), CANCEL);
		pthread_barrier_wait(&race.start);
		expect_one_winner(_metadata, &self->ring, &self->source);
	}
	ASSERT_EQ(0, pthread_join(feeder, NULL));
	EXPECT_EQ(0, ring_ready(&self->ring));
}

/* What has been transferred counts. */
static void expect_partly_written(struct __test_metadata *_metadata, enum twin_target target)
{
	struct endpoint ends = { .fd = -1, .peer = -1, .feeder = -1 };
	unsigned char *content = malloc(LARGE);
	struct io_ring_cqe cqe;
	struct ring ring;
	__s32 done = 0;

	ASSERT_NE(NULL, content);
	pattern_fill(content, LARGE, SEED);
	ASSERT_TRUE(targets[target].open(&ends, O_WRONLY));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, ends.fd, content, LARGE, 0), THE_ONE);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, cancel(_metadata, &ring, sqe_cancel(0, THE_ONE, 0, 0), 1));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(THE_ONE, cqe.user_data);
	ASSERT_LT(0, cqe.res);
	ASSERT_GT(LARGE, cqe.res);
	memset(content, 0, LARGE);
	while (done < cqe.res) {
		ssize_t n = read(ends.peer, content + done, LARGE - done);

		ASSERT_LT(0, n);
		done += n;
	}
	EXPECT_EQ(cqe.res, done);
	EXPECT_EQ(done, pattern_mismatch(content, done, SEED, 0));
	ring_close(&ring);
	endpoint_close(&ends);
	free(content);
}

TEST(write_to_a_pipe_that_has_begun)
{
	expect_partly_written(_metadata, TWIN_PIPE);
}

TEST(write_to_a_socket_that_has_begun)
{
	expect_partly_written(_metadata, TWIN_SOCKET);
}

FIXTURE(idle)
{
	struct ring ring;
};

FIXTURE_SETUP(idle)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = ENTRIES;
	wanted.requests = 4 * ENTRIES;
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
}

FIXTURE_TEARDOWN(idle)
{
	ring_close(&self->ring);
}

TEST_F(idle, has_nothing_to_cancel)
{
	static const struct {
		struct io_ring_sqe sqe;
		__s32 res;
	} cases[] = {
		{ { .op_flags = IO_RING_CANCEL_ANY }, 0 },
		{ { .op_flags = IO_RING_CANCEL_ANY | IO_RING_CANCEL_ALL }, 0 },
		{ { .op_flags = IO_RING_CANCEL_ALL }, 0 },
		{ { .op_flags = 0 }, -ENOENT },
		/* Not itself either. */
		{ { .op_flags = IO_RING_CANCEL_USERDATA, .addr = CANCEL }, -ENOENT },
		{ { .op_flags = IO_RING_CANCEL_ALL, .addr = CANCEL }, 0 },
		{ { .op_flags = IO_RING_CANCEL_OP, .len = IO_RING_OP_CANCEL }, -ENOENT },
		{ { .op_flags = IO_RING_CANCEL_OP, .len = 255 }, -ENOENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_ring_sqe sqe = cases[i].sqe;

		sqe.opcode = IO_RING_OP_CANCEL;
		EXPECT_EQ(cases[i].res, cancel(_metadata, &self->ring, sqe, 0)) {
			TH_LOG("case %zu", i);
		}
		drop_completions(&self->ring);
	}
}

TEST_F(idle, two_do_not_cancel_each_other)
{
	push(&self->ring, sqe_cancel(0, CANCEL, 0, 0), CANCEL);
	push(&self->ring, sqe_cancel(0, CANCEL, 0, 0), CANCEL);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	expect_cqe(_metadata, &self->ring, CANCEL, -ENOENT);
	expect_cqe(_metadata, &self->ring, CANCEL, -ENOENT);
}

/* Completions that have not been read, and some for which there is no room yet. */
TEST_F(idle, what_is_complete_cannot_be_cancelled)
{
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int n = 0; n < ENTRIES; n++)
			push(&self->ring, sqe_nop(0), THE_ONE);
		ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
	}
	submit(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), CANCEL);
	submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), CANCEL);
	for (unsigned int n = 0; n < 2 * ENTRIES; n++) {
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(THE_ONE, cqe.user_data);
		EXPECT_EQ(0, cqe.res);
	}
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 2));
	expect_cqe(_metadata, &self->ring, CANCEL, -ENOENT);
	expect_cqe(_metadata, &self->ring, CANCEL, 0);
}

TEST(only_requests_of_the_same_ring)
{
	struct ring rings[2];
	char bytes[2];
	int ends[2];

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		ASSERT_EQ(0, ring_open(&rings[i], ENTRIES, 0));
		submit(_metadata, &rings[i],
		       sqe_rw(IO_RING_OP_READ, ends[0], &bytes[i], 1, 0), THE_ONE);
	}
	EXPECT_EQ(1, cancel(_metadata, &rings[0], sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), 1));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&rings[1]));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	ASSERT_TRUE(await_completions(&rings[1], 1, SOON));
	expect_cqe(_metadata, &rings[1], THE_ONE, 1);
	EXPECT_EQ('x', bytes[1]);
	ring_close(&rings[0]);
	ring_close(&rings[1]);
}

TEST_HARNESS_MAIN
