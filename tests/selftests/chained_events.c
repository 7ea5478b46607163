// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for events and times, as members of chains, forced, and silent. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define ENTRIES 8
#define FIRST 1
#define SECOND 2
#define OTHER 3

static const struct io_ring_timespec brief = { .nsec = 1000000 }, far = { .sec = 3600 };

FIXTURE(events)
{
	struct ring ring;
	int fd;		/* an eventfd with nothing in it */
	eventfd_t value;
};

/* How a worker comes to begin them: the one before them ends where its file gets ready. */
FIXTURE_VARIANT(events)
{
	__u8 flags;
};

FIXTURE_VARIANT_ADD(events, in_a_chain) { .flags = 0 };
FIXTURE_VARIANT_ADD(events, forced) { .flags = IO_RING_SQE_FORCE_ASYNC };

FIXTURE_SETUP(events)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(events)
{
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	close(self->fd);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u8 flags, __u64 user_data)
{
	sqe.flags |= flags;
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void submit_two(struct __test_metadata *_metadata, const struct ring *ring,
		       struct io_ring_sqe first, struct io_ring_sqe second)
{
	first.flags |= IO_RING_SQE_LINK;
	first.user_data = FIRST;
	second.user_data = SECOND;
	ring_push(ring, &first);
	ring_push(ring, &second);
	ASSERT_EQ(2, ring_enter(ring, 2, 0));
}

static void expect(struct __test_metadata *_metadata, const struct ring *ring, __u64 user_data,
		   __s32 res, __u32 more)
{
	struct io_ring_cqe cqe = { };

	EXPECT_TRUE(await_completions(ring, 1, SOON));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(more, cqe.flags & IO_RING_CQE_F_MORE);
}

static struct io_ring_sqe sqe_read(int fd, eventfd_t *value)
{
	return sqe_rw(IO_RING_OP_READ, fd, value, sizeof(*value), 0);
}

static struct io_ring_sqe sqe_change_poll(__u32 events)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_POLL_REMOVE,
		.addr = OTHER,
		.len = IO_RING_POLL_UPDATE_EVENTS,
		.op_flags = events,
	};
}

static struct io_ring_sqe sqe_change_time(const struct io_ring_timespec *time)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_TIMEOUT_REMOVE,
		.addr = OTHER,
		.off = (uintptr_t)time,
		.op_flags = IO_RING_TIMEOUT_UPDATE,
	};
}

TEST_F(events, that_come_start_the_next)
{
	submit_two(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, 0),
		   sqe_read(self->fd, &self->value));
	ASSERT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, eventfd_write(self->fd, 5));
	expect(_metadata, &self->ring, FIRST, POLLIN, 0);
	expect(_metadata, &self->ring, SECOND, sizeof(self->value), 0);
	EXPECT_EQ(5, self->value);
}

TEST_F(events, a_time_that_comes_is_a_failure)
{
	submit_two(_metadata, &self->ring, sqe_timeout(&brief, 0, 0), sqe_nop(0));
	expect(_metadata, &self->ring, FIRST, -ETIME, 0);
	expect(_metadata, &self->ring, SECOND, -ECANCELED, 0);
}

TEST_F(events, a_time_that_comes_is_none_if_it_says_so)
{
	const __u32 flags = IO_RING_TIMEOUT_ETIME_SUCCESS;

	submit_two(_metadata, &self->ring, sqe_timeout(&brief, 0, flags), sqe_nop(0));
	expect(_metadata, &self->ring, FIRST, -ETIME, 0);
	expect(_metadata, &self->ring, SECOND, 0, 0);
	/* Other failures are failures. */
	submit_two(_metadata, &self->ring, sqe_timeout(&far, 0, flags), sqe_nop(0));
	submit(_metadata, &self->ring, sqe_cancel(0, FIRST, 0, 0), 0, OTHER);
	expect(_metadata, &self->ring, FIRST, -ECANCELED, 0);
	await_completions(&self->ring, 2, SOON);
	for (unsigned int i = 0; i < 2; i++) {
		struct io_ring_cqe cqe = { };

		EXPECT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(cqe.user_data == SECOND ? -ECANCELED : 0, cqe.res);
	}
}

TEST_F(events, the_last_completion_of_many_starts_the_next)
{
	const __u32 flags = IO_RING_TIMEOUT_MULTISHOT | IO_RING_TIMEOUT_ETIME_SUCCESS;

	submit_two(_metadata, &self->ring, sqe_timeout(&brief, 3, flags), sqe_nop(0));
	for (unsigned int i = 0; i < 2; i++)
		expect(_metadata, &self->ring, FIRST, -ETIME, IO_RING_CQE_F_MORE);
	expect(_metadata, &self->ring, FIRST, -ETIME, 0);
	expect(_metadata, &self->ring, SECOND, 0, 0);
}

/* Submits it alone, or behind one that ends after that. */
static void submit_later(struct __test_metadata *_metadata, struct ring *ring, int fd,
			 eventfd_t *value, struct io_ring_sqe sqe, __u8 flags)
{
	sqe.user_data = SECOND;
	if (flags) {
		submit(_metadata, ring, sqe, flags, SECOND);
		return;
	}
	submit_two(_metadata, ring, sqe_read(fd, value), sqe);
	ASSERT_EQ(0, eventfd_write(fd, 1));
	expect(_metadata, ring, FIRST, sizeof(*value), 0);
}

TEST_F(events, begin_by_a_worker)
{
	int source = eventfd(0, EFD_CLOEXEC);
	struct ring *ring = &self->ring;

	ASSERT_LE(0, source);
	submit_later(_metadata, ring, source, &self->value, sqe_timeout(&brief, 0, 0),
		     variant->flags);
	expect(_metadata, ring, SECOND, -ETIME, 0);
	submit_later(_metadata, ring, source, &self->value,
		     sqe_timeout(&brief, 2, IO_RING_TIMEOUT_MULTISHOT), variant->flags);
	expect(_metadata, ring, SECOND, -ETIME, IO_RING_CQE_F_MORE);
	expect(_metadata, ring, SECOND, -ETIME, 0);
	submit_later(_metadata, ring, source, &self->value, sqe_poll(self->fd, POLLIN, 0),
		     variant->flags);
	ASSERT_EQ(0, eventfd_write(self->fd, 1));
	expect(_metadata, ring, SECOND, POLLIN, 0);
	close(source);
}

/* It is cancelled when it waits, or before that. */
TEST_F(events, begin_by_a_worker_and_are_cancelled)
{
	const struct io_ring_sqe waiting[] = {
		sqe_timeout(&far, 0, 0), sqe_timeout(&far, 1, 0),
		sqe_timeout(&far, 0, IO_RING_TIMEOUT_MULTISHOT),
		sqe_poll(self->fd, POLLIN, 0), sqe_poll(self->fd, POLLIN, IO_RING_POLL_ADD_MULTI),
	};
	int source = eventfd(0, EFD_CLOEXEC);

	ASSERT_LE(0, source);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		__u32 left;

		submit_later(_metadata, &self->ring, source, &self->value, waiting[i],
			     variant->flags);
		ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
		EXPECT_EQ(0, left);
		expect(_metadata, &self->ring, SECOND, -ECANCELED, 0);
	}
	close(source);
}

TEST_F(events, are_changed_by_a_worker)
{
	int source = eventfd(0, EFD_CLOEXEC);
	struct ring *ring = &self->ring;

	ASSERT_LE(0, source);
	submit(_metadata, ring, sqe_timeout(&far, 0, 0), 0, OTHER);
	submit_later(_metadata, ring, source, &self->value, sqe_change_time(&brief),
		     variant->flags);
	ASSERT_TRUE(await_completions(ring, 2, SOON));
	for (unsigned int i = 0; i < 2; i++) {
		struct io_ring_cqe cqe = { };

		EXPECT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(cqe.user_data == OTHER ? -ETIME : 0, cqe.res);
	}
	submit(_metadata, ring, sqe_poll(self->fd, POLLPRI, 0), 0, OTHER);
	submit_later(_metadata, ring, source, &self->value, sqe_change_poll(POLLOUT),
		     variant->flags);
	ASSERT_TRUE(await_completions(ring, 2, SOON));
	for (unsigned int i = 0; i < 2; i++) {
		struct io_ring_cqe cqe = { };

		EXPECT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(cqe.user_data == OTHER ? POLLOUT : 0, cqe.res);
	}
	close(source);
}

TEST_F(events, silent_ones)
{
	const __u8 silent = IO_RING_SQE_CQE_SKIP_SUCCESS;

	submit(_metadata, &self->ring, sqe_poll(self->fd, POLLOUT, 0), silent | variant->flags,
	       FIRST);
	submit(_metadata, &self->ring, sqe_timeout(&brief, 0, IO_RING_TIMEOUT_ETIME_SUCCESS),
	       silent | variant->flags, FIRST);
	submit(_metadata, &self->ring, sqe_timeout(&brief, 0, 0), silent | variant->flags, SECOND);
	expect(_metadata, &self->ring, SECOND, -ETIME, 0);
	/* Those that are silent have ended when nothing is left. */
	for (long end = now_ms() + patience(SOON); fdinfo_value(self->ring.fd, "in_flight");) {
		ASSERT_LT(now_ms(), end);
		sleep_ms(1);
	}
}

TEST_F(events, those_that_go_on_are_not_silent)
{
	struct io_ring_sqe sqes[] = {
		sqe_poll(self->fd, POLLIN, IO_RING_POLL_ADD_MULTI),
		sqe_timeout(&brief, 0, IO_RING_TIMEOUT_MULTISHOT),
	};

	for (size_t i = 0; i < ARRAY_SIZE(sqes); i++) {
		struct io_ring_cqe cqe;

		sqes[i].flags = IO_RING_SQE_CQE_SKIP_SUCCESS | variant->flags;
		ASSERT_EQ(0, ring_run(&self->ring, &sqes[i], &cqe));
		EXPECT_EQ(-EINVAL, cqe.res);
		EXPECT_EQ(offsetof(struct io_ring_sqe, flags), cqe_rejected_field(&cqe));
	}
}

TEST_HARNESS_MAIN
