// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for completions: how many, and what ends it early. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "harness.h"
#include "ring.h"

#define ENTRIES 8
#define TICK_US 20000

FIXTURE(waiting)
{
	struct ring ring;
};

FIXTURE_SETUP(waiting)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(waiting)
{
	ring_close(&self->ring);
}

static void submit_nops(const struct ring *ring, unsigned int count)
{
	ring_push_nops(ring, count, 0);
	ring_enter(ring, count, 0);
}

TEST_F(waiting, is_over_at_once_if_enough_can_be_read)
{
	submit_nops(&self->ring, 5);
	for (__u32 min = 0; min <= 5; min++)
		EXPECT_EQ(0, ring_enter(&self->ring, 0, min));
	EXPECT_EQ(5, ring_ready(&self->ring));
}

TEST_F(waiting, is_for_no_more_than_the_queue_holds)
{
	static const __u32 wishes[] = { 2 * ENTRIES, 2 * ENTRIES + 1, 1U << 31, ~0U };

	submit_nops(&self->ring, ENTRIES);
	submit_nops(&self->ring, ENTRIES);
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		EXPECT_EQ(0, ring_enter(&self->ring, 0, wishes[i]));
	EXPECT_EQ(2 * ENTRIES, ring_ready(&self->ring));
}

struct waiter {
	const struct ring *ring;
	__u32 min_complete;
	int result;
	__u32 ready;
	bool over;
};

static void *wait_here(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = ring_enter(waiter->ring, 0, waiter->min_complete);
	waiter->ready = ring_ready(waiter->ring);
	__atomic_store_n(&waiter->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_over(const struct waiter *waiter)
{
	return __atomic_load_n(&waiter->over, __ATOMIC_ACQUIRE);
}

TEST_F(waiting, is_for_exactly_that_many)
{
	for (__u32 min = 1; min <= 4; min++) {
		struct waiter waiter = { .ring = &self->ring, .min_complete = min };
		struct io_ring_cqe cqe;
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, wait_here, &waiter));
		for (__u32 i = 0; i < min; i++) {
			usleep(TICK_US);
			EXPECT_FALSE(is_over(&waiter)) {
				TH_LOG("woken with %u of %u", i, min);
			}
			submit_nops(&self->ring, 1);
		}
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(0, waiter.result);
		EXPECT_EQ(min, waiter.ready);
		while (ring_pop(&self->ring, &cqe))
			;
	}
}

static unsigned int over(const struct waiter *waiters, unsigned int count)
{
	unsigned int over = 0;

	for (unsigned int i = 0; i < count; i++)
		over += is_over(&waiters[i]);
	return over;
}

/* Who is over may have been woken to read, so the others go on waiting. */
TEST_F(waiting, ends_for_one_more_with_each_completion)
{
	struct waiter waiters[4];
	pthread_t threads[ARRAY_SIZE(waiters)];

	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
		waiters[i] = (struct waiter) { .ring = &self->ring, .min_complete = 1 + i / 2 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, wait_here, &waiters[i]));
	}
	usleep(TICK_US);
	for (unsigned int i = 1; i <= ARRAY_SIZE(waiters); i++) {
		submit_nops(&self->ring, 1);
		while (over(waiters, ARRAY_SIZE(waiters)) < i)
			usleep(TICK_US);
		usleep(TICK_US);
		EXPECT_EQ(i, over(waiters, ARRAY_SIZE(waiters)));
		EXPECT_LE(over(&waiters[2], 2), i - 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, waiters[i].result);
	}
}

static void tick(int signal)
{
	(void)signal;
}

/* Signals come again and again, as the first may come before the wait has begun. */
static void start_ticking(struct __test_metadata *_metadata, int flags)
{
	const struct sigaction action = { .sa_handler = tick, .sa_flags = flags };
	const struct itimerval timer = {
		.it_value = { .tv_usec = TICK_US },
		.it_interval = { .tv_usec = TICK_US },
	};

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
}

static void stop_ticking(void)
{
	const struct itimerval never = { 0 };

	setitimer(ITIMER_REAL, &never, NULL);
}

TEST_F(waiting, is_ended_by_a_signal)
{
	static const int flags[] = { 0, SA_RESTART };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_enter args = { .min_complete = 1 };

		start_ticking(_metadata, flags[i]);
		EXPECT_EQ(-EINTR, ring_enter_fd(self->ring.fd, &args)) {
			TH_LOG("sa_flags %#x", flags[i]);
		}
		stop_ticking();
	}
	/* The ring is none the worse for it. */
	submit_nops(&self->ring, 1);
	EXPECT_EQ(0, ring_enter(&self->ring, 0, 1));
}

TEST_F(waiting, tells_of_the_signal_apart_from_what_was_taken)
{
	struct io_ring_enter args = { .to_submit = 3, .min_complete = 4 };

	ring_push_nops(&self->ring, 3, 0);
	start_ticking(_metadata, 0);
	EXPECT_EQ(3, ring_enter_fd(self->ring.fd, &args));
	stop_ticking();
	EXPECT_EQ(-EINTR, args.wait_error);
	EXPECT_EQ(3, ring_ready(&self->ring));
	EXPECT_EQ(3, ring_load(&self->ring, self->ring.setup.sq_off.head));
}

/* With it left there, the argument cannot be used again. */
TEST_F(waiting, leaves_its_error_in_the_argument)
{
	struct io_ring_enter args = { .min_complete = 1 };

	start_ticking(_metadata, 0);
	EXPECT_EQ(-EINTR, ring_enter_fd(self->ring.fd, &args));
	stop_ticking();
	EXPECT_EQ(-EINTR, args.wait_error);
	EXPECT_EQ(0, args.error_field);
	args.timeout = 1;
	EXPECT_EQ(-EINVAL, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(offsetof(struct io_ring_enter, wait_error), args.error_field);
}

/* Stopped and continued until it has told that this has ended its wait. */
TEST_F(waiting, ends_when_the_process_is_continued)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(ring_enter(&self->ring, 0, 1) == -EINTR ? 0 : 1);
	ASSERT_LT(0, child);
	for (unsigned int i = 0; i < 1000; i++) {
		kill(child, SIGSTOP);
		ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
		if (!WIFSTOPPED(status))
			break;
		kill(child, SIGCONT);
		usleep(TICK_US);
	}
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	if (WIFSTOPPED(status))
		kill(child, SIGKILL);
}

TEST_F(waiting, goes_on_when_the_signal_is_blocked)
{
	struct waiter waiter = { .ring = &self->ring, .min_complete = 1 };
	pthread_t thread;
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &alarm, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_here, &waiter));
	ASSERT_EQ(0, pthread_kill(thread, SIGALRM));
	usleep(TICK_US);
	EXPECT_FALSE(is_over(&waiter));
	submit_nops(&self->ring, 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waiter.result);
}

TEST_F(waiting, can_be_killed)
{
	pid_t child = fork();

	if (child == 0)
		_exit(ring_enter(&self->ring, 0, 1) != 0);
	ASSERT_LT(0, child);
	usleep(TICK_US);
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(child, waitpid(child, NULL, 0));
}

TEST_HARNESS_MAIN
