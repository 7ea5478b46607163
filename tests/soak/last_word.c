// SPDX-License-Identifier: GPL-2.0-only
/* Requests are removed just when what they wait for comes: each has one last completion. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "clock.h"
#include "module.h"
#include "ring.h"
#include "signaller.h"
#include "soak.h"

#define ROUNDS 100000
#define LIMIT_S 7200
#define PROMPT (20 * SECOND)	/* of what comes at once */
#define ENTRIES 8
#define THE_ONE 7
#define OTHER 8
#define MOST_NS 200000		/* of a timeout, and until it is removed */
#define SEED 11

FIXTURE(race)
{
	struct ring ring;
	struct signaller signaller;
	unsigned int random;
};

FIXTURE_VARIANT(race)
{
	struct io_ring_sqe sqe;
	struct io_ring_sqe other;
	__s32 removed;		/* what the first has for result if the other ends it */
	bool is_timed;
};

FIXTURE_VARIANT_ADD(race, poll)
{
	.sqe = { .opcode = IO_RING_OP_POLL_ADD, .op_flags = POLLIN },
	.other = { .opcode = IO_RING_OP_POLL_REMOVE, .addr = THE_ONE },
	.removed = -ECANCELED,
};

FIXTURE_VARIANT_ADD(race, poll_multishot)
{
	.sqe = {
		.opcode = IO_RING_OP_POLL_ADD, .op_flags = POLLIN, .len = IO_RING_POLL_ADD_MULTI,
	},
	.other = { .opcode = IO_RING_OP_POLL_REMOVE, .addr = THE_ONE },
	.removed = -ECANCELED,
};

FIXTURE_VARIANT_ADD(race, timeout)
{
	.sqe = { .opcode = IO_RING_OP_TIMEOUT, .len = 1 },
	.other = { .opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE },
	.removed = -ECANCELED,
	.is_timed = true,
};

FIXTURE_VARIANT_ADD(race, timeout_multishot)
{
	.sqe = {
		.opcode = IO_RING_OP_TIMEOUT, .len = 1, .op_flags = IO_RING_TIMEOUT_MULTISHOT,
	},
	.other = { .opcode = IO_RING_OP_TIMEOUT_REMOVE, .addr = THE_ONE },
	.removed = -ECANCELED,
	.is_timed = true,
};

/* The other one is what it counts. */
FIXTURE_VARIANT_ADD(race, timeout_count)
{
	.sqe = { .opcode = IO_RING_OP_TIMEOUT, .len = 1, .off = 1 },
	.other = { .opcode = IO_RING_OP_NOP },
	.is_timed = true,
};

FIXTURE_SETUP(race)
{
	const char *seed = getenv("SOAK_SEED");

	self->random = seed ? atoi(seed) : SEED;
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	if (!variant->is_timed)
		ASSERT_EQ(0, signaller_begin(&self->signaller));
}

FIXTURE_TEARDOWN(race)
{
	if (!variant->is_timed)
		signaller_end(&self->signaller);
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

static void spin(__u64 nanoseconds)
{
	const __u64 begin = clock_now(CLOCK_MONOTONIC);

	while (clock_since(begin) < nanoseconds)
		;
}

/* Waits until both have ended; answers the result of the one. */
static __s32 end_both(struct __test_metadata *_metadata, const struct ring *ring,
		      unsigned int *told)
{
	struct io_ring_enter wait = {
		.min_complete = 1, .timeout = PROMPT, .clock = CLOCK_MONOTONIC,
	};
	unsigned int ends[2] = { };
	struct io_ring_cqe cqe;
	bool is_over = false;
	__s32 result = 0;

	while (!ends[0] || !ends[1]) {
		/* Those that found no room come with this. */
		ASSERT_EQ(0, ring_enter_fd(ring->fd, &wait));
		ASSERT_TRUE(ring_pop(ring, &cqe));
		if (cqe.flags & IO_RING_CQE_F_MORE) {
			ASSERT_FALSE(is_over);
			(*told)++;
			continue;
		}
		ends[cqe.user_data == OTHER]++;
		if (cqe.user_data == THE_ONE) {
			result = cqe.res;
		} else if (cqe.res) {
			ASSERT_TRUE(cqe.res == -ENOENT || cqe.res == -EALREADY);
			/* What is not there does not go on. */
			is_over = cqe.res == -ENOENT;
		}
	}
	ASSERT_EQ(1, ends[0]);
	ASSERT_EQ(1, ends[1]);
	ASSERT_EQ(0, ring_ready(ring));
	return result;
}

TEST_F_TIMEOUT(race, one_of_them_ends_it, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	struct io_ring_timespec time = { };
	struct io_ring_sqe sqe = variant->sqe;
	unsigned int removed = 0, told = 0;

	if (variant->is_timed)
		sqe.addr = (uintptr_t)&time;
	else
		sqe.fd = self->signaller.fd;
	for (unsigned int i = 0; i < rounds; i++) {
		soak_progress(i, rounds);
		time.nsec = 1 + rand_r(&self->random) % MOST_NS;
		submit(_metadata, &self->ring, sqe, THE_ONE);
		spin(rand_r(&self->random) % MOST_NS);
		submit(_metadata, &self->ring, variant->other, OTHER);
		removed += end_both(_metadata, &self->ring, &told) == variant->removed;
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	}
	/* Who comes first is up to the machine. */
	soak_figure("%u of %u ended by the other, %u completions before the last", removed, rounds,
		    told);
}

TEST_HARNESS_MAIN
