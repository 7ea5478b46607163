// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_POLL_REMOVE: removes what waits for events of files, or changes it. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "polled.h"
#include "ring.h"

static const __u32 multi = IO_RING_POLL_ADD_MULTI;

static struct io_ring_sqe sqe_change(__u32 flags, __u64 new_user_data, __u32 events)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_POLL_REMOVE,
		.addr = THE_ONE,
		.len = flags,
		.off = new_user_data,
		.op_flags = events,
	};
}

TEST_F(polled, invalid_changes)
{
	const __u32 events = IO_RING_POLL_UPDATE_EVENTS, name = IO_RING_POLL_UPDATE_USER_DATA;
	const size_t len = offsetof(struct io_ring_sqe, len);
	const size_t off = offsetof(struct io_ring_sqe, off);
	const size_t op_flags = offsetof(struct io_ring_sqe, op_flags);
	const struct {
		struct io_ring_sqe sqe;
		size_t field;
	} wrong[] = {
		{ sqe_change(multi, 0, 0), len },
		{ sqe_change(multi | name, OTHER, 0), len },
		{ sqe_change(0, 1, 0), off },
		{ sqe_change(events, OTHER, POLLIN), off },
		{ sqe_change(0, 0, POLLIN), op_flags },
		{ sqe_change(name, OTHER, POLLIN), op_flags },
		{ sqe_change(events, 0, POLLIN | EPOLLET), op_flags },
	};
	const struct ring *ring = &self->ring;
	struct io_ring_sqe sqe;

	submit(_metadata, ring, sqe_poll(self->fd, POLLIN, 0), THE_ONE);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_rejected(_metadata, ring, &wrong[i].sqe, -EINVAL, wrong[i].field);
	for (unsigned int bit = 0; bit < 32; bit++) {
		sqe = sqe_change(events | 1U << bit, 0, POLLIN);
		if (1U << bit & ~(multi | events | name))
			expect_rejected(_metadata, ring, &sqe, -EINVAL, len);
		sqe = sqe_change(events, 0, POLLIN | 1U << bit);
		if (!(EVENTS & 1U << bit))
			expect_rejected(_metadata, ring, &sqe, -EINVAL, op_flags);
	}
	/* It is as it was. */
	signal_once(_metadata, self->fd);
	expect_last(_metadata, ring, THE_ONE, POLLIN);
}

TEST_F(polled, is_removed)
{
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(0, 0, 0), OTHER);
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, &self->ring, OTHER, 0);
	submit(_metadata, &self->ring, sqe_change(0, 0, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	signal_once(_metadata, self->fd);
	expect_none(_metadata, &self->ring);
}

/* By the same name. */
TEST_F(polled, others_are_not_removed)
{
	const struct io_ring_timespec far = { .sec = 3600 };
	eventfd_t value;

	submit(_metadata, &self->ring,
	       sqe_rw(IO_RING_OP_READ, self->fd, &value, sizeof(value), 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_timeout(&far, 0, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(0, 0, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	submit(_metadata, &self->ring, sqe_change(IO_RING_POLL_UPDATE_EVENTS, 0, POLLOUT), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	expect_none(_metadata, &self->ring);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
}

TEST_F(polled, gets_another_name)
{
	const __u32 flags = IO_RING_POLL_UPDATE_USER_DATA;

	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(flags, ~0ULL, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	submit(_metadata, &self->ring, sqe_change(flags, ~0ULL, 0), OTHER);
	expect_last(_metadata, &self->ring, OTHER, -ENOENT);
	signal_once(_metadata, self->fd);
	expect_last(_metadata, &self->ring, ~0ULL, POLLIN);
}

TEST_F(polled, gets_other_events)
{
	const __u32 flags = IO_RING_POLL_UPDATE_EVENTS;
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	submit(_metadata, &self->ring, sqe_poll(pair[0], POLLIN, 0), THE_ONE);
	submit(_metadata, &self->ring, sqe_change(flags, 0, POLLRDHUP), OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	ASSERT_EQ(1, write(pair[1], "x", 1));
	expect_none(_metadata, &self->ring);
	/* Those that are there are told at once, before the change or after it. */
	submit(_metadata, &self->ring,
	       sqe_change(flags | IO_RING_POLL_UPDATE_USER_DATA, THE_ONE + 2, POLLOUT), OTHER + 2);
	ASSERT_TRUE(await_completions(&self->ring, 2, SOON));
	for (unsigned int i = 0; i < 2; i++) {
		struct io_ring_cqe cqe;

		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(cqe.user_data == THE_ONE + 2 ? POLLOUT : 0, cqe.res);
	}
	close(pair[0]);
	close(pair[1]);
}

TEST_F(polled, multishot_stays_so)
{
	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLPRI, multi), THE_ONE);
	signal_once(_metadata, self->fd);
	expect_none(_metadata, &self->ring);
	drain(_metadata, self->fd);
	submit(_metadata, &self->ring, sqe_change(IO_RING_POLL_UPDATE_EVENTS | multi, 0, POLLIN),
	       OTHER);
	expect_last(_metadata, &self->ring, OTHER, 0);
	for (unsigned int i = 0; i < 3; i++) {
		signal_once(_metadata, self->fd);
		expect_more(_metadata, &self->ring, THE_ONE, POLLIN);
	}
	submit(_metadata, &self->ring, sqe_change(0, 0, 0), OTHER);
	expect_last(_metadata, &self->ring, THE_ONE, -ECANCELED);
	expect_last(_metadata, &self->ring, OTHER, 0);
}

TEST_HARNESS_MAIN
