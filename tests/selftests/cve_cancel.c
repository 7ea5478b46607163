// SPDX-License-Identifier: GPL-2.0-only
/* Requests whose file becomes ready while somebody cancels them: they complete, and only once. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "source.h"

#define ROUNDS 10000
#define ENTRIES 8
#define SPIN 16000
#define SEED 7
#define THE_ONE 1
#define CANCEL 2

enum weapon {
	BY_USER_DATA,
	BY_FILE,
	BY_OPCODE,
	ANY,
	QUIESCE,
	WEAPONS,
};

/* The two sides of a race, and who won so far. */
struct race {
	struct ring ring;
	struct source sources[SOURCE_KINDS];
	struct source *source;
	pthread_barrier_t turn;
	pthread_t feeder;
	char buffer[SOURCE_LEN];
	unsigned int random;
	unsigned int completions;
	unsigned int read[WEAPONS];
	unsigned int cancelled[WEAPONS];
};

FIXTURE(race)
{
	struct race race;
};

FIXTURE_SETUP(race)
{
	struct race *race = &self->race;

	ASSERT_EQ(0, ring_open(&race->ring, ENTRIES, 0));
	for (enum source_kind kind = 0; kind < SOURCE_KINDS; kind++)
		ASSERT_TRUE(source_open(&race->sources[kind], kind));
	ASSERT_EQ(0, pthread_barrier_init(&race->turn, NULL, 2));
	race->random = SEED;
}

FIXTURE_TEARDOWN(race)
{
	struct race *race = &self->race;

	ring_close(&race->ring);
	for (enum source_kind kind = 0; kind < SOURCE_KINDS; kind++)
		source_close(&race->sources[kind]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void spin(unsigned int *random)
{
	for (int left = rand_r(random) % SPIN; left; left--)
		__asm__ volatile("");
}

static void *feed_many_times(void *arg)
{
	struct race *race = arg;
	unsigned int random = SEED + 1;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&race->turn);
		spin(&random);
		source_feed(race->source);
		pthread_barrier_wait(&race->turn);
	}
	return NULL;
}

static bool submit(struct race *race, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(&race->ring, &sqe);
	return ring_enter(&race->ring, 1, 0) == 1;
}

static bool attack(struct race *race, enum weapon weapon)
{
	const struct io_ring_sqe cancels[] = {
		[BY_USER_DATA] = sqe_cancel(0, THE_ONE, 0, 0),
		[BY_FILE] = sqe_cancel(IO_RING_CANCEL_FD, 0, race->source->reader, 0),
		[BY_OPCODE] = sqe_cancel(IO_RING_CANCEL_OP | IO_RING_CANCEL_ALL, 0, 0,
					 IO_RING_OP_READ),
		[ANY] = sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0),
	};

	if (weapon == QUIESCE)
		return !ring_quiesce(&race->ring, 0, NULL);
	return submit(race, cancels[weapon], CANCEL);
}

/* What a CANCEL may say, if the READ was cancelled or not. */
static bool is_true(enum weapon weapon, __s32 answer, bool was_cancelled)
{
	switch (weapon) {
	case BY_USER_DATA:
	case BY_FILE:
		return answer == -EALREADY || answer == (was_cancelled ? 0 : -ENOENT);
	case BY_OPCODE:
	case ANY:
		/* What was interrupted counts, though it may have read by then. */
		return answer == 1 || (answer == 0 && !was_cancelled);
	default:
		return true;
	}
}

/* What was not read is there to be read. */
static bool is_still_there(const struct source *source)
{
	struct pollfd pollfd = { .fd = source->reader, .events = POLLIN };
	char buffer[SOURCE_LEN];

	return poll(&pollfd, 1, patience(SOON)) == 1 &&
	       read(source->reader, buffer, SOURCE_LEN) > 0;
}

static void judge(struct __test_metadata *_metadata, struct race *race, enum weapon weapon)
{
	unsigned int expected = weapon == QUIESCE ? 1 : 2;
	__s32 result = 0, answer = 0;
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(&race->ring, expected, SOON));
	for (; ring_pop(&race->ring, &cqe); race->completions++)
		*(cqe.user_data == CANCEL ? &answer : &result) = cqe.res;
	race->completions -= expected;
	ASSERT_TRUE(result > 0 || result == -ECANCELED) {
		TH_LOG("result %d", result);
	}
	ASSERT_TRUE(is_true(weapon, answer, result < 0)) {
		TH_LOG("result %d, answer %d", result, answer);
	}
	if (result < 0)
		ASSERT_TRUE(is_still_there(race->source));
	*(result < 0 ? &race->cancelled[weapon] : &race->read[weapon]) += 1;
}

TEST_F(race, has_one_winner)
{
	struct race *race = &self->race;

	ASSERT_EQ(0, pthread_create(&race->feeder, NULL, feed_many_times, race));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		enum weapon weapon = rand_r(&race->random) % WEAPONS;

		race->source = &race->sources[rand_r(&race->random) % SOURCE_KINDS];
		ASSERT_TRUE(submit(race, sqe_rw(IO_RING_OP_READ, race->source->reader,
						race->buffer, SOURCE_LEN, 0), THE_ONE));
		pthread_barrier_wait(&race->turn);
		spin(&race->random);
		ASSERT_TRUE(attack(race, weapon));
		pthread_barrier_wait(&race->turn);
		judge(_metadata, race, weapon);
		ASSERT_EQ(0, race->completions) {
			TH_LOG("round %u: %s", i, source_names[race->source->kind]);
		}
	}
	ASSERT_EQ(0, pthread_join(race->feeder, NULL));
	EXPECT_EQ(0, fdinfo_value(race->ring.fd, "in_flight"));
	/* Who is faster is up to the machine. */
	for (enum weapon weapon = 0; weapon < WEAPONS; weapon++)
		TH_LOG("weapon %d: %u cancelled, %u read", weapon, race->cancelled[weapon],
		       race->read[weapon]);
}

TEST_HARNESS_MAIN
