// SPDX-License-Identifier: GPL-2.0-only
/* The last descriptor of a ring goes while another thread does something with it. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "chain.h"
#include "files.h"
#include "module.h"
#include "pinned.h"
#include "registered.h"
#include "ring.h"
#include "soak.h"

#define ROUNDS 10000
#define LIMIT_S 7200
#define ENTRIES 64
#define SPIN 60000
#define SEED 3

struct race {
	struct ring ring;
	struct io_ring_setup setup;	/* of all of them */
	int file;
	int pipe[2];
	pthread_barrier_t turn;
	unsigned int rounds;
	unsigned int random;
	/* The thread's. */
	int (*act)(struct race *race, int fd);
	unsigned int acts;
	unsigned int too_late;
	int wrong;
};

/* Each of these does something with a ring that may go, and tells -errno. */

static int map_and_touch(struct race *race, int fd)
{
	const size_t size = race->setup.region_size;
	unsigned char *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				     IO_RING_OFF_REGION);

	if (region == MAP_FAILED)
		return -errno;
	/* Each is a fault of its own; that the ring goes meanwhile does not matter. */
	for (size_t at = 0; at < size; at += PAGE)
		__atomic_load_n(&region[at], __ATOMIC_RELAXED);
	for (size_t at = 0; at < size; at += PAGE)
		__atomic_store_n(&region[at + PAGE - 1], 0, __ATOMIC_RELAXED);
	munmap(region, size);
	return 0;
}

static int enter(struct race *race, int fd)
{
	struct io_ring_enter args = { .to_submit = 1 };
	int taken = ring_enter_fd(fd, &args);

	(void)race;
	return taken < 0 ? taken : 0;
}

static int register_files(struct race *race, int fd)
{
	const struct ring ring = { .fd = fd };
	const int fds[] = { race->file, race->pipe[0] };
	int error = files_register(&ring, fds, NULL, ARRAY_SIZE(fds));

	error = error ?: file_replace(&ring, 1, race->file, 0);
	return error ?: files_unregister(&ring);
}

static int register_buffers(struct race *race, int fd)
{
	static unsigned char memory[4 * PAGE];
	const struct ring ring = { .fd = fd };
	int error = buffer_register(&ring, memory, sizeof(memory));

	(void)race;
	return error ?: buffers_unregister(&ring);
}

static int quiesce(struct race *race, int fd)
{
	const struct ring ring = { .fd = fd };

	(void)race;
	return ring_quiesce(&ring, 0, NULL);
}

FIXTURE(closing)
{
	struct race race;
};

FIXTURE_VARIANT(closing)
{
	int (*act)(struct race *race, int fd);
	const char *name;
};

FIXTURE_VARIANT_ADD(closing, against_faults) { map_and_touch, "mapped and touched" };
FIXTURE_VARIANT_ADD(closing, against_enter) { enter, "entered" };
FIXTURE_VARIANT_ADD(closing, against_registering_files) { register_files, "files registered" };
FIXTURE_VARIANT_ADD(closing, against_registering_buffers) { register_buffers, "pages pinned" };
FIXTURE_VARIANT_ADD(closing, against_quiesce) { quiesce, "quiesced" };

FIXTURE_SETUP(closing)
{
	struct race *race = &self->race;

	race->act = variant->act;
	race->rounds = soak_scaled(ROUNDS);
	race->random = SEED;
	race->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, race->file);
	ASSERT_EQ(0, pipe(race->pipe));
	ASSERT_EQ(0, pthread_barrier_init(&race->turn, NULL, 2));
	ASSERT_EQ(0, ring_open(&race->ring, ENTRIES, 0));
	race->setup = race->ring.setup;
	ring_close(&race->ring);
}

FIXTURE_TEARDOWN(closing)
{
	close(self->race.file);
	close(self->race.pipe[0]);
	close(self->race.pipe[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pins_of_kernel());
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

static void *act(void *arg)
{
	struct race *race = arg;

	for (unsigned int round = 0; round < race->rounds; round++) {
		const unsigned int acts = race->acts;
		int error, fd;

		pthread_barrier_wait(&race->turn);
		fd = race->ring.fd;
		while (!(error = race->act(race, fd)))
			race->acts++;
		race->too_late += race->acts == acts;
		if (error != -EBADF)
			race->wrong = error;
		pthread_barrier_wait(&race->turn);
	}
	return NULL;
}

/* What is in the queue: some of it waits, some of it takes a worker. */
static void offer(struct race *race)
{
	static char byte;

	for (unsigned int i = 0; i < ENTRIES; i++)
		chain_push(&race->ring, i % 4 == 0 ? sqe_fsync(race->file, 0, 0, 0) :
			   sqe_rw(IO_RING_OP_READ, race->pipe[0], &byte, 1, 0), 0);
}

TEST_F_TIMEOUT(closing, a_ring, LIMIT_S)
{
	struct race *race = &self->race;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, act, race));
	for (unsigned int round = 0; round < race->rounds; round++) {
		ASSERT_EQ(0, ring_open(&race->ring, ENTRIES, 0));
		offer(race);
		pthread_barrier_wait(&race->turn);
		for (int left = rand_r(&race->random) % SPIN; left; left--)
			__asm__ volatile("");
		ring_close(&race->ring);
		pthread_barrier_wait(&race->turn);
		soak_progress(round, race->rounds);
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, race->wrong);
	soak_figure("%u rings closed, %u times %s meanwhile, %u too early for that", race->rounds,
		    race->acts, variant->name, race->too_late);
	EXPECT_LT(0, race->acts);
}

TEST_HARNESS_MAIN
