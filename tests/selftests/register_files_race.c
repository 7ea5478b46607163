// SPDX-License-Identifier: GPL-2.0-only
/* Registered files that are replaced while requests use them: each sees the old or the new one. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 16
#define BATCHES 2000
#define UPDATERS 2
#define BLOCK 4096
#define TAG_BIT 63

/* Two files, each full of a letter of its own, and threads that put one or the other in place. */
struct bench {
	struct ring ring;
	int fds[2];
	unsigned char *memory;
	bool over;
	__u64 tags;		/* handed out so far */
};

FIXTURE(race)
{
	struct bench bench;
};

FIXTURE_VARIANT(race)
{
	const char *dir;
	int flags;
};

FIXTURE_VARIANT_ADD(race, tmpfs) { .dir = TMPFS_DIR, .flags = O_RDWR };
FIXTURE_VARIANT_ADD(race, ext4) { .dir = EXT4_DIR, .flags = O_RDWR };
FIXTURE_VARIANT_ADD(race, ext4_direct) { .dir = EXT4_DIR, .flags = O_RDWR | O_DIRECT };

FIXTURE_SETUP(race)
{
	/* Room for the tags that have not been read, besides the requests. */
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = 32 * ENTRIES;
	ASSERT_EQ(0, ring_open_as(&self->bench.ring, &wanted));
	ASSERT_EQ(0, posix_memalign((void **)&self->bench.memory, BLOCK, ENTRIES * BLOCK));
	for (int i = 0; i < 2; i++) {
		int file = temp_file(variant->dir);

		ASSERT_LE(0, file);
		memset(self->bench.memory, 'a' + i, BLOCK);
		ASSERT_EQ(BLOCK, pwrite(file, self->bench.memory, BLOCK, 0));
		ASSERT_EQ(0, fsync(file));
		self->bench.fds[i] = reopen(file, variant->flags);
		ASSERT_LE(0, self->bench.fds[i]);
		close(file);
	}
}

FIXTURE_TEARDOWN(race)
{
	ring_close(&self->bench.ring);
	free(self->bench.memory);
	close(self->bench.fds[0]);
	close(self->bench.fds[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The result is how many updates have been done, or -1 after a wrong answer. */
static void *update(void *arg)
{
	struct bench *bench = arg;
	long done = 0;

	while (!__atomic_load_n(&bench->over, __ATOMIC_ACQUIRE)) {
		__u64 tag = 1ULL << TAG_BIT |
			    __atomic_fetch_add(&bench->tags, 1, __ATOMIC_RELAXED);
		int error = file_replace(&bench->ring, 0, bench->fds[done & 1], tag);

		/* Slots are short now and then; that tag will not be heard of. */
		if (error && error != -EBUSY)
			return (void *)-1L;
		done += !error;
	}
	return (void *)done;
}

/* Reads what has completed; answers how many of them were reads, or -1. */
static int reap(const struct ring *ring, const unsigned char *memory, long *tags)
{
	struct io_ring_cqe cqe;
	int reads = 0;

	while (ring_pop(ring, &cqe)) {
		const unsigned char *block = memory + cqe.user_data * BLOCK;

		if (cqe.user_data >> TAG_BIT) {
			++*tags;
			continue;
		}
		if (cqe.res != BLOCK || (block[0] != 'a' && block[0] != 'b') ||
		    !all_bytes(block, BLOCK, block[0]))
			return -1;
		reads++;
	}
	return reads;
}

TEST_F(race, each_sees_the_old_or_the_new_file)
{
	pthread_t threads[UPDATERS];
	long updates = 0, tags = 0;

	ASSERT_EQ(0, files_register(&self->bench.ring, self->bench.fds, NULL, 1));
	for (int i = 0; i < UPDATERS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, update, &self->bench));
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		unsigned int to_come = ENTRIES;

		memset(self->bench.memory, 0, ENTRIES * BLOCK);
		for (__u64 i = 0; i < ENTRIES; i++) {
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, 0,
							self->bench.memory + i * BLOCK, BLOCK, 0);

			sqe.user_data = i;
			sqe = sqe_fixed(sqe, 0);
			ring_push(&self->bench.ring, &sqe);
		}
		for (unsigned int left = ENTRIES; left; ) {
			int taken = ring_enter(&self->bench.ring, left, 0);
			int reads = reap(&self->bench.ring, self->bench.memory, &tags);

			ASSERT_TRUE(taken >= 0 || taken == -EBUSY);
			ASSERT_LE(0, reads);
			left -= taken > 0 ? taken : 0;
			to_come -= reads;
		}
		while (to_come) {
			int reads;

			ASSERT_EQ(0, ring_enter(&self->bench.ring, 0, 1));
			reads = reap(&self->bench.ring, self->bench.memory, &tags);
			ASSERT_LE(0, reads);
			to_come -= reads;
		}
	}
	__atomic_store_n(&self->bench.over, true, __ATOMIC_RELEASE);
	for (int i = 0; i < UPDATERS; i++) {
		void *done;

		ASSERT_EQ(0, pthread_join(threads[i], &done));
		EXPECT_LT(0, (long)done);
		updates += (long)done;
	}
	/* Each update has had the tag of the one before it told; the last is still to come. */
	while (ring_enter(&self->bench.ring, 0, 0) == 0 && ring_ready(&self->bench.ring))
		ASSERT_EQ(0, reap(&self->bench.ring, self->bench.memory, &tags));
	EXPECT_EQ(updates - 1, tags);
	ASSERT_EQ(0, files_unregister(&self->bench.ring));
	EXPECT_EQ(0, reap(&self->bench.ring, self->bench.memory, &tags));
	EXPECT_EQ(updates, tags);
	TH_LOG("%d reads, %ld updates", BATCHES * ENTRIES, updates);
}

TEST_HARNESS_MAIN
