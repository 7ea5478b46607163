// SPDX-License-Identifier: GPL-2.0-only
/* An eventfd that is told of completions: when it is let go of, and who may wait for it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "actor.h"
#include "await.h"
#include "clock.h"
#include "harness.h"
#include "module.h"
#include "registered.h"
#include "ring.h"
#include "slow_disk.h"

#define ENTRIES 64
#define READS 20000
#define FAST (20000ULL)		/* nanoseconds for a read of the disk */

static int eventfd_register(const struct ring *ring, int eventfd)
{
	struct io_ring_register args = register_args(IO_RING_REGISTER_EVENTFD, &eventfd, 1);

	return ring_register(ring, &args);
}

static int eventfd_unregister(const struct ring *ring)
{
	struct io_ring_register args = register_args(IO_RING_UNREGISTER_EVENTFD, NULL, 0);

	return ring_register(ring, &args);
}

/* The number that the next eventfd gets from the kernel: the smallest that none has. */
static int next_id(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	char path[48], text[512];
	const char *line;
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (fd >= 0 && !text_read(path, text, sizeof(text))) {
		line = strstr(text, "eventfd-id:");
		id = line ? atoi(line + strlen("eventfd-id:")) : -1;
	}
	close(fd);
	return id;
}

TEST(let_go_of_when_unregistered)
{
	int id = next_id();
	int fd = eventfd(0, EFD_CLOEXEC);
	struct ring ring;

	ASSERT_LE(0, id);
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_register(&ring, fd));
	close(fd);
	EXPECT_NE(id, next_id());
	ASSERT_EQ(0, eventfd_unregister(&ring));
	EXPECT_EQ(id, next_id());
	ring_close(&ring);
}

TEST(let_go_of_when_the_ring_is_closed)
{
	int id = next_id();
	int fd = eventfd(0, EFD_CLOEXEC);
	struct ring ring;

	ASSERT_LE(0, id);
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_register(&ring, fd));
	close(fd);
	EXPECT_NE(id, next_id());
	ring_close(&ring);
	EXPECT_EQ(id, next_id());
}

TEST(refused_ones_are_let_go_of)
{
	int id = next_id();
	int fds[2] = { eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC) };
	struct ring ring;

	ASSERT_LE(0, id);
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_register(&ring, fds[0]));
	EXPECT_EQ(-EBUSY, eventfd_register(&ring, fds[1]));
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(0, eventfd_unregister(&ring));
	EXPECT_EQ(id, next_id());
	ring_close(&ring);
}

/* Of a process that leaves, while others keep the ring. */
FIXTURE(owner)
{
	struct ring ring;
	struct actor first;
	struct actor second;
};

FIXTURE_VARIANT(owner)
{
	bool (*leaves)(struct actor *actor);
};

FIXTURE_VARIANT_ADD(owner, exit) { .leaves = actor_exits };
FIXTURE_VARIANT_ADD(owner, kill) { .leaves = actor_is_killed };
FIXTURE_VARIANT_ADD(owner, exec) { .leaves = actor_executes };
FIXTURE_VARIANT_ADD(owner, exec_holding) { .leaves = actor_executes_holding };

FIXTURE_SETUP(owner)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&self->first, &self->ring));
	ASSERT_TRUE(actor_start(&self->second, &self->ring));
}

FIXTURE_TEARDOWN(owner)
{
	actor_end(&self->first);
	actor_end(&self->second);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int register_own(struct ring *ring)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	int error = eventfd_register(ring, fd);

	close(fd);
	return error;
}

static int unregister(struct ring *ring)
{
	return eventfd_unregister(ring);
}

TEST_F(owner, lets_go_of_it)
{
	long end = now_ms() + patience(SOON);
	int id = next_id();

	ASSERT_LE(0, id);
	ASSERT_EQ(0, actor_ask(&self->first, register_own));
	EXPECT_NE(id, next_id());
	ASSERT_TRUE(variant->leaves(&self->first));
	while (next_id() != id && now_ms() < end)
		;
	EXPECT_EQ(id, next_id());
}

TEST_F(owner, next_has_one_of_its_own)
{
	ASSERT_EQ(0, actor_ask(&self->first, register_own));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, register_own));
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_EQ(-ENXIO, actor_ask(&self->second, unregister));
	EXPECT_EQ(0, actor_ask(&self->second, register_own));
	EXPECT_EQ(0, actor_ask(&self->second, unregister));
}

static struct io_ring_sqe read_counter(int fd, __u64 *count, __u64 user_data)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, fd, count, sizeof(*count), 0);

	sqe.user_data = user_data;
	return sqe;
}

/* A request waits for the eventfd that is told of its own completion. */
TEST(ring_that_reads_its_own_eventfd)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct io_ring_cqe cqe;
	__u64 counts[2] = { 0 };
	struct io_ring_sqe sqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_register(&ring, fd));
	sqe = read_counter(fd, &counts[0], 1);
	ring_push(&ring, &sqe);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&ring));
	ring_push_nops(&ring, 1, 0);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	ASSERT_TRUE(await_completions(&ring, 2, SOON));
	for (__u64 i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_EQ(i ? (__s32)sizeof(__u64) : 0, cqe.res);
	}
	EXPECT_EQ(1, counts[0]);
	/* That of the read itself. */
	EXPECT_EQ(sizeof(__u64), read(fd, &counts[1], sizeof(__u64)));
	EXPECT_EQ(1, counts[1]);
	ring_close(&ring);
	close(fd);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Two rings, each of which waits for the eventfd of the other one: they keep each other going. */
TEST(rings_that_tell_each_other)
{
	struct ring rings[2];
	__u64 counts[2];
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_EQ(0, ring_open(&rings[i], ENTRIES, 0));
		ASSERT_EQ(0, eventfd_register(&rings[i], fds[i]));
	}
	ring_push_nops(&rings[0], 1, 7);
	ASSERT_EQ(1, ring_enter(&rings[0], 1, 1));
	for (unsigned int turn = 0; turn < 200; turn++) {
		unsigned int me = (turn + 1) % 2;
		struct io_ring_sqe sqe = read_counter(fds[!me], &counts[me], turn);
		struct io_ring_cqe cqe;

		/* The first is fed by the NOP, each other one by the one before. */
		while (ring_pop(&rings[me], &cqe))
			;
		ring_push(&rings[me], &sqe);
		ASSERT_EQ(1, ring_enter(&rings[me], 1, 0));
		ASSERT_TRUE(await_completions(&rings[me], 1, SOON));
		ASSERT_TRUE(ring_pop(&rings[me], &cqe));
		ASSERT_EQ(turn, cqe.user_data);
		ASSERT_EQ(sizeof(__u64), cqe.res);
	}
	for (int i = 0; i < 2; i++) {
		ring_close(&rings[i]);
		close(fds[i]);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The ring and its eventfd in one epoll, which another one watches. */
TEST(epoll_that_watches_both)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int inner = epoll_create1(EPOLL_CLOEXEC);
	int outer = epoll_create1(EPOLL_CLOEXEC);
	int disk = slow_disk_open(20 * MS);
	void *page = aligned_alloc(SLOW_DISK_BLOCK, SLOW_DISK_BLOCK);
	struct epoll_event events[2];
	struct io_ring_sqe sqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	ASSERT_EQ(0, eventfd_register(&ring, fd));
	ASSERT_LE(0, disk);
	events[0] = (struct epoll_event) { .events = EPOLLIN, .data.fd = ring.fd };
	events[1] = (struct epoll_event) { .events = EPOLLIN, .data.fd = fd };
	ASSERT_EQ(0, epoll_ctl(inner, EPOLL_CTL_ADD, ring.fd, &events[0]));
	ASSERT_EQ(0, epoll_ctl(inner, EPOLL_CTL_ADD, fd, &events[1]));
	events[0].data.fd = inner;
	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, inner, &events[0]));
	EXPECT_EQ(0, epoll_wait(outer, events, 1, 0));
	sqe = sqe_rw(IO_RING_OP_READ, disk, page, SLOW_DISK_BLOCK, 0);
	ring_push(&ring, &sqe);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	ASSERT_EQ(1, epoll_wait(outer, events, 1, patience(SOON)));
	EXPECT_EQ(inner, events[0].data.fd);
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	EXPECT_EQ(2, epoll_wait(inner, events, 2, patience(SOON)));
	ring_close(&ring);
	slow_disk_close(disk);
	close(outer);
	close(inner);
	close(fd);
	free(page);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* A ring with an eventfd, and a disk that is about as fast as the test. */
struct bench {
	struct ring ring;
	int eventfd;
	int disk;
	void *page;
};

FIXTURE(fast)
{
	struct bench bench;
};

FIXTURE_SETUP(fast)
{
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	self->bench.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, eventfd_register(&self->bench.ring, self->bench.eventfd));
	self->bench.disk = slow_disk_open(FAST);
	ASSERT_LE(0, self->bench.disk);
	self->bench.page = aligned_alloc(SLOW_DISK_BLOCK, SLOW_DISK_BLOCK);
	ASSERT_NE(NULL, self->bench.page);
}

FIXTURE_TEARDOWN(fast)
{
	ring_close(&self->bench.ring);
	close(self->bench.eventfd);
	slow_disk_close(self->bench.disk);
	free(self->bench.page);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Has up to half of the ring's requests under way; answers how many were added, or -1. */
static int read_more(struct bench *bench, unsigned int submitted, unsigned int done)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, bench->disk, bench->page,
					SLOW_DISK_BLOCK, 0);
	int count = 0;

	while (submitted + count < READS && submitted + count - done < ENTRIES / 2) {
		ring_push(&bench->ring, &sqe);
		count++;
	}
	return ring_enter(&bench->ring, count, 0) == count ? count : -1;
}

/* Who switches it off while it reads, and on before it sleeps, misses nothing. */
TEST_F(fast, switched_on_before_each_sleep)
{
	const __u32 flags = self->bench.ring.setup.cq_off.flags;
	struct pollfd pollfd = { .fd = self->bench.eventfd, .events = POLLIN };
	unsigned int submitted = 0, done = 0, sleeps = 0;

	ring_store(&self->bench.ring, flags, IO_RING_CQ_EVENTFD_DISABLED);
	while (done < READS) {
		int more = read_more(&self->bench, submitted, done);
		struct io_ring_cqe cqe;
		__u64 count;

		ASSERT_LE(0, more);
		submitted += more;
		while (ring_pop(&self->bench.ring, &cqe)) {
			ASSERT_EQ(SLOW_DISK_BLOCK, cqe.res);
			done++;
		}
		ring_store(&self->bench.ring, flags, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (done < submitted && !ring_ready(&self->bench.ring)) {
			ASSERT_EQ(1, poll(&pollfd, 1, patience(10 * SOON)));
			sleeps++;
		}
		ring_store(&self->bench.ring, flags, IO_RING_CQ_EVENTFD_DISABLED);
		while (read(self->bench.eventfd, &count, sizeof(count)) == sizeof(count))
			;
	}
	TH_LOG("%u reads, %u sleeps", done, sleeps);
}

TEST_HARNESS_MAIN
