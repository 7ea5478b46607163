// SPDX-License-Identifier: GPL-2.0-only
/* Many idle worker threads: what there is to do wakes one of them, and the others leave. */
#include <ctype.h>
#include <dirent.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "stuck.h"

#define ENTRIES 32
#define IDLE 16
#define NEWS 50
#define IDLE_LIMIT 5000	/* milliseconds after which an idle thread leaves */

struct bench {
	struct ring ring;
	struct stuck stuck;
	int pipe[2];
	char byte;
};

FIXTURE(idle)
{
	struct bench bench;
};

static void reap(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe))
		;
}

/* Each of these needs a thread of its own for a while. */
FIXTURE_SETUP(idle)
{
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	ASSERT_EQ(0, pipe(self->bench.pipe));
	ASSERT_EQ(0, stuck_open(&self->bench.stuck));
	for (unsigned int i = 0; i < IDLE; i++) {
		struct io_ring_sqe sqe = stuck_read(&self->bench.stuck, i);

		ring_push(&self->bench.ring, &sqe);
	}
	ASSERT_EQ(IDLE, ring_enter(&self->bench.ring, IDLE, 0));
	ASSERT_TRUE(await_workers(getpid(), IDLE, SOON));
	stuck_let_go(&self->bench.stuck);
	ASSERT_TRUE(await_completions(&self->bench.ring, IDLE, SOON));
	reap(&self->bench.ring);
}

FIXTURE_TEARDOWN(idle)
{
	ring_close(&self->bench.ring);
	stuck_close(&self->bench.stuck);
	close(self->bench.pipe[0]);
	close(self->bench.pipe[1]);
}

/* A read that waits until there is something in the pipe, and then needs a thread. */
static void one_piece_of_news(struct __test_metadata *_metadata, struct bench *bench)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, bench->pipe[0], &bench->byte, 1, 0);

	ring_push(&bench->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&bench->ring, 1, 0));
	ASSERT_EQ(1, write(bench->pipe[1], "x", 1));
	ASSERT_EQ(0, ring_enter(&bench->ring, 0, 1));
	reap(&bench->ring);
}

static long sleeps_of(const char *thread)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[320];
	char status[4096];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
	if (text_read(path, status, sizeof(status)) || !strstr(status, "Name:\tio_ring_worker\n"))
		return 0;
	line = strstr(status, key);
	return line ? atol(line + strlen(key)) : 0;
}

/* How often worker threads have gone to sleep so far. */
static long sleeps_of_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	long sum = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]))
			sum += sleeps_of(entry->d_name);
	closedir(dir);
	return sum;
}

TEST_F(idle, one_is_woken)
{
	long before = sleeps_of_workers();
	long sleeps;

	for (unsigned int i = 0; i < NEWS; i++)
		one_piece_of_news(_metadata, &self->bench);
	sleeps = sleeps_of_workers() - before;
	TH_LOG("%d threads, %d pieces of news: %ld sleeps", worker_count(getpid()), NEWS, sleeps);
	EXPECT_EQ(IDLE, worker_count(getpid()));
	EXPECT_LT(NEWS / 2, sleeps);
	EXPECT_GE(2 * NEWS, sleeps);
}

/* Each of them needs a thread that is there already. */
TEST_F(idle, as_many_are_woken_as_are_needed)
{
	struct pollfd fault = { .events = POLLIN };
	struct uffd_msg message;

	stuck_close(&self->bench.stuck);
	ASSERT_EQ(0, stuck_open(&self->bench.stuck));
	fault.fd = self->bench.stuck.faults;
	for (unsigned int i = 0; i < IDLE / 2; i++) {
		struct io_ring_sqe sqe = stuck_read(&self->bench.stuck, IDLE + i);

		ring_push(&self->bench.ring, &sqe);
	}
	ASSERT_EQ(IDLE / 2, ring_enter(&self->bench.ring, IDLE / 2, 0));
	for (unsigned int i = 0; i < IDLE / 2; i++) {
		ASSERT_EQ(1, poll(&fault, 1, patience(SOON))) {
			TH_LOG("%u threads have begun", i);
		}
		ASSERT_EQ(sizeof(message), read(fault.fd, &message, sizeof(message)));
	}
	EXPECT_EQ(IDLE, worker_count(getpid()));
	stuck_let_go(&self->bench.stuck);
	EXPECT_TRUE(await_completions(&self->bench.ring, IDLE / 2, SOON));
}

/* One thread can do it all. */
TEST_F(idle, leave_though_there_is_something_to_do)
{
	long end = now_ms() + IDLE_LIMIT + patience(SOON);

	while (now_ms() < end) {
		one_piece_of_news(_metadata, &self->bench);
		sleep_ms(A_WHILE);
	}
	EXPECT_GE(2, worker_count(getpid()));
}

TEST_HARNESS_MAIN
