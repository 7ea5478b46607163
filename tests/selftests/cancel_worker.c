// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_OP_CANCEL and requests that wait for a worker thread, are in one, or at a device. */
#include <errno.h>
#include <fcntl.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "slow_disk.h"
#include "source.h"
#include "stuck.h"

#define ENTRIES 32
#define WORKERS 2
#define STUCK 6			/* more than there are workers */
#define CANCEL 99		/* user_data of what cancels */
#define DELAY (500 * MS)

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

/* Answers the result of the CANCEL, which has to be the last of so many completions. */
static __s32 cancel(struct __test_metadata *_metadata, const struct ring *ring,
		    struct io_ring_sqe sqe, __u32 cancelled)
{
	struct io_ring_cqe cqe;

	submit(_metadata, ring, sqe, CANCEL);
	ASSERT_TRUE(await_completions(ring, cancelled + 1, SOON));
	EXPECT_EQ(cancelled + 1, ring_ready(ring));
	for (__u32 n = 0; n < cancelled; n++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_NE(CANCEL, cqe.user_data);
		EXPECT_EQ(-ECANCELED, cqe.res);
	}
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_EQ(CANCEL, cqe.user_data);
	EXPECT_EQ(0, cqe.flags);
	return cqe.res;
}

/* Two workers, and more READs than that which none of them gets done. */
FIXTURE(busy)
{
	struct ring ring;
	struct stuck stuck;
	__u32 in_workers;
};

FIXTURE_SETUP(busy)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);

	wanted.max_workers = WORKERS;
	ASSERT_EQ(0, stuck_open(&self->stuck));
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
	for (__u32 i = 0; i < STUCK; i++)
		submit(_metadata, &self->ring, stuck_read(&self->stuck, i), i);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&self->ring));
	self->in_workers = worker_count(getpid());
	ASSERT_EQ(WORKERS - 1, self->in_workers);
}

FIXTURE_TEARDOWN(busy)
{
	stuck_let_go(&self->stuck);
	ring_close(&self->ring);
	stuck_close(&self->stuck);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* What was in a worker ends when it can, with what it has read or without. */
static void expect_interrupted(struct __test_metadata *_metadata, const struct ring *ring,
			       __u32 count)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, count, SOON));
	EXPECT_EQ(count, ring_ready(ring));
	while (ring_pop(ring, &cqe)) {
		EXPECT_TRUE(cqe.res == STUCK_PAGE || cqe.res == -ECANCELED) {
			TH_LOG("result %d", cqe.res);
		}
	}
}

TEST_F(busy, those_that_wait_go_first)
{
	const struct io_ring_sqe sqe = sqe_cancel(IO_RING_CANCEL_FD, 0, self->stuck.disk, 0);

	for (unsigned int i = self->in_workers; i < STUCK; i++)
		EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe, 1));
	EXPECT_EQ(-EALREADY, cancel(_metadata, &self->ring, sqe, 0));
	EXPECT_EQ(-EALREADY, cancel(_metadata, &self->ring, sqe, 0));
	EXPECT_EQ(self->in_workers, fdinfo_value(self->ring.fd, "in_flight"));
	stuck_let_go(&self->stuck);
	expect_interrupted(_metadata, &self->ring, self->in_workers);
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring, sqe, 0));
}

/* Those in workers count, but nobody waits for them. */
TEST_F(busy, all_at_once)
{
	const struct io_ring_sqe sqe = sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0);

	EXPECT_EQ(STUCK, cancel(_metadata, &self->ring, sqe, STUCK - self->in_workers));
	stuck_let_go(&self->stuck);
	expect_interrupted(_metadata, &self->ring, self->in_workers);
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe, 0));
}

TEST_F(busy, in_the_same_batch)
{
	struct io_ring_sqe sqes[] = {
		stuck_read(&self->stuck, STUCK), sqe_cancel(0, STUCK, 0, 0),
	};

	sqes[0].user_data = STUCK;
	sqes[1].user_data = CANCEL;
	ring_push(&self->ring, &sqes[0]);
	ring_push(&self->ring, &sqes[1]);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	EXPECT_EQ(STUCK, ring_cqe(&self->ring, 0)->user_data);
	EXPECT_EQ(-ECANCELED, ring_cqe(&self->ring, 0)->res);
	EXPECT_EQ(CANCEL, ring_cqe(&self->ring, 1)->user_data);
	EXPECT_EQ(0, ring_cqe(&self->ring, 1)->res);
}

/* The places of those that were cancelled are taken by others, which get their turn. */
TEST_F(busy, others_get_their_turn)
{
	struct io_ring_cqe cqe;
	unsigned int read = 0;

	EXPECT_EQ(STUCK, cancel(_metadata, &self->ring,
				sqe_cancel(IO_RING_CANCEL_ALL | IO_RING_CANCEL_OP, 0, 0,
					   IO_RING_OP_READ), STUCK - self->in_workers));
	for (__u32 i = 0; i < STUCK; i++)
		submit(_metadata, &self->ring, stuck_read(&self->stuck, STUCK + i), STUCK + i);
	stuck_let_go(&self->stuck);
	ASSERT_TRUE(await_completions(&self->ring, self->in_workers + STUCK, SOON));
	while (ring_pop(&self->ring, &cqe)) {
		if (cqe.user_data < STUCK)
			continue;
		EXPECT_EQ(STUCK_PAGE, cqe.res);
		read++;
	}
	EXPECT_EQ(STUCK, read);
}

/* Never idle workers, and CANCELs that come at any time. */
TEST_F(busy, while_they_are_being_done)
{
	unsigned int random = 1, done = 0;
	struct io_ring_cqe cqe;

	stuck_let_go(&self->stuck);
	expect_interrupted(_metadata, &self->ring, STUCK);
	for (__u32 i = 0; i < 100; i++) {
		for (__u32 n = 0; n < STUCK; n++)
			submit(_metadata, &self->ring,
			       stuck_read(&self->stuck, STUCK + i * STUCK + n), n);
		usleep(rand_r(&random) % 60000);
		submit(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), CANCEL);
		ASSERT_TRUE(await_completions(&self->ring, STUCK + 1, SOON));
		while (ring_pop(&self->ring, &cqe)) {
			if (cqe.user_data == CANCEL)
				continue;
			EXPECT_TRUE(cqe.res == STUCK_PAGE || cqe.res == -ECANCELED);
			done += cqe.res == STUCK_PAGE;
		}
		ASSERT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
	}
	TH_LOG("%u of %u reads came before the CANCEL", done, 100 * STUCK);
	EXPECT_LT(0, done);
	EXPECT_GT(100 * STUCK, done);
}

TEST(transfer_that_has_begun)
{
	struct stuck stuck;
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	submit(_metadata, &ring, stuck_read_half(&stuck, 0), 1);
	ASSERT_TRUE(await_workers(getpid(), 1, SOON));
	for (long end = now_ms() + patience(SOON); now_ms() < end; sleep_ms(1))
		if (!all_bytes(stuck.memory, STUCK_PAGE, STUCK_MARK))
			break;
	EXPECT_FALSE(all_bytes(stuck.memory, STUCK_PAGE, STUCK_MARK));
	EXPECT_EQ(-EALREADY, cancel(_metadata, &ring, sqe_cancel(0, 1, 0, 0), 0));
	stuck_let_go(&stuck);
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_TRUE(cqe.res == STUCK_PAGE || cqe.res == 2 * STUCK_PAGE) {
		TH_LOG("result %d", cqe.res);
	}
	ring_close(&ring);
	stuck_close(&stuck);
}

/* Writes to one file are done one after the other; those whose turn has not come do nothing. */
TEST(writes_that_wait_for_each_other)
{
	int file = temp_file(EXT4_DIR);
	struct io_ring_cqe cqe;
	struct stuck stuck;
	struct ring ring;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	for (__u32 i = 0; i < STUCK; i++)
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_WRITE, file, stuck.memory + STUCK_PAGE,
						STUCK_PAGE, i * STUCK_PAGE), i);
	sleep_ms(A_WHILE);
	EXPECT_EQ(1, worker_count(getpid()));
	EXPECT_EQ(0, cancel(_metadata, &ring, sqe_cancel(0, STUCK - 1, 0, 0), 1));
	EXPECT_EQ(STUCK - 1, cancel(_metadata, &ring,
				    sqe_cancel(IO_RING_CANCEL_FD | IO_RING_CANCEL_ALL, 0, file, 0),
				    STUCK - 2));
	stuck_let_go(&stuck);
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(0, cqe.user_data);
	EXPECT_EQ(cqe.res < 0 ? 0 : cqe.res, lseek(file, 0, SEEK_END));
	ring_close(&ring);
	stuck_close(&stuck);
	close(file);
}

/* A terminal tells all who wait for it, there is something for one, and reading waits for more. */
TEST(several_that_were_woken_for_nothing)
{
	const unsigned int readers = 8;
	char bytes[8][SOURCE_LEN];
	struct source terminal;
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_TRUE(source_open(&terminal, SOURCE_TERMINAL));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	for (unsigned int i = 0; i < readers; i++)
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, terminal.reader, bytes[i],
						SOURCE_LEN, 0), i);
	ASSERT_EQ(1, source_feed(&terminal));
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&ring));

	submit(_metadata, &ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), CANCEL);
	ASSERT_TRUE(await_completions(&ring, readers, SOON));
	while (ring_pop(&ring, &cqe))
		EXPECT_EQ(cqe.user_data == CANCEL ? (int)readers - 1 : -ECANCELED, cqe.res);
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
	source_close(&terminal);
}

/* A disk that takes its time; with or without the page cache in between. */
FIXTURE(disk)
{
	struct ring ring;
	int disk;
	int cached;
	void *buffer;
};

FIXTURE_SETUP(disk)
{
	self->disk = slow_disk_open(DELAY);
	ASSERT_LE(0, self->disk);
	self->cached = reopen(self->disk, O_RDONLY);
	ASSERT_LE(0, self->cached);
	self->buffer = mmap(NULL, SLOW_DISK_BLOCK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffer);
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
}

FIXTURE_TEARDOWN(disk)
{
	ring_close(&self->ring);
	munmap(self->buffer, SLOW_DISK_BLOCK);
	close(self->cached);
	slow_disk_close(self->disk);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(disk, what_a_device_has_does_not_count)
{
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, self->disk, self->buffer,
					      SLOW_DISK_BLOCK, 0), 1);
	EXPECT_EQ(-ENOENT, cancel(_metadata, &self->ring, sqe_cancel(0, 1, 0, 0), 0));
	EXPECT_EQ(0, cancel(_metadata, &self->ring, sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0), 0));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(SLOW_DISK_BLOCK, cqe.res);
	EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
}

TEST_F(disk, worker_that_waits_for_it)
{
	__u64 begin = clock_now(CLOCK_MONOTONIC);
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring, sqe_rw(IO_RING_OP_READ, self->cached, self->buffer,
					      SLOW_DISK_BLOCK, 0), 1);
	ASSERT_TRUE(await_workers(getpid(), 1, SOON));
	sleep_ms(A_WHILE);
	EXPECT_EQ(-EALREADY, cancel(_metadata, &self->ring, sqe_cancel(0, 1, 0, 0), 0));
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	EXPECT_LE(DELAY, clock_since(begin));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_TRUE(cqe.res == SLOW_DISK_BLOCK || cqe.res == -ECANCELED) {
		TH_LOG("result %d", cqe.res);
	}
}

TEST_HARNESS_MAIN
