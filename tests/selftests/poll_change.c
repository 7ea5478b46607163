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
#include "ring.h"

#define ENTRIES 8
#define THE_ONE 7
#define OTHER 8
#define EVENTS (0x7ffU | POLLRDHUP | EPOLLET)

FIXTURE(polled)
{
	struct ring ring;
	int fd;		/* an eventfd with nothing in it */
};

FIXTURE_SETUP(polled)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(polled)
{
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	close(self->fd);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static __u32 expect_cqe(struct __test_metadata *_metadata, const struct ring *ring,
			__u64 user_data, __s32 res)
{
	struct io_ring_cqe cqe = { };

	EXPECT_TRUE(await_completions(ring, 1, SOON)) {
		TH_LOG("no completion of %llu", user_data);
		return 0;
	}
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	return cqe.flags;
}

static void expect_last(struct __test_metadata *_metadata, const struct ring *ring,
			__u64 user_data, __s32 res)
{
	EXPECT_EQ(0, expect_cqe(_metadata, ring, user_data, res) & IO_RING_CQE_F_MORE);
}

static void expect_more(struct __test_metadata *_metadata, const struct ring *ring,
			__u64 user_data, __s32 res)
{
	EXPECT_NE(0, expect_cqe(_metadata, ring, user_data, res) & IO_RING_CQE_F_MORE);
}

static void expect_none(struct __test_metadata *_metadata, const struct ring *ring)
{
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(ring));
}

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    const struct io_ring_sqe *sqe, __s32 res, size_t field)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, sqe, &cqe));
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("len %u, off %llu, flags %#x", sqe->len, sqe->off, sqe->op_flags);
	}
}

/* Makes an eventfd ready, and lets it be so no longer. */
static void signal_once(struct __test_metadata *_metadata, int fd)
{
	ASSERT_EQ(0, eventfd_write(fd, 1));
}

static void drain(struct __test_metadata *_metadata, int fd)
{
	eventfd_t value;

	ASSERT_EQ(0, eventfd_read(fd, &value));
}

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
