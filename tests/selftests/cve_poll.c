// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their file, and what the wait queues of files do to them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <termios.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "source.h"

#define ENTRIES 64
#define CANCEL (1U << 30)	/* user_data of what cancels */
#define STACK 65536
#define SPIN 20000

static bool submit(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0) == 1;
}

static bool await_one(const struct ring *ring, struct io_ring_cqe *cqe)
{
	return await_completions(ring, 1, SOON) && ring_pop(ring, cqe) && !ring_ready(ring);
}

static void spin(unsigned int *random)
{
	for (int left = rand_r(random) % SPIN; left; left--)
		__asm__ volatile("");
}

/* Reading the signals of whoever reads, in a wait queue of whoever submitted. */
struct watch {
	struct ring ring;
	struct signalfd_siginfo info;
	int signals;
	int error;
};

#define GENERATIONS 20

/* In a process that has the memory of this one, but signals of its own. */
static int watch_signals(void *arg)
{
	struct watch *watch = arg;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, watch->signals, &watch->info,
					sizeof(watch->info), 0);

	ring_push(&watch->ring, &sqe);
	watch->error = ring_enter(&watch->ring, 1, 0);
	_exit(0);
}

static bool in_same_memory(int (*fn)(void *arg), void *arg)
{
	static __u64 stack[STACK / sizeof(__u64)];
	pid_t child = clone(fn, stack + ARRAY_SIZE(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, arg);

	return outcome_of(child) == 0;
}

/*
 * The wait queue goes away with the process that submitted, and the request
 * waits on in that of the worker. Or such a process may not submit at all.
 */
TEST(signalfd_of_a_process_that_is_gone)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct io_ring_cqe cqe;
	sigset_t mask;
	int idle[2];

	ASSERT_NE(NULL, watch);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &mask, NULL));
	watch->signals = signalfd(-1, &mask, SFD_CLOEXEC);
	ASSERT_LE(0, watch->signals);
	ASSERT_EQ(0, pipe2(idle, O_CLOEXEC));
	for (unsigned int i = 0; i < GENERATIONS; i++) {
		ASSERT_EQ(0, ring_open(&watch->ring, ENTRIES, 0));
		/* A worker of this process, which does not go away. */
		ASSERT_TRUE(submit(&watch->ring, sqe_rw(IO_RING_OP_READ, idle[0], &mask, 1, 0), 1));
		ASSERT_TRUE(in_same_memory(watch_signals, watch));
		if (watch->error != -EPERM) {
			ASSERT_EQ(1, watch->error);
			ASSERT_EQ(0, ring_ready(&watch->ring));
			ASSERT_EQ(0, kill(getpid(), SIGUSR1));
			ASSERT_TRUE(await_one(&watch->ring, &cqe));
			EXPECT_EQ(0, cqe.user_data);
			EXPECT_EQ(sizeof(watch->info), cqe.res);
			EXPECT_EQ(SIGUSR1, watch->info.ssi_signo);
		}
		ring_close(&watch->ring);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

#define WAKE_UPS 2000
#define HANG_UPS 400

/* What another thread does while the test does something else. */
struct other {
	pthread_t thread;
	pthread_barrier_t turn;
	void (*act)(struct other *other);
	struct source terminal;
	struct termios settings;
	unsigned int rounds;
	unsigned int random;
};

static void *act(void *arg)
{
	struct other *other = arg;
	unsigned int random = 2;

	for (unsigned int i = 0; i < other->rounds; i++) {
		pthread_barrier_wait(&other->turn);
		spin(&random);
		other->act(other);
		pthread_barrier_wait(&other->turn);
	}
	return NULL;
}

/* A terminal has two wait queues, and some things wake both. */
FIXTURE(two_queues)
{
	struct ring ring;
	struct other other;
	char byte;
};

FIXTURE_SETUP(two_queues)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, pthread_barrier_init(&self->other.turn, NULL, 2));
	self->other.random = 1;
}

FIXTURE_TEARDOWN(two_queues)
{
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void start(struct __test_metadata *_metadata, struct other *other, unsigned int rounds,
		  void (*act_once)(struct other *other))
{
	other->rounds = rounds;
	other->act = act_once;
	ASSERT_EQ(0, pthread_create(&other->thread, NULL, act, other));
}

/* Wakes all who wait to read, and all who wait to write, whatever for. */
static void set_terminal(struct other *other)
{
	tcsetattr(other->terminal.reader, TCSANOW, &other->settings);
}

TEST_F(two_queues, fire_at_once)
{
	struct other *other = &self->other;
	struct io_ring_cqe cqe;

	ASSERT_TRUE(source_open(&other->terminal, SOURCE_TERMINAL));
	ASSERT_EQ(0, tcgetattr(other->terminal.reader, &other->settings));
	start(_metadata, other, WAKE_UPS, set_terminal);
	for (unsigned int i = 0; i < WAKE_UPS; i++) {
		ASSERT_TRUE(submit(&self->ring, sqe_rw(IO_RING_OP_READ, other->terminal.reader,
						       &self->byte, 1, 0), i));
		pthread_barrier_wait(&other->turn);
		spin(&other->random);
		ASSERT_EQ(1, source_feed(&other->terminal));
		pthread_barrier_wait(&other->turn);
		ASSERT_TRUE(await_one(&self->ring, &cqe)) {
			TH_LOG("round %u", i);
		}
		ASSERT_EQ(i, cqe.user_data);
		ASSERT_EQ(1, cqe.res);
	}
	ASSERT_EQ(0, pthread_join(other->thread, NULL));
	source_close(&other->terminal);
}

static void close_master(struct other *other)
{
	close(other->terminal.feeder);
}

/* Either the READ was cancelled, or it has seen the hang-up. */
static bool was_cancelled(struct __test_metadata *_metadata, const struct ring *ring)
{
	__s32 results[2] = { 0 };
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, 2, SOON));
	while (ring_pop(ring, &cqe))
		results[cqe.user_data == CANCEL] = cqe.res;
	if (results[1] == 0)
		EXPECT_EQ(-ECANCELED, results[0]);
	if (results[1] == -ENOENT || results[0] != -ECANCELED)
		EXPECT_TRUE(results[0] == 0 || results[0] == -EIO);
	EXPECT_TRUE(results[1] == 0 || results[1] == -ENOENT || results[1] == -EALREADY) {
		TH_LOG("results %d and %d", results[0], results[1]);
	}
	return results[0] == -ECANCELED;
}

TEST_F(two_queues, fire_while_the_request_is_cancelled)
{
	struct other *other = &self->other;
	unsigned int cancelled = 0;

	start(_metadata, other, HANG_UPS, close_master);
	for (unsigned int i = 0; i < HANG_UPS; i++) {
		ASSERT_TRUE(source_open(&other->terminal, SOURCE_TERMINAL));
		ASSERT_TRUE(submit(&self->ring, sqe_rw(IO_RING_OP_READ, other->terminal.reader,
						       &self->byte, 1, 0), i));
		pthread_barrier_wait(&other->turn);
		spin(&other->random);
		ASSERT_TRUE(submit(&self->ring, sqe_cancel(IO_RING_CANCEL_OP, 0, 0,
							   IO_RING_OP_READ), CANCEL));
		pthread_barrier_wait(&other->turn);
		cancelled += was_cancelled(_metadata, &self->ring);
		close(other->terminal.reader);
	}
	ASSERT_EQ(0, pthread_join(other->thread, NULL));
	/* Who is faster is up to the machine. */
	TH_LOG("%u of %u cancelled before the hang-up", cancelled, HANG_UPS);
}

#define TERMINALS 4
#define WORKERS 2

/* A wake-up says nothing: who is woken for nothing waits on, and not in a thread. */
TEST(terminals_woken_for_nothing)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);
	struct source terminals[TERMINALS];
	char bytes[TERMINALS];
	struct io_ring_cqe cqe;
	struct termios settings;
	struct ring ring;

	wanted.max_workers = WORKERS;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < TERMINALS; i++) {
		ASSERT_TRUE(source_open(&terminals[i], SOURCE_TERMINAL));
		ASSERT_TRUE(submit(&ring, sqe_rw(IO_RING_OP_READ, terminals[i].reader, &bytes[i],
						 1, 0), i));
	}
	for (unsigned int i = 0; i < TERMINALS; i++) {
		ASSERT_EQ(0, tcgetattr(terminals[i].reader, &settings));
		ASSERT_EQ(0, tcsetattr(terminals[i].reader, TCSANOW, &settings));
	}
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	for (unsigned int i = TERMINALS; i--;) {
		ASSERT_EQ(1, source_feed(&terminals[i]));
		ASSERT_TRUE(await_one(&ring, &cqe)) {
			TH_LOG("terminal %u", i);
		}
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_EQ(1, cqe.res);
	}
	ring_close(&ring);
}

#define TURNS 20000
#define READERS 8

struct thief {
	pthread_t thread;
	int fd;
	unsigned int stolen;
	bool has_ended;
};

/* Makes the file ready, and takes at once what it is ready with. */
static void *steal(void *arg)
{
	const __u64 one = 1;
	struct thief *thief = arg;
	__u64 value;

	for (unsigned int i = 0; i < TURNS; i++) {
		if (write(thief->fd, &one, sizeof(one)) != sizeof(one))
			break;
		thief->stolen += read(thief->fd, &value, sizeof(value)) == sizeof(value);
	}
	__atomic_store_n(&thief->has_ended, true, __ATOMIC_RELEASE);
	return NULL;
}

struct readers {
	struct ring ring;
	struct thief thief;
	__u64 values[READERS];
	unsigned int completed;
};

FIXTURE(thieves)
{
	struct readers readers;
};

FIXTURE_SETUP(thieves)
{
	struct readers *readers = &self->readers;

	readers->thief.fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
	ASSERT_LE(0, readers->thief.fd);
	ASSERT_EQ(0, ring_open(&readers->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(thieves)
{
	struct readers *readers = &self->readers;

	ring_close(&readers->ring);
	close(readers->thief.fd);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static bool submit_read(struct readers *readers, __u64 number)
{
	return submit(&readers->ring, sqe_rw(IO_RING_OP_READ, readers->thief.fd,
					     &readers->values[number], sizeof(__u64), 0), number);
}

static void reap(struct __test_metadata *_metadata, struct readers *readers)
{
	struct io_ring_cqe cqe;

	while (ring_pop(&readers->ring, &cqe)) {
		ASSERT_EQ(sizeof(__u64), cqe.res);
		ASSERT_EQ(1, readers->values[cqe.user_data]);
		ASSERT_TRUE(submit_read(readers, cqe.user_data));
		readers->completed++;
	}
}

/* The same few requests are woken many times, mostly for nothing, and nothing gets lost. */
TEST_F(thieves, wake_many_times)
{
	struct readers *readers = &self->readers;
	struct thief *thief = &readers->thief;

	for (unsigned int i = 0; i < READERS; i++)
		ASSERT_TRUE(submit_read(readers, i));
	ASSERT_EQ(0, pthread_create(&thief->thread, NULL, steal, thief));
	while (!__atomic_load_n(&thief->has_ended, __ATOMIC_ACQUIRE))
		reap(_metadata, readers);
	ASSERT_EQ(0, pthread_join(thief->thread, NULL));
	do {
		reap(_metadata, readers);
	} while (await_completions(&readers->ring, 1, A_WHILE));
	EXPECT_EQ(TURNS, readers->completed + thief->stolen);
	TH_LOG("%u of %u were stolen", thief->stolen, TURNS);
	EXPECT_EQ(READERS, fdinfo_value(readers->ring.fd, "in_flight"));
}

TEST_HARNESS_MAIN
