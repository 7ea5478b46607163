// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_POLL_ADD: what ends it early, and what ends it while its file gets ready. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "actor.h"
#include "await.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "signaller.h"

#define ENTRIES 8
#define COUNT 3
#define THE_ONE 7
#define OTHER 100
#define ROUNDS 1000

FIXTURE(armed)
{
	struct ring ring;
	int fd;
};

FIXTURE_VARIANT(armed)
{
	__u32 len;
};

FIXTURE_VARIANT_ADD(armed, once) { .len = 0 };
FIXTURE_VARIANT_ADD(armed, multishot) { .len = IO_RING_POLL_ADD_MULTI };

static void push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	push(ring, sqe, user_data);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static void expect_cqe(struct __test_metadata *_metadata, const struct ring *ring,
		       __u64 user_data, __s32 res)
{
	struct io_ring_cqe cqe = { };

	EXPECT_TRUE(await_completions(ring, 1, SOON));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(user_data, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(0, cqe.flags & IO_RING_CQE_F_MORE);
}

FIXTURE_SETUP(armed)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->fd);
	for (unsigned int i = 0; i < COUNT; i++)
		submit(_metadata, &self->ring, sqe_poll(self->fd, POLLIN, variant->len),
		       THE_ONE + i);
	ASSERT_EQ(0, ring_ready(&self->ring));
}

FIXTURE_TEARDOWN(armed)
{
	ring_close(&self->ring);
	close(self->fd);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(armed, is_closed)
{
}

TEST_F(armed, is_cancelled_by_user_data)
{
	submit(_metadata, &self->ring, sqe_cancel(0, THE_ONE + 1, 0, 0), OTHER);
	expect_cqe(_metadata, &self->ring, THE_ONE + 1, -ECANCELED);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
	EXPECT_EQ(COUNT - 1, fdinfo_value(self->ring.fd, "in_flight"));
}

static void cancel_all(struct __test_metadata *_metadata, const struct ring *ring,
		       struct io_ring_sqe sqe)
{
	submit(_metadata, ring, sqe, OTHER);
	for (unsigned int i = 0; i < COUNT; i++)
		expect_cqe(_metadata, ring, THE_ONE + i, -ECANCELED);
	expect_cqe(_metadata, ring, OTHER, COUNT);
}

TEST_F(armed, is_cancelled_by_opcode)
{
	const __u32 flags = IO_RING_CANCEL_OP | IO_RING_CANCEL_ALL;

	submit(_metadata, &self->ring, sqe_cancel(flags, 0, 0, IO_RING_OP_TIMEOUT), OTHER);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
	cancel_all(_metadata, &self->ring, sqe_cancel(flags, 0, 0, IO_RING_OP_POLL_ADD));
}

TEST_F(armed, is_cancelled_by_file)
{
	const __u32 flags = IO_RING_CANCEL_FD | IO_RING_CANCEL_ALL;
	int other = eventfd(0, EFD_CLOEXEC);

	ASSERT_LE(0, other);
	submit(_metadata, &self->ring, sqe_cancel(flags, 0, other, 0), OTHER);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
	close(other);
	cancel_all(_metadata, &self->ring, sqe_cancel(flags, 0, self->fd, 0));
}

TEST_F(armed, is_cancelled_with_all)
{
	cancel_all(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0));
}

TEST_F(armed, is_quiesced)
{
	__u32 left;

	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	for (unsigned int i = 0; i < COUNT; i++)
		expect_cqe(_metadata, &self->ring, THE_ONE + i, -ECANCELED);
}

/* What the process that leaves waits for. */
static __u32 armed_len;

static int arm(struct ring *ring)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	for (unsigned int i = 0; i < COUNT; i++)
		push(ring, sqe_poll(fd, POLLIN, armed_len), THE_ONE + i);
	return ring_enter(ring, COUNT, 0);
}

/* The process leaves, in each of the ways; somebody else has the ring. */
TEST_F(armed, its_process_leaves)
{
	static bool (* const ways[])(struct actor *actor) = {
		actor_exits, actor_is_killed, actor_executes, actor_executes_holding,
	};

	armed_len = variant->len;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct actor actor;
		struct ring ring;

		ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
		ASSERT_TRUE(actor_start(&actor, &ring));
		ASSERT_EQ(COUNT, actor_ask(&actor, arm));
		EXPECT_EQ(0, ring_ready(&ring));
		ASSERT_TRUE(ways[i](&actor));
		ASSERT_TRUE(await_completions(&ring, COUNT, SOON));
		EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
		for (unsigned int n = 0; n < COUNT; n++)
			EXPECT_EQ(-ECANCELED, ring_cqe(&ring, n)->res);
		actor_end(&actor);
		ring_close(&ring);
	}
}

FIXTURE(race)
{
	struct ring ring;
	struct signaller signaller;
};

FIXTURE_VARIANT(race)
{
	__u32 len;
	struct io_ring_sqe other;
};

FIXTURE_VARIANT_ADD(race, once_removed)
{
	.other = { .opcode = IO_RING_OP_POLL_REMOVE, .addr = THE_ONE },
};

FIXTURE_VARIANT_ADD(race, multishot_removed)
{
	.len = IO_RING_POLL_ADD_MULTI,
	.other = { .opcode = IO_RING_OP_POLL_REMOVE, .addr = THE_ONE },
};

FIXTURE_VARIANT_ADD(race, once_changed)
{
	.other = {
		.opcode = IO_RING_OP_POLL_REMOVE,
		.addr = THE_ONE,
		.len = IO_RING_POLL_UPDATE_EVENTS,
		.op_flags = POLLIN | POLLOUT,
	},
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, signaller_begin(&self->signaller));
}

FIXTURE_TEARDOWN(race)
{
	signaller_end(&self->signaller);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Each request has one last completion, whoever comes first. */
TEST_F(race, one_of_them_ends_it)
{
	for (long i = ROUNDS / patience(1); i > 0; i--) {
		unsigned int ends[2] = { };
		bool is_over = false;
		struct io_ring_cqe cqe;

		push(&self->ring, sqe_poll(self->signaller.fd, POLLIN, variant->len), THE_ONE);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		push(&self->ring, variant->other, OTHER);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		while (!ends[0] || !ends[1]) {
			/* Those that found no room come with this. */
			ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
			ASSERT_TRUE(ring_pop(&self->ring, &cqe));
			if (cqe.flags & IO_RING_CQE_F_MORE) {
				ASSERT_FALSE(is_over);
				continue;
			}
			ends[cqe.user_data == OTHER]++;
			/* What is not there does not go on. */
			is_over |= cqe.user_data == OTHER && cqe.res == -ENOENT;
		}
		ASSERT_EQ(1, ends[0]);
		ASSERT_EQ(1, ends[1]);
		ASSERT_EQ(0, ring_ready(&self->ring));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	}
}

TEST_HARNESS_MAIN
