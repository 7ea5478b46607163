// SPDX-License-Identifier: GPL-2.0-only
/* Rings that come and go leave no memory behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "module.h"
#include "ring.h"
#include "soak.h"

#define ROUNDS 10000
#define LIMIT_S 3600
#define WARM_UP 200
#define LARGEST 256		/* entries */
#define CHUNK 4096

/* What an idle system differs by from one look to the next. */
#define AVAILABLE_NOISE 4096	/* KiB */
#define SLAB_NOISE 1024		/* KiB */
#define VMALLOC_NOISE 32	/* areas, such as stacks of kernel threads */
#define QUARANTINE 32		/* KASAN keeps freed memory: that fraction of all, at most */

struct memory {
	long available;		/* KiB */
	long slab;		/* KiB */
	long areas;		/* in vmallocinfo */
};

/* What requests work on. */
struct targets {
	int pipe[2];
	int file;
	unsigned int random;
};

FIXTURE(rings)
{
	struct targets targets;
};

FIXTURE_SETUP(rings)
{
	ASSERT_EQ(0, pipe2(self->targets.pipe, O_CLOEXEC));
	self->targets.file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->targets.file);
	ASSERT_EQ(0, pattern_write(self->targets.file, CHUNK, 0));
}

FIXTURE_TEARDOWN(rings)
{
	close(self->targets.file);
	close(self->targets.pipe[0]);
	close(self->targets.pipe[1]);
}

static long memory_number(const char *key)
{
	char text[8192];
	const char *line;

	if (text_read("/proc/meminfo", text, sizeof(text)))
		return -1;
	line = strstr(text, key);
	return line ? atol(line + strlen(key)) : -1;
}

/* Those that have been freed and wait for being purged in bulk are none. */
static long count_areas(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "r");
	char line[512];
	long areas = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		areas += !strstr(line, "unpurged");
	fclose(file);
	return areas;
}

/* What a kernel that checks its memory does not free; in KiB. */
static long kept(void)
{
	return access("/proc/lockdep", F_OK) ? 0 : memory_number("MemTotal:") / QUARANTINE;
}

/* Caches are dropped, and what is freed late is freed. */
static struct memory look(void)
{
	sync();
	text_write("/proc/sys/vm/drop_caches", "3");
	sleep_ms(patience(2 * SOON));
	return (struct memory) {
		.available = memory_number("\nMemAvailable:"),
		.slab = memory_number("\nSlab:"),
		.areas = count_areas(),
	};
}

/* One ring: what it can do at once, what blocks, and what a worker does. */
static int use_ring(struct targets *targets, __u64 *worst)
{
	char byte;
	const struct io_ring_sqe sqes[] = {
		sqe_nop(0),
		sqe_rw(IO_RING_OP_READ, targets->pipe[0], &byte, 1, 0),
		sqe_fsync(targets->file, 0, 0, 0),
	};
	const int count = ARRAY_SIZE(sqes);
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct ring ring;
	int error = ring_open(&ring, count + rand_r(&targets->random) % LARGEST, 0);

	if (error)
		return error;
	for (int i = 0; i < count; i++)
		ring_push(&ring, &sqes[i]);
	if (ring_enter(&ring, count, count - 1) != count)
		error = -EPROTO;
	ring_close(&ring);
	keep_worst(worst, begin);
	return error;
}

TEST_F_TIMEOUT(rings, leave_no_memory, LIMIT_S)
{
	unsigned int rounds = soak_scaled(ROUNDS);
	struct memory before, after;
	__u64 worst = 0;

	for (unsigned int i = 0; i < WARM_UP; i++)
		ASSERT_EQ(0, use_ring(&self->targets, &worst));
	before = look();
	for (unsigned int i = 0; i < rounds; i++) {
		ASSERT_EQ(0, use_ring(&self->targets, &worst));
		soak_progress(i, rounds);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
	after = look();
	soak_figure("%u rings: MemAvailable %+ld KiB, slab %+ld KiB, vmalloc areas %+ld", rounds,
		    after.available - before.available, after.slab - before.slab,
		    after.areas - before.areas);
	soak_figure("  worst life of a ring %.1f ms", in_ms(worst));
	ASSERT_LT(0, before.available);
	ASSERT_LT(0, before.slab);
	ASSERT_LT(0, before.areas);
	EXPECT_LT(before.available - AVAILABLE_NOISE - kept(), after.available);
	EXPECT_GT(before.slab + SLAB_NOISE + kept(), after.slab);
	EXPECT_GT(before.areas + VMALLOC_NOISE, after.areas);
}

TEST_HARNESS_MAIN
