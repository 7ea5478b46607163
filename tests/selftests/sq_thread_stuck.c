// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that end while their submission thread is in the middle of taking something: it reads
 * into memory that is missing until userfaultfd(2) is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "sq_ring.h"

#define ENTRIES 4
#define PAGE 4096
#define CONTENT 5
#define LIMIT (30 * SOON)

struct taking {
	struct ring ring;
	int file;
	int faults;
	unsigned char *page;
};

/* The thread of a new ring is stuck when this returns. */
static bool taking_begin(struct taking *taking)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pollfd event = { .events = POLLIN };

	taking->file = temp_file(TMPFS_DIR);
	taking->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	taking->faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (taking->file < 0 || pattern_write(taking->file, PAGE, CONTENT) ||
	    taking->page == MAP_FAILED || taking->faults < 0 ||
	    ioctl(taking->faults, UFFDIO_API, &api))
		return false;
	registration.range.start = (uintptr_t)taking->page;
	registration.range.len = PAGE;
	if (ioctl(taking->faults, UFFDIO_REGISTER, &registration))
		return false;
	if (sq_open(&taking->ring, ENTRIES, IO_RING_SQ_IDLE_NEVER) ||
	    sq_push(&taking->ring, sqe_rw(IO_RING_OP_READ, taking->file, taking->page, PAGE, 0),
		    0) < 0)
		return false;
	event.fd = taking->faults;
	return poll(&event, 1, patience(LIMIT)) == 1;
}

static bool taking_let_go(const struct taking *taking)
{
	struct uffdio_range range = { .start = (uintptr_t)taking->page, .len = PAGE };

	return !ioctl(taking->faults, UFFDIO_UNREGISTER, &range);
}

static void taking_clean_up(struct taking *taking)
{
	close(taking->faults);
	munmap(taking->page, PAGE);
	close(taking->file);
}

/* A ring whose thread is stuck, and a process that has got nothing but its last descriptor. */
FIXTURE(last)
{
	struct taking taking;
	int sockets[2];
	pid_t holder;
};

static int hold(void *arg)
{
	int socket = *(int *)arg;
	int ring = recv_fd(socket);
	char what;

	if (ring < 0 || write(socket, "h", 1) != 1)
		return 1;
	if (read(socket, &what, 1) != 1)
		return 2;
	return what == 'c' ? -close(ring) : 0;
}

FIXTURE_SETUP(last)
{
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sockets));
	self->holder = spawn(hold, &self->sockets[1]);
	ASSERT_TRUE(taking_begin(&self->taking));
	ASSERT_EQ(0, send_fd(self->sockets[0], self->taking.ring.fd));
	ASSERT_EQ(1, read(self->sockets[0], &byte, 1));
	ring_close(&self->taking.ring);
	ASSERT_EQ(1, counter("rings"));
}

FIXTURE_TEARDOWN(last)
{
	taking_clean_up(&self->taking);
	close(self->sockets[0]);
	close(self->sockets[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(last, close_waits)
{
	ASSERT_EQ(1, write(self->sockets[0], "c", 1));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, waitpid(self->holder, NULL, WNOHANG));
	EXPECT_EQ(1, counter("rings"));
	ASSERT_TRUE(taking_let_go(&self->taking));
	EXPECT_EQ(0, outcome_of(self->holder));
	EXPECT_EQ(0, counter("rings"));
	EXPECT_EQ(PAGE, pattern_mismatch(self->taking.page, PAGE, CONTENT, 0));
}

/* The rest is left to the thread. */
TEST_F(last, close_that_is_killed_does_not_wait)
{
	ASSERT_EQ(1, write(self->sockets[0], "c", 1));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, kill(self->holder, SIGKILL));
	EXPECT_TRUE(await_exit(self->holder, LIMIT));
	EXPECT_EQ(-SIGKILL, outcome_of(self->holder));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(taking_let_go(&self->taking));
}

TEST_F(last, exit_does_not_wait_for_long)
{
	ASSERT_EQ(1, write(self->sockets[0], "x", 1));
	EXPECT_TRUE(await_exit(self->holder, LIMIT));
	EXPECT_EQ(0, outcome_of(self->holder));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(taking_let_go(&self->taking));
}

/* Nobody will ever let it go. */
static int get_stuck(void *arg)
{
	struct taking taking;

	if (!taking_begin(&taking) || write(*(int *)arg, "s", 1) != 1)
		return 1;
	pause();
	return 2;
}

TEST(victim_dies_although_it_is_stuck)
{
	pid_t victim;
	int fds[2];
	char byte;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	victim = spawn(get_stuck, &fds[1]);
	close(fds[1]);
	ASSERT_EQ(1, read(fds[0], &byte, 1));
	ASSERT_EQ(0, kill(victim, SIGKILL));
	EXPECT_TRUE(await_exit(victim, LIMIT));
	EXPECT_EQ(-SIGKILL, outcome_of(victim));
	EXPECT_STREQ("", counters_busy() ?: "");
	close(fds[0]);
}

TEST_HARNESS_MAIN
