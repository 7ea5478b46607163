// SPDX-License-Identifier: GPL-2.0-only
/* What keeps the module and a ring alive, and that nothing is left when nothing does. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define ENTRIES 8

static bool unloading_is_refused(void)
{
	int error = module_unload();

	if (error != -EWOULDBLOCK && error != -EBUSY)
		fprintf(stderr, "# delete_module: %s\n", error ? strerror(-error) : "it is gone");
	return error == -EWOULDBLOCK || error == -EBUSY;
}

TEST(control_node_keeps_the_module)
{
	int control = control_open();

	ASSERT_LE(0, control);
	EXPECT_TRUE(unloading_is_refused());
	close(control);
}

TEST(ring_and_mapping_keep_the_module)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	EXPECT_TRUE(unloading_is_refused());
	ring_unmap(&ring);
	EXPECT_TRUE(unloading_is_refused());
	close(ring.fd);

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	close(ring.fd);
	EXPECT_TRUE(unloading_is_refused());
	ring_unmap(&ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(counters_follow)
{
	struct ring one;
	struct ring two;
	long bytes;

	ASSERT_STREQ("", counters_busy() ?: "");
	ASSERT_EQ(0, ring_open(&one, ENTRIES, 0));
	EXPECT_EQ(1, counter("rings"));
	bytes = counter("ring_bytes");
	EXPECT_LE((long)one.setup.region_size, bytes);
	ASSERT_EQ(0, ring_open(&two, 16 * ENTRIES, 0));
	EXPECT_EQ(2, counter("rings"));
	EXPECT_LE(bytes + (long)two.setup.region_size, counter("ring_bytes"));
	ring_close(&one);
	ring_close(&two);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(copies_of_the_descriptor)
{
	struct ring ring;
	int copy;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	copy = dup(ring.fd);
	ASSERT_LE(0, copy);
	close(ring.fd);
	ring.fd = copy;
	ring_push_nops(&ring, 1, 0);
	EXPECT_EQ(1, ring_enter(&ring, 1, 1));
	ring_close(&ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(rings_by_the_hundred)
{
	for (unsigned int i = 0; i < 300; i++) {
		struct ring ring;

		ASSERT_EQ(0, ring_open(&ring, 1U << i % 10, 0));
		ring_push_nops(&ring, 1, i);
		ASSERT_EQ(1, ring_enter(&ring, 1, 1));
		if (i % 2) {
			ring_close(&ring);
		} else {
			close(ring.fd);
			ring_unmap(&ring);
		}
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(ring_with_unread_completions)
{
	struct io_ring_setup wanted = ring_wanted(4, IO_RING_SETUP_CQSIZE);
	struct ring ring;

	wanted.cq_entries = 4;
	wanted.requests = 8;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 3; i++) {
		ring_push_nops(&ring, 4, 0);
		ASSERT_EQ(4, ring_enter(&ring, 4, 0));
	}
	ring_push_nops(&ring, 4, 0);
	ring_close(&ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Never returns: it is killed with its rings busy. */
static int busy_for_ever(void *arg)
{
	unsigned char (*buffers)[4096] = guarded_pages(ENTRIES);
	int direct = *(int *)arg;
	struct ring rings[4];

	if (!buffers)
		return 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(rings); i++)
		if (ring_open(&rings[i], ENTRIES, 0))
			return 1;
	for (unsigned int round = 0;; round++) {
		struct ring *ring = &rings[round % ARRAY_SIZE(rings)];
		struct io_ring_cqe cqe;

		for (unsigned int i = 0; i < ENTRIES; i++) {
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, direct, buffers[i], 4096,
							i * 4096);

			ring_push(ring, &sqe);
		}
		if (ring_enter(ring, ENTRIES, 0) != ENTRIES)
			return 2;
		ring = &rings[(round + 1) % ARRAY_SIZE(rings)];
		if (round >= ARRAY_SIZE(rings) && ring_enter(ring, 0, ENTRIES))
			return 3;
		while (ring_pop(ring, &cqe))
			;
	}
}

TEST(killed_process)
{
	int file = temp_file(EXT4_DIR);
	int direct;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, ENTRIES * 4096, 0));
	ASSERT_EQ(0, fsync(file));
	direct = reopen(file, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	for (unsigned int i = 0; i < 20; i++) {
		pid_t child = spawn(busy_for_ever, &direct);

		ASSERT_LT(0, child);
		usleep(20000 + 1000 * i);
		ASSERT_EQ(0, kill(child, SIGKILL));
		EXPECT_EQ(-SIGKILL, outcome_of(child));
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* A completed request holds its file no longer. */
TEST(files_are_let_go)
{
	unsigned char buffer[4096];
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct ring ring;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	sqe = sqe_rw(IO_RING_OP_WRITE, ends[1], "x", 1, 0);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(1, cqe.res);
	close(ends[1]);
	EXPECT_EQ(1, read(ends[0], buffer, sizeof(buffer)));
	/* End of file: nobody holds the writing end. */
	EXPECT_EQ(0, read(ends[0], buffer, sizeof(buffer)));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
