// SPDX-License-Identifier: GPL-2.0-only
/* Waits that time ends: timeouts by each clock, and min_wait. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "clock.h"
#include "harness.h"
#include "process.h"
#include "ring.h"

#define ENTRIES 8
#define TICK (30 * MS)
#define LONGEST ((__u64)INT64_MAX)

static void submit_nops(const struct ring *ring, unsigned int count)
{
	ring_push_nops(ring, count, 0);
	ring_enter(ring, count, 0);
}

/* Submits NOPs from another thread, after a while. */
struct helper {
	const struct ring *ring;
	unsigned int nops;
	__u64 delay;
	pthread_t thread;
};

static void *help(void *arg)
{
	const struct helper *helper = arg;

	clock_sleep(helper->delay);
	submit_nops(helper->ring, helper->nops);
	return NULL;
}

static int start_help(struct helper *helper)
{
	return -pthread_create(&helper->thread, NULL, help, helper);
}

struct timing {
	clockid_t clock;
	__u32 flags;
};

FIXTURE(timeout)
{
	struct ring ring;
};

FIXTURE_VARIANT(timeout)
{
	struct timing timing;
};

FIXTURE_VARIANT_ADD(timeout, realtime) { { CLOCK_REALTIME, 0 } };
FIXTURE_VARIANT_ADD(timeout, monotonic) { { CLOCK_MONOTONIC, 0 } };
FIXTURE_VARIANT_ADD(timeout, boottime) { { CLOCK_BOOTTIME, 0 } };
FIXTURE_VARIANT_ADD(timeout, absolute_realtime) { { CLOCK_REALTIME, IO_RING_ENTER_ABS_TIMER } };
FIXTURE_VARIANT_ADD(timeout, absolute_monotonic) { { CLOCK_MONOTONIC, IO_RING_ENTER_ABS_TIMER } };
FIXTURE_VARIANT_ADD(timeout, absolute_boottime) { { CLOCK_BOOTTIME, IO_RING_ENTER_ABS_TIMER } };

FIXTURE_SETUP(timeout)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(timeout)
{
	ring_close(&self->ring);
}

/* A wait that ends after span. */
static struct io_ring_enter wait_for(struct timing timing, __u32 min_complete, __u64 span)
{
	__u64 begin = timing.flags & IO_RING_ENTER_ABS_TIMER ? clock_now(timing.clock) : 0;

	return (struct io_ring_enter) {
		.min_complete = min_complete,
		.flags = timing.flags,
		.clock = timing.clock,
		.timeout = begin + span,
	};
}

TEST_F(timeout, comes_when_it_is_time)
{
	static const __u64 spans[] = { 1, 1000, MS, TICK, 10 * TICK };

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		__u64 begin = clock_now(CLOCK_MONOTONIC);
		struct io_ring_enter args = wait_for(variant->timing, 1, spans[i]);
		__u64 lasted;

		EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
		lasted = clock_since(begin);
		EXPECT_LE(spans[i], lasted);
		EXPECT_GT(spans[i] + LATE, lasted);
	}
}

TEST_F(timeout, does_not_come_with_enough_completions)
{
	static const __u64 spans[] = { 1, TICK, 100 * SECOND };

	submit_nops(&self->ring, 2);
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		struct io_ring_enter args = wait_for(variant->timing, 2, spans[i]);

		EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
		EXPECT_EQ(0, args.wait_error);
	}
}

TEST_F(timeout, is_called_off_by_completions)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct helper helper = { .ring = &self->ring, .nops = 2, .delay = TICK };
	struct io_ring_enter args = wait_for(variant->timing, 2, 100 * SECOND);

	ASSERT_EQ(0, start_help(&helper));
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_GT(TICK + LATE, clock_since(begin));
	EXPECT_EQ(2, ring_ready(&self->ring));
	pthread_join(helper.thread, NULL);
}

TEST_F(timeout, may_be_as_far_away_as_a_number_can_say)
{
	struct helper helper = { .ring = &self->ring, .nops = 1, .delay = TICK };
	struct io_ring_enter args = wait_for(variant->timing, 1, 1);

	args.timeout = LONGEST;
	ASSERT_EQ(0, start_help(&helper));
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	pthread_join(helper.thread, NULL);
}

TEST_F(timeout, leaves_what_was_taken)
{
	struct io_ring_enter args = wait_for(variant->timing, 4, TICK);

	args.to_submit = 3;
	ring_push_nops(&self->ring, 3, 0);
	EXPECT_EQ(3, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(-ETIME, args.wait_error);
	EXPECT_EQ(IO_RING_ENTER_ABS_TIMER & variant->timing.flags, args.flags);
	EXPECT_EQ(0, args.error_field);
	EXPECT_EQ(3, ring_ready(&self->ring));
	EXPECT_EQ(3, ring_load(&self->ring, self->ring.setup.sq_off.head));
}

/* Time that has passed, or that had passed when time began to be counted. */
TEST_F(timeout, in_the_past)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = wait_for(variant->timing, 1, 1);

	if (variant->timing.flags & IO_RING_ENTER_ABS_TIMER) {
		__u64 times[] = { 1, args.timeout / 2, args.timeout - TICK, args.timeout };

		for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
			args.timeout = times[i];
			EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
			args.wait_error = 0;
		}
		submit_nops(&self->ring, 1);
		EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	} else {
		EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
	}
	EXPECT_GT(LATE, clock_since(begin));
}

/* Sets the time of day forward, and back again. */
static void *set_clock(void *arg)
{
	const __u64 *delay = arg;
	struct timespec now;

	clock_sleep(*delay);
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += 3600;
	clock_settime(CLOCK_REALTIME, &now);
	clock_sleep(*delay);
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec -= 3600;
	clock_settime(CLOCK_REALTIME, &now);
	return NULL;
}

/* Half an hour is over at once if an hour is skipped, but only for who goes by the time of day. */
TEST_F(timeout, follows_the_time_of_day_if_it_is_one)
{
	bool follows = variant->timing.clock == CLOCK_REALTIME && variant->timing.flags;
	struct helper helper = { .ring = &self->ring, .nops = 1, .delay = 6 * TICK };
	struct io_ring_enter args = wait_for(variant->timing, 1, 1800 * SECOND);
	__u64 delay = 2 * TICK;
	pthread_t setter;

	ASSERT_EQ(0, pthread_create(&setter, NULL, set_clock, &delay));
	ASSERT_EQ(0, start_help(&helper));
	EXPECT_EQ(follows ? -ETIME : 0, ring_enter_fd(self->ring.fd, &args));
	pthread_join(setter, NULL);
	pthread_join(helper.thread, NULL);
}

struct namespaced {
	const struct ring *ring;
	struct timing timing;
};

/* Waits by clocks that are 10000 seconds ahead. */
static int wait_in_namespace(void *arg)
{
	const struct namespaced *here = arg;
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = wait_for(here->timing, 1, TICK);
	__u64 lasted;

	if (begin < 10000 * SECOND)
		return 1;
	if (ring_enter_fd(here->ring->fd, &args) != -ETIME)
		return 2;
	lasted = clock_since(begin);
	return lasted >= TICK && lasted < TICK + LATE ? 0 : 3;
}

/* Only children of who asks for a time namespace are in it. */
static int in_time_namespace(void *arg)
{
	static const char offsets[] = "monotonic 10000 0\nboottime 10000 0\n";
	FILE *file;

	if (unshare(CLONE_NEWTIME))
		return 10;
	file = fopen("/proc/self/timens_offsets", "w");
	if (!file || fputs(offsets, file) < 0 || fclose(file))
		return 11;
	return in_child(wait_in_namespace, arg);
}

TEST_F(timeout, is_that_of_the_time_namespace)
{
	struct namespaced here = { &self->ring, variant->timing };

	if (access("/proc/self/ns/time", F_OK)) {
		/* Without time namespaces there is only one time. */
		EXPECT_EQ(-1, unshare(CLONE_NEWTIME));
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	EXPECT_EQ(0, in_child(in_time_namespace, &here));
}

FIXTURE(batch)
{
	struct ring ring;
};

FIXTURE_SETUP(batch)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(batch)
{
	ring_close(&self->ring);
}

TEST_F(batch, one_is_enough_after_min_wait)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = { .min_complete = 4, .min_wait = TICK };

	submit_nops(&self->ring, 1);
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_LE(TICK, clock_since(begin));
	EXPECT_GT(TICK + LATE, clock_since(begin));
	EXPECT_EQ(1, ring_ready(&self->ring));
}

TEST_F(batch, all_are_enough_before)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = { .min_complete = 4, .min_wait = 100 * SECOND };
	struct helper helper = { .ring = &self->ring, .nops = 3, .delay = TICK };

	submit_nops(&self->ring, 1);
	ASSERT_EQ(0, start_help(&helper));
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_GT(TICK + LATE, clock_since(begin));
	EXPECT_EQ(4, ring_ready(&self->ring));
	pthread_join(helper.thread, NULL);
}

TEST_F(batch, first_one_after_min_wait_ends_it)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = { .min_complete = 4, .min_wait = TICK };
	struct helper helper = { .ring = &self->ring, .nops = 1, .delay = 4 * TICK };

	ASSERT_EQ(0, start_help(&helper));
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_LE(4 * TICK, clock_since(begin));
	EXPECT_EQ(1, ring_ready(&self->ring));
	pthread_join(helper.thread, NULL);
}

TEST_F(batch, timeout_ends_it_when_there_is_nothing)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = { .min_complete = 4, .min_wait = TICK, .timeout = 3 * TICK };

	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
	EXPECT_LE(3 * TICK, clock_since(begin));
	EXPECT_GT(3 * TICK + LATE, clock_since(begin));
}

TEST_F(batch, timeout_before_min_wait_ends_it)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_enter args = {
		.min_complete = 4,
		.flags = IO_RING_ENTER_ABS_TIMER,
		.clock = CLOCK_REALTIME,
		.timeout = clock_now(CLOCK_REALTIME) + TICK,
		.min_wait = 100 * SECOND,
	};

	submit_nops(&self->ring, 1);
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
	EXPECT_GT(TICK + LATE, clock_since(begin));
	EXPECT_EQ(1, ring_ready(&self->ring));
}

TEST_F(batch, longest_min_wait)
{
	struct io_ring_enter args = { .min_complete = 2, .min_wait = LONGEST, .timeout = TICK };

	submit_nops(&self->ring, 1);
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
}

#define ROUNDS 5000
#define RANGE_NS 100000

struct rival {
	struct ring ring;
	pthread_t thread;
	unsigned int turn;
};

FIXTURE(race)
{
	struct rival rival;
};

/* One NOP a turn, at some time soon after it has begun. */
static void *submit_at_any_time(void *arg)
{
	struct rival *rival = arg;
	unsigned int seed = 1;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		__u64 begin;
		__u64 delay = rand_r(&seed) % RANGE_NS;

		while (__atomic_load_n(&rival->turn, __ATOMIC_ACQUIRE) != round)
			sched_yield();
		begin = clock_now(CLOCK_MONOTONIC);
		while (clock_since(begin) < delay)
			;
		ring_push_nops(&rival->ring, 1, round);
		ring_enter(&rival->ring, 1, 0);
	}
	return NULL;
}

FIXTURE_SETUP(race)
{
	self->rival.turn = 0;
	ASSERT_EQ(0, ring_open(&self->rival.ring, ENTRIES, 0));
	ASSERT_EQ(0, pthread_create(&self->rival.thread, NULL, submit_at_any_time,
				    &self->rival));
}

FIXTURE_TEARDOWN(race)
{
	pthread_join(self->rival.thread, NULL);
	ring_close(&self->rival.ring);
}

TEST_F(race, of_timeout_and_completion_loses_nothing)
{
	unsigned int late = 0, seed = 2;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		struct io_ring_enter args = { .min_complete = 1, .clock = CLOCK_MONOTONIC };
		struct io_ring_cqe cqe;
		int result;

		args.timeout = 1 + rand_r(&seed) % RANGE_NS;
		__atomic_store_n(&self->rival.turn, round, __ATOMIC_RELEASE);
		result = ring_enter_fd(self->rival.ring.fd, &args);
		if (result == -ETIME) {
			late++;
			args.wait_error = 0;
			args.timeout = 10 * SECOND;
			result = ring_enter_fd(self->rival.ring.fd, &args);
		}
		ASSERT_EQ(0, result);
		ASSERT_TRUE(ring_pop(&self->rival.ring, &cqe));
		ASSERT_EQ(round, cqe.user_data);
		ASSERT_FALSE(ring_pop(&self->rival.ring, &cqe));
	}
	TH_LOG("%u of %u timeouts came first", late, ROUNDS);
}

TEST_HARNESS_MAIN
