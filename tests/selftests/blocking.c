// SPDX-License-Identifier: GPL-2.0-only
/* Requests that block: they hold up nobody but themselves, and end as their file or ring says. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "stream.h"
#include "target.h"

#define ENTRIES 128
#define PIPES 100
#define CHUNK 4096
#define EARLY 1
#define LATE 3
#define THE_ONE 2

/* A stream with nothing in it. */
FIXTURE(stream)
{
	struct ring ring;
	struct endpoint ends;
	int reader;
	int writer;
};

FIXTURE_VARIANT(stream)
{
	enum twin_target target;
	bool backwards;
	/* Files that can only be used in ways that may block are a worker's when they are ready. */
	enum io_ring_path path;
};

FIXTURE_VARIANT_ADD(stream, pipe) {
	.target = TWIN_PIPE, .path = IO_RING_PATH_POLLED,
};

FIXTURE_VARIANT_ADD(stream, socket) {
	.target = TWIN_SOCKET, .path = IO_RING_PATH_POLLED,
};

FIXTURE_VARIANT_ADD(stream, terminal) {
	.target = TWIN_TERMINAL, .backwards = true, .path = IO_RING_PATH_WORKER,
};

FIXTURE_VARIANT_ADD(stream, terminal_master) {
	.target = TWIN_TERMINAL, .path = IO_RING_PATH_WORKER,
};

FIXTURE_SETUP(stream)
{
	int mode = variant->backwards ? O_RDWR : O_WRONLY;

	self->ends = (struct endpoint) { .fd = -1, .peer = -1, .feeder = -1 };
	ASSERT_TRUE(targets[variant->target].open(&self->ends, mode));
	self->reader = variant->backwards ? self->ends.fd : self->ends.peer;
	self->writer = variant->backwards ? self->ends.peer : self->ends.fd;
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(stream)
{
	ring_close(&self->ring);
	endpoint_close(&self->ends);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Submits a request that blocks between two that do not; those two complete, and only they. */
static void submit_blocked(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_sqe sqe)
{
	struct io_ring_cqe cqe;

	sqe.user_data = THE_ONE;
	ring_push_nops(ring, 1, EARLY);
	ring_push(ring, &sqe);
	ring_push_nops(ring, 1, LATE);
	ASSERT_EQ(3, ring_enter(ring, 3, 0));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(EARLY, cqe.user_data);
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(LATE, cqe.user_data);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(ring));
}

static void expect_the_one(struct __test_metadata *_metadata, const struct ring *ring, __s32 res,
			   enum io_ring_path path)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, 1, SOON));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(THE_ONE, cqe.user_data);
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(CQE_VIA(path), cqe.flags);
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(stream, read_waits_for_data)
{
	char buffer[16] = "";

	submit_blocked(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READ, self->reader, buffer, sizeof(buffer), 0));
	ASSERT_EQ(5, write(self->writer, "hello", 5));
	expect_the_one(_metadata, &self->ring, 5, variant->path);
	EXPECT_STREQ("hello", buffer);
}

TEST_F(stream, vector_read_waits_for_data)
{
	char one[3] = "", two[8] = "";
	/* The description may be gone as soon as ENTER has returned. */
	struct iovec iov[] = { { one, sizeof(one) - 1 }, { two, sizeof(two) } };

	submit_blocked(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_READV, self->reader, iov, ARRAY_SIZE(iov), 0));
	memset(iov, 0xff, sizeof(iov));
	ASSERT_EQ(5, write(self->writer, "hello", 5));
	expect_the_one(_metadata, &self->ring, 5, variant->path);
	EXPECT_STREQ("he", one);
	EXPECT_STREQ("llo", two);
}

TEST_F(stream, read_that_may_not_wait_does_not)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->reader, &byte, 1, 0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(-1, preadv2(self->reader, &iov, 1, -1, RWF_NOWAIT));
	sqe.op_flags = RWF_NOWAIT;
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(-errno, cqe.res);
	EXPECT_EQ(0, worker_count(getpid()));
}

TEST_F(stream, write_waits_for_room)
{
	unsigned char chunk[CHUNK];
	size_t filled;

	pattern_fill(chunk, sizeof(chunk), 1);
	filled = stream_fill(self->writer);
	ASSERT_LT(0, filled);
	submit_blocked(_metadata, &self->ring,
		       sqe_rw(IO_RING_OP_WRITE, self->writer, chunk, sizeof(chunk), 0));
	EXPECT_EQ(filled + CHUNK, stream_drain(self->reader, filled + CHUNK));
	expect_the_one(_metadata, &self->ring, CHUNK, variant->path);
}

/* Many empty pipes and room for a READ of each. */
struct pipes {
	struct ring ring;
	int ends[PIPES][2];
	unsigned char bytes[PIPES];
};

FIXTURE(pipes)
{
	struct pipes pipes;
};

FIXTURE_SETUP(pipes)
{
	struct pipes *pipes = &self->pipes;

	memset(pipes->bytes, 0xee, sizeof(pipes->bytes));
	for (size_t i = 0; i < PIPES; i++)
		ASSERT_EQ(0, pipe2(pipes->ends[i], O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&pipes->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(pipes)
{
	if (self->pipes.ring.region)
		ring_close(&self->pipes.ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void close_ring(struct pipes *pipes)
{
	ring_close(&pipes->ring);
	pipes->ring.region = NULL;
}

static void push_read(struct pipes *pipes, __u32 i)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, pipes->ends[i][0], &pipes->bytes[i], 1, 0);

	sqe.user_data = i;
	ring_push(&pipes->ring, &sqe);
}

static void submit_reads(struct __test_metadata *_metadata, struct pipes *pipes, __u32 first,
			 __u32 count)
{
	for (__u32 i = first; i < first + count; i++)
		push_read(pipes, i);
	ASSERT_EQ(count, ring_enter(&pipes->ring, count, 0));
}

/* Feeds the pipes, the last one first. */
static void feed(struct __test_metadata *_metadata, struct pipes *pipes, __u32 first,
		 __u32 count)
{
	for (__u32 i = first + count; i-- > first;) {
		unsigned char byte = i;

		ASSERT_EQ(1, write(pipes->ends[i][1], &byte, 1));
	}
}

/* Each of the READs has completed once, with the byte of its own pipe. */
static void expect_reads(struct __test_metadata *_metadata, struct pipes *pipes, __u32 first,
			 __u32 count)
{
	bool seen[PIPES] = { 0 };
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(&pipes->ring, count, SOON));
	for (__u32 n = 0; n < count; n++) {
		ASSERT_TRUE(ring_pop(&pipes->ring, &cqe));
		ASSERT_LE(first, cqe.user_data);
		ASSERT_GT(first + count, cqe.user_data);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
		EXPECT_EQ(1, cqe.res);
		EXPECT_EQ((unsigned char)cqe.user_data, pipes->bytes[cqe.user_data]);
	}
	EXPECT_EQ(0, ring_ready(&pipes->ring));
}

TEST_F(pipes, take_no_thread_each)
{
	submit_reads(_metadata, &self->pipes, 0, PIPES);
	for (unsigned int i = 0; i < 20; i++) {
		EXPECT_GE(1, fdinfo_value(self->pipes.ring.fd, "workers"));
		EXPECT_GE(1, worker_count(getpid()));
		sleep_ms(5);
	}
	EXPECT_EQ(0, ring_ready(&self->pipes.ring));
	feed(_metadata, &self->pipes, 0, PIPES);
	expect_reads(_metadata, &self->pipes, 0, PIPES);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->pipes.ring));
	EXPECT_EQ(0, fdinfo_value(self->pipes.ring.fd, "in_flight"));
}

struct submission {
	struct __test_metadata *metadata;
	struct pipes *pipes;
};

static void *submit_here(void *arg)
{
	struct submission *submission = arg;

	submit_reads(submission->metadata, submission->pipes, 0, 4);
	return NULL;
}

TEST_F(pipes, thread_that_submitted_may_leave)
{
	struct submission submission = { _metadata, &self->pipes };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, submit_here, &submission));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->pipes.ring));
	feed(_metadata, &self->pipes, 0, 4);
	expect_reads(_metadata, &self->pipes, 0, 4);
}

/* What was not read is still in the pipes. */
static void expect_untouched(struct __test_metadata *_metadata, struct pipes *pipes,
			     __u32 count)
{
	unsigned char byte;

	feed(_metadata, pipes, 0, count);
	for (__u32 i = 0; i < count; i++) {
		ASSERT_EQ(1, read(pipes->ends[i][0], &byte, 1));
		EXPECT_EQ((unsigned char)i, byte);
		EXPECT_EQ(0xee, pipes->bytes[i]);
	}
}

TEST_F(pipes, close_interrupts)
{
	long begin;

	submit_reads(_metadata, &self->pipes, 0, PIPES);
	begin = now_ms();
	close_ring(&self->pipes);
	EXPECT_GE(patience(SOON), now_ms() - begin);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
	EXPECT_STREQ("", counters_busy() ?: "");
	expect_untouched(_metadata, &self->pipes, PIPES);
}

/* A mapping keeps the ring going; the end of the last one is the end of the ring. */
TEST_F(pipes, unmapping_interrupts)
{
	long begin;

	submit_reads(_metadata, &self->pipes, 0, 10);
	close(self->pipes.ring.fd);
	sleep_ms(A_WHILE);
	feed(_metadata, &self->pipes, 8, 2);
	expect_reads(_metadata, &self->pipes, 8, 2);
	begin = now_ms();
	ring_unmap(&self->pipes.ring);
	self->pipes.ring.region = NULL;
	EXPECT_GE(patience(SOON), now_ms() - begin);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
	expect_untouched(_metadata, &self->pipes, 8);
}

static unsigned int signals_seen;

static void see_signal(int signal)
{
	(void)signal;
	__atomic_fetch_add(&signals_seen, 1, __ATOMIC_RELAXED);
}

static void expect_to_survive(struct __test_metadata *_metadata, struct pipes *pipes,
			      void (*handler)(int signal), int flags)
{
	const struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	submit_reads(_metadata, pipes, 0, 4);
	signals_seen = 0;
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(handler == SIG_IGN ? 0 : 1, signals_seen);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&pipes->ring));
	feed(_metadata, pipes, 0, 4);
	expect_reads(_metadata, pipes, 0, 4);
}

TEST_F(pipes, signals_do_not_interrupt)
{
	expect_to_survive(_metadata, &self->pipes, see_signal, 0);
	expect_to_survive(_metadata, &self->pipes, see_signal, SA_RESTART);
	expect_to_survive(_metadata, &self->pipes, SIG_IGN, 0);
}

/* The first request of the batch raises a signal, which is pending while the others are queued. */
TEST_F(pipes, signal_while_submitting_does_not_interrupt)
{
	const struct sigaction action = { .sa_handler = see_signal };
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, self->pipes.ends[PIPES - 1][1], "", 1, 0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, sigaction(SIGPIPE, &action, NULL));
	close(self->pipes.ends[PIPES - 1][0]);
	ring_push(&self->pipes.ring, &sqe);
	for (__u32 i = 0; i < 4; i++)
		push_read(&self->pipes, i);
	for (__u32 taken = 0; taken < 5;) {
		int n = ring_enter(&self->pipes.ring, 5 - taken, 0);

		ASSERT_LT(0, n);
		taken += n;
	}
	EXPECT_EQ(1, signals_seen);
	ASSERT_TRUE(ring_pop(&self->pipes.ring, &cqe));
	EXPECT_EQ(-EPIPE, cqe.res);
	EXPECT_EQ(0, ring_ready(&self->pipes.ring));
	feed(_metadata, &self->pipes, 0, 4);
	expect_reads(_metadata, &self->pipes, 0, 4);
}

TEST_F(pipes, storm_of_signals_does_not_interrupt)
{
	const struct sigaction action = { .sa_handler = see_signal, .sa_flags = SA_RESTART };
	const struct itimerval often = { .it_value.tv_usec = 500, .it_interval.tv_usec = 500 };
	const struct itimerval never = { 0 };

	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	for (unsigned int round = 0; round < 20; round++) {
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
		for (__u32 i = 0; i < 8; i++) {
			push_read(&self->pipes, i);
			while (ring_enter(&self->pipes.ring, 1, 0) == -EINTR)
				;
		}
		usleep(2000);
		while (signals_seen <= round)
			usleep(100);
		ASSERT_EQ(0, ring_ready(&self->pipes.ring));
		ASSERT_EQ(0, setitimer(ITIMER_REAL, &never, NULL));
		feed(_metadata, &self->pipes, 0, 8);
		expect_reads(_metadata, &self->pipes, 0, 8);
	}
}

TEST_F(pipes, buffer_that_is_unmapped)
{
	void *page = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	submit_blocked(_metadata, &self->pipes.ring,
		       sqe_rw(IO_RING_OP_READ, self->pipes.ends[0][0], page, 1, 0));
	ASSERT_EQ(0, munmap(page, CHUNK));
	feed(_metadata, &self->pipes, 0, 1);
	expect_the_one(_metadata, &self->pipes.ring, -EFAULT, IO_RING_PATH_POLLED);
}

/* A closed descriptor is no reason to end: the request has the file. */
TEST_F(pipes, descriptor_that_is_closed)
{
	submit_reads(_metadata, &self->pipes, 0, 2);
	close(self->pipes.ends[0][0]);
	close(self->pipes.ends[1][0]);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->pipes.ring));
	feed(_metadata, &self->pipes, 0, 2);
	expect_reads(_metadata, &self->pipes, 0, 2);
}

TEST_F(pipes, keep_the_module)
{
	long end;
	int error;

	submit_reads(_metadata, &self->pipes, 0, 4);
	error = module_unload();
	EXPECT_TRUE(error == -EWOULDBLOCK || error == -EBUSY) {
		TH_LOG("delete_module: %d", error);
	}
	close_ring(&self->pipes);
	end = now_ms() + patience(SOON);
	do {
		error = module_unload();
	} while (error && now_ms() < end);
	EXPECT_EQ(0, error);
	EXPECT_EQ(0, worker_count(getpid()));
	ASSERT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
