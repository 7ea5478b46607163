// SPDX-License-Identifier: GPL-2.0-only
/* What registered buffers count for: RLIMIT_MEMLOCK of the user. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "process.h"

#define LIMIT 8		/* pages */
#define PAGES (LIMIT + 2)

/* Everything here is done by a user without privilege, in a process of its own. */
static int control;

static int limit_pages(unsigned long bytes)
{
	const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int open_ring(struct ring *ring)
{
	struct io_ring_setup setup = ring_wanted(8, 0);

	*ring = (struct ring) { .fd = ioctl(control, IO_RING_SETUP, &setup), .setup = setup };
	ring->region = ring->fd < 0 ? MAP_FAILED :
		mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	return ring->region == MAP_FAILED;
}

/* The first line in this process with something that did not hold, as an exit status. */
static int wrong;

static void check(bool holds, int line)
{
	if (!holds && !wrong)
		wrong = line % 255 + 1;
}

#define CHECK(condition) check(condition, __LINE__)

static int run_as_other(int (*fn)(void *arg))
{
	int outcome;

	control = control_open();
	outcome = in_child(fn, NULL);
	close(control);
	return outcome;
}

static int at_the_boundary(void *arg)
{
	unsigned char *memory = new_pages(PAGES);
	struct ring ring;

	(void)arg;
	CHECK(!limit_pages(LIMIT * PAGE) && !become_other() && !open_ring(&ring) && memory);
	CHECK(buffer_register(&ring, memory, (LIMIT + 1) * PAGE) == -ENOMEM);
	CHECK(pinned_here() == 0);
	CHECK(buffer_register(&ring, memory, LIMIT * PAGE + 1) == -ENOMEM);
	/* A buffer counts for each page that it has a byte in. */
	CHECK(buffer_register(&ring, memory + 1, LIMIT * PAGE) == -ENOMEM);
	CHECK(buffer_register(&ring, memory + PAGE - 1, (LIMIT - 1) * PAGE + 2) == -ENOMEM);
	CHECK(pinned_here() == 0);
	CHECK(buffer_register(&ring, memory, LIMIT * PAGE) == 0);
	CHECK(pinned_here() == LIMIT);
	CHECK(buffers_unregister(&ring) == 0);
	CHECK(buffer_register(&ring, memory + PAGE - 1, (LIMIT - 2) * PAGE + 2) == 0);
	CHECK(pinned_here() == LIMIT);
	CHECK(buffers_unregister(&ring) == 0);
	CHECK(buffer_register(&ring, memory, (LIMIT - 1) * PAGE) == 0);
	CHECK(pinned_here() == LIMIT - 1);
	return wrong;
}

TEST(boundary)
{
	EXPECT_EQ(0, run_as_other(at_the_boundary));
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

static int part_of_a_page(void *arg)
{
	unsigned char *memory = new_pages(PAGES);
	struct ring ring;

	(void)arg;
	CHECK(!limit_pages(2 * PAGE - 1) && !become_other() && !open_ring(&ring) && memory);
	CHECK(buffer_register(&ring, memory, PAGE + 1) == -ENOMEM);
	CHECK(buffer_register(&ring, memory, PAGE) == 0);
	CHECK(buffers_unregister(&ring) == 0);
	CHECK(!limit_pages(PAGE - 1));
	CHECK(buffer_register(&ring, memory, 1) == -ENOMEM);
	CHECK(!limit_pages(0));
	CHECK(buffer_register(&ring, memory, 1) == -ENOMEM);
	CHECK(buffers_register(&ring, NULL, 16, NULL) == 0);
	return wrong;
}

TEST(limit_that_is_no_multiple_of_pages)
{
	EXPECT_EQ(0, run_as_other(part_of_a_page));
}

/* What failed, what was replaced and what went with its ring does not count any more. */
static int given_back(void *arg)
{
	unsigned char *memory = new_pages(PAGES);
	struct io_ring_buffer list[LIMIT + 1], next;
	struct ring ring;

	(void)arg;
	CHECK(!limit_pages(LIMIT * PAGE) && !become_other() && memory);
	for (unsigned int i = 0; i <= LIMIT; i++)
		list[i] = buffer_at(memory, PAGE);
	for (unsigned int round = 0; round < 3; round++) {
		CHECK(!open_ring(&ring));
		CHECK(buffers_register(&ring, list, LIMIT + 1, NULL) == -ENOMEM);
		CHECK(buffers_register(&ring, list, LIMIT, NULL) == 0);
		/* The old one counts until the new one is there. */
		next = buffer_at(memory, PAGE);
		CHECK(buffers_update(&ring, 0, &next, 1, NULL) == -ENOMEM);
		CHECK(pinned_here() == LIMIT);
		CHECK(buffers_update(&ring, 0, NULL, 3, NULL) == 0);
		next = buffer_at(memory, 3 * PAGE);
		CHECK(buffers_update(&ring, 1, &next, 1, NULL) == 0);
		CHECK(pinned_here() == LIMIT);
		next = buffer_at(NULL, PAGE);
		CHECK(buffers_update(&ring, 2, &next, 1, NULL) == -ENOMEM);
		CHECK(buffers_update(&ring, 1, NULL, 1, NULL) == 0);
		CHECK(buffers_update(&ring, 2, &next, 1, NULL) == -EFAULT);
		CHECK(pinned_here() == LIMIT - 3);
		ring_close(&ring);
		CHECK(pinned_here() == 0);
	}
	return wrong;
}

TEST(all_is_given_back)
{
	EXPECT_EQ(0, run_as_other(given_back));
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

/* A descriptor is closed with requests under way; right after that all of the limit can be used. */
static int given_back_by_close(void *arg)
{
	unsigned char *memory = new_pages(PAGES);
	struct io_ring_sqe sqe;
	struct ring ring;
	int ends[2];

	(void)arg;
	CHECK(!limit_pages(LIMIT * PAGE) && !become_other() && memory);
	CHECK(!pipe2(ends, O_CLOEXEC));
	for (unsigned int round = 0; round < 20; round++) {
		CHECK(!open_ring(&ring));
		CHECK(buffer_register(&ring, memory, LIMIT * PAGE) == 0);
		sqe = sqe_buffer(IO_RING_OP_READ_FIXED, ends[0], 0, memory, PAGE, 0);
		ring_push(&ring, &sqe);
		CHECK(ring_enter(&ring, 1, 0) == 1);
		ring_close(&ring);
	}
	return wrong;
}

TEST(close_gives_back_before_it_returns)
{
	EXPECT_EQ(0, run_as_other(given_back_by_close));
}

static int registers_half(void *arg)
{
	unsigned char *memory = new_pages(LIMIT / 2 + 1);
	struct ring ring;

	(void)arg;
	CHECK(!open_ring(&ring) && memory);
	CHECK(buffer_register(&ring, memory, (LIMIT / 2 + 1) * PAGE) == -ENOMEM);
	CHECK(buffer_register(&ring, memory, LIMIT / 2 * PAGE) == 0);
	return wrong;
}

/* All processes and rings of a user share the limit. */
static int shared(void *arg)
{
	unsigned char *memory = new_pages(LIMIT);
	struct ring ring, second;

	(void)arg;
	CHECK(!limit_pages(LIMIT * PAGE) && !become_other() && memory);
	CHECK(!open_ring(&ring) && !open_ring(&second));
	CHECK(buffer_register(&ring, memory, LIMIT / 2 * PAGE) == 0);
	CHECK(buffer_register(&second, memory, (LIMIT / 2 + 1) * PAGE) == -ENOMEM);
	CHECK(in_child(registers_half, NULL) == 0);
	/* It has exited, so that its half is free again. */
	CHECK(buffer_register(&second, memory, LIMIT / 2 * PAGE) == 0);
	CHECK(pinned_here() == LIMIT);
	return wrong;
}

TEST(user_has_one_limit)
{
	EXPECT_EQ(0, run_as_other(shared));
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

/* With CAP_IPC_LOCK there is no limit, and nothing is charged to the user. */
static int privileged(void *arg)
{
	unsigned char *memory = new_pages(PAGES);
	struct ring ring;

	(void)arg;
	CHECK(!limit_pages(0) && !open_ring(&ring) && memory);
	CHECK(buffer_register(&ring, memory, PAGES * PAGE) == 0);
	CHECK(pinned_here() == PAGES);
	CHECK(buffers_unregister(&ring) == 0);
	CHECK(pinned_here() == 0);
	return wrong;
}

TEST(privileged_user_has_no_limit)
{
	EXPECT_EQ(0, run_as_other(privileged));
}

TEST_HARNESS_MAIN
