// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_LINK_TIMEOUT: limits that are stopped, those that stop much, and races. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "await.h"
#include "chain.h"
#include "clock.h"
#include "harness.h"
#include "limited.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define CANCEL 100		/* user_data */

static __s32 cancel(struct __test_metadata *_metadata, const struct ring *ring,
		    struct io_ring_sqe sqe)
{
	chain_push(ring, chain_tagged(sqe, CANCEL), 0);
	EXPECT_EQ(1, ring_enter(ring, 1, 0));
	return chain_result(ring, CANCEL);
}

/* By its user data or its opcode; the member goes on without it. */
TEST_F(limit, may_be_cancelled)
{
	const struct io_ring_sqe ways[] = {
		sqe_cancel(0, 1, 0, 0),
		sqe_cancel(IO_RING_CANCEL_OP, 0, 0, IO_RING_OP_LINK_TIMEOUT),
	};

	for (unsigned int i = 0; i < 2; i++) {
		push_limited(&self->ring, self->waits, &never);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
		EXPECT_EQ(0, cancel(_metadata, &self->ring, ways[i]));
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 1));
		EXPECT_EQ(2, ring_ready(&self->ring));
		EXPECT_EQ(0, fdinfo_value(self->ring.fd, "timers"));
		ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		await_all(_metadata, &self->ring, 3);
		EXPECT_EQ(1, chain_result(&self->ring, 0));
		chain_drop(&self->ring);
	}
	/* It is no TIMEOUT. */
	push_limited(&self->ring, self->waits, &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring,
				  (struct io_ring_sqe){ .opcode = IO_RING_OP_TIMEOUT_REMOVE,
							.addr = 1 }));
	chain_drop(&self->ring);
	/* While it waits for its turn. */
	chain_push(&self->ring, chain_tagged(self->elsewhere, 2), LINK);
	chain_push(&self->ring, chain_tagged(self->elsewhere, 3), LINK);
	chain_push(&self->ring, chain_limit(&soon, 4), LINK);
	chain_push(&self->ring, sqe_nop(5), 0);
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, 4, 0, 0)));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 4));
	EXPECT_EQ(2, fdinfo_value(self->ring.fd, "in_line"));
	EXPECT_EQ(1, write(self->other[1], "a", 1));
	sleep_ms(A_WHILE);
	EXPECT_EQ(1, write(self->other[1], "a", 1));
	ASSERT_TRUE(await_completions(&self->ring, 5, 10 * SOON));
	EXPECT_EQ(1, chain_result(&self->ring, 3));
	EXPECT_EQ(0, chain_result(&self->ring, 5));
	chain_drop(&self->ring);
}

/* With its member: under way, and before its turn, where the others close up or not. */
TEST_F(limit, goes_with_its_member)
{
	push_limited(&self->ring, self->waits, &never);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, 0, 0, 0)));
	await_all(_metadata, &self->ring, 3);
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 0));
	EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 1));
	chain_drop(&self->ring);

	chain_push(&self->ring, chain_tagged(self->waits, 2), LINK);
	chain_push(&self->ring, sqe_nop(3), HARDLINK);
	chain_push(&self->ring, chain_limit(&never, 4), LINK);
	chain_push(&self->ring, sqe_nop(5), 0);
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(0, 3, 0, 0)));
	EXPECT_CQE_RES(3, -ECANCELED);
	EXPECT_CQE_RES(4, -ECANCELED);
	EXPECT_CQE_RES(CANCEL, 0);
	ASSERT_EQ(1, write(self->pipe[1], "a", 1));
	await_all(_metadata, &self->ring, 2);
	EXPECT_CQE_RES(2, 1);
	EXPECT_CQE_RES(5, 0);
}

static void push_all_kinds(const struct ring *ring, struct io_ring_sqe waits)
{
	push_limited(ring, waits, &never);
	chain_push(ring, chain_tagged(waits, 2), HARDLINK);
	chain_push(ring, chain_limit(&never, 3), LINK);
	chain_push(ring, chain_tagged(waits, 4), LINK);
	chain_push(ring, chain_limit(&never, 5), 0);
}

TEST_F(limit, does_not_survive_quiesce)
{
	for (unsigned int round = 0; round < 50; round++) {
		push_all_kinds(&self->ring, self->waits);
		ASSERT_EQ(6, ring_enter(&self->ring, 6, 0));
		if (round % 2) {
			EXPECT_EQ(6, cancel(_metadata, &self->ring,
					    sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0)));
		} else {
			ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
		}
		await_all(_metadata, &self->ring, 6 + round % 2);
		for (unsigned int i = 0; i < 6; i++)
			EXPECT_EQ(-ECANCELED, chain_result(&self->ring, i));
		chain_drop(&self->ring);
	}
}

struct life {
	struct io_ring_sqe waits;
	bool is_killed;
	int told[2];
};

static int live(void *arg)
{
	const struct life *life = arg;
	struct ring ring;

	if (ring_open(&ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < 5; i++)
		push_all_kinds(&ring, life->waits);
	/* Some ring just then. */
	for (unsigned int i = 0; i < 10; i++)
		push_limited(&ring, life->waits, &soon);
	if (ring_enter(&ring, 50, 0) != 50 || write(life->told[1], "x", 1) != 1)
		return 2;
	if (life->is_killed)
		pause();
	clock_sleep(soon.nsec);
	return 0;
}

TEST_F(limit, does_not_survive_its_process)
{
	struct life life = { .waits = self->waits };
	char byte;

	ASSERT_EQ(0, pipe(life.told));
	for (unsigned int i = 0; i < 20; i++) {
		pid_t child;

		life.is_killed = i % 2;
		child = spawn(live, &life);
		ASSERT_LT(0, child);
		ASSERT_EQ(1, read(life.told[0], &byte, 1));
		if (life.is_killed) {
			clock_sleep(soon.nsec / 20 * i);
			ASSERT_EQ(0, kill(child, SIGKILL));
		}
		EXPECT_EQ(life.is_killed ? -SIGKILL : 0, outcome_of(child));
	}
	close(life.told[0]);
	close(life.told[1]);
}

#define MANY 1024

/* All at once, and each with a member of its own. */
TEST_F(limit, may_be_many)
{
	struct io_ring_setup wanted = ring_wanted(4 * MANY, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < MANY; i++) {
		chain_push(&ring, chain_tagged(self->waits, 4 * i), LINK);
		chain_push(&ring, chain_limit(&soon, 4 * i + 1), 0);
		chain_push(&ring, sqe_nop(4 * i + 2), LINK);
		chain_push(&ring, chain_limit(&never, 4 * i + 3), i + 1 == MANY ? 0 : HARDLINK);
	}
	ASSERT_EQ(4 * MANY, ring_enter(&ring, 4 * MANY, 0));
	await_all(_metadata, &ring, 4 * MANY);
	for (unsigned int i = 0; i < 4 * MANY; i++) {
		static const __s32 results[] = { -ECANCELED, -ETIME, 0, -ECANCELED };
		struct io_ring_cqe cqe;

		ASSERT_TRUE(ring_pop(&ring, &cqe));
		ASSERT_EQ(results[cqe.user_data % 4], cqe.res);
	}
	ring_close(&ring);
}

#define ROUNDS 300
#define RACES_LIMIT_S 300

/* Whoever comes first: both have their completions, and the chain knows. */
TEST_F_TIMEOUT(limit, may_come_at_the_same_time, RACES_LIMIT_S)
{
	const struct io_ring_sqe nothing = sqe_cancel(0, 12345, 0, 0);
	unsigned int seed = 1;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		const struct io_ring_timespec time = { .nsec = rand_r(&seed) % (2 * MS) };
		__u64 rest = rand_r(&seed) % (2 * MS);
		struct io_ring_sqe sqe = self->waits;
		__s32 res, limit, next;
		char byte;

		sqe.flags = round % 3 ? 0 : FORCED;
		chain_push(&self->ring, chain_tagged(sqe, 0), LINK);
		chain_push(&self->ring, chain_limit(&time, 1), LINK);
		chain_push(&self->ring, sqe_nop(2), LINK);
		chain_push(&self->ring, chain_limit(&time, 3), LINK);
		chain_push(&self->ring, chain_tagged(nothing, 4), 0);
		ASSERT_EQ(5, ring_enter(&self->ring, 5, 0));
		clock_sleep(rest);
		if (round % 2 == 0)
			cancel(_metadata, &self->ring, sqe_cancel(0, 0, 0, 0));
		else
			ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		await_all(_metadata, &self->ring, round % 2 ? 5 : 6);
		res = chain_result(&self->ring, 0);
		limit = chain_result(&self->ring, 1);
		next = chain_result(&self->ring, 2);
		EXPECT_TRUE(res == -ECANCELED || (res == 1 && round % 2));
		EXPECT_TRUE(limit == -ETIME || limit == -ECANCELED);
		if (round % 2 && res != 1)
			EXPECT_EQ(-ETIME, limit);
		EXPECT_EQ(res == 1 ? 0 : -ECANCELED, next);
		EXPECT_EQ(-ECANCELED, chain_result(&self->ring, 3));
		EXPECT_EQ(res == 1 ? -ENOENT : -ECANCELED, chain_result(&self->ring, 4));
		if (round % 2 && res != 1)
			ASSERT_EQ(1, read(self->pipe[0], &byte, 1));
		chain_drop(&self->ring);
	}
}

TEST_HARNESS_MAIN
