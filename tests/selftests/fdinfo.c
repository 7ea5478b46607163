// SPDX-License-Identifier: GPL-2.0-only
/* /proc/<pid>/fdinfo of a ring. */
#include <errno.h>

#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

FIXTURE(fdinfo)
{
	struct ring ring;
};

FIXTURE_SETUP(fdinfo)
{
	struct io_ring_setup wanted = ring_wanted(4, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = 8;
	wanted.requests = 32;
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
}

FIXTURE_TEARDOWN(fdinfo)
{
	ring_close(&self->ring);
}

static void expect_info(struct __test_metadata *_metadata, const struct ring *ring,
			const char *key, long value)
{
	EXPECT_EQ(value, fdinfo_value(ring->fd, key)) {
		TH_LOG("io_ring-%s", key);
	}
}

TEST_F(fdinfo, fresh_ring)
{
	expect_info(_metadata, &self->ring, "sq_entries", 4);
	expect_info(_metadata, &self->ring, "cq_entries", 8);
	expect_info(_metadata, &self->ring, "requests", 32);
	expect_info(_metadata, &self->ring, "submitted", 0);
	expect_info(_metadata, &self->ring, "completed", 0);
	expect_info(_metadata, &self->ring, "in_flight", 0);
	expect_info(_metadata, &self->ring, "overflow", 0);
	expect_info(_metadata, &self->ring, "dropped", 0);
	expect_info(_metadata, &self->ring, "owner", getpid());
	expect_info(_metadata, &self->ring, "nonsense", -ENOENT);
}

TEST_F(fdinfo, counts)
{
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < 3; i++) {
		ring_push_nops(&self->ring, 4, 0);
		ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	}
	while (ring_pop(&self->ring, &cqe))
		;
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 4));
	expect_info(_metadata, &self->ring, "submitted", 12);
	expect_info(_metadata, &self->ring, "completed", 12);
	expect_info(_metadata, &self->ring, "in_flight", 0);
	expect_info(_metadata, &self->ring, "overflow", 4);
	expect_info(_metadata, &self->ring, "dropped", 0);
}

TEST_F(fdinfo, dropped)
{
	ring_push_nops(&self->ring, 2, 0);
	ring_store(&self->ring, self->ring.setup.sq_off.array, ~0U);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	expect_info(_metadata, &self->ring, "dropped", 1);
	expect_info(_metadata, &self->ring, "completed", 1);
}

/* What the program scribbles over the ring's own counters does not show. */
TEST_F(fdinfo, is_the_kernels_own)
{
	ring_push_nops(&self->ring, 1, 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	ring_store(&self->ring, self->ring.setup.sq_off.dropped, 77);
	ring_store(&self->ring, self->ring.setup.cq_off.overflow, 77);
	ring_store(&self->ring, self->ring.setup.sq_off.ring_entries, 77);
	ring_store(&self->ring, self->ring.setup.cq_off.ring_entries, 77);
	expect_info(_metadata, &self->ring, "dropped", 0);
	expect_info(_metadata, &self->ring, "overflow", 0);
	expect_info(_metadata, &self->ring, "sq_entries", 4);
	expect_info(_metadata, &self->ring, "cq_entries", 8);
}

static int owner_seen_by_child(void *arg)
{
	return fdinfo_value(((struct ring *)arg)->fd, "owner") == getppid() ? 0 : 1;
}

TEST_F(fdinfo, owner_is_the_one_who_made_it)
{
	EXPECT_EQ(0, in_child(owner_seen_by_child, &self->ring));
}

TEST_HARNESS_MAIN
