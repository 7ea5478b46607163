// SPDX-License-Identifier: GPL-2.0-only
/* Several threads on one ring. */
#include <pthread.h>

#include "harness.h"
#include "ring.h"

#define ENTRIES 16
#define THREADS 4
#define PER_THREAD 4000

/* Ring access among the threads of the program is the program's business: one lock a side. */
struct shared {
	struct ring ring;
	pthread_mutex_t submit;
	pthread_mutex_t reap;
	__u64 offered;
	__u64 reaped;
	unsigned char seen[THREADS * PER_THREAD];
	int error;
};

static void note_error(struct shared *shared, int error)
{
	if (error < 0)
		__atomic_store_n(&shared->error, error, __ATOMIC_RELAXED);
}

static bool offer_one(struct shared *shared)
{
	const struct ring *ring = &shared->ring;
	bool done = false;
	__u32 used;

	pthread_mutex_lock(&shared->submit);
	used = ring_load(ring, ring->setup.sq_off.tail) - ring_load(ring, ring->setup.sq_off.head);
	if (used < ENTRIES && shared->offered < THREADS * PER_THREAD) {
		ring_push_nops(ring, 1, shared->offered++);
		done = true;
	}
	pthread_mutex_unlock(&shared->submit);
	return done;
}

static void reap_all(struct shared *shared)
{
	struct io_ring_cqe cqe;

	pthread_mutex_lock(&shared->reap);
	while (ring_pop(&shared->ring, &cqe)) {
		shared->reaped++;
		if (cqe.user_data < THREADS * PER_THREAD && !cqe.res)
			shared->seen[cqe.user_data]++;
	}
	pthread_mutex_unlock(&shared->reap);
}

static __u64 reaped(struct shared *shared)
{
	__u64 count;

	pthread_mutex_lock(&shared->reap);
	count = shared->reaped;
	pthread_mutex_unlock(&shared->reap);
	return count;
}

/* Submit, enter and reap without a lock around the call. */
static void *work(void *arg)
{
	struct shared *shared = arg;

	while (!shared->error && reaped(shared) < THREADS * PER_THREAD) {
		offer_one(shared);
		note_error(shared, ring_enter(&shared->ring, 2, 0));
		reap_all(shared);
	}
	return NULL;
}

static void expect_each_once(struct __test_metadata *_metadata, const struct shared *shared)
{
	EXPECT_EQ(0, shared->error);
	EXPECT_EQ(THREADS * PER_THREAD, shared->reaped);
	for (__u64 i = 0; i < THREADS * PER_THREAD; i++)
		ASSERT_EQ(1, shared->seen[i]);
	EXPECT_EQ(0, ring_ready(&shared->ring));
}

static struct shared shared = {
	.submit = PTHREAD_MUTEX_INITIALIZER,
	.reap = PTHREAD_MUTEX_INITIALIZER,
};

TEST(all_submit_and_reap)
{
	pthread_t threads[THREADS];

	ASSERT_EQ(0, ring_open(&shared.ring, ENTRIES, 0));
	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &shared));
	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	expect_each_once(_metadata, &shared);
	ring_close(&shared.ring);
}

static void *produce(void *arg)
{
	struct shared *s = arg;

	while (!s->error && s->offered < THREADS * PER_THREAD) {
		__u64 room = 2 * ENTRIES - (s->offered - reaped(s));

		if (room && offer_one(s))
			note_error(s, ring_enter(&s->ring, 1, 0));
	}
	return NULL;
}

/* One thread submits, the other does nothing but wait: no wake-up may be lost. */
TEST(one_submits_and_one_waits)
{
	pthread_t producer;

	ASSERT_EQ(0, ring_open(&shared.ring, ENTRIES, IO_RING_SETUP_NO_SQARRAY));
	ASSERT_EQ(0, pthread_create(&producer, NULL, produce, &shared));
	while (!shared.error && shared.reaped < THREADS * PER_THREAD) {
		note_error(&shared, ring_enter(&shared.ring, 0, 1));
		reap_all(&shared);
	}
	ASSERT_EQ(0, pthread_join(producer, NULL));
	expect_each_once(_metadata, &shared);
	ring_close(&shared.ring);
}

TEST_HARNESS_MAIN
