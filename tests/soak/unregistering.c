// SPDX-License-Identifier: GPL-2.0-only
/* Tables of files and buffers come and go while requests use them. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "files.h"
#include "module.h"
#include "pinned.h"
#include "registered.h"
#include "ring.h"
#include "slow_disk.h"
#include "clock.h"
#include "soak.h"

#define CHANGES 5000
#define LIMIT_S 7200
#define ENTRIES 8
#define DISK_DELAY (1 * MS)
#define MOST_NS 2000000	/* for which there is a table, or none */

struct bench {
	struct ring ring;
	int file;
	int disk;
	unsigned char *memory;
	bool over;
	unsigned int changes;
	int error;
};

FIXTURE(tables)
{
	struct bench bench;
};

FIXTURE_VARIANT(tables)
{
	int (*add)(struct bench *bench);
	int (*remove)(const struct ring *ring);
	struct io_ring_sqe (*make)(struct bench *bench, unsigned int i);
	__s32 missing;		/* what a request says that came while there was no table */
};

static int add_files(struct bench *bench)
{
	const int fds[] = { bench->file, bench->disk };

	return files_register(&bench->ring, fds, NULL, ARRAY_SIZE(fds));
}

static struct io_ring_sqe use_file(struct bench *bench, unsigned int i)
{
	return sqe_fixed(sqe_rw(IO_RING_OP_READ, 0, bench->memory + i * PAGE, PAGE, 0), i % 2);
}

static int add_buffer(struct bench *bench)
{
	return buffer_register(&bench->ring, bench->memory, ENTRIES * PAGE);
}

static struct io_ring_sqe use_buffer(struct bench *bench, unsigned int i)
{
	return sqe_buffer(IO_RING_OP_READ_FIXED, i % 2 ? bench->disk : bench->file, 0,
			  bench->memory + i * PAGE, PAGE, 0);
}

FIXTURE_VARIANT_ADD(tables, of_files) { add_files, files_unregister, use_file, -EBADF };
FIXTURE_VARIANT_ADD(tables, of_buffers) { add_buffer, buffers_unregister, use_buffer, -EFAULT };

FIXTURE_SETUP(tables)
{
	struct bench *bench = &self->bench;

	ASSERT_EQ(0, ring_open(&bench->ring, ENTRIES, IO_RING_SETUP_SUBMIT_ALL));
	bench->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, bench->file);
	ASSERT_EQ(0, pattern_write(bench->file, PAGE, 1));
	bench->disk = slow_disk_open(DISK_DELAY);
	ASSERT_LE(0, bench->disk);
	bench->memory = new_pages(ENTRIES);
	ASSERT_NE(NULL, bench->memory);
}

FIXTURE_TEARDOWN(tables)
{
	ring_close(&self->bench.ring);
	slow_disk_close(self->bench.disk);
	close(self->bench.file);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, pins_of_kernel());
}

struct changer {
	struct bench *bench;
	int (*add)(struct bench *bench);
	int (*remove)(const struct ring *ring);
};

static void *change(void *arg)
{
	const struct changer *changer = arg;
	struct bench *bench = changer->bench;
	unsigned int random = 1;

	while (!__atomic_load_n(&bench->over, __ATOMIC_ACQUIRE) && !bench->error) {
		bench->error = changer->add(bench);
		clock_sleep(rand_r(&random) % MOST_NS);
		bench->error = bench->error ?: changer->remove(&bench->ring);
		clock_sleep(rand_r(&random) % (MOST_NS / 4));
		__atomic_add_fetch(&bench->changes, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST_F_TIMEOUT(tables, come_and_go, LIMIT_S)
{
	struct bench *bench = &self->bench;
	struct changer changer = { bench, variant->add, variant->remove };
	const unsigned int wanted = soak_scaled(CHANGES);
	unsigned int done = 0, missing = 0, changes;
	struct io_ring_cqe cqe;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, change, &changer));
	/* How many come too early or too late is up to the machine, but not all of them. */
	while ((changes = __atomic_load_n(&bench->changes, __ATOMIC_ACQUIRE)) < wanted || !done) {
		for (unsigned int i = 0; i < ENTRIES; i++) {
			struct io_ring_sqe sqe = variant->make(bench, i);

			sqe.user_data = i;
			ring_push(&bench->ring, &sqe);
		}
		ASSERT_EQ(ENTRIES, ring_enter(&bench->ring, ENTRIES, ENTRIES));
		while (ring_pop(&bench->ring, &cqe)) {
			ASSERT_TRUE(cqe.res == PAGE || cqe.res == variant->missing) {
				TH_LOG("result %d", cqe.res);
			}
			missing += cqe.res != PAGE;
			done += cqe.res == PAGE;
			if (cqe.res == PAGE && cqe.user_data % 2 == 0)
				ASSERT_EQ(PAGE, pattern_mismatch(bench->memory +
								 cqe.user_data * PAGE, PAGE, 1, 0));
		}
		soak_progress(changes, wanted);
	}
	__atomic_store_n(&bench->over, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, bench->error);
	soak_figure("%u times registered and unregistered, %u requests done, %u without a table",
		    bench->changes, done, missing);
}

TEST_HARNESS_MAIN
