// SPDX-License-Identifier: GPL-2.0-only
/* Registered buffers go with the process that has registered them, not with the ring. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "actor.h"
#include "await.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "process.h"

#define PAGES 3

static int ends[2];

FIXTURE(owned)
{
	struct ring ring;
	struct actor first;
	struct actor second;
};

FIXTURE_VARIANT(owned)
{
	bool (*leaves)(struct actor *actor);
};

FIXTURE_VARIANT_ADD(owned, exit) { .leaves = actor_exits };
FIXTURE_VARIANT_ADD(owned, kill) { .leaves = actor_is_killed };
FIXTURE_VARIANT_ADD(owned, exec) { .leaves = actor_executes };
FIXTURE_VARIANT_ADD(owned, exec_holding) { .leaves = actor_executes_holding };

FIXTURE_SETUP(owned)
{
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, 4, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&self->first, &self->ring));
	ASSERT_TRUE(actor_start(&self->second, &self->ring));
}

FIXTURE_TEARDOWN(owned)
{
	actor_end(&self->first);
	actor_end(&self->second);
	ring_close(&self->ring);
	close(ends[0]);
	close(ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pins_of_kernel());
}

static int registers(struct ring *ring)
{
	return buffer_register(ring, new_pages(PAGES), PAGES * PAGE);
}

static int registers_again(struct ring *ring)
{
	return buffers_register(ring, NULL, 1, NULL);
}

/* A request that waits, with a buffer. */
static int reads(struct ring *ring)
{
	unsigned char *memory = new_pages(PAGES);
	struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, ends[0], 0, memory, PAGE, 0);
	int error = buffer_register(ring, memory, PAGES * PAGE);

	ring_push(ring, &sqe);
	return error ?: ring_enter(ring, 1, 0);
}

/* Whether nothing is pinned, soon: a process is gone before its memory is. */
static bool await_unpinned(void)
{
	const long end = now_ms() + patience(SOON);

	while (pinned_by_all() && now_ms() < end)
		sleep_ms(1);
	return pinned_by_all() == 0;
}

TEST_F(owned, ends_with_its_process)
{
	ASSERT_EQ(0, actor_ask(&self->first, registers));
	EXPECT_EQ(PAGES, pinned_by_all());
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_TRUE(await_unpinned());
	/* The next one finds no table. */
	EXPECT_EQ(0, actor_ask(&self->second, registers));
	EXPECT_EQ(PAGES, pinned_by_all());
	EXPECT_EQ(-EBUSY, actor_ask(&self->second, registers_again));
}

TEST_F(owned, ends_with_its_process_and_requests)
{
	ASSERT_EQ(1, actor_ask(&self->first, reads));
	EXPECT_EQ(PAGES, pinned_by_all());
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_TRUE(await_unpinned());
	EXPECT_EQ(1, actor_ask(&self->second, reads));
	EXPECT_EQ(PAGES, pinned_by_all());
}

/* The descriptor of the ring is all that is left of its owner. */
TEST_F(owned, without_rebinding)
{
	struct actor owner, other;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&owner, &ring));
	ASSERT_TRUE(actor_start(&other, &ring));
	ASSERT_EQ(1, actor_ask(&owner, reads));
	EXPECT_EQ(-EPERM, actor_ask(&other, registers));
	EXPECT_EQ(PAGES, pinned_by_all());
	ASSERT_TRUE(variant->leaves(&owner));
	EXPECT_TRUE(await_unpinned());
	actor_end(&owner);
	actor_end(&other);
	ring_close(&ring);
}

TEST_HARNESS_MAIN
