// SPDX-License-Identifier: GPL-2.0-only
/* A buffer that is replaced while requests use it: each sees the old or the new one, as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"

#define ENTRIES 16
#define BATCHES 300
#define UPDATES 300
#define BLOCK (2 * PAGE)
#define TAG_BIT 63

/* One address range, where now one memory is and now the other, each full of its own letter. */
struct bench {
	struct ring ring;
	unsigned char *range;
	int memory[2];
	int file;
	int direct;	/* the same file */
	unsigned char *content;
	bool over;
	long updates;
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

/* Puts a memory in the range, and the range in the table. */
static int replace(struct bench *bench, int which, __u64 tag)
{
	const struct io_ring_buffer buffer = buffer_at(bench->range, BLOCK);

	if (mmap(bench->range, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 bench->memory[which], 0) != bench->range)
		return -errno;
	return buffers_update(&bench->ring, 0, &buffer, 1, &tag);
}

FIXTURE_SETUP(race)
{
	/* Room for the tags that have not been read, besides the requests. */
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct bench *bench = &self->bench;

	wanted.cq_entries = 32 * ENTRIES;
	ASSERT_EQ(0, ring_open_as(&bench->ring, &wanted));
	bench->range = new_pages(BLOCK / PAGE);
	ASSERT_NE(NULL, bench->range);
	bench->content = malloc(BLOCK);
	ASSERT_NE(NULL, bench->content);
	for (int i = 0; i < 2; i++) {
		bench->memory[i] = memfd_create("memory", MFD_CLOEXEC);
		ASSERT_LE(0, bench->memory[i]);
		memset(bench->content, 'a' + i, BLOCK);
		ASSERT_EQ(BLOCK, write(bench->memory[i], bench->content, BLOCK));
	}
	bench->file = temp_file(variant->dir);
	ASSERT_LE(0, bench->file);
	ASSERT_EQ(0, pattern_write(bench->file, ENTRIES * BLOCK + CACHED_TAIL, 1));
	ASSERT_EQ(0, fsync(bench->file));
	bench->direct = reopen(bench->file, variant->flags);
	ASSERT_LE(0, bench->direct);
	ASSERT_EQ(0, buffers_register(&bench->ring, NULL, 1, NULL));
	ASSERT_EQ(0, replace(bench, 0, 1ULL << TAG_BIT));
}

FIXTURE_TEARDOWN(race)
{
	ring_close(&self->bench.ring);
	close(self->bench.direct);
	close(self->bench.file);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pins_of_kernel());
}

/* The result is NULL, or the bench after a wrong answer. */
static void *update(void *arg)
{
	struct bench *bench = arg;

	while (!__atomic_load_n(&bench->over, __ATOMIC_ACQUIRE)) {
		long done = bench->updates + 1;
		int error = replace(bench, done & 1, 1ULL << TAG_BIT);

		if (!error)
			__atomic_store_n(&bench->updates, done, __ATOMIC_RELEASE);
		/* Slots are short now and then; that tag will not be heard of. */
		else if (error != -EBUSY)
			return bench;
	}
	return NULL;
}

/* Reads what has completed; answers how many of them were writes, or -1. */
static int reap(const struct ring *ring, long *tags)
{
	struct io_ring_cqe cqe;
	int writes = 0;

	while (ring_pop(ring, &cqe)) {
		if (cqe.user_data >> TAG_BIT) {
			++*tags;
			continue;
		}
		if (cqe.res != BLOCK)
			return -1;
		writes++;
	}
	return writes;
}

/* Writes the range to all blocks of the file; answers whether each has one letter. */
static bool write_all(struct bench *bench, long *tags)
{
	unsigned int left = ENTRIES, to_come = ENTRIES;

	for (__u64 i = 0; i < ENTRIES; i++) {
		struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_WRITE_FIXED, bench->direct, 0,
						    bench->range, BLOCK, i * BLOCK);

		sqe.user_data = i;
		ring_push(&bench->ring, &sqe);
	}
	while (to_come) {
		int taken = ring_enter(&bench->ring, left, left ? 0 : 1);
		int writes = reap(&bench->ring, tags);

		if ((taken < 0 && taken != -EBUSY) || writes < 0)
			return false;
		left -= taken > 0 ? taken : 0;
		to_come -= writes;
	}
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (pread(bench->file, bench->content, BLOCK, i * BLOCK) != BLOCK ||
		    (bench->content[0] != 'a' && bench->content[0] != 'b') ||
		    !all_bytes(bench->content, BLOCK, bench->content[0]))
			return false;
	}
	return true;
}

TEST_F(race, each_sees_the_old_or_the_new_buffer)
{
	struct bench *bench = &self->bench;
	pthread_t thread;
	long tags = 0;
	void *wrong;

	ASSERT_EQ(0, pthread_create(&thread, NULL, update, bench));
	for (unsigned int batch = 0; batch < BATCHES ||
	     __atomic_load_n(&bench->updates, __ATOMIC_ACQUIRE) < UPDATES; batch++)
		ASSERT_TRUE(write_all(bench, &tags));
	__atomic_store_n(&bench->over, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, &wrong));
	ASSERT_EQ(NULL, wrong);
	/* One tag for each that was replaced, and that of the last. */
	ASSERT_LE(0, reap(&bench->ring, &tags));
	EXPECT_EQ(2, pinned_here());
	ASSERT_EQ(0, buffers_unregister(&bench->ring));
	ASSERT_EQ(0, ring_enter(&bench->ring, 0, 1));
	ASSERT_LE(0, reap(&bench->ring, &tags));
	EXPECT_EQ(bench->updates + 1, tags);
	EXPECT_EQ(0, pinned_here());
}

TEST_HARNESS_MAIN
