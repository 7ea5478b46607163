// SPDX-License-Identifier: GPL-2.0-only
/* Many threads wait on one ring: a completion wakes one of them, and none is forgotten. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "waiter.h"

#define THREADS 64
#define COMPLETIONS 16
#define ENTRIES 64

struct herd {
	struct ring ring;
	struct waiter waiters[THREADS];
	unsigned int count;
};

FIXTURE(waiting)
{
	struct herd herd;
};

FIXTURE_SETUP(waiting)
{
	self->herd.count = 0;
}

static void complete(const struct ring *ring, unsigned int count)
{
	ring_push_nops(ring, count, 0);
	ring_enter(ring, count, 0);
}

/* Completions until nobody waits any more. */
static void herd_end(struct herd *herd)
{
	for (unsigned int i = 0; i < herd->count; i++) {
		while (!waiter_is_over(&herd->waiters[i])) {
			complete(&herd->ring, 1);
			sleep_ms(1);
		}
		pthread_join(herd->waiters[i].thread, NULL);
	}
	herd->count = 0;
}

FIXTURE_TEARDOWN(waiting)
{
	herd_end(&self->herd);
	ring_close(&self->herd.ring);
}

static void herd_add(struct __test_metadata *_metadata, struct herd *herd,
		     const struct waiter *like)
{
	struct waiter *waiter = &herd->waiters[herd->count];

	ASSERT_GT(THREADS, herd->count);
	*waiter = *like;
	waiter->ring = &herd->ring;
	ASSERT_TRUE(waiter_start(waiter));
	herd->count++;
}

static void herd_start(struct __test_metadata *_metadata, struct herd *herd, unsigned int count)
{
	const struct waiter like = { .args.min_complete = 1, .take = 1 };

	for (unsigned int i = 0; i < count; i++)
		herd_add(_metadata, herd, &like);
}

static unsigned int returns(const struct herd *herd)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < herd->count; i++)
		sum += __atomic_load_n(&herd->waiters[i].returns, __ATOMIC_RELAXED);
	return sum;
}

static unsigned int taken(const struct herd *herd)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < herd->count; i++)
		sum += __atomic_load_n(&herd->waiters[i].taken, __ATOMIC_ACQUIRE);
	return sum;
}

/* Whether so many of them are counted, after a while if it has to. */
static bool await_count(unsigned int (*counted)(const struct herd *herd), const struct herd *herd,
			unsigned int count)
{
	long end = now_ms() + patience(SOON);

	while (counted(herd) < count) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* How often all together were put to sleep. They are over. */
static long sleeps(const struct herd *herd)
{
	long sum = 0;

	for (unsigned int i = 0; i < herd->count; i++)
		sum += herd->waiters[i].sleeps;
	return sum;
}

/* Let all out, each with a completion of its own, and count. */
static void expect_few_sleeps(struct __test_metadata *_metadata, struct herd *herd)
{
	while (taken(herd) < herd->count) {
		unsigned int before = taken(herd);

		complete(&herd->ring, 1);
		ASSERT_TRUE(await_count(taken, herd, before + 1));
	}
	for (unsigned int i = 0; i < herd->count; i++)
		ASSERT_TRUE(await_waiter(&herd->waiters[i]));
	TH_LOG("%u threads: %u waits succeeded, %ld sleeps", herd->count, returns(herd),
	       sleeps(herd));
	EXPECT_EQ(herd->count, returns(herd));
	EXPECT_LE(herd->count, sleeps(herd));
	EXPECT_GE(herd->count + herd->count / 4, sleeps(herd));
}

TEST_F(waiting, ends_for_one_thread_a_completion)
{
	struct herd *herd = &self->herd;

	ASSERT_EQ(0, ring_open(&herd->ring, ENTRIES, 0));
	herd_start(_metadata, herd, THREADS);
	for (unsigned int i = 1; i <= COMPLETIONS; i++) {
		complete(&herd->ring, 1);
		ASSERT_TRUE(await_count(taken, herd, i));
	}
	sleep_ms(A_WHILE);
	EXPECT_EQ(COMPLETIONS, returns(herd));
	expect_few_sleeps(_metadata, herd);
}

/* Also while nobody reads. */
TEST_F(waiting, ends_for_as_many_threads_as_completions_come_at_once)
{
	struct herd *herd = &self->herd;

	ASSERT_EQ(0, ring_open(&herd->ring, ENTRIES, 0));
	herd_start(_metadata, herd, THREADS);
	pthread_mutex_lock(&reading);
	complete(&herd->ring, COMPLETIONS);
	EXPECT_TRUE(await_count(returns, herd, COMPLETIONS));
	sleep_ms(A_WHILE);
	EXPECT_EQ(COMPLETIONS, returns(herd));
	pthread_mutex_unlock(&reading);
	EXPECT_TRUE(await_count(taken, herd, COMPLETIONS));
	expect_few_sleeps(_metadata, herd);
}

/* Nobody reads before all who were woken are back, from a queue that holds a part of it. */
TEST_F(waiting, counts_completions_without_room)
{
	const unsigned int entries = 4;
	struct io_ring_setup wanted = ring_wanted(entries, IO_RING_SETUP_CQSIZE);
	struct herd *herd = &self->herd;

	wanted.cq_entries = entries;
	wanted.requests = COMPLETIONS;
	ASSERT_EQ(0, ring_open_as(&herd->ring, &wanted));
	herd_start(_metadata, herd, COMPLETIONS);
	pthread_mutex_lock(&reading);
	for (unsigned int i = 0; i < COMPLETIONS; i += entries)
		complete(&herd->ring, entries);
	EXPECT_EQ(entries, ring_ready(&herd->ring));
	EXPECT_TRUE(await_count(returns, herd, COMPLETIONS));
	pthread_mutex_unlock(&reading);
	EXPECT_TRUE(await_count(taken, herd, COMPLETIONS));
}

static void tick(int signal)
{
	(void)signal;
}

/* Whether somebody waits for what can be read. */
static bool is_missed(const struct herd *herd)
{
	for (unsigned int i = 0; i < herd->count; i++) {
		const struct waiter *waiter = &herd->waiters[i];
		__u32 wanted = waiter->args.min_wait ? 1 : waiter->args.min_complete;

		if (wanted <= ring_ready(&herd->ring) && !waiter_is_over(waiter))
			return true;
	}
	return false;
}

static bool await_none_missed(const struct herd *herd)
{
	long end = now_ms() + patience(SOON);

	while (is_missed(herd)) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

#define ROUNDS 50
#define MIXED 8
#define MIXED_COMPLETIONS 12

/* A round: some leave because of the time or a signal, while completions come. */
static void one_round(struct __test_metadata *_metadata, struct herd *herd)
{
	static const struct waiter kinds[MIXED] = {
		{ .args = { .min_complete = 2 }, .take = 2 },
		{ .args = { .min_complete = 1 }, .take = 1 },
		{ .args = { .min_complete = 3 }, .take = 3 },	/* gets a signal */
		{ .args = { .min_complete = 1 }, .take = 1 },
		{ .args = { .min_complete = 1 }, .take = 1 },
		{ .args = { .min_complete = 2, .timeout = 1 }, .take = 2 },
		{ .args = { .min_complete = 1, .timeout = 1 }, .take = 1 },
		{ .args = { .min_complete = 3, .min_wait = 1 }, .take = 1 },
	};
	const struct waiter *interrupted = &herd->waiters[2];
	unsigned int posted = 0;

	for (unsigned int i = 0; i < MIXED; i++) {
		struct waiter waiter = kinds[i];

		waiter.args.timeout *= 20 * MS + rand() % (20 * MS);
		waiter.args.min_wait *= 20 * MS + rand() % (20 * MS);
		herd_add(_metadata, herd, &waiter);
	}
	while (posted < MIXED_COMPLETIONS) {
		unsigned int count = 1 + rand() % 3;

		complete(&herd->ring, count);
		posted += count;
		if (rand() % 4 == 0 && !waiter_is_over(interrupted))
			pthread_kill(interrupted->thread, SIGUSR1);
		clock_sleep(rand() % (4 * MS));
	}
	EXPECT_TRUE(await_none_missed(herd));
	EXPECT_EQ(posted, taken(herd) + ring_ready(&herd->ring));
	herd_end(herd);
	while (pop_alone(&herd->ring))
		;
}

TEST_F(waiting, of_all_kinds_misses_nothing)
{
	const struct sigaction action = { .sa_handler = tick };
	struct herd *herd = &self->herd;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, ring_open(&herd->ring, ENTRIES, 0));
	srand(1);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		one_round(_metadata, herd);
		ASSERT_FALSE(_metadata->exit_code) {
			TH_LOG("round %u", round);
		}
	}
}

TEST_HARNESS_MAIN
