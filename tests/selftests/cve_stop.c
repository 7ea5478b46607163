// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are stopped, frozen or killed just when their rings make worker threads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "pause.h"
#include "process.h"
#include "ring.h"

#define ENTRIES 32
#define LONG_COPIES 10
#define LONG_COPY (8U << 20)
#define PAUSES 60
#define VICTIMS 100
#define LONGEST_RUN_US 4000
#define LONGEST_PAUSE_US 2000
#define SEED 3
#define READ 1			/* user_data */
#define FSYNC 2
#define COPY 3

/* How a program waits for completions. */
enum wait {
	BY_ENTER,
	BY_POLL,
};

/* What the process does that is to be paused, and what it shares with the test. */
struct victim {
	unsigned int rounds;
	bool has_to_end;
	bool is_submitting;
	enum wait wait;
	unsigned int moment;	/* in microseconds */
	int socket;
	int file;		/* in memory */
	int pipe[2];
	char byte;
	struct ring ring;
	void *copy;
	int (*work)(struct victim *victim);
};

static bool await_by(const struct ring *ring, enum wait wait, __u32 count)
{
	struct pollfd pollfd = { .fd = ring->fd, .events = POLLIN };
	long end = now_ms() + patience(SOON);
	int error = 0;

	if (wait == BY_ENTER)
		do {
			error = ring_enter(ring, 0, count);
		} while (error == -EINTR);
	while (!error && ring_ready(ring) < count && now_ms() < end)
		if (poll(&pollfd, 1, 1) < 0 && errno != EINTR)
			error = -errno;
	return !error && ring_ready(ring) >= count;
}

static void push(const struct victim *victim, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(&victim->ring, &sqe);
}

/* A signal may end the batch early. */
static bool submit_all(const struct victim *victim, int count)
{
	while (count) {
		int taken = ring_enter(&victim->ring, count, 0);

		if (taken < 0 && taken != -EINTR)
			return false;
		count -= taken > 0 ? taken : 0;
	}
	return true;
}

static bool are_right(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe)) {
		__s32 expected = cqe.user_data == READ ? 1 :
				 cqe.user_data == COPY ? (__s32)LONG_COPY : 0;

		if (cqe.res != expected) {
			fprintf(stderr, "# request %llu: %d\n", cqe.user_data, cqe.res);
			return false;
		}
	}
	return true;
}

/* One life of a ring, with a request that needs a worker and one that waits. */
static int use_fresh_ring(struct victim *victim)
{
	if (ring_open(&victim->ring, ENTRIES, 0))
		return 10;
	push(victim, sqe_fsync(victim->file, 0, 0, 0), FSYNC);
	push(victim, sqe_rw(IO_RING_OP_READ, victim->pipe[0], &victim->byte, 1, 0), READ);
	if (!submit_all(victim, 2))
		return 11;
	if (write(victim->pipe[1], "x", 1) != 1)
		return 12;
	if (!await_by(&victim->ring, victim->wait, 2))
		return 13;
	if (!are_right(&victim->ring))
		return 14;
	ring_close(&victim->ring);
	return 0;
}

static int use_rings(struct victim *victim)
{
	int error = 0;

	while (!error && !__atomic_load_n(&victim->has_to_end, __ATOMIC_ACQUIRE)) {
		error = use_fresh_ring(victim);
		__atomic_fetch_add(&victim->rounds, 1, __ATOMIC_RELEASE);
	}
	return error;
}

static void *work(void *arg)
{
	struct victim *victim = arg;

	_exit(victim->work(victim));
	return NULL;
}

/* In the process: the first thread, which is the one that takes signals, has nothing else to do. */
static int be_victim(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, arg))
		return 100;
	for (;;)
		pause();
}

static pid_t spawn_victim(struct victim *victim, int (*work)(struct victim *victim))
{
	victim->work = work;
	return spawn(be_victim, victim);
}

static struct victim *new_victim(void)
{
	struct victim *victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (victim == MAP_FAILED || pipe2(victim->pipe, O_CLOEXEC))
		return NULL;
	victim->file = temp_file(TMPFS_DIR);
	return victim->file < 0 ? NULL : victim;
}

static void forget_victim(struct victim *victim)
{
	close(victim->pipe[0]);
	close(victim->pipe[1]);
	close(victim->file);
	munmap(victim, sizeof(*victim));
}

FIXTURE(paused)
{
	struct victim *victim;
};

FIXTURE_VARIANT(paused)
{
	const struct pause *pause;
};

FIXTURE_VARIANT_ADD(paused, by_signal) { .pause = &pause_by_signal };
FIXTURE_VARIANT_ADD(paused, by_freezer) { .pause = &pause_by_freezer };

FIXTURE_SETUP(paused)
{
	ASSERT_TRUE(pause_prepare());
	self->victim = new_victim();
	ASSERT_NE(NULL, self->victim);
}

FIXTURE_TEARDOWN(paused)
{
	forget_victim(self->victim);
	EXPECT_TRUE(pause_clean_up());
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void pause_many_times(struct __test_metadata *_metadata, struct victim *victim,
			     const struct pause *pause, enum wait wait)
{
	unsigned int random = SEED;
	bool has_paused = true;
	pid_t pid;

	victim->wait = wait;
	pid = spawn_victim(victim, use_rings);
	ASSERT_LT(0, pid);
	for (unsigned int i = 0; has_paused && i < PAUSES; i++) {
		usleep(rand_r(&random) % patience(LONGEST_RUN_US));
		has_paused = pause->begin(pid);
		usleep(rand_r(&random) % LONGEST_PAUSE_US);
		ASSERT_TRUE(pause->end(pid));
	}
	__atomic_store_n(&victim->has_to_end, true, __ATOMIC_RELEASE);
	EXPECT_TRUE(await_exit(pid, 2 * SOON));
	kill(pid, SIGKILL);
	EXPECT_EQ(0, outcome_of(pid));
	EXPECT_TRUE(has_paused);
	EXPECT_LT(0, victim->rounds);
}

TEST_F(paused, at_any_time_when_it_enters)
{
	pause_many_times(_metadata, self->victim, variant->pause, BY_ENTER);
}

TEST_F(paused, at_any_time_when_it_polls)
{
	pause_many_times(_metadata, self->victim, variant->pause, BY_POLL);
}

/* Requests that are done at once, and take their time, and two that need threads afterwards. */
static bool submit_slowly(struct victim *victim)
{
	for (unsigned int i = 0; i < LONG_COPIES; i++)
		push(victim, sqe_rw(IO_RING_OP_WRITE, victim->file, victim->copy, LONG_COPY, 0),
		     COPY);
	push(victim, sqe_fsync(victim->file, 0, 0, 0), FSYNC);
	push(victim, sqe_rw(IO_RING_OP_READ, victim->pipe[0], &victim->byte, 1, 0), READ);
	__atomic_store_n(&victim->is_submitting, true, __ATOMIC_RELEASE);
	return submit_all(victim, LONG_COPIES + 2);
}

static bool prepare_to_submit_slowly(struct victim *victim)
{
	victim->copy = mmap(NULL, LONG_COPY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return victim->copy != MAP_FAILED && !ftruncate(victim->file, LONG_COPY) &&
	       !ring_open(&victim->ring, ENTRIES, 0);
}

/* Reports when it waits; the second request that needs a thread can only be done then. */
static int submit_slowly_and_wait(struct victim *victim)
{
	if (!prepare_to_submit_slowly(victim))
		return 1;
	if (!submit_slowly(victim))
		return 2;
	if (!await_by(&victim->ring, victim->wait, LONG_COPIES + 1))
		return 3;
	if (!are_right(&victim->ring))
		return 4;
	if (write(victim->pipe[1], "x", 1) != 1)
		return 5;
	if (!await_by(&victim->ring, victim->wait, 1))
		return 6;
	return are_right(&victim->ring) ? 0 : 7;
}

static void await_submission(const struct victim *victim)
{
	while (!__atomic_load_n(&victim->is_submitting, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	sleep_ms(A_WHILE / 4);
}

static void pause_submission(struct __test_metadata *_metadata, struct victim *victim,
			     const struct pause *pause, enum wait wait)
{
	pid_t pid;

	victim->wait = wait;
	pid = spawn_victim(victim, submit_slowly_and_wait);
	ASSERT_LT(0, pid);
	await_submission(victim);
	EXPECT_TRUE(pause->begin(pid));
	sleep_ms(A_WHILE);
	ASSERT_TRUE(pause->end(pid));
	EXPECT_TRUE(await_exit(pid, 3 * SOON));
	kill(pid, SIGKILL);
	EXPECT_EQ(0, outcome_of(pid));
}

TEST_F(paused, while_it_submits_and_then_enters)
{
	pause_submission(_metadata, self->victim, variant->pause, BY_ENTER);
}

TEST_F(paused, while_it_submits_and_then_polls)
{
	pause_submission(_metadata, self->victim, variant->pause, BY_POLL);
}

/* Many processes die while their threads are being made. */
FIXTURE(killed)
{
	struct victim *victim;
};

FIXTURE_SETUP(killed)
{
	self->victim = new_victim();
	ASSERT_NE(NULL, self->victim);
}

FIXTURE_TEARDOWN(killed)
{
	forget_victim(self->victim);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void *exit_in_a_moment(void *arg)
{
	struct victim *victim = arg;

	usleep(victim->moment);
	_exit(0);
	return NULL;
}

static int use_rings_for_a_moment(struct victim *victim)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, exit_in_a_moment, victim) ? 101 : use_rings(victim);
}

TEST_F(killed, at_any_time)
{
	struct victim *victim = self->victim;
	unsigned int random = SEED;

	for (unsigned int i = 0; i < VICTIMS; i++) {
		bool by_another = i % 2;
		pid_t pid;

		victim->moment = rand_r(&random) % patience(LONGEST_RUN_US);
		pid = spawn_victim(victim, by_another ? use_rings : use_rings_for_a_moment);
		ASSERT_LT(0, pid);
		if (by_another) {
			usleep(victim->moment);
			ASSERT_EQ(0, kill(pid, SIGKILL));
		}
		ASSERT_TRUE(await_exit(pid, SOON)) {
			TH_LOG("victim %u", i);
		}
		EXPECT_EQ(by_another ? -SIGKILL : 0, outcome_of(pid));
	}
	EXPECT_LT(0, victim->rounds);
}

/* While one thread submits, another one lets go of the ring, which the test has. */
static void *let_go_of_ring(void *arg)
{
	struct victim *victim = arg;

	await_submission(victim);
	ring_close(&victim->ring);
	return NULL;
}

static int submit_and_let_go(struct victim *victim)
{
	pthread_t thread;

	if (!prepare_to_submit_slowly(victim) || send_fd(victim->socket, victim->ring.fd))
		return 1;
	if (pthread_create(&thread, NULL, let_go_of_ring, victim))
		return 2;
	submit_slowly(victim);
	return 3;
}

TEST_F(killed, before_its_first_thread_is_made)
{
	struct victim *victim = self->victim;
	struct io_ring_cqe cqe;
	struct ring ring;
	int sockets[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	victim->socket = sockets[1];
	pid = spawn_victim(victim, submit_and_let_go);
	ASSERT_LT(0, pid);
	ring.fd = recv_fd(sockets[0]);
	ASSERT_LE(0, ring.fd);
	await_submission(victim);
	sleep_ms(A_WHILE / 4);
	ring.setup = victim->ring.setup;
	ring.region = mmap(NULL, ring.setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ring.fd, IO_RING_OFF_REGION);
	ASSERT_NE(MAP_FAILED, ring.region);
	ASSERT_EQ(0, ring_ready(&ring));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(await_exit(pid, 2 * SOON));
	EXPECT_EQ(-SIGKILL, outcome_of(pid));
	/* Whatever was taken has completed by now, or does so soon, and holds nothing. */
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	while (ring_pop(&ring, &cqe))
		if (cqe.user_data != COPY)
			EXPECT_EQ(-ECANCELED, cqe.res);
	ring_close(&ring);
}

TEST_HARNESS_MAIN
