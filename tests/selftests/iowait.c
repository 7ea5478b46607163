// SPDX-License-Identifier: GPL-2.0-only
/* Who waits for a ring is not counted among those who wait for disks. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "pinned.h"
#include "process.h"
#include "slow_disk.h"

#define SAMPLES 50

static char byte;
static int ends[2];

/* One that waits in ENTER for what its request waits for. */
struct waiter {
	pthread_t thread;
	pid_t tid;	/* once it has made its ring */
	struct io_ring_sqe sqe;
	int result;
};

static void *waits(void *arg)
{
	struct waiter *waiter = arg;
	struct ring ring;

	waiter->result = ring_open(&ring, 1, 0);
	if (waiter->result)
		return NULL;
	ring_push(&ring, &waiter->sqe);
	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_RELEASE);
	waiter->result = ring_enter(&ring, 1, 1);
	ring_close(&ring);
	return NULL;
}

static bool await_sleep(const struct waiter *waiter)
{
	char text[512];

	for (long left = patience(10 * SOON); left > 0; left--) {
		const pid_t tid = __atomic_load_n(&waiter->tid, __ATOMIC_ACQUIRE);
		const char *state = tid ? thread_stat(tid, text, sizeof(text)) : NULL;

		if (state && *state == 'S')
			return true;
		sleep_ms(1);
	}
	return false;
}

/* How many threads wait for disks, of all; -1 if that cannot be told. */
static long waiting_for_disks(void)
{
	FILE *file = fopen("/proc/stat", "r");
	char line[4096];
	long count = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "procs_blocked %ld", &count);
	if (file)
		fclose(file);
	return count;
}

TEST(waiting_is_not_waiting_for_a_disk)
{
	static const struct io_ring_timespec soon = { .sec = 3 };
	struct waiter waiters[] = {
		{ .sqe = sqe_poll(0, POLLIN, 0) },
		{ .sqe = sqe_rw(IO_RING_OP_READ, 0, &byte, 1, 0) },
		{ .sqe = sqe_rw(IO_RING_OP_READ, 0, &byte, 1, 0) },
		{ .sqe = sqe_timeout(&soon, 0, 0) },
	};
	long least = 1000;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	waiters[2].sqe.flags = IO_RING_SQE_FORCE_ASYNC;
	for (unsigned int i = 0; i < ARRAY_SIZE(waiters); i++) {
		struct waiter *waiter = &waiters[i];

		if (i < 3)
			waiter->sqe.fd = ends[0];
		ASSERT_EQ(0, pthread_create(&waiter->thread, NULL, waits, waiter));
		ASSERT_TRUE(await_sleep(waiter));
	}
	/* Others may wait for one now and then, but not all the time. */
	for (unsigned int i = 0; i < 10 * SAMPLES && least; i++) {
		long now = waiting_for_disks();

		least = now < least ? now : least;
		sleep_ms(1);
	}
	EXPECT_EQ(0, least);
	ASSERT_EQ(3, write(ends[1], "end", 3));
	for (unsigned int i = 0; i < ARRAY_SIZE(waiters); i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].thread, NULL));
		EXPECT_EQ(1, waiters[i].result);
	}
	close(ends[0]);
	close(ends[1]);
}

static void *reads(void *arg)
{
	unsigned char *page = new_pages(1);

	return pread(*(int *)arg, page, PAGE, 0) == PAGE ? arg : NULL;
}

/* What the other test would see if it were otherwise. */
TEST(reading_is)
{
	pthread_t thread;
	void *result;
	long most = 0;
	int fd = slow_disk_open(300000000);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reads, &fd));
	for (unsigned int i = 0; i < 4 * SAMPLES; i++) {
		long now = waiting_for_disks();

		most = now > most ? now : most;
		sleep_ms(1);
	}
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_NE(NULL, result);
	EXPECT_LE(1, most);
	slow_disk_close(fd);
}

TEST_HARNESS_MAIN
