// SPDX-License-Identifier: GPL-2.0-only
/* Requests wait until their file is ready, without a thread each, and none is forgotten. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "source.h"
#include "stream.h"
#include "target.h"

#define ENTRIES 1024
#define STREAMS 1000
#define WORKERS 2
#define READERS 8
#define LARGE (1U << 20)
#define PIECE 1000		/* what is taken out of a full stream at a time */
#define SEED 2

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static int ring_open_with_few_workers(struct ring *ring)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);

	wanted.max_workers = WORKERS;
	return ring_open_as(ring, &wanted);
}

/* A great many streams, each of which gets its number. */
FIXTURE(many)
{
	struct ring ring;
	int ends[STREAMS][2];
	__u16 numbers[STREAMS];
};

FIXTURE_VARIANT(many)
{
	bool sockets;
};

FIXTURE_VARIANT_ADD(many, pipes) { .sockets = false };
FIXTURE_VARIANT_ADD(many, sockets) { .sockets = true };

FIXTURE_SETUP(many)
{
	const struct rlimit files = { 3 * STREAMS, 3 * STREAMS };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (size_t i = 0; i < STREAMS; i++)
		ASSERT_EQ(0, variant->sockets ?
			  socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->ends[i]) :
			  pipe2(self->ends[i], O_CLOEXEC));
	ASSERT_EQ(0, ring_open_with_few_workers(&self->ring));
	for (size_t i = 0; i < STREAMS; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->ends[i][0],
						&self->numbers[i], sizeof(__u16), 0);

		sqe.user_data = i;
		ring_push(&self->ring, &sqe);
	}
	ASSERT_EQ(STREAMS, ring_enter(&self->ring, STREAMS, 0));
}

FIXTURE_TEARDOWN(many)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(many, wait_and_complete)
{
	bool seen[STREAMS] = { 0 };
	struct io_ring_cqe cqe;

	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(STREAMS, fdinfo_value(self->ring.fd, "in_flight"));
	EXPECT_GE(WORKERS, worker_count(getpid()));
	for (size_t i = 0; i < STREAMS; i++) {
		/* In another order than they were submitted. */
		__u16 number = i * 7 % STREAMS;

		ASSERT_EQ(sizeof(number), write(self->ends[number][1], &number, sizeof(number)));
		if (i % 50 == 0)
			EXPECT_GE(WORKERS, worker_count(getpid()));
	}
	ASSERT_TRUE(await_completions(&self->ring, STREAMS, SOON));
	while (ring_pop(&self->ring, &cqe)) {
		EXPECT_EQ(sizeof(__u16), cqe.res);
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_POLLED), cqe.flags);
		EXPECT_FALSE(seen[cqe.user_data]);
		seen[cqe.user_data] = true;
		EXPECT_EQ(cqe.user_data, self->numbers[cqe.user_data]);
	}
	for (size_t i = 0; i < STREAMS; i++)
		EXPECT_TRUE(seen[i]);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
}

/* Closing the ring is the end of all of them. */
TEST_F(many, end_with_the_ring)
{
	struct ring ring = self->ring;
	long begin = now_ms();

	ASSERT_EQ(0, ring_open(&self->ring, 1, 0));
	ring_close(&ring);
	EXPECT_GE(patience(SOON), now_ms() - begin);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < STREAMS; i++) {
		close(self->ends[i][0]);
		ASSERT_EQ(-1, write(self->ends[i][1], "x", 1));
		ASSERT_EQ(EPIPE, errno);
	}
}

/* One file of every kind. */
struct bench {
	struct ring ring;
	struct source source;
	char buffers[READERS][SOURCE_LEN];
};

FIXTURE(kind)
{
	struct bench bench;
};

FIXTURE_VARIANT(kind)
{
	enum source_kind kind;
};

FIXTURE_VARIANT_ADD(kind, pipe) { .kind = SOURCE_PIPE };
FIXTURE_VARIANT_ADD(kind, fifo) { .kind = SOURCE_FIFO };
FIXTURE_VARIANT_ADD(kind, socket) { .kind = SOURCE_SOCKET };
FIXTURE_VARIANT_ADD(kind, terminal) { .kind = SOURCE_TERMINAL };
FIXTURE_VARIANT_ADD(kind, master) { .kind = SOURCE_MASTER };
FIXTURE_VARIANT_ADD(kind, eventfd) { .kind = SOURCE_EVENTFD };
FIXTURE_VARIANT_ADD(kind, timerfd) { .kind = SOURCE_TIMERFD };

FIXTURE_SETUP(kind)
{
	ASSERT_TRUE(source_open(&self->bench.source, variant->kind));
	ASSERT_EQ(0, ring_open_with_few_workers(&self->bench.ring));
}

FIXTURE_TEARDOWN(kind)
{
	ring_close(&self->bench.ring);
	source_close(&self->bench.source);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit_read(struct __test_metadata *_metadata, struct bench *bench,
			unsigned int number)
{
	submit(_metadata, &bench->ring, sqe_rw(IO_RING_OP_READ, bench->source.reader,
					       bench->buffers[number], SOURCE_LEN, 0), number);
}

static void expect_one(struct __test_metadata *_metadata, const struct ring *ring, __s32 res)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, 1, SOON));
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(res, cqe.res);
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(kind, that_does_not_block_is_waited_for_all_the_same)
{
	ASSERT_EQ(0, fcntl(self->bench.source.reader, F_SETFL, O_NONBLOCK));
	submit_read(_metadata, &self->bench, 0);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->bench.ring));
	expect_one(_metadata, &self->bench.ring, source_feed(&self->bench.source));
}

TEST_F(kind, is_not_waited_for_if_told_so)
{
	struct iovec iov = { self->bench.buffers[0], SOURCE_LEN };
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->bench.source.reader,
					self->bench.buffers[0], SOURCE_LEN, 0);
	struct io_ring_cqe cqe;

	ASSERT_EQ(-1, preadv2(self->bench.source.reader, &iov, 1, -1, RWF_NOWAIT));
	sqe.op_flags = RWF_NOWAIT;
	ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
	EXPECT_EQ(-errno, cqe.res);
	EXPECT_TRUE(cqe.res == -EAGAIN || cqe.res == -EOPNOTSUPP);
}

/*
 * What is there is for one of those who wait, each time, the others go on
 * waiting, and while they do nobody else has to.
 */
TEST_F(kind, is_ready_for_one_at_a_time)
{
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	for (unsigned int i = 0; i < READERS; i++)
		submit_read(_metadata, &self->bench, i);
	for (unsigned int i = 0; i < READERS; i++) {
		expect_one(_metadata, &self->bench.ring, source_feed(&self->bench.source));
		sleep_ms(A_WHILE / 10);
		EXPECT_EQ(0, ring_ready(&self->bench.ring));
		submit(_metadata, &self->bench.ring, sqe_fsync(file, 0, 0, 0), READERS);
		expect_one(_metadata, &self->bench.ring, 0);
	}
	EXPECT_EQ(0, fdinfo_value(self->bench.ring.fd, "in_flight"));
	close(file);
}

/* A stream that gets room only bit by bit. */
static void expect_all_written(struct __test_metadata *_metadata, enum twin_target target,
			       __u8 opcode, int flags)
{
	unsigned char *content = malloc(2 * LARGE), *copy = content + LARGE;
	struct endpoint ends = { .fd = -1, .peer = -1, .feeder = -1 };
	struct iovec iov[] = { { content, 5 }, { content + 5, LARGE - 5 } };
	bool is_vector = opcode == IO_RING_OP_WRITEV;
	struct ring ring;

	ASSERT_NE(NULL, content);
	pattern_fill(content, LARGE, SEED);
	ASSERT_TRUE(targets[target].open(&ends, O_WRONLY));
	ASSERT_EQ(0, fcntl(ends.fd, F_SETFL, flags));
	ASSERT_EQ(0, ring_open_with_few_workers(&ring));
	submit(_metadata, &ring, sqe_rw(opcode, ends.fd, is_vector ? (void *)iov : content,
					is_vector ? 2 : LARGE, 0), 0);
	for (size_t done = 0; done < LARGE;) {
		struct pollfd readable = { .fd = ends.peer, .events = POLLIN };
		ssize_t n;

		ASSERT_EQ(1, poll(&readable, 1, patience(SOON))) {
			TH_LOG("%s, opcode %u: nothing more after %zu bytes", targets[target].name,
			       opcode, done);
			TH_LOG("%u completions, result %d, flags %#x", ring_ready(&ring),
			       ring_cqe(&ring, 0)->res, ring_cqe(&ring, 0)->flags);
		}
		n = read(ends.peer, copy + done, PIECE);
		ASSERT_LT(0, n);
		/* Half a stream is more than fits in. */
		ASSERT_TRUE(done >= LARGE / 2 || !ring_ready(&ring)) {
			TH_LOG("%s, opcode %u: result %d, flags %#x after %zu bytes",
			       targets[target].name, opcode, ring_cqe(&ring, 0)->res,
			       ring_cqe(&ring, 0)->flags, done);
		}
		done += n;
	}
	expect_one(_metadata, &ring, LARGE);
	EXPECT_EQ(LARGE, pattern_mismatch(copy, LARGE, SEED, 0));
	ring_close(&ring);
	endpoint_close(&ends);
	free(content);
}

TEST(writes_go_on_until_all_is_written)
{
	static const enum twin_target streams[] = { TWIN_PIPE, TWIN_SOCKET };

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		expect_all_written(_metadata, streams[i], IO_RING_OP_WRITE, 0);
		expect_all_written(_metadata, streams[i], IO_RING_OP_WRITEV, 0);
		expect_all_written(_metadata, streams[i], IO_RING_OP_WRITE, O_NONBLOCK);
	}
}

TEST(write_that_may_not_wait_is_short)
{
	unsigned char *content = calloc(1, LARGE);
	struct iovec iov = { content, LARGE };
	int by_ring[2], by_syscall[2];
	struct io_ring_sqe sqe;
	struct ring ring;

	ASSERT_NE(NULL, content);
	ASSERT_EQ(0, pipe2(by_ring, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(by_syscall, O_CLOEXEC));
	ASSERT_EQ(0, ring_open_with_few_workers(&ring));
	sqe = sqe_rw(IO_RING_OP_WRITE, by_ring[1], content, LARGE, 0);
	sqe.op_flags = RWF_NOWAIT;
	submit(_metadata, &ring, sqe, 0);
	expect_one(_metadata, &ring, pwritev2(by_syscall[1], &iov, 1, -1, RWF_NOWAIT));
	submit(_metadata, &ring, sqe, 0);
	expect_one(_metadata, &ring, -EAGAIN);
	ring_close(&ring);
	free(content);
}

/* Both directions of one socket, and neither is mistaken for the other. */
TEST(read_and_write_of_one_file)
{
	struct ring ring;
	size_t filled;
	char byte = 0;
	int ends[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	filled = stream_fill(ends[0]);
	ASSERT_LT(0, filled);
	ASSERT_EQ(0, ring_open_with_few_workers(&ring));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), 0);
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, ends[0], "abc", 3, 0), 1);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	expect_one(_metadata, &ring, 1);
	EXPECT_EQ('x', byte);
	EXPECT_EQ(filled + 3, stream_drain(ends[1], filled + 3));
	expect_one(_metadata, &ring, 3);
	ring_close(&ring);
}

/* Open for both, it has a queue for those who read and one for those who write. */
TEST(fifo_that_is_full)
{
	struct source fifo;
	struct ring ring;
	size_t filled;

	ASSERT_TRUE(source_open(&fifo, SOURCE_FIFO));
	filled = stream_fill(fifo.feeder);
	ASSERT_LT(0, filled);
	ASSERT_EQ(0, ring_open_with_few_workers(&ring));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, fifo.feeder, "x", 1, 0), 0);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	EXPECT_EQ(filled + 1, stream_drain(fifo.reader, filled + 1));
	expect_one(_metadata, &ring, 1);
	ring_close(&ring);
	source_close(&fifo);
}

TEST(eventfd_that_is_full)
{
	const __u64 most = ~0ULL - 1, one = 1;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct ring ring;
	__u64 value;

	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(most), write(fd, &most, sizeof(most)));
	ASSERT_EQ(0, ring_open_with_few_workers(&ring));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, fd, &one, sizeof(one), 0), 0);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&ring));
	ASSERT_EQ(sizeof(value), read(fd, &value, sizeof(value)));
	EXPECT_EQ(most, value);
	expect_one(_metadata, &ring, sizeof(one));
	ASSERT_EQ(sizeof(value), read(fd, &value, sizeof(value)));
	EXPECT_EQ(one, value);
	ring_close(&ring);
	close(fd);
}

TEST_HARNESS_MAIN
