// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that end while their submission thread is in the middle of taking something, and a process
 * that freezes while it makes one: memory is missing until userfaultfd(2) is told.
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
#include "pause.h"
#include "process.h"
#include "ring.h"
#include "sq_ring.h"

#define ENTRIES 4
#define PAGE 4096
#define CONTENT 5
#define LIMIT (30 * SOON)

/* A page that is missing, and who is told that it is missed. */
struct trap {
	int faults;
	unsigned char *page;
};

static bool trap_open(struct trap *trap)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	trap->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	trap->faults = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (trap->page == MAP_FAILED || trap->faults < 0 || ioctl(trap->faults, UFFDIO_API, &api))
		return false;
	registration.range.start = (uintptr_t)trap->page;
	registration.range.len = PAGE;
	return !ioctl(trap->faults, UFFDIO_REGISTER, &registration);
}

/* Waits until somebody is stuck. */
static bool trap_await(const struct trap *trap)
{
	struct pollfd event = { .fd = trap->faults, .events = POLLIN };

	return poll(&event, 1, patience(LIMIT)) == 1;
}

/* The page is there from now on, full of zeroes. */
static bool trap_let_go(const struct trap *trap)
{
	struct uffdio_range range = { .start = (uintptr_t)trap->page, .len = PAGE };

	return !ioctl(trap->faults, UFFDIO_UNREGISTER, &range);
}

static void trap_close(const struct trap *trap)
{
	close(trap->faults);
	munmap(trap->page, PAGE);
}

/* A ring whose thread reads into a trap. */
struct taking {
	struct ring ring;
	int file;
	struct trap trap;
};

static bool taking_begin(struct taking *taking)
{
	struct io_ring_sqe sqe;

	taking->file = temp_file(TMPFS_DIR);
	if (taking->file < 0 || pattern_write(taking->file, PAGE, CONTENT) ||
	    !trap_open(&taking->trap) ||
	    sq_open(&taking->ring, ENTRIES, IO_RING_SQ_IDLE_NEVER))
		return false;
	sqe = sqe_rw(IO_RING_OP_READ, taking->file, taking->trap.page, PAGE, 0);
	return sq_push(&taking->ring, sqe, 0) >= 0 && trap_await(&taking->trap);
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
	trap_close(&self->taking.trap);
	close(self->taking.file);
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
	ASSERT_TRUE(trap_let_go(&self->taking.trap));
	EXPECT_EQ(0, outcome_of(self->holder));
	EXPECT_EQ(0, counter("rings"));
	EXPECT_EQ(PAGE, pattern_mismatch(self->taking.trap.page, PAGE, CONTENT, 0));
}

/* The rest is left to the thread. */
TEST_F(last, close_that_is_killed_does_not_wait)
{
	ASSERT_EQ(1, write(self->sockets[0], "c", 1));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, kill(self->holder, SIGKILL));
	EXPECT_TRUE(await_exit(self->holder, LIMIT));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(trap_let_go(&self->taking.trap));
	EXPECT_EQ(-SIGKILL, outcome_of(self->holder));
}

TEST_F(last, exit_does_not_wait_for_long)
{
	ASSERT_EQ(1, write(self->sockets[0], "x", 1));
	EXPECT_TRUE(await_exit(self->holder, LIMIT));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(trap_let_go(&self->taking.trap));
	EXPECT_EQ(0, outcome_of(self->holder));
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

/* Passes its trap on, and makes a ring: the operations that it may do are in the trap. */
static int set_up(void *arg)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_SQPOLL);
	int socket = *(int *)arg;
	struct trap trap;

	if (IO_RING_OP_NOP != 0 || !trap_open(&trap) || send_fd(socket, trap.faults) ||
	    write(socket, &trap.page, sizeof(trap.page)) != sizeof(trap.page))
		return 1;
	wanted.ops = (uintptr_t)trap.page;
	wanted.nr_ops = 1;
	return ring_setup(&wanted) < 0 ? 2 : 0;
}

/* The thread cannot be made before the process has been frozen. */
TEST(setup_of_a_process_that_freezes)
{
	struct trap trap;
	int sockets[2];
	pid_t child;

	ASSERT_TRUE(pause_prepare());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	child = spawn(set_up, &sockets[1]);
	trap.faults = recv_fd(sockets[0]);
	ASSERT_LE(0, trap.faults);
	ASSERT_EQ(sizeof(trap.page), read(sockets[0], &trap.page, sizeof(trap.page)));
	ASSERT_TRUE(trap_await(&trap));
	ASSERT_TRUE(begin_to_freeze(child));
	ASSERT_TRUE(trap_let_go(&trap));
	EXPECT_TRUE(pause_by_freezer.begin(child));
	EXPECT_TRUE(pause_by_freezer.end(child));
	EXPECT_EQ(0, outcome_of(child));
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_TRUE(pause_clean_up());
	close(trap.faults);
	close(sockets[0]);
	close(sockets[1]);
}

TEST_HARNESS_MAIN
