// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SETUP_IOPOLL: waits that end early, and rings and processes that go away meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "actor.h"
#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "polled_disk.h"
#include "process.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 64
#define SIZE 4096
#define READS 16

/* Requests that a slow disk takes a second for, on any machine. */
#define SLOWLY 60
#define SLOWLY_AT_ONCE 8

static struct shared {
	int disk;
	unsigned char *memory;
} shared;

/* They do not join. */
static int push_reads(const struct ring *ring, unsigned int count, __u32 size)
{
	for (unsigned int i = 0; i < count; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, shared.disk, shared.memory, size,
						2ULL * i * size);

		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
	return ring_enter(ring, count, 0);
}

static bool open_shared(const struct polled_disk *how)
{
	shared.disk = polled_disk_open(how);
	shared.memory = new_pages(POLLED_DISK_SLICE / SIZE);
	return shared.disk >= 0 && shared.memory;
}

/* One request every 20 ms, by its clock, and no more than SLOWLY_AT_ONCE unless it is asked. */
FIXTURE(slow)
{
	struct ring ring;
};

FIXTURE_SETUP(slow)
{
	const struct polled_disk how = {
		.queues = 1, .depth = SLOWLY_AT_ONCE, .mb_per_second = 1,
	};

	ASSERT_TRUE(open_shared(&how));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
	ASSERT_EQ(SLOWLY, push_reads(&self->ring, SLOWLY, POLLED_DISK_SLICE));
}

FIXTURE_TEARDOWN(slow)
{
	ring_close(&self->ring);
	polled_disk_close(shared.disk);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(slow, all_come)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_enter(&self->ring, 0, SLOWLY));
	for (unsigned int i = 0; i < SLOWLY; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(POLLED_DISK_SLICE, cqe.res);
	}
}

TEST_F(slow, timeout)
{
	struct io_ring_enter args = { .min_complete = SLOWLY, .timeout = 2 * MS };

	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(-ETIME, args.wait_error);
	EXPECT_GT(SLOWLY, ring_ready(&self->ring));
	args = (struct io_ring_enter) {
		.min_complete = SLOWLY, .flags = IO_RING_ENTER_ABS_TIMER,
		.clock = CLOCK_MONOTONIC, .timeout = 1,
	};
	EXPECT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &args));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, SLOWLY));
}

TEST_F(slow, min_wait)
{
	struct io_ring_enter args = { .min_complete = SLOWLY, .min_wait = 1 };

	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_LE(1, ring_ready(&self->ring));
	EXPECT_GT(SLOWLY, ring_ready(&self->ring));
}

TEST_F(slow, no_stall)
{
	struct io_ring_enter args = {
		.min_complete = SLOWLY + 1, .flags = IO_RING_ENTER_NO_STALL,
	};

	EXPECT_EQ(-EDEADLK, ring_enter_fd(self->ring.fd, &args));
	args.min_complete = SLOWLY;
	args.wait_error = 0;
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	EXPECT_EQ(SLOWLY, ring_ready(&self->ring));
}

static int handled;

static void handle(int signal)
{
	__atomic_store_n(&handled, signal, __ATOMIC_RELAXED);
}

struct sender {
	pthread_t to;
	bool over;
};

/* Until it has been noticed: the first may come before the wait begins. */
static void *send_signals(void *arg)
{
	struct sender *sender = arg;

	while (!__atomic_load_n(&sender->over, __ATOMIC_RELAXED)) {
		pthread_kill(sender->to, SIGUSR1);
		sleep_ms(10);
	}
	return NULL;
}

TEST_F(slow, signal)
{
	const struct sigaction action = { .sa_handler = handle };
	struct sender sender = { .to = pthread_self() };
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_signals, &sender));
	EXPECT_EQ(-EINTR, ring_enter(&self->ring, 0, SLOWLY + 1));
	__atomic_store_n(&sender.over, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(SIGUSR1, __atomic_load_n(&handled, __ATOMIC_RELAXED));
}

TEST_F(slow, sigmask)
{
	const struct sigaction action = { .sa_handler = handle };
	struct sender sender = { .to = pthread_self() };
	__u64 mask = 1ULL << (SIGUSR1 - 1);
	struct io_ring_enter args = { .min_complete = SLOWLY, .sigmask = (unsigned long)&mask };
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_signals, &sender));
	/* A signal before the wait interrupts nothing. */
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &args));
	__atomic_store_n(&sender.over, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(SLOWLY, ring_ready(&self->ring));
}

TEST_F(slow, quiesce)
{
	__u32 left = 0;

	/* The disk may have been faster now and then, if this thread has had to wait. */
	for (unsigned int tries = 0; ring_quiesce(&self->ring, 1, &left) == 0; tries++) {
		ASSERT_GT(100, tries);
		ASSERT_EQ(0, left);
		while (ring_pop(&self->ring, &(struct io_ring_cqe) { 0 }))
			;
		ASSERT_EQ(SLOWLY, push_reads(&self->ring, SLOWLY, POLLED_DISK_SLICE));
	}
	EXPECT_LE(1, left);
	EXPECT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	EXPECT_EQ(SLOWLY, ring_ready(&self->ring));
}

static int wait_for_all(void *arg)
{
	return ring_enter(arg, 0, ENTRIES) == -EOWNERDEAD ? 0 : 1;
}

static int quiesce_alone(void *arg)
{
	struct ring *ring = arg;

	if (ring_open(ring, ENTRIES, IO_RING_SETUP_IOPOLL))
		return 1;
	for (;;) {
		if (push_reads(ring, SLOWLY, POLLED_DISK_SLICE) != SLOWLY)
			return 2;
		if (ring_quiesce(ring, 0, NULL))
			return 3;
		while (ring_pop(ring, &(struct io_ring_cqe) { 0 }))
			;
	}
}

/* The signal ends it, whatever the disk does. */
TEST_F(slow, killed_while_it_asks)
{
	struct ring ring;
	pid_t child;

	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	for (unsigned int i = 0; i < 4; i++) {
		child = spawn(quiesce_alone, &ring);
		ASSERT_LT(0, child);
		sleep_ms(5 * i);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(-SIGKILL, outcome_of(child));
	}
}

/* A disk that completes only what is asked for. */
FIXTURE(end)
{
	struct ring ring;
};

FIXTURE_SETUP(end)
{
	const struct polled_disk how = { .queues = 1, .depth = READS / 2 };

	ASSERT_TRUE(open_shared(&how));
}

FIXTURE_TEARDOWN(end)
{
	polled_disk_close(shared.disk);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(end, close)
{
	for (unsigned int round = 0; round < 50; round++) {
		ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
		/* More than the disk takes: some have not even begun. */
		ASSERT_EQ(READS, push_reads(&self->ring, READS, SIZE));
		ring_close(&self->ring);
		ASSERT_EQ(0, counter("requests"));
		ASSERT_EQ(0, counter("teardowns"));
	}
}

/* When close() has returned, nothing holds the file. */
TEST_F(end, close_lets_go_of_files)
{
	const struct polled_disk how = { .queues = 1, .depth = READS };

	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
	ASSERT_EQ(0, files_register(&self->ring, &shared.disk, NULL, 1));
	ASSERT_EQ(READS, push_reads(&self->ring, READS, SIZE));
	close(shared.disk);
	ring_close(&self->ring);
	shared.disk = open(POLLED_DISK, O_RDWR | O_EXCL);
	ASSERT_LE(0, shared.disk);
	polled_disk_close(shared.disk);
	ASSERT_TRUE(open_shared(&how));
}

TEST_F(end, quiesce)
{
	unsigned int done = 0, cancelled = 0;
	struct io_ring_cqe cqe;
	__u32 left = 1;

	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
	ASSERT_EQ(READS, push_reads(&self->ring, READS, SIZE));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_EQ(0, left);
	while (ring_pop(&self->ring, &cqe)) {
		done += cqe.res == SIZE;
		cancelled += cqe.res == -ECANCELED;
	}
	/* What the disk had is done, what it had not is not. */
	EXPECT_EQ(READS, done + cancelled);
	EXPECT_EQ(READS / 2, done);
	ring_close(&self->ring);
}

static int submit_and_die(void *arg)
{
	struct ring *ring = arg;

	if (ring_open(ring, ENTRIES, IO_RING_SETUP_IOPOLL) ||
	    push_reads(ring, READS, SIZE) != READS)
		return 1;
	for (;;) {
		struct io_ring_cqe cqe;

		if (ring_enter(ring, 0, 1))
			return 2;
		while (ring_pop(ring, &cqe)) {
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, shared.disk,
							shared.memory, SIZE, 0);

			ring_push(ring, &sqe);
		}
		ring_enter(ring, READS, 0);
	}
}

TEST_F(end, killed_at_any_time)
{
	unsigned int random = 1;

	for (unsigned int round = 0; round < 200; round++) {
		pid_t child = spawn(submit_and_die, &self->ring);

		ASSERT_LT(0, child);
		usleep(rand_r(&random) % 20000);
		ASSERT_EQ(0, kill(child, SIGKILL));
		ASSERT_EQ(-SIGKILL, outcome_of(child));
	}
	ASSERT_STREQ("", counters_busy() ?: "");
}

static int read_all(struct ring *ring)
{
	return push_reads(ring, READS, SIZE);
}

static int wait_for_half(struct ring *ring)
{
	return ring_enter(ring, 0, READS / 2);
}

/* Who has the ring and is not its process sees all of them end, without asking. */
static void expect_all_to_end(struct __test_metadata *_metadata, const struct ring *ring)
{
	unsigned int done = 0, cancelled = 0;
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, READS, SOON));
	while (ring_pop(ring, &cqe)) {
		done += cqe.res == SIZE;
		cancelled += cqe.res == -ECANCELED;
	}
	EXPECT_EQ(READS, done + cancelled);
	EXPECT_EQ(READS / 2, done);
}

static void check_leaving(struct __test_metadata *_metadata, bool (*leave)(struct actor *actor))
{
	struct actor actor;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_IOPOLL | IO_RING_SETUP_REBIND));
	for (unsigned int round = 0; round < 4; round++) {
		ASSERT_TRUE(actor_start(&actor, &ring));
		ASSERT_EQ(READS, actor_ask(&actor, read_all));
		EXPECT_EQ(0, ring_ready(&ring));
		ASSERT_TRUE(leave(&actor));
		expect_all_to_end(_metadata, &ring);
		actor_end(&actor);
	}
	ring_close(&ring);
}

TEST_F(end, process_exits)
{
	check_leaving(_metadata, actor_exits);
}

TEST_F(end, process_is_killed)
{
	check_leaving(_metadata, actor_is_killed);
}

TEST_F(end, process_executes)
{
	check_leaving(_metadata, actor_executes);
}

TEST_F(end, process_executes_holding)
{
	check_leaving(_metadata, actor_executes_holding);
}

/* The next process does not do what the one before wanted. */
TEST_F(end, next_process)
{
	struct actor actor;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_IOPOLL | IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&actor, &ring));
	ASSERT_EQ(READS, actor_ask(&actor, read_all));
	ASSERT_TRUE(actor_is_killed(&actor));
	actor_end(&actor);
	ASSERT_EQ(READS, push_reads(&ring, READS, SIZE));
	ASSERT_EQ(0, ring_enter(&ring, 0, 2 * READS));
	EXPECT_EQ(2 * READS, ring_ready(&ring));
	ring_close(&ring);
}

/* Another process may ask; what the disk has not taken waits for that of the ring. */
TEST_F(end, another_process_asks)
{
	struct actor actor;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_IOPOLL | IO_RING_SETUP_FORK_SHARED));
	ASSERT_EQ(READS, push_reads(&ring, READS, SIZE));
	ASSERT_TRUE(actor_start(&actor, &ring));
	EXPECT_EQ(0, actor_ask(&actor, wait_for_half));
	EXPECT_EQ(READS / 2, ring_ready(&ring));
	EXPECT_EQ(0, ring_enter(&ring, 0, READS));
	EXPECT_EQ(READS, ring_ready(&ring));
	ASSERT_TRUE(actor_exits(&actor));
	actor_end(&actor);
	ring_close(&ring);
}

/* And who does so is told when there is nobody left. */
TEST_F(end, owner_dies_while_another_process_asks)
{
	struct ring *ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct actor actor;
	pid_t other;

	ASSERT_NE(MAP_FAILED, ring);
	ASSERT_EQ(0, ring_open(ring, ENTRIES, IO_RING_SETUP_IOPOLL | IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&actor, ring));
	ASSERT_EQ(READS, actor_ask(&actor, read_all));
	other = spawn(wait_for_all, ring);
	ASSERT_LT(0, other);
	sleep_ms(20);
	ASSERT_TRUE(actor_is_killed(&actor));
	EXPECT_EQ(0, outcome_of(other));
	expect_all_to_end(_metadata, ring);
	actor_end(&actor);
	ring_close(ring);
}

TEST_F(end, module_is_unloaded)
{
	for (unsigned int round = 0; round < 5; round++) {
		ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
		ASSERT_EQ(READS, push_reads(&self->ring, READS, SIZE));
		ring_close(&self->ring);
		ASSERT_EQ(0, module_unload());
		ASSERT_EQ(0, module_load());
	}
}

TEST_HARNESS_MAIN
