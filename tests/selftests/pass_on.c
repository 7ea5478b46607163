// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who was woken for a completion and cannot use it leaves it to the next.
 *
 * All threads run on one processor and in a fixed order, so that each sees what
 * those before it have left.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "waiter.h"

#define ENTRIES 8

enum turn { RUNS_LAST = 1, RUNS_SECOND, RUNS_FIRST, RUNS_TESTS };

FIXTURE(passing)
{
	struct ring ring;
};

FIXTURE_SETUP(passing)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(passing)
{
	ring_close(&self->ring);
}

static void complete_one(const struct ring *ring)
{
	ring_push_nops(ring, 1, 0);
	ring_enter(ring, 1, 0);
}

static struct waiter reader(const struct ring *ring, int priority)
{
	return (struct waiter) {
		.ring = ring,
		.args.min_complete = 1,
		.take = 1,
		.priority = priority,
	};
}

static void tick(int signal)
{
	(void)signal;
}

FIXTURE(sharing)
{
	struct ring ring;
	int epoll;
};

FIXTURE_VARIANT(sharing)
{
	__u64 timeout;
	int signal;
	bool with_epoll;	/* the one who is left is not in IO_RING_ENTER */
	int result;	/* of the one who does not get enough */
};

FIXTURE_VARIANT_ADD(sharing, with_one_who_goes_on_waiting)
{
	.result = 0,
};

FIXTURE_VARIANT_ADD(sharing, with_one_who_leaves_it_to_epoll)
{
	.with_epoll = true,
	.result = 0,
};

FIXTURE_VARIANT_ADD(sharing, with_one_whose_time_is_over)
{
	.timeout = SECOND,
	.result = -ETIME,
};

FIXTURE_VARIANT_ADD(sharing, with_one_who_gets_a_signal)
{
	.signal = SIGUSR1,
	.result = -EINTR,
};

FIXTURE_SETUP(sharing)
{
	const struct sigaction action = { .sa_handler = tick };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LT(0, self->epoll);
}

FIXTURE_TEARDOWN(sharing)
{
	close(self->epoll);
	ring_close(&self->ring);
}

/*
 * One completion is for the first, and the second is enough for the one who wants
 * two, until the first has read: then it is for the third.
 */
TEST_F(sharing, leaves_nothing_unread)
{
	struct waiter first = reader(&self->ring, RUNS_FIRST);
	struct waiter greedy = {
		.ring = &self->ring,
		.args.min_complete = 2,
		.args.timeout = variant->timeout,
		.take = 2,
		.priority = RUNS_LAST,
	};
	struct waiter third = reader(&self->ring, RUNS_SECOND);
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	__u64 begin;

	ASSERT_EQ(0, run_before(RUNS_TESTS));
	ASSERT_TRUE(waiter_start(&first));
	ASSERT_TRUE(waiter_start(&greedy));
	begin = clock_now(CLOCK_MONOTONIC);
	if (variant->with_epoll) {
		ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->ring.fd, &event));
		third.epoll = self->epoll;
	}
	ASSERT_TRUE(waiter_start(&third));
	complete_one(&self->ring);
	complete_one(&self->ring);
	ASSERT_FALSE(waiter_is_over(&greedy));
	if (variant->signal)
		ASSERT_EQ(0, pthread_kill(greedy.thread, variant->signal));
	while (variant->timeout && clock_since(begin) <= variant->timeout)
		;
	EXPECT_TRUE(await_waiter(&first));
	EXPECT_TRUE(await_waiter(&third));
	EXPECT_EQ(1, first.taken);
	EXPECT_EQ(1, third.taken);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(variant->result != 0,
		  variant->result ? await_waiter(&greedy) : waiter_is_over(&greedy));
	while (!waiter_is_over(&greedy) || !waiter_is_over(&third)) {
		complete_one(&self->ring);
		sleep_ms(1);
	}
	EXPECT_EQ(variant->result, greedy.result);
	pthread_join(first.thread, NULL);
	pthread_join(greedy.thread, NULL);
	pthread_join(third.thread, NULL);
}

/* A process that is killed after it was woken, and before it could read. */
TEST_F(passing, of_one_who_is_killed)
{
	struct waiter next = reader(&self->ring, RUNS_LAST);
	pid_t child = fork();

	if (child == 0)
		_exit(run_before(RUNS_LAST) || ring_enter(&self->ring, 0, 1));
	ASSERT_LT(0, child);
	ASSERT_EQ(0, run_before(RUNS_TESTS));
	for (unsigned int i = 0; i < SOON && !is_asleep(child); i++)
		sleep_ms(1);
	ASSERT_TRUE(waiter_start(&next));
	complete_one(&self->ring);
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_TRUE(await_waiter(&next));
	EXPECT_EQ(1, next.taken);
	while (!waiter_is_over(&next)) {
		complete_one(&self->ring);
		sleep_ms(1);
	}
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	pthread_join(next.thread, NULL);
}

FIXTURE(stalling)
{
	struct ring ring;
	int pipes[2][2];
	char bytes[2];
};

FIXTURE_VARIANT(stalling)
{
	bool comes_first;
};

FIXTURE_VARIANT_ADD(stalling, before_others)
{
	.comes_first = true,
};

FIXTURE_VARIANT_ADD(stalling, behind_others)
{
	.comes_first = false,
};

FIXTURE_SETUP(stalling)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	for (unsigned int i = 0; i < 2; i++) {
		struct io_ring_sqe sqe;

		ASSERT_EQ(0, pipe(self->pipes[i]));
		sqe = sqe_rw(IO_RING_OP_READ, self->pipes[i][0], &self->bytes[i], 1, 0);
		ring_push(&self->ring, &sqe);
	}
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
}

FIXTURE_TEARDOWN(stalling)
{
	ring_close(&self->ring);
	for (unsigned int i = 0; i < 2; i++) {
		close(self->pipes[i][0]);
		close(self->pipes[i][1]);
	}
}

/* The last completion is for the one who reads it, and tells the other that it stalls. */
TEST_F(stalling, and_reading_with_the_same_completion)
{
	struct waiter readers[2] = { reader(&self->ring, 0), reader(&self->ring, 0) };
	struct waiter careful = {
		.ring = &self->ring,
		.args = { .min_complete = 2, .flags = IO_RING_ENTER_NO_STALL },
		.take = 2,
	};

	if (variant->comes_first)
		ASSERT_TRUE(waiter_start(&careful));
	for (unsigned int i = 0; i < 2; i++)
		ASSERT_TRUE(waiter_start(&readers[i]));
	if (!variant->comes_first)
		ASSERT_TRUE(waiter_start(&careful));
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_FALSE(waiter_is_over(&careful));
		ASSERT_EQ(1, write(self->pipes[i][1], "x", 1));
		EXPECT_TRUE(await_waiter(&readers[i]));
		EXPECT_EQ(1, readers[i].taken);
	}
	EXPECT_TRUE(await_waiter(&careful));
	EXPECT_EQ(-EDEADLK, careful.result);
	while (!waiter_is_over(&careful) || !waiter_is_over(&readers[1])) {
		complete_one(&self->ring);
		sleep_ms(1);
	}
	pthread_join(careful.thread, NULL);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(readers[i].thread, NULL);
}

TEST_HARNESS_MAIN
