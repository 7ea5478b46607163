// SPDX-License-Identifier: GPL-2.0-only
/* As whom the submission thread works, and that it ends with its ring and its process. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pause.h"
#include "process.h"
#include "ring.h"
#include "sq_ring.h"

#define ENTRIES 16
#define SLEEPY_MS 1
#define VICTIMS 200
#define LONGEST_LIFE_US 20000
#define CLOSES 100
#define PAUSES 10
#define RANDOM_SEED 1
#define SET_USER_ID 04755
#define LONG (60 * SOON)	/* a thread that looks around does so every 5 seconds */

static void expect_nothing_left(struct __test_metadata *_metadata)
{
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The real user stays what it was, so that there is a way back. */
static bool become(uid_t user)
{
	return !setresuid(-1, user, 0);
}

/*
 * What is offered after rights have been given up is not taken, whether the thread
 * was asleep then or not; who calls it is told. With the rights again, it is.
 */
static int give_up_rights(struct ring *ring)
{
	struct io_ring_sqe write_one;
	struct io_ring_cqe cqe;
	int file = temp_file(EXT4_DIR);
	struct stat stat;

	if (file < 0 || fchmod(file, SET_USER_ID))
		return 1;
	if (sq_push(ring, sqe_nop(0), 1) < 0 || !sq_pop(ring, &cqe))
		return 2;
	if (!become(OTHER_ID))
		return 3;
	write_one = sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0);
	ring_push(ring, &write_one);
	if (!sq_await_sleep(ring))
		return 4;
	sleep_ms(A_WHILE);
	if (ring_ready(ring) || fdinfo_value(ring->fd, "sq_thread_entries") != 1)
		return 5;
	if (sq_call(ring, IO_RING_ENTER_SQ_WAKEUP) != -EPERM ||
	    sq_call(ring, IO_RING_ENTER_SQ_WAIT) != -EPERM || ring_enter(ring, 1, 0) != -EPERM)
		return 6;
	if (fstat(file, &stat) || stat.st_size)
		return 7;
	if (!become(0))
		return 8;
	if (sq_offered(ring) != 1 || !sq_pop(ring, &cqe) || cqe.res != 1)
		return 9;
	close(file);
	ring_close(ring);
	return 0;
}

static int give_up_asleep(void *arg)
{
	struct ring ring;

	(void)arg;
	return sq_open(&ring, ENTRIES, SLEEPY_MS) ? 10 : give_up_rights(&ring);
}

static int give_up_awake(void *arg)
{
	struct ring ring;

	(void)arg;
	return sq_open(&ring, ENTRIES, IO_RING_SQ_IDLE_NEVER) ? 10 : give_up_rights(&ring);
}

TEST(rights_that_were_given_up)
{
	EXPECT_EQ(0, in_child(give_up_asleep, NULL));
	EXPECT_EQ(0, in_child(give_up_awake, NULL));
	expect_nothing_left(_metadata);
}

/* The main thread is gone, and remains as what it was. */
static void *give_up_alone(void *arg)
{
	long end = now_ms() + patience(LONG);
	const char *stat;
	char text[512];

	while ((stat = thread_stat(getpid(), text, sizeof(text))) && *stat != 'Z') {
		if (now_ms() > end)
			break;
		sleep_ms(1);
	}
	if (!stat || *stat != 'Z')
		_exit(11);
	_exit(give_up_awake(arg));
}

static int without_main_thread(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, give_up_alone, arg))
		return 12;
	syscall(SYS_exit, 0);
	return 13;
}

TEST(rights_without_a_main_thread)
{
	EXPECT_EQ(0, in_child(without_main_thread, NULL));
	expect_nothing_left(_metadata);
}

static int call_as_child(void *arg)
{
	const struct ring *ring = arg;

	if (sq_call(ring, IO_RING_ENTER_SQ_WAKEUP) != -EPERM)
		return 1;
	return sq_call(ring, IO_RING_ENTER_SQ_WAIT) == -EPERM ? 0 : 2;
}

TEST(a_child_may_not_call)
{
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, sq_open(&ring, ENTRIES, SLEEPY_MS));
	EXPECT_EQ(0, in_child(call_as_child, &ring));
	ASSERT_LE(0, sq_push(&ring, sqe_nop(0), 5));
	ASSERT_TRUE(sq_pop(&ring, &cqe));
	EXPECT_EQ(5, cqe.user_data);
	ring_close(&ring);
	expect_nothing_left(_metadata);
}

/* Never returns unless something goes wrong. */
static int be_busy(void *arg)
{
	unsigned int *random = arg;
	int file = temp_file(TMPFS_DIR);
	struct io_ring_cqe cqe;
	struct ring ring;
	char bytes[ENTRIES];
	int fds[2];

	if (file < 0 || pattern_write(file, ENTRIES, 1) || pipe2(fds, O_CLOEXEC))
		return 1;
	if (sq_open(&ring, ENTRIES, rand_r(random) % 2 ? SLEEPY_MS : IO_RING_SQ_IDLE_NEVER))
		return 2;
	if (sq_push(&ring, sqe_rw(IO_RING_OP_READ, fds[0], bytes, 1, 0), 0) < 0)
		return 3;
	for (;;) {
		if (sq_push(&ring, sqe_rw(IO_RING_OP_READ, file, bytes, ENTRIES, 0), 0) < 0)
			return 4;
		if (!sq_pop(&ring, &cqe) || cqe.res != ENTRIES)
			return 5;
		if (!(rand_r(random) % 16))
			usleep(rand_r(random) % 2000);
	}
}

TEST(victims_die_at_once)
{
	unsigned int random = RANDOM_SEED;

	for (unsigned int i = 0; i < VICTIMS; i++) {
		pid_t victim = spawn(be_busy, &random);

		ASSERT_LT(0, victim);
		usleep(rand_r(&random) % patience(LONGEST_LIFE_US));
		ASSERT_EQ(0, kill(victim, SIGKILL));
		ASSERT_TRUE(await_exit(victim, 10 * SOON)) {
			TH_LOG("victim %u of %u", i, VICTIMS);
		}
		ASSERT_EQ(-SIGKILL, outcome_of(victim));
	}
	expect_nothing_left(_metadata);
}

/* When the close has returned nothing is taken, and no memory is touched. */
TEST(close_ends_it)
{
	struct io_ring_sqe read_one;
	static char byte;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	read_one = sqe_rw(IO_RING_OP_READ, fds[0], &byte, 1, 0);
	for (unsigned int i = 0; i < CLOSES; i++) {
		struct ring ring;

		ASSERT_EQ(0, sq_open(&ring, ENTRIES, i % 2 ? SLEEPY_MS : IO_RING_SQ_IDLE_NEVER));
		ring_push_nops(&ring, i % ENTRIES, 0);
		if (i % ENTRIES != ENTRIES - 1)
			ASSERT_LE(0, sq_push(&ring, read_one, 0));
		ring_close(&ring);
		ASSERT_EQ(0, counter("rings")) {
			TH_LOG("ring %u", i);
		}
		ASSERT_EQ(1, write(fds[1], "x", 1));
		ASSERT_EQ(0, byte);
		ASSERT_EQ(1, read(fds[0], &(char) { 0 }, 1));
	}
	close(fds[0]);
	close(fds[1]);
	expect_nothing_left(_metadata);
}

/* Hands its ring over, and does what it is told to: closes its own descriptor, or executes. */
#define CLOSE 'c'
#define EXECUTE 'x'

static int hand_over(void *arg)
{
	int socket = *(int *)arg;
	struct io_ring_cqe cqe;
	struct ring ring;
	char what;

	if (sq_open(&ring, ENTRIES, IO_RING_SQ_IDLE_NEVER))
		return 1;
	if (sq_push(&ring, sqe_nop(0), 0) < 0 || !sq_pop(&ring, &cqe))
		return 2;
	if (send_fd(socket, ring.fd))
		return 3;
	while (read(socket, &what, 1) == 1) {
		if (what == EXECUTE)
			execl("/bin/busybox", "busybox", "sleep", "1000", NULL);
		ring_close(&ring);
		if (write(socket, &what, 1) != 1)
			return 4;
	}
	return 5;
}

FIXTURE(handed)
{
	int sockets[2];
	pid_t child;
	int ring;
};

FIXTURE_SETUP(handed)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sockets));
	self->child = spawn(hand_over, &self->sockets[1]);
	self->ring = recv_fd(self->sockets[0]);
	ASSERT_LE(0, self->ring);
}

FIXTURE_TEARDOWN(handed)
{
	if (self->child) {
		kill(self->child, SIGKILL);
		outcome_of(self->child);
	}
	close(self->ring);
	close(self->sockets[0]);
	close(self->sockets[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static bool tell(int socket, char what)
{
	return write(socket, &what, 1) == 1;
}

static bool tell_and_await(int socket, char what)
{
	return tell(socket, what) && read(socket, &what, 1) == 1;
}

static bool await_no_thread(int ring)
{
	long end = now_ms() + patience(LONG);

	while (fdinfo_value(ring, "sq_thread")) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* Whoever closes the ring of a process that is stopped does not wait for that. */
static void close_while_paused(struct __test_metadata *_metadata, int ring, pid_t child,
			       const struct pause *pause)
{
	ASSERT_TRUE(pause->begin(child));
	EXPECT_EQ(1, counter("rings"));
	close(ring);
	EXPECT_EQ(0, counter("rings"));
	EXPECT_EQ(1, counter("workers"));
	ASSERT_TRUE(pause->end(child));
}

TEST_F(handed, over_by_a_process_that_is_stopped)
{
	ASSERT_TRUE(tell_and_await(self->sockets[0], CLOSE));
	close_while_paused(_metadata, self->ring, self->child, &pause_by_signal);
	self->ring = -1;
}

TEST_F(handed, over_by_a_process_that_is_frozen)
{
	ASSERT_TRUE(pause_prepare());
	ASSERT_TRUE(tell_and_await(self->sockets[0], CLOSE));
	close_while_paused(_metadata, self->ring, self->child, &pause_by_freezer);
	self->ring = -1;
	kill(self->child, SIGKILL);
	outcome_of(self->child);
	self->child = 0;
	EXPECT_TRUE(pause_clean_up());
}

TEST_F(handed, over_by_a_process_that_dies)
{
	struct io_ring_enter args = { .min_complete = 2 };

	ASSERT_EQ(0, kill(self->child, SIGKILL));
	EXPECT_EQ(-EOWNERDEAD, ring_enter_fd(self->ring, &args));
	EXPECT_TRUE(await_no_thread(self->ring));
	args = (struct io_ring_enter) { .flags = IO_RING_ENTER_SQ_WAKEUP };
	EXPECT_EQ(-EPERM, ring_enter_fd(self->ring, &args));
}

TEST_F(handed, over_by_a_process_that_had_closed_it)
{
	ASSERT_TRUE(tell_and_await(self->sockets[0], CLOSE));
	EXPECT_LT(0, fdinfo_value(self->ring, "sq_thread"));
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	EXPECT_TRUE(await_no_thread(self->ring));
}

TEST_F(handed, over_by_a_process_that_executes_another)
{
	struct io_ring_enter args = { .min_complete = 2 };

	ASSERT_TRUE(tell(self->sockets[0], EXECUTE));
	EXPECT_EQ(-EOWNERDEAD, ring_enter_fd(self->ring, &args));
	EXPECT_TRUE(await_no_thread(self->ring));
}

/* Has one entry after the other taken until there is something to read. */
struct pace {
	__u32 idle_ms;
	int stop;
};

static int keep_pace(void *arg)
{
	const struct pace *pace = arg;
	struct pollfd stop = { .fd = pace->stop, .events = POLLIN };
	struct io_ring_cqe cqe;
	struct ring ring;

	if (sq_open(&ring, ENTRIES, pace->idle_ms))
		return 1;
	for (unsigned int i = 0; !poll(&stop, 1, 0); i++)
		if (sq_push(&ring, sqe_nop(0), i) < 0 || !sq_pop(&ring, &cqe) ||
		    cqe.user_data != i)
			return 2;
	return 0;
}

static void pause_again_and_again(struct __test_metadata *_metadata, const struct pause *pause)
{
	static const __u32 idle_ms[] = { SLEEPY_MS, IO_RING_SQ_IDLE_NEVER };

	for (size_t i = 0; i < ARRAY_SIZE(idle_ms); i++) {
		struct pace pace = { .idle_ms = idle_ms[i] };
		pid_t child;
		int fds[2];

		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		pace.stop = fds[0];
		child = spawn(keep_pace, &pace);
		for (unsigned int n = 0; n < PAUSES; n++) {
			EXPECT_TRUE(pause->begin(child));
			EXPECT_TRUE(pause->end(child));
			sleep_ms(n);
		}
		EXPECT_EQ(1, write(fds[1], "x", 1));
		EXPECT_EQ(0, outcome_of(child));
		close(fds[0]);
		close(fds[1]);
	}
	expect_nothing_left(_metadata);
}

TEST(stops_and_goes_on_with_its_process)
{
	pause_again_and_again(_metadata, &pause_by_signal);
}

TEST(freezes_and_goes_on_with_its_process)
{
	ASSERT_TRUE(pause_prepare());
	pause_again_and_again(_metadata, &pause_by_freezer);
	EXPECT_TRUE(pause_clean_up());
}

/* It is one of the processes and threads that a user may have. */
static int stay_below_the_limit(void *arg)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_SQPOLL);
	struct rlimit limit = { .rlim_cur = 1, .rlim_max = 2 };
	int control = *(int *)arg;

	if (become_other() || setrlimit(RLIMIT_NPROC, &limit))
		return 1;
	if (ioctl(control, IO_RING_SETUP, &wanted) != -1 || errno != EAGAIN)
		return 2;
	limit.rlim_cur = 2;
	wanted = ring_wanted(ENTRIES, IO_RING_SETUP_SQPOLL);
	if (setrlimit(RLIMIT_NPROC, &limit))
		return 3;
	return ioctl(control, IO_RING_SETUP, &wanted) < 0 ? 4 : 0;
}

TEST(counts_as_a_thread_of_its_user)
{
	int control = control_open();

	ASSERT_LE(0, control);
	EXPECT_EQ(0, in_child(stay_below_the_limit, &control));
	expect_nothing_left(_metadata);
	close(control);
}

/* All threads of the process end by themselves, but for one that nobody tells. */
static int leave_alone(void *arg)
{
	struct ring ring;

	if (sq_open(&ring, ENTRIES, *(__u32 *)arg))
		return 1;
	/* The mapping keeps the ring. */
	close(ring.fd);
	syscall(SYS_exit, 0);
	return 2;
}

TEST(a_thread_that_is_left_alone_leaves)
{
	static const __u32 idle_ms[] = { SLEEPY_MS, IO_RING_SQ_IDLE_NEVER };

	for (size_t i = 0; i < ARRAY_SIZE(idle_ms); i++) {
		pid_t child = spawn(leave_alone, (void *)&idle_ms[i]);

		EXPECT_TRUE(await_exit(child, LONG));
		EXPECT_EQ(0, outcome_of(child));
	}
	expect_nothing_left(_metadata);
}

TEST_HARNESS_MAIN
