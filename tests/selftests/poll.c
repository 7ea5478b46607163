// SPDX-License-Identifier: GPL-2.0-only
/* A ring is readable exactly when a completion can be read, and writable when an entry fits. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "harness.h"
#include "ring.h"

#define ENTRIES 4
#define TICK_US 20000

FIXTURE(polling)
{
	struct ring ring;
	int epoll;
};

FIXTURE_SETUP(polling)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->epoll = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->epoll);
}

FIXTURE_TEARDOWN(polling)
{
	close(self->epoll);
	ring_close(&self->ring);
}

static void complete(const struct ring *ring, unsigned int count)
{
	ring_push_nops(ring, count, 0);
	ring_enter(ring, count, 0);
}

static void reap(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe))
		;
}

static int revents(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

TEST_F(polling, poll_sees_completions)
{
	const short all = POLLIN | POLLOUT | POLLPRI;
	struct io_ring_cqe cqe;

	EXPECT_EQ(POLLOUT, revents(self->ring.fd, all));
	EXPECT_EQ(0, revents(self->ring.fd, POLLIN));
	complete(&self->ring, 2);
	EXPECT_EQ(POLLIN | POLLOUT, revents(self->ring.fd, all));
	EXPECT_EQ(POLLIN, revents(self->ring.fd, POLLIN));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(POLLIN, revents(self->ring.fd, POLLIN));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(0, revents(self->ring.fd, POLLIN));
}

TEST_F(polling, poll_sees_room)
{
	ring_push_nops(&self->ring, ENTRIES - 1, 0);
	EXPECT_EQ(POLLOUT, revents(self->ring.fd, POLLOUT));
	ring_push_nops(&self->ring, 1, 0);
	EXPECT_EQ(0, revents(self->ring.fd, POLLOUT));
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(POLLOUT, revents(self->ring.fd, POLLOUT));
	EXPECT_EQ(ENTRIES - 1, ring_enter(&self->ring, ENTRIES - 1, 0));
	EXPECT_EQ(POLLOUT, revents(self->ring.fd, POLLOUT));
}

TEST_F(polling, ppoll_and_select_agree)
{
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };
	struct timespec at_once = { 0 };

	for (unsigned int full = 0; full < 2; full++) {
		struct timeval no_time = { 0 };
		fd_set readable;
		fd_set writable;

		if (full)
			complete(&self->ring, 1);
		EXPECT_EQ(full, ppoll(&pollfd, 1, &at_once, NULL));
		FD_ZERO(&readable);
		FD_ZERO(&writable);
		FD_SET(self->ring.fd, &readable);
		FD_SET(self->ring.fd, &writable);
		EXPECT_EQ(1 + full,
			  select(self->ring.fd + 1, &readable, &writable, NULL, &no_time));
		EXPECT_EQ(full, FD_ISSET(self->ring.fd, &readable));
		EXPECT_TRUE(FD_ISSET(self->ring.fd, &writable));
	}
}

struct sleeper {
	int fd;
	short events;
	short revents;
	int result;
};

static void *sleep_in_poll(void *arg)
{
	struct sleeper *sleeper = arg;
	struct pollfd pollfd = { .fd = sleeper->fd, .events = sleeper->events };

	sleeper->result = poll(&pollfd, 1, -1);
	sleeper->revents = pollfd.revents;
	return NULL;
}

TEST_F(polling, completion_wakes_poll)
{
	for (unsigned int round = 0; round < 10; round++) {
		struct sleeper sleeper = { .fd = self->ring.fd, .events = POLLIN };
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_in_poll, &sleeper));
		usleep(TICK_US);
		complete(&self->ring, 1);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(1, sleeper.result);
		EXPECT_EQ(POLLIN, sleeper.revents);
		reap(&self->ring);
	}
}

TEST_F(polling, room_wakes_poll)
{
	struct sleeper sleeper = { .fd = self->ring.fd, .events = POLLOUT };
	pthread_t thread;

	ring_push_nops(&self->ring, ENTRIES, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_in_poll, &sleeper));
	usleep(TICK_US);
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, sleeper.result);
	EXPECT_EQ(POLLOUT, sleeper.revents);
}

static int watch(int epoll, int fd, __u32 events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* The events of the only descriptor that is watched, or 0. */
static __u32 events_of(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 0) == 1 ? event.events : 0;
}

TEST_F(polling, epoll_level)
{
	ASSERT_EQ(0, watch(self->epoll, self->ring.fd, EPOLLIN));
	EXPECT_EQ(0, events_of(self->epoll));
	complete(&self->ring, 2);
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
	reap(&self->ring);
	EXPECT_EQ(0, events_of(self->epoll));
	complete(&self->ring, 1);
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
}

/* Each completion is news, whether or not the ones before it have been read. */
TEST_F(polling, epoll_edge)
{
	ASSERT_EQ(0, watch(self->epoll, self->ring.fd, EPOLLIN | EPOLLET));
	EXPECT_EQ(0, events_of(self->epoll));
	for (unsigned int round = 0; round < 5; round++) {
		complete(&self->ring, 1);
		EXPECT_EQ(EPOLLIN, events_of(self->epoll));
		EXPECT_EQ(0, events_of(self->epoll));
	}
	reap(&self->ring);
	EXPECT_EQ(0, events_of(self->epoll));
	complete(&self->ring, 1);
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
}

TEST_F(polling, epoll_edge_of_what_was_there_before)
{
	complete(&self->ring, 1);
	ASSERT_EQ(0, watch(self->epoll, self->ring.fd, EPOLLIN | EPOLLET));
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
	EXPECT_EQ(0, events_of(self->epoll));
}

TEST_F(polling, epoll_oneshot)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT };

	ASSERT_EQ(0, watch(self->epoll, self->ring.fd, EPOLLIN | EPOLLONESHOT));
	complete(&self->ring, 1);
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
	complete(&self->ring, 1);
	EXPECT_EQ(0, events_of(self->epoll));
	ASSERT_EQ(0, epoll_ctl(self->epoll, EPOLL_CTL_MOD, self->ring.fd, &again));
	EXPECT_EQ(EPOLLIN, events_of(self->epoll));
}

TEST_F(polling, epoll_nested)
{
	int outer = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, outer);
	ASSERT_EQ(0, watch(self->epoll, self->ring.fd, EPOLLIN));
	ASSERT_EQ(0, watch(outer, self->epoll, EPOLLIN));
	EXPECT_EQ(0, events_of(outer));
	complete(&self->ring, 1);
	EXPECT_EQ(EPOLLIN, events_of(outer));
	EXPECT_EQ(EPOLLIN, revents(outer, POLLIN));
	reap(&self->ring);
	EXPECT_EQ(0, events_of(outer));
	close(outer);
}

struct epoll_sleeper {
	int epoll;
	int result;
};

static void *sleep_in_epoll(void *arg)
{
	struct epoll_sleeper *sleeper = arg;
	struct epoll_event event;

	sleeper->result = epoll_wait(sleeper->epoll, &event, 1, -1);
	return NULL;
}

/* Of two that wait exclusively one has to wake; a second completion is for whoever is left. */
TEST_F(polling, epoll_exclusive)
{
	struct epoll_sleeper sleepers[2];
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++) {
		sleepers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, sleepers[i].epoll);
		ASSERT_EQ(0, watch(sleepers[i].epoll, self->ring.fd, EPOLLIN | EPOLLEXCLUSIVE));
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, sleep_in_epoll, &sleepers[i]));
	}
	usleep(TICK_US);
	complete(&self->ring, 1);
	usleep(TICK_US);
	complete(&self->ring, 1);
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(1, sleepers[i].result);
		close(sleepers[i].epoll);
	}
}

TEST_F(polling, epoll_forgets_a_closed_ring)
{
	struct ring other;

	ASSERT_EQ(0, ring_open(&other, ENTRIES, 0));
	ASSERT_EQ(0, watch(self->epoll, other.fd, EPOLLIN | EPOLLOUT));
	EXPECT_EQ(EPOLLOUT, events_of(self->epoll));
	ring_close(&other);
	EXPECT_EQ(0, events_of(self->epoll));
}

/* A signal ends the wait of ppoll as it does for any descriptor. */
static void on_alarm(int signal)
{
	(void)signal;
}

TEST_F(polling, poll_is_ended_by_a_signal)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	alarm(1);
	EXPECT_EQ(-1, poll(&pollfd, 1, -1));
	EXPECT_EQ(EINTR, errno);
}

TEST_HARNESS_MAIN
