// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_REGISTER_QUIESCE: everything ends, and nothing is held any more. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"
#include "source.h"
#include "stream.h"
#include "stuck.h"

#define ENTRIES 32
#define WAITING (SOURCE_KINDS + 1)	/* requests that wait: a READ of each kind and a WRITE */
#define SWIFT (100 * MS)
#define ROUNDS 50
#define DELAY (500 * MS)
#define READS 4
#define STUCK 2			/* requests in workers */

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

/* So many completions are there, all different, with this result. */
static void expect_results(struct __test_metadata *_metadata, const struct ring *ring,
			   unsigned int count, __s32 res)
{
	struct io_ring_cqe cqe;
	__u64 seen = 0;

	EXPECT_EQ(count, ring_ready(ring));
	while (ring_pop(ring, &cqe)) {
		EXPECT_EQ(res, cqe.res);
		EXPECT_EQ(0, seen & (1ULL << cqe.user_data));
		seen |= 1ULL << cqe.user_data;
	}
	EXPECT_EQ((1ULL << count) - 1, seen);
}

/* A READ of one file of every kind, and a WRITE to a full pipe. */
struct bench {
	struct ring ring;
	struct source sources[SOURCE_KINDS];
	char bytes[SOURCE_KINDS][SOURCE_LEN];
	int full[2];
	size_t filled;
};

FIXTURE(waiting)
{
	struct bench bench;
};

FIXTURE_SETUP(waiting)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	for (size_t i = 0; i < SOURCE_KINDS; i++)
		ASSERT_TRUE(source_open(&self->bench.sources[i], i));
	ASSERT_EQ(0, pipe2(self->bench.full, O_CLOEXEC));
	self->bench.filled = stream_fill(self->bench.full[1]);
	ASSERT_LT(0, self->bench.filled);
}

FIXTURE_TEARDOWN(waiting)
{
	ring_close(&self->bench.ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit_all(struct __test_metadata *_metadata, struct bench *bench)
{
	for (size_t i = 0; i < SOURCE_KINDS; i++)
		submit(_metadata, &bench->ring, sqe_rw(IO_RING_OP_READ, bench->sources[i].reader,
						       bench->bytes[i], SOURCE_LEN, 0), i);
	submit(_metadata, &bench->ring, sqe_rw(IO_RING_OP_WRITE, bench->full[1], "x", 1, 0),
	       SOURCE_KINDS);
	EXPECT_EQ(WAITING, fdinfo_value(bench->ring.fd, "in_flight"));
}

TEST_F(waiting, ends_at_once)
{
	__u64 worst = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		__u64 begin, took;
		__u32 left = ~0U;

		submit_all(_metadata, &self->bench);
		begin = clock_now(CLOCK_MONOTONIC);
		ASSERT_EQ(0, ring_quiesce(&self->bench.ring, 0, &left));
		took = clock_since(begin);
		worst = took > worst ? took : worst;
		EXPECT_EQ(0, left);
		EXPECT_EQ(0, fdinfo_value(self->bench.ring.fd, "in_flight"));
		expect_results(_metadata, &self->bench.ring, WAITING, -ECANCELED);
	}
	TH_LOG("%u requests quiesced %u times, %llu us at worst", WAITING, ROUNDS, worst / 1000);
	EXPECT_GT(SWIFT, worst);
}

/* Who closes what the ring has used has closed it. */
TEST_F(waiting, leaves_the_files)
{
	char byte;

	submit_all(_metadata, &self->bench);
	ASSERT_EQ(0, ring_quiesce(&self->bench.ring, 0, NULL));
	close(self->bench.sources[SOURCE_PIPE].reader);
	EXPECT_EQ(-EPIPE, source_feed(&self->bench.sources[SOURCE_PIPE]));
	close(self->bench.sources[SOURCE_SOCKET].reader);
	EXPECT_EQ(-EPIPE, source_feed(&self->bench.sources[SOURCE_SOCKET]));
	close(self->bench.full[1]);
	EXPECT_EQ(self->bench.filled, stream_drain(self->bench.full[0], self->bench.filled));
	EXPECT_EQ(0, read(self->bench.full[0], &byte, 1));
}

TEST_F(waiting, leaves_the_data)
{
	char buffer[SOURCE_LEN];

	submit_all(_metadata, &self->bench);
	ASSERT_EQ(0, ring_quiesce(&self->bench.ring, 0, NULL));
	for (size_t i = 0; i < SOURCE_KINDS; i++)
		EXPECT_EQ(source_feed(&self->bench.sources[i]),
			  read(self->bench.sources[i].reader, buffer, SOURCE_LEN));
	EXPECT_EQ(self->bench.filled, stream_drain(self->bench.full[0], 0));
	EXPECT_EQ(WAITING, ring_ready(&self->bench.ring));
}

TEST_F(waiting, goes_on_afterwards)
{
	struct io_ring_cqe cqe;

	submit_all(_metadata, &self->bench);
	ASSERT_EQ(0, ring_quiesce(&self->bench.ring, 0, NULL));
	expect_results(_metadata, &self->bench.ring, WAITING, -ECANCELED);
	submit_all(_metadata, &self->bench);
	for (size_t i = 0; i < SOURCE_KINDS; i++)
		ASSERT_LT(0, source_feed(&self->bench.sources[i]));
	EXPECT_EQ(self->bench.filled + 1,
		  stream_drain(self->bench.full[0], self->bench.filled + 1));
	ASSERT_TRUE(await_completions(&self->bench.ring, WAITING, SOON));
	while (ring_pop(&self->bench.ring, &cqe))
		EXPECT_LT(0, cqe.res);
}

static int quiesce_as_another(void *arg)
{
	return -ring_quiesce(arg, 0, NULL);
}

static int quiesce_as_other_user(void *arg)
{
	struct ring ring;

	(void)arg;
	if (ring_open(&ring, ENTRIES, 0) || become_other())
		return 255;
	return -ring_quiesce(&ring, 0, NULL);
}

TEST_F(waiting, is_for_the_process_of_the_ring)
{
	submit_all(_metadata, &self->bench);
	EXPECT_EQ(EPERM, in_child(quiesce_as_another, &self->bench.ring));
	EXPECT_EQ(EPERM, in_child(quiesce_as_other_user, NULL));
	EXPECT_EQ(WAITING, fdinfo_value(self->bench.ring.fd, "in_flight"));
	EXPECT_EQ(0, ring_ready(&self->bench.ring));
}

/* The lock belongs to the open file, which the request keeps open. */
TEST(lock_is_free)
{
	const char *name = TMPFS_DIR "/quiesce-fifo";
	struct ring ring;
	int file, other;
	char byte;

	unlink(name);
	ASSERT_EQ(0, mkfifo(name, 0600));
	file = open(name, O_RDWR | O_CLOEXEC);
	other = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, file);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, flock(file, LOCK_EX));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, file, &byte, 1, 0), 0);
	close(file);
	EXPECT_EQ(-1, flock(other, LOCK_EX | LOCK_NB));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_EQ(0, ring_quiesce(&ring, 0, NULL));
	EXPECT_EQ(0, flock(other, LOCK_EX | LOCK_NB));
	ring_close(&ring);
	close(other);
	unlink(name);
}

/* Several wait for one file that is ready for one only, and may be in workers by then. */
TEST(woken_for_nothing)
{
	char bytes[8][SOURCE_LEN];
	struct source terminal;
	struct ring ring;

	ASSERT_TRUE(source_open(&terminal, SOURCE_TERMINAL));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++)
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, terminal.reader, bytes[i],
						SOURCE_LEN, 0), i);
	ASSERT_EQ(1, source_feed(&terminal));
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_EQ(0, ring_quiesce(&ring, 0, NULL));
	EXPECT_EQ(ARRAY_SIZE(bytes), ring_ready(&ring));
	ring_close(&ring);
	source_close(&terminal);
}

/* Completions, some of them parked, remain in order; what is cancelled comes after them. */
TEST(completions_stay)
{
	struct io_ring_setup wanted = ring_wanted(4, IO_RING_SETUP_CQSIZE);
	struct io_ring_cqe cqe;
	char bytes[3];
	struct ring ring;
	int ends[2];

	wanted.cq_entries = 4;
	wanted.requests = 32;
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 3; i++)
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &bytes[i], 1, 0),
		       100 + i);
	for (unsigned int i = 0; i < 8; i++)
		submit(_metadata, &ring, sqe_nop(0), i);
	EXPECT_EQ(0, ring_quiesce(&ring, 0, NULL));
	EXPECT_EQ(0, ring_quiesce(&ring, 0, NULL));
	EXPECT_EQ(4, ring_ready(&ring));
	for (unsigned int i = 0; i < 8; i++) {
		ASSERT_EQ(0, ring_enter(&ring, 0, 1));
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_EQ(0, cqe.res);
	}
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, ring_enter(&ring, 0, 1));
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_LE(100, cqe.user_data);
		EXPECT_EQ(-ECANCELED, cqe.res);
	}
	EXPECT_EQ(0, ring_enter(&ring, 0, 0));
	EXPECT_EQ(0, ring_ready(&ring));
	ring_close(&ring);
}

/* Workers that cannot be interrupted: those that wait for one are cancelled all the same. */
TEST(workers_that_are_stuck)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);
	struct stuck stuck;
	struct ring ring;
	__u32 left;

	wanted.max_workers = STUCK + 1;
	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (__u32 i = 0; i < 8; i++)
		submit(_metadata, &ring, stuck_read(&stuck, i), i);
	sleep_ms(A_WHILE);
	EXPECT_EQ(-ETIME, ring_quiesce(&ring, A_WHILE * MS, &left));
	EXPECT_EQ(STUCK, left);
	EXPECT_EQ(8 - left, ring_ready(&ring));
	stuck_let_go(&stuck);
	EXPECT_EQ(0, ring_quiesce(&ring, 0, &left));
	EXPECT_EQ(0, left);
	EXPECT_EQ(8, ring_ready(&ring));
	ring_close(&ring);
	stuck_close(&stuck);
}

/* Requests that only the device can end. */
FIXTURE(device)
{
	struct ring ring;
	int disk;
	unsigned char *buffer;
	__u64 begin;
};

FIXTURE_SETUP(device)
{
	self->disk = slow_disk_open(DELAY);
	ASSERT_LE(0, self->disk);
	self->buffer = guarded_pages(READS);
	ASSERT_NE(NULL, self->buffer);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->begin = clock_now(CLOCK_MONOTONIC);
	for (unsigned int i = 0; i < READS; i++)
		submit(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, self->disk, self->buffer + i * SLOW_DISK_BLOCK,
			      SLOW_DISK_BLOCK, i * 16 * SLOW_DISK_BLOCK), i);
}

FIXTURE_TEARDOWN(device)
{
	ring_close(&self->ring);
	guarded_free(self->buffer, READS);
	slow_disk_close(self->disk);
}

TEST_F(device, is_waited_for)
{
	__u32 left = ~0U;

	EXPECT_EQ(0, ring_quiesce(&self->ring, 0, &left));
	EXPECT_LE(DELAY, clock_since(self->begin));
	EXPECT_EQ(0, left);
	expect_results(_metadata, &self->ring, READS, SLOW_DISK_BLOCK);
}

TEST_F(device, is_waited_for_no_longer_than_that)
{
	__u32 left = 0;

	EXPECT_EQ(-ETIME, ring_quiesce(&self->ring, DELAY / 5, &left));
	EXPECT_LE(DELAY / 5, clock_since(self->begin));
	EXPECT_EQ(READS, left);
	EXPECT_EQ(-ETIME, ring_quiesce(&self->ring, 1, &left));
	EXPECT_EQ(READS, left);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(0, ring_quiesce(&self->ring, 100 * DELAY, &left));
	EXPECT_LE(DELAY, clock_since(self->begin));
	expect_results(_metadata, &self->ring, READS, SLOW_DISK_BLOCK);
}

static void ignore(int signal)
{
	(void)signal;
}

TEST_F(device, until_a_signal_comes)
{
	const struct itimerval soon = { .it_value.tv_usec = DELAY / 5000 };
	__u32 left = 0;

	for (unsigned int i = 0; i < 2; i++) {
		const struct sigaction action = {
			.sa_handler = ignore, .sa_flags = i ? SA_RESTART : 0,
		};

		ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
		EXPECT_EQ(-EINTR, ring_quiesce(&self->ring, 0, &left));
		EXPECT_EQ(READS, left);
	}
	EXPECT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	expect_results(_metadata, &self->ring, READS, SLOW_DISK_BLOCK);
}

struct submitter {
	const struct ring *ring;
	int result;
	__u64 end;
};

static void *submit_meanwhile(void *arg)
{
	struct submitter *submitter = arg;

	clock_sleep(DELAY / 5);
	ring_push_nops(submitter->ring, 1, READS);
	submitter->result = ring_enter(submitter->ring, 1, 0);
	submitter->end = clock_now(CLOCK_MONOTONIC);
	return NULL;
}

static void *quiesce_meanwhile(void *arg)
{
	struct submitter *submitter = arg;

	submitter->result = ring_quiesce(submitter->ring, 0, NULL);
	submitter->end = clock_now(CLOCK_MONOTONIC);
	return NULL;
}

TEST_F(device, others_submit_afterwards)
{
	struct submitter submitter = { .ring = &self->ring };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_meanwhile, &submitter));
	EXPECT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(1, submitter.result);
	EXPECT_LE(self->begin + DELAY, submitter.end);
	ASSERT_EQ(READS + 1, ring_ready(&self->ring));
	EXPECT_EQ(READS, ring_cqe(&self->ring, READS)->user_data);
}

TEST_F(device, two_at_a_time)
{
	struct submitter other = { .ring = &self->ring };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, quiesce_meanwhile, &other));
	EXPECT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, other.result);
	EXPECT_LE(self->begin + DELAY, other.end);
	expect_results(_metadata, &self->ring, READS, SLOW_DISK_BLOCK);
}

TEST_HARNESS_MAIN
