// SPDX-License-Identifier: GPL-2.0-only
/* A disk that does not answer for a minute keeps no process from being killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"
#include "soak.h"
#include "stopwatch.h"

#define STUCK_S 60
#define SHORTEST_STUCK_S 6
#define LIMIT_S 400
#define REQUESTS 8
#define DEATH (1200 * MS)	/* a process that exits waits a second at most */

#define HUNG_TASK "/proc/sys/kernel/hung_task_"
#define DISK_TIMEOUT "/sys/block/slow_disk/queue/io_timeout"

struct victim {
	const char *name;
	int flags;
	bool closes;		/* is killed while it waits in the close */
	pid_t pid;
	int ready;
};

FIXTURE(stuck)
{
	unsigned int seconds;
	long detected;
	char timeout[16];
};

FIXTURE_SETUP(stuck)
{
	char text[16];

	self->seconds = soak_scaled(STUCK_S);
	if (self->seconds < SHORTEST_STUCK_S)
		self->seconds = SHORTEST_STUCK_S;
	ASSERT_EQ(0, slow_disk_make(self->seconds * SECOND, SLOW_DISK_FORGETS));
	/* The driver of the disk gives up when the disk answers, not before. */
	snprintf(text, sizeof(text), "%u", 2 * self->seconds * 1000);
	ASSERT_EQ(0, text_write(DISK_TIMEOUT, text));
	ASSERT_EQ(0, text_read(HUNG_TASK "timeout_secs", self->timeout, sizeof(self->timeout)));
	snprintf(text, sizeof(text), "%u", self->seconds / 3);
	ASSERT_EQ(0, text_write(HUNG_TASK "timeout_secs", text));
	self->detected = number_read(HUNG_TASK "detect_count");
	ASSERT_LE(0, self->detected);
}

FIXTURE_TEARDOWN(stuck)
{
	EXPECT_EQ(0, text_write(HUNG_TASK "timeout_secs", self->timeout));
	slow_disk_destroy();
}

static int be_stuck(void *arg)
{
	const struct victim *victim = arg;
	char *memory = aligned_alloc(SLOW_DISK_BLOCK, REQUESTS * SLOW_DISK_BLOCK);
	int fd = open(SLOW_DISK, victim->flags | O_CLOEXEC);
	struct ring ring;

	if (!memory || fd < 0 || ring_open(&ring, REQUESTS, 0))
		return 1;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, fd, memory + i * SLOW_DISK_BLOCK,
						SLOW_DISK_BLOCK, i * 64ULL * SLOW_DISK_BLOCK);

		ring_push(&ring, &sqe);
	}
	if (ring_enter(&ring, REQUESTS, 0) != REQUESTS || ring_ready(&ring))
		return 2;
	if (write(victim->ready, "x", 1) != 1)
		return 3;
	if (!victim->closes)
		pause();
	ring_close(&ring);
	return 4;
}

static pid_t start(struct victim *victim)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	victim->ready = ready[1];
	victim->pid = spawn(be_stuck, victim);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		victim->pid = -EPROTO;
	close(ready[0]);
	return victim->pid;
}

static struct span kill_and_wait(struct __test_metadata *_metadata, const struct victim *victim)
{
	struct stopwatch watch = stopwatch_start();
	struct span span;

	EXPECT_EQ(0, kill(victim->pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(victim->pid));
	span = stopwatch_stop(&watch);
	EXPECT_TRUE(span_within(&span, DEATH)) {
		TH_LOG("%s: %.0f ms, late %.0f ms", victim->name, in_ms(span.length),
		       in_ms(span.late));
	}
	return span;
}

TEST_F_TIMEOUT(stuck, device_does_not_keep_processes, LIMIT_S)
{
	struct victim victims[] = {
		{ .name = "direct", .flags = O_RDONLY | O_DIRECT },
		{ .name = "buffered", .flags = O_RDONLY },
		{ .name = "closing", .flags = O_RDONLY | O_DIRECT, .closes = true },
	};
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct span deaths[ARRAY_SIZE(victims)];

	for (size_t i = 0; i < ARRAY_SIZE(victims); i++)
		ASSERT_LT(0, start(&victims[i]));
	ASSERT_EQ(0, stopwatch_prepare());
	sleep_ms(A_WHILE);
	for (size_t i = 0; i < ARRAY_SIZE(victims); i++)
		deaths[i] = kill_and_wait(_metadata, &victims[i]);
	/* The disk still writes to memory of the requests: nothing of them may be gone. */
	EXPECT_GT(self->seconds * SECOND, clock_since(begin));
	EXPECT_LE(2, counter("rings"));
	EXPECT_EQ(-EWOULDBLOCK, module_unload());

	EXPECT_STREQ("", counters_busy_after((self->seconds + 10) * 1000) ?: "");
	EXPECT_LT(self->seconds * SECOND, clock_since(begin));
	EXPECT_EQ(self->detected, number_read(HUNG_TASK "detect_count"));
	soak_figure("disk stuck for %u s: rings gone after %.1f s, %ld hung tasks", self->seconds,
		    in_ms(clock_since(begin)) / 1000,
		    number_read(HUNG_TASK "detect_count") - self->detected);
	for (size_t i = 0; i < ARRAY_SIZE(victims); i++)
		soak_figure("  process killed (%s): gone after %.0f ms (processor late %.0f ms)",
			    victims[i].name, in_ms(deaths[i].length), in_ms(deaths[i].late));
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

TEST_HARNESS_MAIN
