// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_POLL_ADD: events of files, once and again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "polled.h"
#include "registered.h"
#include "ring.h"
#include "source.h"

TEST_F(polled, invalid_entries)
{
	const struct ring *ring = &self->ring;
	struct io_ring_sqe sqe;

	for (unsigned int bit = 0; bit < 32; bit++) {
		sqe = sqe_poll(self->fd, POLLOUT | 1U << bit, 0);
		if (!(EVENTS & 1U << bit))
			expect_rejected(_metadata, ring, &sqe, -EINVAL,
					offsetof(struct io_ring_sqe, op_flags));
		sqe = sqe_poll(self->fd, POLLOUT, 1U << bit);
		if (sqe.len != IO_RING_POLL_ADD_MULTI)
			expect_rejected(_metadata, ring, &sqe, -EINVAL,
					offsetof(struct io_ring_sqe, len));
	}
	/* Others have no edge. */
	sqe = sqe_poll(self->fd, POLLOUT | EPOLLET, 0);
	expect_rejected(_metadata, ring, &sqe, -EINVAL, offsetof(struct io_ring_sqe, op_flags));
}

TEST_F(polled, invalid_files)
{
	const int path = open("/", O_PATH | O_CLOEXEC);
	const struct ring *ring = &self->ring;
	struct ring other;
	struct io_ring_sqe sqe = sqe_poll(-1, POLLIN, 0);

	expect_rejected(_metadata, ring, &sqe, -EBADF, offsetof(struct io_ring_sqe, fd));
	ASSERT_LE(0, path);
	sqe.fd = path;
	expect_rejected(_metadata, ring, &sqe, -EBADF, offsetof(struct io_ring_sqe, fd));
	sqe.fd = 0;
	sqe.flags = IO_RING_SQE_FIXED_FILE;
	expect_rejected(_metadata, ring, &sqe, -EBADF, offsetof(struct io_ring_sqe, fd));
	ASSERT_EQ(0, ring_open(&other, ENTRIES, 0));
	sqe = sqe_poll(other.fd, POLLIN, 0);
	expect_rejected(_metadata, ring, &sqe, -ELOOP, offsetof(struct io_ring_sqe, fd));
	sqe.fd = ring->fd;
	expect_rejected(_metadata, ring, &sqe, -ELOOP, offsetof(struct io_ring_sqe, fd));
	ring_close(&other);
	close(path);
}

TEST_F(polled, tells_at_once_what_there_is)
{
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN | POLLOUT, 0), THE_ONE);
	EXPECT_EQ(1, ring_ready(&self->ring));
	EXPECT_EQ(0, expect_cqe(_metadata, &self->ring, THE_ONE, POLLOUT));
	signal_once(_metadata, self->fd);
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN | POLLOUT, 0), THE_ONE);
	EXPECT_EQ(1, ring_ready(&self->ring));
	EXPECT_EQ(0, expect_cqe(_metadata, &self->ring, THE_ONE, POLLIN | POLLOUT));
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, 0), THE_ONE);
	expect_last(_metadata, &self->ring, THE_ONE, POLLIN);
}

/* Nobody has taken anything out of it. */
TEST_F(polled, waits_for_files_of_all_kinds)
{
	for (int kind = 0; kind < SOURCE_KINDS; kind++) {
		struct source source;
		struct pollfd now;

		ASSERT_TRUE(source_open(&source, kind));
		submit(_metadata, &self->ring, sqe_poll(source.reader, POLLIN, 0), THE_ONE);
		expect_none(_metadata, &self->ring);
		ASSERT_LT(0, source_feed(&source));
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_POLLED),
			  expect_cqe(_metadata, &self->ring, THE_ONE, POLLIN)) {
			TH_LOG("%s", source_names[kind]);
		}
		now = (struct pollfd) { .fd = source.reader, .events = POLLIN };
		EXPECT_EQ(1, poll(&now, 1, 0));
		source_close(&source);
	}
}

TEST_F(polled, waits_for_epoll)
{
	struct epoll_event event = { .events = EPOLLIN };
	int group = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, group);
	ASSERT_EQ(0, epoll_ctl(group, EPOLL_CTL_ADD, self->fd, &event));
	submit(_metadata, &self->ring, sqe_poll(group, POLLIN, 0), OTHER);
	expect_none(_metadata, &self->ring);
	signal_once(_metadata, self->fd);
	expect_last(_metadata, &self->ring, OTHER, POLLIN);
	close(group);
}

/* What tells of its own completions does so until it is cancelled, or the queue is full. */
static void read_to_the_last(struct __test_metadata *_metadata, const struct ring *ring)
{
	struct io_ring_cqe cqe;

	do {
		ASSERT_EQ(0, ring_enter(ring, 0, 1));
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(THE_ONE, cqe.user_data);
	} while (cqe.flags & IO_RING_CQE_F_MORE);
	EXPECT_TRUE(cqe.res == POLLIN || cqe.res == -ECANCELED);
}

/* A knot: what the ring tells makes ready what it waits for. It ends with the room. */
TEST_F(polled, an_epoll_that_watches_its_ring)
{
	struct epoll_event event = { .events = EPOLLIN };
	int group = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, group);
	ASSERT_EQ(0, epoll_ctl(group, EPOLL_CTL_ADD, self->ring.fd, &event));
	submit(_metadata, &self->ring, sqe_poll(group, POLLIN, 0), THE_ONE);
	expect_none(_metadata, &self->ring);
	submit(_metadata, &self->ring, sqe_nop(OTHER), OTHER);
	/* It is ready for as long as there is something to read. */
	ASSERT_TRUE(await_completions(&self->ring, 2, SOON));
	expect_last(_metadata, &self->ring, OTHER, 0);
	expect_last(_metadata, &self->ring, THE_ONE, POLLIN);
	submit(_metadata, &self->ring, sqe_poll(group, POLLIN, IO_RING_POLL_ADD_MULTI), THE_ONE);
	submit(_metadata, &self->ring, sqe_nop(OTHER), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	read_to_the_last(_metadata, &self->ring);
	close(group);
}

TEST_F(polled, files_that_are_always_ready)
{
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	submit(_metadata, &self->ring, sqe_poll(file, POLLIN | POLLOUT, 0), THE_ONE);
	expect_last(_metadata, &self->ring, THE_ONE, POLLIN | POLLOUT);
	submit(_metadata, &self->ring, sqe_poll(file, POLLIN, IO_RING_POLL_ADD_MULTI), THE_ONE);
	expect_last(_metadata, &self->ring, THE_ONE, POLLIN);
	/* What would never come. */
	submit(_metadata, &self->ring, sqe_poll(file, POLLPRI, 0), THE_ONE);
	expect_last(_metadata, &self->ring, THE_ONE, -EINVAL);
	close(file);
}

TEST_F(polled, errors_and_hang_ups_always_count)
{
	int pair[2], ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	submit(_metadata, &self->ring, sqe_poll(pair[0], 0, 0), THE_ONE);
	expect_none(_metadata, &self->ring);
	close(pair[1]);
	expect_last(_metadata, &self->ring, THE_ONE, POLLHUP);
	submit(_metadata, &self->ring, sqe_poll(ends[1], 0, 0), THE_ONE);
	expect_none(_metadata, &self->ring);
	close(ends[0]);
	expect_last(_metadata, &self->ring, THE_ONE, POLLERR);
	close(pair[0]);
	close(ends[1]);
}

/* Room for something else does not. */
TEST_F(polled, waits_for_the_events_it_names)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	submit(_metadata, &self->ring, sqe_poll(pair[0], POLLRDHUP, 0), THE_ONE);
	ASSERT_EQ(1, write(pair[1], "x", 1));
	expect_none(_metadata, &self->ring);
	ASSERT_EQ(0, shutdown(pair[1], SHUT_WR));
	expect_last(_metadata, &self->ring, THE_ONE, POLLRDHUP);
	close(pair[0]);
	close(pair[1]);
}

/* The ring closes it when it has told. */
TEST_F(polled, holds_its_file)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	submit(_metadata, &self->ring, sqe_poll(ends[0], POLLIN, 0), THE_ONE);
	close(ends[0]);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	expect_last(_metadata, &self->ring, THE_ONE, POLLIN);
	EXPECT_EQ(-1, write(ends[1], "x", 1));
	EXPECT_EQ(EPIPE, errno);
	close(ends[1]);
}

/* Of a file that is not registered any more, too. */
TEST_F(polled, registered_files)
{
	const int fds[] = { -1, self->fd };
	struct io_ring_sqe sqe = sqe_fixed(sqe_poll(0, POLLIN, 0), 0);

	ASSERT_EQ(0, files_register(&self->ring, fds, NULL, ARRAY_SIZE(fds)));
	expect_rejected(_metadata, &self->ring, &sqe, -EBADF, offsetof(struct io_ring_sqe, fd));
	sqe = sqe_fixed(sqe_poll(0, POLLIN, IO_RING_POLL_ADD_MULTI), 1);
	submit(_metadata, &self->ring, sqe, THE_ONE);
	expect_none(_metadata, &self->ring);
	signal_once(_metadata, self->fd);
	expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
	ASSERT_EQ(0, files_unregister(&self->ring));
	signal_once(_metadata, self->fd);
	expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
	expect_rejected(_metadata, &self->ring, &sqe, -EBADF, offsetof(struct io_ring_sqe, fd));
	submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_FD, 0, self->fd, 0), OTHER);
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, &self->ring, OTHER, 0);
}

TEST_F(polled, many_at_a_time)
{
	for (unsigned int i = 0; i < ENTRIES; i++)
		submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, 0), THE_ONE);
	expect_none(_metadata, &self->ring);
	signal_once(_metadata, self->fd);
	for (unsigned int i = 0; i < ENTRIES; i++)
		expect_last(_metadata, &self->ring, THE_ONE, POLLIN);
}

static const __u32 multi = IO_RING_POLL_ADD_MULTI;

TEST_F(polled, multishot_tells_again_and_again)
{
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, multi), THE_ONE);
	expect_none(_metadata, &self->ring);
	for (unsigned int i = 0; i < 4 * ENTRIES; i++) {
		signal_once(_metadata, self->fd);
		expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
		drain(_metadata, self->fd);
	}
	/* What is still there is not told again. */
	expect_none(_metadata, &self->ring);
	submit(_metadata, &self->ring, sqe_cancel(0, THE_ONE, 0, 0), OTHER);
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, &self->ring, OTHER, 0);
}

TEST_F(polled, multishot_tells_what_there_is_first)
{
	signal_once(_metadata, self->fd);
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN | EPOLLET, multi), THE_ONE);
	expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
	expect_none(_metadata, &self->ring);
	signal_once(_metadata, self->fd);
	expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
}

/* It ends with what finds no room; that is kept, in order, and told later. */
TEST_F(polled, multishot_ends_when_there_is_no_room)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct io_ring_cqe cqe;
	struct ring ring;

	wanted.cq_entries = ENTRIES;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit(_metadata, &ring, sqe_poll(self->fd, POLLIN, multi), THE_ONE);
	for (unsigned int i = 1; i <= ENTRIES; i++) {
		signal_once(_metadata, self->fd);
		ASSERT_TRUE(await_completions(&ring, i, SOON));
	}
	EXPECT_EQ(0, fdinfo_value(ring.fd, "overflow"));
	signal_once(_metadata, self->fd);
	for (long end = now_ms() + patience(SOON); fdinfo_value(ring.fd, "overflow") != 1;) {
		ASSERT_LT(now_ms(), end);
		sleep_ms(1);
	}
	EXPECT_EQ(ENTRIES, ring_ready(&ring));
	for (unsigned int i = 0; i < ENTRIES; i++)
		expect_more(_metadata, &ring, THE_ONE, POLLIN);
	ASSERT_EQ(0, ring_enter(&ring, 0, 1));
	expect_last(_metadata, &ring, THE_ONE, POLLIN);
	signal_once(_metadata, self->fd);
	sleep_ms(A_WHILE);
	EXPECT_FALSE(ring_pop(&ring, &cqe));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
