// SPDX-License-Identifier: GPL-2.0-only
/* A ring that is polled, with completions that come from wherever they can come from. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "await.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "way.h"

#define ENTRIES 8
#define DELAY (20 * MS)
#define EXCLUSIVE 4		/* that many wait for one completion each */

FIXTURE(way)
{
	struct ring ring;
	struct ways ways;
	int epoll;
};

FIXTURE_VARIANT(way)
{
	enum io_ring_path way;
};

FIXTURE_VARIANT_ADD(way, inline) { .way = IO_RING_PATH_INLINE };
FIXTURE_VARIANT_ADD(way, polled) { .way = IO_RING_PATH_POLLED };
FIXTURE_VARIANT_ADD(way, worker) { .way = IO_RING_PATH_WORKER };
FIXTURE_VARIANT_ADD(way, device) { .way = IO_RING_PATH_DEVICE };

FIXTURE_SETUP(way)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_TRUE(ways_open(&self->ways, DELAY));
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->epoll);
}

FIXTURE_TEARDOWN(way)
{
	ring_close(&self->ring);
	ways_close(&self->ways);
	close(self->epoll);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* One thread submits, and sees to it that there is a completion, while another one sleeps. */
struct feeder {
	const struct ring *ring;
	const struct ways *ways;
	enum io_ring_path way;
	bool fed;
	pthread_t thread;
};

static void *feed(void *arg)
{
	struct feeder *feeder = arg;

	sleep_ms(A_WHILE / 2);
	feeder->fed = way_begin(feeder->ways, feeder->ring, feeder->way) == 1 &&
		      way_end(feeder->ways, feeder->way);
	return NULL;
}

static void start_feeding(struct __test_metadata *_metadata, struct feeder *feeder,
			  const struct ring *ring, const struct ways *ways, enum io_ring_path way)
{
	*feeder = (struct feeder) { .ring = ring, .ways = ways, .way = way };
	ASSERT_EQ(0, pthread_create(&feeder->thread, NULL, feed, feeder));
}

/* It has been fed, and there is the one completion that was to come. */
static void expect_one(struct __test_metadata *_metadata, struct feeder *feeder)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, pthread_join(feeder->thread, NULL));
	EXPECT_TRUE(feeder->fed);
	ASSERT_TRUE(ring_pop(feeder->ring, &cqe));
	EXPECT_TRUE(way_is(&cqe, feeder->way));
	EXPECT_EQ(0, ring_ready(feeder->ring));
}

static void watch(struct __test_metadata *_metadata, int epoll, int fd, __u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/* The events that come within a time, or 0. */
static __u32 events_of(int epoll, int timeout)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, timeout) == 1 ? event.events : 0;
}

TEST_F(way, wakes_poll)
{
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };
	struct feeder feeder;

	start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
	EXPECT_EQ(1, poll(&pollfd, 1, patience(SOON)));
	EXPECT_EQ(POLLIN, pollfd.revents);
	expect_one(_metadata, &feeder);
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
}

TEST_F(way, wakes_ppoll)
{
	const struct timespec limit = { .tv_sec = patience(SOON) / 1000 + 1 };
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };
	struct feeder feeder;
	sigset_t none;

	sigemptyset(&none);
	start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
	EXPECT_EQ(1, ppoll(&pollfd, 1, &limit, &none));
	EXPECT_EQ(POLLIN, pollfd.revents);
	expect_one(_metadata, &feeder);
}

TEST_F(way, wakes_select)
{
	struct timeval limit = { .tv_sec = patience(SOON) / 1000 + 1 };
	struct feeder feeder;
	fd_set readable;

	FD_ZERO(&readable);
	FD_SET(self->ring.fd, &readable);
	start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
	EXPECT_EQ(1, select(self->ring.fd + 1, &readable, NULL, NULL, &limit));
	EXPECT_TRUE(FD_ISSET(self->ring.fd, &readable));
	expect_one(_metadata, &feeder);
}

TEST_F(way, wakes_level)
{
	struct feeder feeder;

	watch(_metadata, self->epoll, self->ring.fd, EPOLLIN);
	for (unsigned int round = 0; round < 2; round++) {
		start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, patience(SOON)));
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, 0));
		expect_one(_metadata, &feeder);
		EXPECT_EQ(0, events_of(self->epoll, 0));
	}
}

/* What has been told is not told again, though it is still there; what comes next is. */
TEST_F(way, wakes_edge)
{
	struct feeder feeder;
	struct io_ring_cqe cqe;

	watch(_metadata, self->epoll, self->ring.fd, EPOLLIN | EPOLLET);
	for (unsigned int round = 1; round <= 3; round++) {
		start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, patience(SOON)));
		ASSERT_EQ(0, pthread_join(feeder.thread, NULL));
		EXPECT_TRUE(feeder.fed);
		EXPECT_EQ(0, events_of(self->epoll, A_WHILE / 4));
		EXPECT_EQ(round, ring_ready(&self->ring));
	}
	while (ring_pop(&self->ring, &cqe))
		EXPECT_TRUE(way_is(&cqe, variant->way));
	EXPECT_EQ(0, events_of(self->epoll, 0));
}

TEST_F(way, wakes_oneshot)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT };
	struct feeder feeder;

	watch(_metadata, self->epoll, self->ring.fd, again.events);
	for (unsigned int round = 0; round < 2; round++) {
		start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, patience(SOON)));
		expect_one(_metadata, &feeder);
		ASSERT_EQ(1, way_begin(&self->ways, &self->ring, variant->way));
		ASSERT_TRUE(way_end(&self->ways, variant->way));
		ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
		EXPECT_EQ(0, events_of(self->epoll, A_WHILE / 4));
		/* Whoever asks again is told of what is there. */
		ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_MOD, self->ring.fd, &again));
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, patience(SOON)));
		ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_MOD, self->ring.fd, &again));
		{
			struct io_ring_cqe cqe;

			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		}
		EXPECT_EQ(0, events_of(self->epoll, 0));
	}
}

TEST_F(way, wakes_nested)
{
	int middle = epoll_create1(EPOLL_CLOEXEC);
	int outer = epoll_create1(EPOLL_CLOEXEC);
	struct feeder feeder;

	ASSERT_LE(0, middle);
	ASSERT_LE(0, outer);
	watch(_metadata, self->epoll, self->ring.fd, EPOLLIN);
	watch(_metadata, middle, self->epoll, EPOLLIN);
	watch(_metadata, outer, middle, EPOLLIN | EPOLLET);
	for (unsigned int round = 0; round < 2; round++) {
		start_feeding(_metadata, &feeder, &self->ring, &self->ways, variant->way);
		EXPECT_EQ(EPOLLIN, events_of(outer, patience(SOON)));
		EXPECT_EQ(EPOLLIN, events_of(middle, 0));
		EXPECT_EQ(EPOLLIN, events_of(self->epoll, 0));
		expect_one(_metadata, &feeder);
		EXPECT_EQ(0, events_of(outer, 0));
		EXPECT_EQ(0, events_of(middle, 0));
	}
	close(outer);
	close(middle);
}

struct exclusive {
	const struct ring *ring;
	int epoll;
	unsigned int woken;
	pthread_t thread;
};

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

/* Waits until it has read a completion. */
static void *read_one(void *arg)
{
	struct exclusive *waiter = arg;
	bool popped = false;

	while (!popped && events_of(waiter->epoll, patience(10 * SOON))) {
		struct io_ring_cqe cqe;

		waiter->woken++;
		pthread_mutex_lock(&reading);
		popped = ring_pop(waiter->ring, &cqe);
		pthread_mutex_unlock(&reading);
	}
	return NULL;
}

/* One completion after the other: each wakes at least one of those who are left. */
TEST_F(way, wakes_exclusive)
{
	struct exclusive waiters[EXCLUSIVE];

	for (unsigned int i = 0; i < EXCLUSIVE; i++) {
		waiters[i] = (struct exclusive) {
			.ring = &self->ring,
			.epoll = epoll_create1(EPOLL_CLOEXEC),
		};
		ASSERT_LE(0, waiters[i].epoll);
		watch(_metadata, waiters[i].epoll, self->ring.fd, EPOLLIN | EPOLLEXCLUSIVE);
		ASSERT_EQ(0, pthread_create(&waiters[i].thread, NULL, read_one, &waiters[i]));
	}
	sleep_ms(A_WHILE / 2);
	for (unsigned int i = 0; i < EXCLUSIVE; i++) {
		ASSERT_EQ(1, way_begin(&self->ways, &self->ring, variant->way));
		ASSERT_TRUE(way_end(&self->ways, variant->way));
	}
	for (unsigned int i = 0; i < EXCLUSIVE; i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].thread, NULL));
		EXPECT_LE(1, waiters[i].woken);
		close(waiters[i].epoll);
	}
	EXPECT_EQ(0, ring_ready(&self->ring));
}

TEST_HARNESS_MAIN
