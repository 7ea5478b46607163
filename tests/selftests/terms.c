// SPDX-License-Identifier: GPL-2.0-only
/* The terms of a wait in the argument of IO_RING_ENTER: which values are refused, and how. */
#include <errno.h>

#include "clock.h"
#include "files.h"
#include "harness.h"
#include "ring.h"

#define ENTRIES 4
#define AT(member) offsetof(struct io_ring_enter, member)
#define FLAGS (IO_RING_ENTER_ABS_TIMER | IO_RING_ENTER_NO_STALL)

/* One entry is offered and never taken. */
FIXTURE(terms)
{
	struct ring ring;
};

FIXTURE_SETUP(terms)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ring_push_nops(&self->ring, 1, 0);
}

FIXTURE_TEARDOWN(terms)
{
	EXPECT_EQ(0, ring_load(&self->ring, self->ring.setup.sq_off.head));
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 1));
	ring_close(&self->ring);
}

/* All that is written is the field to blame. */
static void expect_refused(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_enter args, __u32 field)
{
	struct io_ring_enter after = args;

	EXPECT_EQ(-EINVAL, ring_enter_fd(ring->fd, &after));
	EXPECT_EQ(field, after.error_field) {
		TH_LOG("flags %#x clock %u timeout %#llx min_wait %#llx", args.flags, args.clock,
		       args.timeout, args.min_wait);
	}
	args.error_field = after.error_field;
	EXPECT_EQ(0, memcmp(&args, &after, sizeof(args)));
}

/* A wait that ends at once, and takes nothing. */
static const struct io_ring_enter passes = { .min_complete = 1, .timeout = 1 };

static void expect_accepted(struct __test_metadata *_metadata, const struct ring *ring,
			    struct io_ring_enter args, int result)
{
	EXPECT_EQ(result, ring_enter_fd(ring->fd, &args)) {
		TH_LOG("flags %#x clock %u", args.flags, args.clock);
	}
	EXPECT_EQ(0, args.error_field);
}

TEST_F(terms, flags)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		struct io_ring_enter args = passes;

		args.flags = 1U << bit;
		if (args.flags == IO_RING_ENTER_NO_STALL)
			args.timeout = 10 * SECOND;
		if (args.flags & FLAGS)
			expect_accepted(_metadata, &self->ring, args,
					args.timeout == 1 ? -ETIME : -EDEADLK);
		else
			expect_refused(_metadata, &self->ring, args, AT(flags));
		args.to_submit = 1;
		args.flags |= ~FLAGS;
		expect_refused(_metadata, &self->ring, args, AT(flags));
	}
}

static void check_clock(struct __test_metadata *_metadata, const struct ring *ring, __u32 clock)
{
	struct io_ring_enter args = passes;

	args.clock = clock;
	if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME) {
		expect_accepted(_metadata, ring, args, -ETIME);
	} else {
		args.to_submit = 1;
		expect_refused(_metadata, ring, args, AT(clock));
	}
	args.to_submit = 1;
	args.timeout = 0;
	if (clock)
		expect_refused(_metadata, ring, args, AT(clock));
}

TEST_F(terms, clocks)
{
	for (__u32 clock = 0; clock < 64; clock++) {
		check_clock(_metadata, &self->ring, clock);
		check_clock(_metadata, &self->ring, ~clock);
		check_clock(_metadata, &self->ring, clock << 8 | CLOCK_MONOTONIC);
	}
}

static const __u64 too_long[] = {
	1ULL << 63, (1ULL << 63) + 1, 3ULL << 62, ~0ULL - 1, ~0ULL,
};

TEST_F(terms, spans_that_are_too_long)
{
	for (size_t i = 0; i < ARRAY_SIZE(too_long); i++) {
		struct io_ring_enter args = { .to_submit = 1, .min_complete = 1 };

		args.timeout = too_long[i];
		expect_refused(_metadata, &self->ring, args, AT(timeout));
		args.flags = IO_RING_ENTER_ABS_TIMER;
		args.clock = CLOCK_BOOTTIME;
		expect_refused(_metadata, &self->ring, args, AT(timeout));
		args = passes;
		args.to_submit = 1;
		args.min_wait = too_long[i];
		expect_refused(_metadata, &self->ring, args, AT(min_wait));
	}
}

TEST_F(terms, without_a_wait)
{
	__u64 mask = 0;
	const struct {
		struct io_ring_enter args;
		__u32 field;
	} useless[] = {
		{ { .timeout = 1 }, AT(timeout) },
		{ { .timeout = 1, .clock = CLOCK_MONOTONIC }, AT(timeout) },
		{ { .timeout = 1, .flags = IO_RING_ENTER_ABS_TIMER }, AT(timeout) },
		{ { .min_wait = 1 }, AT(min_wait) },
		{ { .sigmask = (uintptr_t)&mask }, AT(sigmask) },
		{ { .flags = IO_RING_ENTER_NO_STALL }, AT(flags) },
		{ { .flags = IO_RING_ENTER_ABS_TIMER }, AT(flags) },
		{ { .clock = CLOCK_MONOTONIC }, AT(clock) },
		{ { .min_complete = 1, .flags = IO_RING_ENTER_ABS_TIMER }, AT(flags) },
		{ { .min_complete = 1, .flags = FLAGS, .min_wait = 1 }, AT(flags) },
		{ { .min_complete = 1, .clock = CLOCK_BOOTTIME, .min_wait = 1 }, AT(clock) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(useless); i++) {
		struct io_ring_enter args = useless[i].args;

		expect_refused(_metadata, &self->ring, args, useless[i].field);
		args.to_submit = 1;
		expect_refused(_metadata, &self->ring, args, useless[i].field);
	}
}

TEST_F(terms, first_of_several_wrong_fields_is_blamed)
{
	struct io_ring_enter args = {
		.to_submit = 1,
		.flags = 1,
		.wait_error = 1,
		.clock = 2,
		.timeout = ~0ULL,
		.min_wait = ~0ULL,
		.sigmask = 8,
	};

	expect_refused(_metadata, &self->ring, args, AT(flags));
	args.flags = 0;
	expect_refused(_metadata, &self->ring, args, AT(wait_error));
	args.wait_error = 0;
	args.error_field = 1;
	expect_refused(_metadata, &self->ring, args, AT(error_field));
	args.error_field = 0;
	expect_refused(_metadata, &self->ring, args, AT(clock));
	args.clock = CLOCK_MONOTONIC;
	expect_refused(_metadata, &self->ring, args, AT(timeout));
	args.clock = 0;
	args.timeout = 0;
	expect_refused(_metadata, &self->ring, args, AT(min_wait));
	args.min_wait = 0;
	expect_refused(_metadata, &self->ring, args, AT(sigmask));
}

TEST_F(terms, signal_mask_that_cannot_be_read)
{
	unsigned char *page = guarded_pages(1);
	const __u64 addresses[] = {
		1, 8, (uintptr_t)page + 4096, (uintptr_t)page + 4092, 1ULL << 63, ~0ULL - 7, ~0ULL,
	};

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct io_ring_enter args = passes;
		struct io_ring_enter before;

		args.to_submit = 1;
		args.sigmask = addresses[i];
		before = args;
		EXPECT_EQ(-EFAULT, ring_enter_fd(self->ring.fd, &args)) {
			TH_LOG("mask at %#llx", addresses[i]);
		}
		EXPECT_EQ(0, memcmp(&before, &args, sizeof(args)));
	}
	guarded_free(page, 1);
}

TEST_HARNESS_MAIN
