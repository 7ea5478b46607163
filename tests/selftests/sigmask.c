// SPDX-License-Identifier: GPL-2.0-only
/* Waits under another signal mask. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "clock.h"
#include "harness.h"
#include "process.h"
#include "ring.h"

#define ENTRIES 4
#define TICK (30 * MS)
#define BIT(signal) (1ULL << ((signal) - 1))

/* What the handler of SIGUSR1 saw: how often it ran, and what was blocked then. */
static unsigned int handled;
static sigset_t blocked_then;

static void handle(int signal)
{
	(void)signal;
	handled++;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked_then);
}

static __u64 blocked_now(void)
{
	__u64 mask = 0;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (int signal = 1; signal <= 64; signal++) {
		if (sigismember(&set, signal) == 1)
			mask |= BIT(signal);
	}
	return mask;
}

static void block(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	pthread_sigmask(how, &set, NULL);
}

/* SIGUSR2 is blocked throughout. */
FIXTURE(sigmask)
{
	struct ring ring;
	__u64 mask;
	struct io_ring_enter args;
};

FIXTURE_SETUP(sigmask)
{
	const struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	handled = 0;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	block(SIG_BLOCK, SIGUSR2);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->mask = 0;
	self->args = (struct io_ring_enter) {
		.min_complete = 1,
		.timeout = 10 * SECOND,
		.sigmask = (uintptr_t)&self->mask,
	};
}

FIXTURE_TEARDOWN(sigmask)
{
	EXPECT_EQ(0, self->mask & ~(BIT(SIGUSR1) | BIT(SIGINT)));
	ring_close(&self->ring);
}

/* A signal that is pending, and blocked but for the wait, is what the wait is for. */
TEST_F(sigmask, lets_in_a_signal_that_is_blocked_otherwise)
{
	__u64 before;

	block(SIG_BLOCK, SIGUSR1);
	before = blocked_now();
	self->mask = BIT(SIGINT);
	raise(SIGUSR1);
	EXPECT_EQ(-EINTR, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(1, sigismember(&blocked_then, SIGINT));
	EXPECT_EQ(0, sigismember(&blocked_then, SIGUSR2));
	EXPECT_EQ(before, blocked_now());
}

struct sender {
	pthread_t to;
	int signal;
};

static void *send_later(void *arg)
{
	const struct sender *sender = arg;

	clock_sleep(TICK);
	pthread_kill(sender->to, sender->signal);
	return NULL;
}

TEST_F(sigmask, lets_in_a_signal_during_the_wait)
{
	struct sender sender = { pthread_self(), SIGUSR1 };
	__u64 before;
	pthread_t thread;

	block(SIG_BLOCK, SIGUSR1);
	before = blocked_now();
	ring_push_nops(&self->ring, 2, 0);
	self->args.to_submit = 2;
	self->args.min_complete = 3;
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_later, &sender));
	EXPECT_EQ(2, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(-EINTR, self->args.wait_error);
	EXPECT_EQ(1, handled);
	EXPECT_EQ(before, blocked_now());
	pthread_join(thread, NULL);
}

TEST_F(sigmask, keeps_out_a_signal_until_the_wait_is_over)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct sender sender = { pthread_self(), SIGUSR1 };
	__u64 before = blocked_now();
	pthread_t thread;

	self->mask = BIT(SIGUSR1);
	self->args.timeout = 4 * TICK;
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_later, &sender));
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_LE(4 * TICK, clock_since(begin));
	EXPECT_EQ(1, handled);
	EXPECT_EQ(1, sigismember(&blocked_then, SIGUSR2));
	EXPECT_EQ(before, blocked_now());
	pthread_join(thread, NULL);
}

TEST_F(sigmask, does_not_matter_with_enough_completions)
{
	__u64 before;

	block(SIG_BLOCK, SIGUSR1);
	before = blocked_now();
	raise(SIGUSR1);
	ring_push_nops(&self->ring, 1, 0);
	self->args.to_submit = 1;
	EXPECT_EQ(1, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(0, self->args.wait_error);
	EXPECT_EQ(0, handled);
	EXPECT_EQ(before, blocked_now());
}

/* Fewer than asked for are taken, so that there is no wait. */
TEST_F(sigmask, does_not_matter_with_too_few_entries)
{
	__u64 before;

	block(SIG_BLOCK, SIGUSR1);
	before = blocked_now();
	raise(SIGUSR1);
	self->args.to_submit = 1;
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(0, self->args.wait_error);
	EXPECT_EQ(0, handled);
	EXPECT_EQ(before, blocked_now());
}

/* Every end of a wait but a signal brings the mask back at once. */
TEST_F(sigmask, is_gone_after_every_wait)
{
	__u64 before = blocked_now();
	struct io_ring_cqe cqe;

	self->mask = BIT(SIGUSR1) | BIT(SIGINT);
	self->args.timeout = 1;
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(before, blocked_now());
	self->args.flags = IO_RING_ENTER_NO_STALL;
	self->args.wait_error = 0;
	self->args.timeout = 0;
	EXPECT_EQ(-EDEADLK, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(before, blocked_now());
	self->args.wait_error = 0;
	ring_push_nops(&self->ring, 1, 0);
	self->args.to_submit = 1;
	EXPECT_EQ(1, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(before, blocked_now());
	EXPECT_TRUE(ring_pop(&self->ring, &cqe));
	ring_store(&self->ring, self->ring.setup.cq_off.head, 7);
	self->args.to_submit = 0;
	EXPECT_EQ(-EOVERFLOW, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(before, blocked_now());
}

/* A signal without a handler ends no wait, and leaves no mask behind either. */
TEST_F(sigmask, is_gone_after_a_signal_that_is_ignored)
{
	struct sender sender = { pthread_self(), SIGUSR2 };
	__u64 before = blocked_now();
	pthread_t thread;

	signal(SIGUSR2, SIG_IGN);
	self->args.timeout = 4 * TICK;
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_later, &sender));
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &self->args));
	EXPECT_EQ(before, blocked_now());
	pthread_join(thread, NULL);
}

static int wait_with_all_blocked(void *arg)
{
	const struct ring *ring = arg;
	const __u64 all = ~0ULL;
	struct io_ring_enter args = {
		.min_complete = 1,
		.timeout = 10 * SECOND,
		.sigmask = (uintptr_t)&all,
	};

	return ring_enter_fd(ring->fd, &args) == -ETIME ? 0 : 1;
}

TEST_F(sigmask, cannot_keep_out_kill_and_stop)
{
	pid_t child = spawn(wait_with_all_blocked, &self->ring);
	int status;

	ASSERT_LT(0, child);
	clock_sleep(TICK);
	EXPECT_EQ(0, kill(child, SIGSTOP));
	EXPECT_EQ(child, waitpid(child, &status, WUNTRACED));
	EXPECT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(child));
}

TEST_HARNESS_MAIN
