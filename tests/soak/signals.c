// SPDX-License-Identifier: GPL-2.0-only
/* Signals come all the time, in each of the waits: nothing is lost, and nothing comes twice. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "clock.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"
#include "soak.h"

#define ROUNDS 20000
#define LIMIT_S 7200
#define ENTRIES 8
#define BLOCK 4096
#define PERIOD_US 300
#define DISK_DELAY (2 * MS)
#define FOREVER (1000 * SECOND)

struct bench {
	struct ring ring;
	int epoll;
	int disk;
	int pipe[2];
	int turns[2];		/* a byte for each byte that is to come */
	pthread_t thread;
	unsigned char *memory;
};

static unsigned int signals;

static void on_signal(int signal)
{
	(void)signal;
	__atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

/* Each of these waits once, and tells 0 or -errno. */

static int wait_in_enter(struct bench *bench)
{
	return ring_enter(&bench->ring, 0, 1);
}

static int wait_in_timed_enter(struct bench *bench)
{
	struct io_ring_enter args = {
		.min_complete = 1, .timeout = FOREVER, .clock = CLOCK_MONOTONIC,
	};

	return ring_enter_fd(bench->ring.fd, &args);
}

static int wait_in_poll(struct bench *bench)
{
	struct pollfd pollfd = { .fd = bench->ring.fd, .events = POLLIN };

	return poll(&pollfd, 1, -1) < 0 ? -errno : 0;
}

static int wait_in_epoll(struct bench *bench)
{
	struct epoll_event event;

	return epoll_wait(bench->epoll, &event, 1, -1) < 0 ? -errno : 0;
}

static int wait_in_quiesce(struct bench *bench)
{
	return ring_quiesce(&bench->ring, 0, NULL);
}

FIXTURE(signals)
{
	struct bench bench;
};

FIXTURE_VARIANT(signals)
{
	int (*wait)(struct bench *bench);
	const char *name;
	bool from_disk;		/* the others end when the pipe has a byte */
	int sa_flags;
};

FIXTURE_VARIANT_ADD(signals, in_enter) { wait_in_enter, "ENTER" };
/* That makes no difference to it. */
FIXTURE_VARIANT_ADD(signals, in_enter_with_sa_restart) {
	wait_in_enter, "ENTER with SA_RESTART", .sa_flags = SA_RESTART
};

FIXTURE_VARIANT_ADD(signals, in_timed_enter) { wait_in_timed_enter, "ENTER with a limit" };
FIXTURE_VARIANT_ADD(signals, in_poll) { wait_in_poll, "poll(2)" };
FIXTURE_VARIANT_ADD(signals, in_epoll) { wait_in_epoll, "epoll_wait(2)" };
FIXTURE_VARIANT_ADD(signals, in_quiesce) { wait_in_quiesce, "QUIESCE", .from_disk = true };

/* Feeds the pipe a little later than it is told to. */
static void *feed(void *arg)
{
	struct bench *bench = arg;
	unsigned int random = 1;
	char byte;

	while (read(bench->turns[0], &byte, 1) == 1) {
		clock_sleep(rand_r(&random) % (2 * PERIOD_US) * 1000);
		if (write(bench->pipe[1], &byte, 1) != 1)
			break;
	}
	return NULL;
}

static void signal_all_the_time(bool on, int flags)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	const struct itimerval period = {
		.it_interval.tv_usec = on ? PERIOD_US : 0, .it_value.tv_usec = on ? PERIOD_US : 0,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &period, NULL);
}

/* Only the thread that waits gets the signals. */
static int start_feeding(struct bench *bench)
{
	sigset_t alarms;
	int error;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	error = pthread_create(&bench->thread, NULL, feed, bench);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	return error;
}

FIXTURE_SETUP(signals)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct bench *bench = &self->bench;

	ASSERT_EQ(0, ring_open(&bench->ring, ENTRIES, 0));
	bench->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, bench->epoll);
	ASSERT_EQ(0, epoll_ctl(bench->epoll, EPOLL_CTL_ADD, bench->ring.fd, &event));
	bench->disk = slow_disk_open(DISK_DELAY);
	ASSERT_LE(0, bench->disk);
	ASSERT_EQ(0, posix_memalign((void **)&bench->memory, BLOCK, BLOCK));
	ASSERT_EQ(0, pipe(bench->pipe));
	ASSERT_EQ(0, pipe(bench->turns));
	ASSERT_EQ(0, start_feeding(bench));
}

FIXTURE_TEARDOWN(signals)
{
	close(self->bench.turns[1]);
	EXPECT_EQ(0, pthread_join(self->bench.thread, NULL));
	close(self->bench.epoll);
	ring_close(&self->bench.ring);
	slow_disk_close(self->bench.disk);
	free(self->bench.memory);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F_TIMEOUT(signals, lose_nothing, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	struct bench *bench = &self->bench;
	unsigned int interrupted = 0;
	struct io_ring_cqe cqe;

	signal_all_the_time(true, variant->sa_flags);
	for (unsigned int round = 0; round < rounds; round++) {
		struct io_ring_sqe sqe = variant->from_disk ?
			sqe_rw(IO_RING_OP_READ, bench->disk, bench->memory, BLOCK, 0) :
			sqe_rw(IO_RING_OP_READ, bench->pipe[0], bench->memory, 1, 0);
		int taken, error;

		sqe.user_data = round;
		ring_push(&bench->ring, &sqe);
		/* Before anything is taken, a signal may come. */
		do
			taken = ring_enter(&bench->ring, 1, 0);
		while (taken == -EINTR);
		ASSERT_EQ(1, taken);
		if (!variant->from_disk)
			while (write(bench->turns[1], "x", 1) != 1)
				ASSERT_EQ(EINTR, errno);
		while ((error = variant->wait(bench)) == -EINTR)
			interrupted++;
		ASSERT_EQ(0, error);
		ASSERT_EQ(1, ring_ready(&bench->ring));
		ASSERT_TRUE(ring_pop(&bench->ring, &cqe));
		ASSERT_EQ(round, cqe.user_data);
		ASSERT_EQ(variant->from_disk ? BLOCK : 1, cqe.res);
		soak_progress(round, rounds);
	}
	signal_all_the_time(false, 0);
	soak_figure("%s: %u waits, %u signals, %u times interrupted", variant->name, rounds,
		    __atomic_load_n(&signals, __ATOMIC_RELAXED), interrupted);
	EXPECT_LT(0, interrupted);
}

TEST_HARNESS_MAIN
