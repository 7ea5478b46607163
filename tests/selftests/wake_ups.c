// SPDX-License-Identifier: GPL-2.0-only
/* Files that become ready at any time while requests come to wait for them: none waits for ever. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define ENTRIES 32
#define PIPES 4
#define FEEDERS 2
#define PER_FEEDER 3000
#define ARMED 16		/* READs under way at a time */
#define ROUNDS 10000
#define SPINS 3000

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

struct feeder {
	pthread_t thread;
	const int *writers;
	unsigned int random;
};

static void *feed(void *arg)
{
	struct feeder *feeder = arg;

	for (unsigned int i = 0; i < PER_FEEDER; i++) {
		if (write(feeder->writers[rand_r(&feeder->random) % PIPES], "x", 1) != 1)
			break;
		if (rand_r(&feeder->random) % 8 == 0)
			usleep(rand_r(&feeder->random) % 100);
	}
	return NULL;
}

/* Several READs of each of a few pipes, into which others write. */
TEST(every_byte_arrives)
{
	int readers[PIPES], writers[PIPES];
	struct feeder feeders[FEEDERS];
	char buffers[ARMED][3];
	struct io_ring_cqe cqe;
	unsigned int bytes = 0;
	struct ring ring;
	int ends[2];

	for (size_t i = 0; i < PIPES; i++) {
		ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
		readers[i] = ends[0];
		writers[i] = ends[1];
	}
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	for (size_t i = 0; i < FEEDERS; i++) {
		feeders[i] = (struct feeder) { .writers = writers, .random = i + 1 };
		ASSERT_EQ(0, pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]));
	}
	for (unsigned int i = 0; i < ARMED; i++)
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, readers[i % PIPES], buffers[i], 3,
						0), i);
	while (bytes < FEEDERS * PER_FEEDER) {
		ASSERT_TRUE(await_completions(&ring, 1, SOON)) {
			TH_LOG("%u bytes of %u", bytes, FEEDERS * PER_FEEDER);
		}
		while (ring_pop(&ring, &cqe)) {
			unsigned int i = cqe.user_data;

			ASSERT_LT(0, cqe.res);
			bytes += cqe.res;
			submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, readers[i % PIPES],
							buffers[i], 3, 0), i);
		}
	}
	for (size_t i = 0; i < FEEDERS; i++)
		ASSERT_EQ(0, pthread_join(feeders[i].thread, NULL));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	EXPECT_EQ(FEEDERS * PER_FEEDER, bytes);
	EXPECT_EQ(ARMED, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

struct meeting {
	pthread_t thread;
	int writer;
	unsigned int round;	/* of the reader */
	unsigned int last;
};

static void spin(unsigned int *random)
{
	for (int left = rand_r(random) % SPINS; left; left--)
		__asm__ volatile("");
}

static void *write_when_it_reads(void *arg)
{
	struct meeting *meeting = arg;
	unsigned int random = 1;

	for (unsigned int i = 1; i <= meeting->last; i++) {
		while (__atomic_load_n(&meeting->round, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		spin(&random);
		if (write(meeting->writer, "x", 1) != 1)
			break;
	}
	return NULL;
}

/* What comes while the request is about to wait ends it, as nothing else comes. */
TEST(ready_at_the_last_moment)
{
	struct meeting meeting = { .last = ROUNDS / patience(1) };
	struct io_ring_enter wait = { .min_complete = 1, .timeout = patience(SOON) * MS };
	unsigned int random = 2;
	struct io_ring_cqe cqe;
	struct ring ring;
	int ends[2];
	char byte;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	meeting.writer = ends[1];
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, pthread_create(&meeting.thread, NULL, write_when_it_reads, &meeting));
	for (unsigned int i = 1; i <= meeting.last; i++) {
		struct io_ring_enter args = wait;

		__atomic_store_n(&meeting.round, i, __ATOMIC_RELEASE);
		spin(&random);
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), i);
		ASSERT_EQ(0, ring_enter_fd(ring.fd, &args)) {
			TH_LOG("round %u of %u", i, meeting.last);
		}
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		ASSERT_EQ(i, cqe.user_data);
		ASSERT_EQ(1, cqe.res);
	}
	ASSERT_EQ(0, pthread_join(meeting.thread, NULL));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
