// SPDX-License-Identifier: GPL-2.0-only
/* Files whose other end goes away while requests wait for them: results are those of the calls. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "source.h"
#include "stream.h"

#define ENTRIES 8
#define ROUNDS 1000

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe)
{
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

/* Two connected files: requests work on ends[0]. */
typedef bool (*open_fn)(int ends[2]);

static bool open_socket(int ends[2])
{
	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static bool open_pipe_reader(int ends[2])
{
	return !pipe2(ends, O_CLOEXEC);
}

static bool open_pipe_writer(int ends[2])
{
	int pipe[2];
	bool opened = open_pipe_reader(pipe);

	ends[0] = pipe[1];
	ends[1] = pipe[0];
	return opened;
}

static bool open_source(int ends[2], enum source_kind kind)
{
	struct source source;
	bool opened = source_open(&source, kind);

	ends[0] = source.reader;
	ends[1] = source.feeder;
	return opened;
}

static bool open_slave(int ends[2])
{
	return open_source(ends, SOURCE_TERMINAL);
}

static bool open_master(int ends[2])
{
	return open_source(ends, SOURCE_MASTER);
}

/* What happens to them. */
typedef void (*event_fn)(const int ends[2]);

static void close_other(const int ends[2])
{
	close(ends[1]);
}

static void stop_other_reading(const int ends[2])
{
	shutdown(ends[1], SHUT_RD);
}

static void stop_other_writing(const int ends[2])
{
	shutdown(ends[1], SHUT_WR);
}

static void stop_reading(const int ends[2])
{
	shutdown(ends[0], SHUT_RD);
}

static void stop_writing(const int ends[2])
{
	shutdown(ends[0], SHUT_WR);
}

/* The other end is reset if it closes with something left to read. */
static void close_other_unread(const int ends[2])
{
	if (write(ends[0], "x", 1) == 1)
		close(ends[1]);
}

struct scene {
	const char *name;
	open_fn open;
	event_fn event;
	bool writes;	/* to a full stream; else a read of an empty one */
};

static const struct scene scenes[] = {
	{ "socket reader: other end is closed", open_socket, close_other, false },
	{ "socket reader: connection is reset", open_socket, close_other_unread, false },
	{ "socket reader: other end writes no more", open_socket, stop_other_writing, false },
	{ "socket reader: reads no more", open_socket, stop_reading, false },
	{ "socket writer: other end is closed", open_socket, close_other, true },
	{ "socket writer: other end reads no more", open_socket, stop_other_reading, true },
	{ "socket writer: writes no more", open_socket, stop_writing, true },
	{ "pipe reader: other end is closed", open_pipe_reader, close_other, false },
	{ "pipe writer: other end is closed", open_pipe_writer, close_other, true },
	{ "terminal reader: master is closed", open_slave, close_other, false },
	{ "terminal writer: master is closed", open_slave, close_other, true },
	{ "master reader: terminal is closed", open_master, close_other, false },
};

struct transfer {
	int fd;
	bool writes;
	long result;
};

static void *transfer_here(void *arg)
{
	struct transfer *transfer = arg;
	char byte = 0;
	ssize_t n = transfer->writes ? write(transfer->fd, &byte, 1) : read(transfer->fd, &byte, 1);

	transfer->result = n < 0 ? -errno : n;
	return NULL;
}

/* A terminal makes room when it hands on what it has got, a little later. */
static void fill_for_good(int fd)
{
	while (stream_fill(fd))
		sleep_ms(A_WHILE);
}

static bool prepare(const struct scene *scene, int ends[2])
{
	bool opened = scene->open(ends);

	if (opened && scene->writes)
		fill_for_good(ends[0]);
	return opened;
}

static long by_syscall(struct __test_metadata *_metadata, const struct scene *scene)
{
	struct transfer transfer = { .writes = scene->writes };
	pthread_t thread;
	int ends[2];

	ASSERT_TRUE(prepare(scene, ends));
	transfer.fd = ends[0];
	ASSERT_EQ(0, pthread_create(&thread, NULL, transfer_here, &transfer));
	sleep_ms(A_WHILE);
	scene->event(ends);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	close(ends[0]);
	return transfer.result;
}

/* A call that is made when the event is over. */
static long by_late_syscall(struct __test_metadata *_metadata, const struct scene *scene)
{
	struct transfer transfer = { .writes = scene->writes };
	int ends[2];

	ASSERT_TRUE(prepare(scene, ends));
	transfer.fd = ends[0];
	scene->event(ends);
	transfer_here(&transfer);
	close(ends[0]);
	return transfer.result;
}

static long by_ring(struct __test_metadata *_metadata, const struct scene *scene)
{
	struct io_ring_cqe cqe;
	struct ring ring;
	char byte = 0;
	int ends[2];

	ASSERT_TRUE(prepare(scene, ends));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	submit(_metadata, &ring, sqe_rw(scene->writes ? IO_RING_OP_WRITE : IO_RING_OP_READ, ends[0],
					&byte, 1, 0));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&ring));
	scene->event(ends);
	ASSERT_TRUE(await_completions(&ring, 1, SOON)) {
		TH_LOG("%s", scene->name);
	}
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	ring_close(&ring);
	close(ends[0]);
	return cqe.res;
}

TEST(results_are_those_of_the_calls)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		long expected = by_syscall(_metadata, &scenes[i]);
		long late = by_late_syscall(_metadata, &scenes[i]);
		long result = by_ring(_metadata, &scenes[i]);

		EXPECT_TRUE(result == expected || result == late) {
			TH_LOG("%s: %ld, the calls: %ld, %ld", scenes[i].name, result, expected,
			       late);
		}
	}
}

/* Many rings, one after the other; fewer if the kernel is slow. */
FIXTURE(rings)
{
	unsigned int count;
};

FIXTURE_SETUP(rings)
{
	self->count = ROUNDS / patience(1);
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(rings)
{
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* What the ring held last is closed when closing the ring has returned. */
TEST_F(rings, close_files_when_they_end)
{
	for (unsigned int i = 0; i < self->count; i++) {
		int empty[2], full[2];
		struct ring ring;
		size_t filled;
		char byte;

		ASSERT_EQ(0, pipe2(empty, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(full, O_CLOEXEC));
		fcntl(full[1], F_SETPIPE_SZ, 4096);
		filled = stream_fill(full[1]);
		ASSERT_LT(0, filled);
		ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, empty[0], &byte, 1, 0));
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, full[1], "x", 1, 0));
		close(empty[0]);
		close(full[1]);
		ring_close(&ring);
		ASSERT_EQ(-1, write(empty[1], "x", 1)) {
			TH_LOG("round %u", i);
		}
		ASSERT_EQ(EPIPE, errno);
		ASSERT_EQ(filled, stream_drain(full[0], filled));
		ASSERT_EQ(0, read(full[0], &byte, 1));
		close(empty[1]);
		close(full[0]);
	}
}

static void *feed(void *arg)
{
	const int *fd = arg;

	usleep(50);
	return (void *)(write(*fd, "x", 1) - 1);
}

/* The file becomes ready at the time when the ring goes away. */
TEST_F(rings, end_while_files_become_ready)
{
	for (unsigned int i = 0; i < self->count / 4; i++) {
		struct source source;
		char buffer[SOURCE_LEN];
		struct ring ring;
		pthread_t thread;

		ASSERT_TRUE(source_open(&source, i % 2 ? SOURCE_PIPE : SOURCE_MASTER));
		ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
		for (unsigned int n = 0; n < ENTRIES; n++)
			submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, source.reader, buffer,
							SOURCE_LEN, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, feed, &source.feeder));
		usleep(i % 100);
		ring_close(&ring);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		source_close(&source);
	}
}

/* Signals of a thread group can be read by its threads only, and are waited for with it. */
struct bench {
	struct ring ring;
	struct signalfd_siginfo info;
	int fd;
};

FIXTURE(signals)
{
	struct bench bench;
};

FIXTURE_SETUP(signals)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	self->bench.fd = signalfd(-1, &set, SFD_CLOEXEC);
	ASSERT_LE(0, self->bench.fd);
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(signals)
{
	ring_close(&self->bench.ring);
	close(self->bench.fd);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static struct io_ring_sqe read_signal(struct bench *bench)
{
	return sqe_rw(IO_RING_OP_READ, bench->fd, &bench->info, sizeof(bench->info), 0);
}

TEST_F(signals, come)
{
	struct io_ring_cqe cqe;

	for (int i = 0; i < 3; i++) {
		const union sigval value = { .sival_int = i };

		submit(_metadata, &self->bench.ring, read_signal(&self->bench));
		sleep_ms(A_WHILE / 10);
		ASSERT_EQ(0, ring_ready(&self->bench.ring));
		ASSERT_EQ(0, sigqueue(getpid(), SIGUSR1, value));
		ASSERT_TRUE(await_completions(&self->bench.ring, 1, SOON));
		ASSERT_TRUE(ring_pop(&self->bench.ring, &cqe));
		EXPECT_EQ(sizeof(self->bench.info), cqe.res);
		EXPECT_EQ(SIGUSR1, self->bench.info.ssi_signo);
		EXPECT_EQ(i, self->bench.info.ssi_int);
	}
}

static int own_ring_and_leave(void *arg)
{
	struct bench *bench = arg;
	struct io_ring_sqe sqe = read_signal(bench);
	struct ring ring;

	if (ring_open(&ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < ENTRIES; i++)
		ring_push(&ring, &sqe);
	return ring_enter(&ring, ENTRIES, 0) != ENTRIES;
}

TEST_F(signals, of_an_owner_that_is_gone)
{
	for (unsigned int i = 0; i < 20; i++)
		EXPECT_EQ(0, in_child(own_ring_and_leave, &self->bench));
}

TEST_HARNESS_MAIN
