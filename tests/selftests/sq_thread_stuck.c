// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that end while their submission thread is in the middle of taking something, and signals
 * while one is being made: memory is missing until userfaultfd(2) is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
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
	EXPECT_EQ(-SIGKILL, outcome_of(self->holder));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(trap_let_go(&self->taking.trap));
}

TEST_F(last, exit_does_not_wait_for_long)
{
	ASSERT_EQ(1, write(self->sockets[0], "x", 1));
	EXPECT_TRUE(await_exit(self->holder, LIMIT));
	EXPECT_EQ(0, outcome_of(self->holder));
	EXPECT_EQ(1, counter("rings"));
	EXPECT_TRUE(trap_let_go(&self->taking.trap));
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

static int signals;

static void count_signal(int number)
{
	(void)number;
	__atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

struct interrupter {
	struct trap trap;
	pthread_t victim;
};

/* Whoever gets stuck has a signal to look at when it can go on. */
static void *interrupt(void *arg)
{
	struct interrupter *interrupter = arg;

	if (!trap_await(&interrupter->trap) || pthread_kill(interrupter->victim, SIGUSR1) ||
	    !trap_let_go(&interrupter->trap))
		return NULL;
	return interrupter;
}

/* The signal comes while the operations are read, which is before the thread is made. */
TEST(signal_does_not_end_setup)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_SQPOLL);
	struct interrupter interrupter = { .victim = pthread_self() };
	pthread_t thread;
	void *result;
	int fd;

	ASSERT_EQ(0, IO_RING_OP_NOP);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(trap_open(&interrupter.trap));
	wanted.ops = (uintptr_t)interrupter.trap.page;
	wanted.nr_ops = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt, &interrupter));
	fd = ring_setup(&wanted);
	EXPECT_LE(0, fd);
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(&interrupter, result);
	EXPECT_EQ(1, __atomic_load_n(&signals, __ATOMIC_RELAXED));
	close(fd);
	trap_close(&interrupter.trap);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
