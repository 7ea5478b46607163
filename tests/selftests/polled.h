/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of POLL_ADD: a ring, an eventfd to wait for, and what is expected to come. */
#ifndef SELFTESTS_POLLED_H
#define SELFTESTS_POLLED_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
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

#endif
