// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_TIMEOUT: what ends it early. */
#include <errno.h>

#include "actor.h"
#include "await.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "timed.h"

/* Everything that ends requests ends timers. */
FIXTURE(armed)
{
	struct ring ring;
};

FIXTURE_VARIANT(armed)
{
	__u32 count;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(armed, plain) { .count = 0 };
FIXTURE_VARIANT_ADD(armed, counting) { .count = 1000 };
FIXTURE_VARIANT_ADD(armed, recurring) { .flags = IO_RING_TIMEOUT_MULTISHOT };

FIXTURE_SETUP(armed)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	for (unsigned int i = 0; i < 3; i++)
		submit(_metadata, &self->ring, sqe_timeout(&far, variant->count, variant->flags),
		       THE_ONE + i);
	ASSERT_EQ(0, ring_ready(&self->ring));
}

FIXTURE_TEARDOWN(armed)
{
	ring_close(&self->ring);
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
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "in_flight"));
}

TEST_F(armed, is_cancelled_by_opcode)
{
	const __u32 flags = IO_RING_CANCEL_OP | IO_RING_CANCEL_ALL;

	submit(_metadata, &self->ring, sqe_cancel(flags, 0, 0, IO_RING_OP_POLL_ADD), OTHER);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
	submit(_metadata, &self->ring, sqe_cancel(flags, 0, 0, IO_RING_OP_TIMEOUT), OTHER);
	for (unsigned int i = 0; i < 3; i++)
		expect_cqe(_metadata, &self->ring, THE_ONE + i, -ECANCELED);
	expect_cqe(_metadata, &self->ring, OTHER, 3);
}

TEST_F(armed, is_cancelled_with_all)
{
	submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), OTHER);
	for (unsigned int i = 0; i < 3; i++)
		expect_cqe(_metadata, &self->ring, THE_ONE + i, -ECANCELED);
	expect_cqe(_metadata, &self->ring, OTHER, 3);
}

TEST_F(armed, is_not_cancelled_by_file)
{
	submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_FD, 0, 0, 0), OTHER);
	expect_cqe(_metadata, &self->ring, OTHER, -ENOENT);
}

TEST_F(armed, is_quiesced)
{
	__u32 left;

	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	for (unsigned int i = 0; i < 3; i++)
		expect_cqe(_metadata, &self->ring, THE_ONE + i, -ECANCELED);
}

TEST_F(armed, is_removed)
{
	struct io_ring_sqe sqe = { .opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE + 1 };

	submit(_metadata, &self->ring, sqe, OTHER);
	expect_cqe(_metadata, &self->ring, THE_ONE + 1, -ECANCELED);
	expect_cqe(_metadata, &self->ring, OTHER, 0);
	submit(_metadata, &self->ring, sqe, OTHER);
	expect_cqe(_metadata, &self->ring, OTHER, -ENOENT);
}

/* What the process that leaves waits for. */
static __u32 armed_count, armed_flags;

static int arm(struct ring *ring)
{
	for (unsigned int i = 0; i < 3; i++)
		push(ring, sqe_timeout(&far, armed_count, armed_flags), THE_ONE + i);
	return ring_enter(ring, 3, 0);
}

/* The process leaves, in each of the ways; somebody else has the ring. */
TEST_F(armed, its_process_leaves)
{
	static bool (* const ways[])(struct actor *actor) = {
		actor_exits, actor_is_killed, actor_executes, actor_executes_holding,
	};

	armed_count = variant->count;
	armed_flags = variant->flags;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct actor actor;
		struct ring ring;

		ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
		ASSERT_TRUE(actor_start(&actor, &ring));
		ASSERT_EQ(3, actor_ask(&actor, arm));
		EXPECT_EQ(0, ring_ready(&ring));
		ASSERT_TRUE(ways[i](&actor));
		ASSERT_TRUE(await_completions(&ring, 3, SOON));
		EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
		for (unsigned int n = 0; n < 3; n++)
			EXPECT_EQ(-ECANCELED, ring_cqe(&ring, n)->res);
		actor_end(&actor);
		ring_close(&ring);
	}
}

TEST_HARNESS_MAIN
