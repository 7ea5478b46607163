// SPDX-License-Identifier: GPL-2.0-only
/* A cgroup at the limit of its memory: who is in it is killed, and nobody else notices. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "await.h"
#include "cgroup.h"
#include "clock.h"
#include "load.h"
#include "module.h"
#include "process.h"
#include "soak.h"
#include "state.h"

#define ROUNDS 300
#define LIMIT_S 7200
#define LIMIT_MB 24
#define LIMIT "25165824" /* so many bytes */
#define MOST_RINGS 512
#define RING_ENTRIES 4096
#define NO_MORE 0	/* outcomes */
#define STRANGE 9

/* A process outside, whose ring works all the time. */
struct bystander {
	unsigned long turns;
	pid_t pid;
	size_t bytes;	/* of the rings of a process inside */
};

FIXTURE(limited)
{
	struct stage stage;
	struct bystander *bystander;
};

static int stand_by(void *arg)
{
	struct bystander *bystander = arg;
	const struct io_ring_sqe nop = sqe_nop(1);
	struct io_ring_cqe cqe;
	struct ring ring;

	if (ring_open(&ring, STATE_ENTRIES, 0))
		return 1;
	for (;; bystander->turns++)
		if (ring_run(&ring, &nop, &cqe) || cqe.res)
			return 2;
}

FIXTURE_SETUP(limited)
{
	ASSERT_EQ(0, stage_open(&self->stage));
	self->bystander = mmap(NULL, sizeof(*self->bystander), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->bystander);
	self->bystander->pid = spawn(stand_by, self->bystander);
	ASSERT_LT(0, self->bystander->pid);
	ASSERT_EQ(0, cgroup_make());
	ASSERT_EQ(0, cgroup_limit_memory(LIMIT));
}

FIXTURE_TEARDOWN(limited)
{
	EXPECT_EQ(0, kill(self->bystander->pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(self->bystander->pid));
	EXPECT_EQ(0, cgroup_remove());
	stage_close(&self->stage);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Makes rings until there is no memory for another one. */
static int make_rings(void *arg)
{
	static struct ring rings[MOST_RINGS];
	struct bystander *bystander = arg;

	if (cgroup_add(getpid()))
		return STRANGE;
	for (unsigned int i = 0; i < MOST_RINGS; i++) {
		int error = ring_open(&rings[i], RING_ENTRIES, 0);

		if (error)
			return error == -ENOMEM ? NO_MORE : STRANGE;
		bystander->bytes += rings[i].setup.region_size;
	}
	return STRANGE;
}

/* Uses memory until there is none, with rings in all states. */
static int be_busy_and_grow(void *arg)
{
	const struct stage *stage = arg;
	struct ring rings[STATES];

	if (cgroup_add(getpid()))
		return STRANGE;
	for (unsigned int i = 0; i < STATES; i++)
		if (state_open(&states[i], stage, &rings[i]))
			return STRANGE;
	for (size_t size = 0; size < 4 * LIMIT_MB << 20; size += 1 << 20) {
		void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED)
			return STRANGE;
		memset(memory, 1, 1 << 20);
	}
	return STRANGE;
}

/* The bystander goes on, and what the cgroup had is given back. */
static void expect_no_harm(struct __test_metadata *_metadata, const struct bystander *bystander)
{
	const unsigned long turns = __atomic_load_n(&bystander->turns, __ATOMIC_ACQUIRE);
	const long end = now_ms() + patience(10 * SOON);

	while (__atomic_load_n(&bystander->turns, __ATOMIC_ACQUIRE) == turns) {
		ASSERT_GT(end, now_ms());
		sleep_ms(1);
	}
	while (counter("rings") != 1) {
		ASSERT_GT(end, now_ms());
		sleep_ms(1);
	}
}

TEST_F_TIMEOUT(limited, by_rings, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	unsigned int killed = 0;
	size_t most = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		int outcome;

		self->bystander->bytes = 0;
		outcome = in_child(make_rings, self->bystander);
		ASSERT_TRUE(outcome == NO_MORE || outcome == -SIGKILL) {
			TH_LOG("outcome %d", outcome);
		}
		/* Of all that rings take, which is charged, what they share is a small part. */
		ASSERT_GT((LIMIT_MB / 4) << 20, self->bystander->bytes);
		most = self->bystander->bytes > most ? self->bystander->bytes : most;
		killed += outcome == -SIGKILL;
		expect_no_harm(_metadata, self->bystander);
		soak_progress(round, rounds);
	}
	soak_figure("%u processes that made rings: %u killed, %u told that there is no memory",
		    rounds, killed, rounds - killed);
	soak_figure("  at most %zu KiB of shared memory in %d KiB", most >> 10, LIMIT_MB << 10);
}

TEST_F_TIMEOUT(limited, while_rings_are_busy, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);

	for (unsigned int round = 0; round < rounds; round++) {
		ASSERT_EQ(-SIGKILL, in_child(be_busy_and_grow, &self->stage));
		expect_no_harm(_metadata, self->bystander);
		soak_progress(round, rounds);
	}
	/* Somebody else may have killed them. */
	EXPECT_LE(rounds, cgroup_oom_kills());
	soak_figure("%u processes with %d busy rings each killed for their memory", rounds, STATES);
}

TEST_HARNESS_MAIN
