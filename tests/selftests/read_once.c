// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments of calls are read once: what the program changes while the kernel is at the
 * end of one makes no difference.
 *
 * The end of the argument is on a page that is missing until the thread that is told so has
 * spoilt the beginning, which the kernel has read by then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define PAGE 4096
#define SPOILT 0xff

struct split {
	int faults;
	unsigned char *pages;	/* one that is there, and one that is missing */
	unsigned char *end;	/* what comes there */
	size_t here;		/* how much of the argument is on the first */
	pthread_t thread;
};

FIXTURE(argument)
{
	struct ring ring;
	struct split split;
};

FIXTURE_SETUP(argument)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct split *split = &self->split;

	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	split->pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, split->pages);
	memset(split->pages, 0, PAGE);
	split->end = aligned_alloc(PAGE, PAGE);
	ASSERT_NE(NULL, split->end);
	split->faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, split->faults);
	ASSERT_EQ(0, ioctl(split->faults, UFFDIO_API, &api));
	registration.range.start = (uintptr_t)split->pages + PAGE;
	registration.range.len = PAGE;
	ASSERT_EQ(0, ioctl(split->faults, UFFDIO_REGISTER, &registration));
}

FIXTURE_TEARDOWN(argument)
{
	close(self->split.faults);
	munmap(self->split.pages, 2 * PAGE);
	free(self->split.end);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Spoils the beginning when the end is missed. */
static void *spoil(void *arg)
{
	struct split *split = arg;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)split->pages + PAGE,
		.src = (uintptr_t)split->end,
		.len = PAGE,
	};
	struct uffd_msg msg;

	if (read(split->faults, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return NULL;
	memset(split->pages + PAGE - split->here, SPOILT, split->here);
	return ioctl(split->faults, UFFDIO_COPY, &copy) ? NULL : split;
}

/* Puts an argument there, so many bytes of which are on the first page. */
static void *lay_out(struct split *split, const void *argument, size_t size, size_t here)
{
	const unsigned char *bytes = argument;

	split->here = here;
	memcpy(split->pages + PAGE - here, bytes, here);
	memset(split->end, 0, PAGE);
	memcpy(split->end, bytes + here, size - here);
	if (pthread_create(&split->thread, NULL, spoil, split))
		return NULL;
	return split->pages + PAGE - here;
}

/* The end was missed, and the beginning is spoilt. */
#define EXPECT_SPOILT() \
do { \
	void *spoilt; \
	ASSERT_EQ(0, pthread_join(self->split.thread, &spoilt)); \
	EXPECT_EQ(&self->split, spoilt); \
} while (0)

TEST_F(argument, of_enter)
{
	const struct io_ring_enter args = { .to_submit = 1, .min_complete = 1 };
	void *there = lay_out(&self->split, &args, sizeof(args),
			      offsetof(struct io_ring_enter, timeout));

	ASSERT_NE(NULL, there);
	ring_push_nops(&self->ring, 2, 0);
	EXPECT_EQ(1, ioctl(self->ring.fd, IO_RING_ENTER, there));
	EXPECT_SPOILT();
	EXPECT_EQ(1, ring_ready(&self->ring));
}

/* 32-bit ARM loads all of it by one instruction, which begins anew after the fault. */
#ifndef __arm__
TEST_F(argument, of_register)
{
	int file = temp_file(TMPFS_DIR);
	const __s32 fds[1] = { file };
	const struct io_ring_resources resources = { .data = (uintptr_t)fds };
	const struct io_ring_register args = {
		.size = sizeof(args),
		.opcode = IO_RING_REGISTER_FILES,
		.addr = (uintptr_t)&resources,
		.nr = 1,
	};
	void *there = lay_out(&self->split, &args, sizeof(args),
			      offsetof(struct io_ring_register, addr));

	ASSERT_LE(0, file);
	ASSERT_NE(NULL, there);
	EXPECT_EQ(0, ioctl(self->ring.fd, IO_RING_REGISTER, there));
	EXPECT_SPOILT();
	close(file);
}
#endif

TEST_F(argument, of_setup)
{
	const struct io_ring_setup wanted = ring_wanted(4, 0);
	void *there = lay_out(&self->split, &wanted, sizeof(wanted),
			      offsetof(struct io_ring_setup, limit_need));
	int control = control_open();
	struct io_ring_setup made;
	int fd;

	ASSERT_LE(0, control);
	ASSERT_NE(NULL, there);
	fd = ioctl(control, IO_RING_SETUP, there);
	EXPECT_LE(0, fd);
	EXPECT_SPOILT();
	memcpy(&made, there, sizeof(made));
	EXPECT_EQ(4, made.entries);
	EXPECT_EQ(sizeof(made), made.size);
	close(fd);
	close(control);
}

TEST_HARNESS_MAIN
