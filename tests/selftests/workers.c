// SPDX-License-Identifier: GPL-2.0-only
/* Worker threads: how many there may be, how many there are, and that they leave. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "source.h"
#include "stuck.h"

#define ENTRIES 64
#define LEAST 2			/* max_workers may be no less */
#define STUCK 40		/* requests, more than there may be workers */
#define USUAL 8
#define MANY 10000
#define IDLE_MS 5000		/* how long a worker stays that has nothing to do */
#define IDLE_END_MS 9000
#define AT_WORKERS offsetof(struct io_ring_setup, max_workers)

static struct io_ring_setup wanted_with(__u32 max_workers, __u32 flags)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, flags);

	wanted.max_workers = max_workers;
	return wanted;
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
}

static int number_write(const char *path, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	return text_write(path, text);
}

/* The parameters of the module are what they were afterwards. */
FIXTURE(limits)
{
	long max_workers;
	long max_user_workers;
};

FIXTURE_SETUP(limits)
{
	self->max_workers = number_read(PARAM_MAX_WORKERS);
	self->max_user_workers = number_read(PARAM_MAX_USER_WORKERS);
	ASSERT_LT(0, self->max_workers);
	ASSERT_LT(0, self->max_user_workers);
}

FIXTURE_TEARDOWN(limits)
{
	EXPECT_EQ(0, number_write(PARAM_MAX_WORKERS, self->max_workers));
	EXPECT_EQ(0, number_write(PARAM_MAX_USER_WORKERS, self->max_user_workers));
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* SETUP makes a ring with that limit, and fdinfo says the same. */
static void expect_made(struct __test_metadata *_metadata, struct io_ring_setup wanted,
			__u32 max_workers)
{
	int fd = ring_setup(&wanted);

	ASSERT_LE(0, fd);
	EXPECT_EQ(max_workers, wanted.max_workers);
	EXPECT_EQ(max_workers, fdinfo_value(fd, "max_workers"));
	EXPECT_EQ(0, fdinfo_value(fd, "workers"));
	close(fd);
}

static void expect_too_many(struct __test_metadata *_metadata, __u32 need, __u32 have)
{
	struct io_ring_setup wanted = wanted_with(need, 0);

	EXPECT_EQ(-EINVAL, ring_setup(&wanted));
	EXPECT_EQ(AT_WORKERS, wanted.error_field);
	EXPECT_EQ(IO_RING_LIMIT_WORKERS, wanted.error_limit);
	EXPECT_EQ(need, wanted.limit_need);
	EXPECT_EQ(have, wanted.limit_have);
}

/* All wishes that there can be, with the parameter as it is. */
static void expect_limit(struct __test_metadata *_metadata, __u32 limit)
{
	static const __u32 excesses[] = { 1, 2, 100, 1U << 31 };
	struct io_ring_query query = { .size = sizeof(query) };
	int control = control_open();

	ASSERT_LE(0, control);
	ASSERT_EQ(0, ioctl(control, IO_RING_QUERY, &query));
	EXPECT_EQ(limit, query.max_workers);
	close(control);
	expect_made(_metadata, wanted_with(0, 0), limit);
	expect_made(_metadata, wanted_with(0, IO_RING_SETUP_CLAMP), limit);
	for (__u32 wish = LEAST; wish <= limit; wish++)
		expect_made(_metadata, wanted_with(wish, 0), wish);
	for (size_t i = 0; i < ARRAY_SIZE(excesses); i++) {
		expect_too_many(_metadata, limit + excesses[i], limit);
		expect_made(_metadata, wanted_with(limit + excesses[i], IO_RING_SETUP_CLAMP),
			    limit);
	}
	expect_too_many(_metadata, ~0U, limit);
}

TEST_F(limits, of_a_ring)
{
	expect_limit(_metadata, self->max_workers);
}

TEST_F(limits, of_a_ring_that_are_too_small)
{
	static const __u32 flags[] = { 0, IO_RING_SETUP_CLAMP };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_setup wanted = wanted_with(1, flags[i]);

		EXPECT_EQ(-EINVAL, ring_setup(&wanted));
		EXPECT_EQ(AT_WORKERS, wanted.error_field);
		EXPECT_EQ(IO_RING_LIMIT_NONE, wanted.error_limit);
		EXPECT_EQ(1, wanted.max_workers);
	}
}

/* Rings keep what they were made with. */
TEST_F(limits, can_be_changed)
{
	static const struct {
		long parameter;
		__u32 limit;
	} cases[] = {
		{ 2, 2 }, { 3, 3 }, { 17, 17 }, { IO_RING_MAX_WORKERS, IO_RING_MAX_WORKERS },
		{ 0, LEAST }, { 1, LEAST }, { IO_RING_MAX_WORKERS + 1, IO_RING_MAX_WORKERS },
		{ 1000000, IO_RING_MAX_WORKERS },
	};
	struct io_ring_setup wanted = wanted_with(0, 0);
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, number_write(PARAM_MAX_WORKERS, cases[i].parameter));
		expect_limit(_metadata, cases[i].limit);
		EXPECT_EQ(self->max_workers, fdinfo_value(ring.fd, "max_workers"));
	}
	ring_close(&ring);
}

/* Rings with requests that keep workers until they are let go. */
FIXTURE(threads)
{
	struct stuck stuck;
	long max_user_workers;
};

FIXTURE_SETUP(threads)
{
	ASSERT_EQ(0, stuck_open(&self->stuck));
	self->max_user_workers = number_read(PARAM_MAX_USER_WORKERS);
	ASSERT_LT(0, self->max_user_workers);
}

FIXTURE_TEARDOWN(threads)
{
	stuck_let_go(&self->stuck);
	stuck_close(&self->stuck);
	EXPECT_EQ(0, number_write(PARAM_MAX_USER_WORKERS, self->max_user_workers));
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit_stuck(struct __test_metadata *_metadata, const struct ring *ring,
			 const struct stuck *stuck, __u32 first, __u32 count)
{
	for (__u32 i = first; i < first + count; i++)
		submit(_metadata, ring, stuck_read(stuck, i), i);
}

/* What the kernel says of the ring is what can be counted, again and again. */
static void expect_workers(struct __test_metadata *_metadata, const struct ring *ring, int count)
{
	EXPECT_TRUE(await_workers(getpid(), count, SOON)) {
		TH_LOG("%d workers instead of %d", worker_count(getpid()), count);
	}
	for (unsigned int i = 0; i < 20; i++) {
		EXPECT_EQ(count, worker_count(getpid()));
		EXPECT_EQ(count, fdinfo_value(ring->fd, "workers"));
		EXPECT_EQ(count, fdinfo_value(ring->fd, "user_workers"));
		sleep_ms(5);
	}
}

static void expect_reads(struct __test_metadata *_metadata, const struct ring *ring, __u32 count)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, count, SOON));
	EXPECT_EQ(count, ring_ready(ring));
	while (ring_pop(ring, &cqe)) {
		EXPECT_EQ(STUCK_PAGE, cqe.res);
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_WORKER), cqe.flags);
	}
}

/* One of those that a ring may have does what does not block. */
TEST_F(threads, are_as_many_as_the_ring_may_have)
{
	for (__u32 max = LEAST; max <= 16; max *= 2) {
		struct io_ring_setup wanted = wanted_with(max, 0);
		struct ring ring;

		ASSERT_EQ(0, ring_open_as(&ring, &wanted));
		submit_stuck(_metadata, &ring, &self->stuck, max * STUCK, STUCK);
		expect_workers(_metadata, &ring, max - 1);
		EXPECT_EQ(0, ring_ready(&ring));
		EXPECT_EQ(STUCK, fdinfo_value(ring.fd, "in_flight"));
		stuck_let_go(&self->stuck);
		expect_reads(_metadata, &ring, STUCK);
		ring_close(&ring);
		EXPECT_TRUE(await_workers(getpid(), 0, SOON));
		stuck_close(&self->stuck);
		ASSERT_EQ(0, stuck_open(&self->stuck));
	}
}

TEST_F(threads, let_what_becomes_ready_pass)
{
	struct io_ring_setup wanted = wanted_with(LEAST, 0);
	char buffers[SOURCE_KINDS][SOURCE_LEN];
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit_stuck(_metadata, &ring, &self->stuck, 0, STUCK);
	for (enum source_kind kind = 0; kind < SOURCE_KINDS; kind++) {
		struct source source;
		int len;

		if (kind == SOURCE_FIFO || kind == SOURCE_TERMINAL || kind == SOURCE_MASTER)
			continue;	/* may block, and wait for their turn */
		ASSERT_TRUE(source_open(&source, kind));
		submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, source.reader, buffers[kind],
						SOURCE_LEN, 0), STUCK);
		sleep_ms(A_WHILE / 10);
		len = source_feed(&source);
		ASSERT_TRUE(await_completions(&ring, 1, SOON)) {
			TH_LOG("%s", source_names[kind]);
		}
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(STUCK, cqe.user_data);
		EXPECT_EQ(len, cqe.res);
		EXPECT_GE(LEAST, worker_count(getpid()));
		source_close(&source);
	}
	stuck_let_go(&self->stuck);
	expect_reads(_metadata, &ring, STUCK);
	ring_close(&ring);
}

/* A great many that all need a worker, and none of which gets one for a while. */
TEST_F(threads, stay_within_the_limit)
{
	struct io_ring_setup wanted = ring_wanted(MANY, 0);
	int file = temp_file(TMPFS_DIR);
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_LE(0, file);
	wanted.max_workers = USUAL;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit_stuck(_metadata, &ring, &self->stuck, 0, STUCK);
	for (__u32 i = STUCK; i < MANY; i++) {
		struct io_ring_sqe sqe = sqe_fsync(file, 0, 0, 0);

		sqe.user_data = i;
		ring_push(&ring, &sqe);
	}
	ASSERT_EQ(MANY - STUCK, ring_enter(&ring, MANY, 0));
	expect_workers(_metadata, &ring, USUAL - 1);
	EXPECT_EQ(0, ring_ready(&ring));
	EXPECT_EQ(MANY, fdinfo_value(ring.fd, "in_flight"));
	stuck_let_go(&self->stuck);
	for (__u32 some = MANY / 20; some <= MANY; some += MANY / 20) {
		ASSERT_EQ(0, ring_enter(&ring, 0, some));
		EXPECT_GE(USUAL, worker_count(getpid()));
	}
	EXPECT_EQ(MANY, ring_ready(&ring));
	while (ring_pop(&ring, &cqe))
		EXPECT_EQ(cqe.user_data < STUCK ? STUCK_PAGE : 0, cqe.res);
	EXPECT_EQ(0, fdinfo_value(ring.fd, "in_flight"));
	ring_close(&ring);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
	close(file);
}

static int count_as_other(void *arg)
{
	struct io_ring_setup wanted = wanted_with(0, 0);
	int control = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	int fd;

	(void)arg;
	if (control < 0 || become_other())
		return 255;
	fd = ioctl(control, IO_RING_SETUP, &wanted);
	return fd < 0 ? 254 : fdinfo_value(fd, "user_workers");
}

TEST_F(threads, of_a_user_are_limited_together)
{
	const int limit = 5;
	struct io_ring_setup wanted = wanted_with(USUAL, 0);
	struct ring rings[2];

	ASSERT_EQ(0, number_write(PARAM_MAX_USER_WORKERS, limit));
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		ASSERT_EQ(0, ring_open_as(&rings[i], &wanted));
	submit_stuck(_metadata, &rings[0], &self->stuck, 0, 3);
	EXPECT_TRUE(await_workers(getpid(), 3, SOON));
	submit_stuck(_metadata, &rings[1], &self->stuck, STUCK, STUCK);
	EXPECT_TRUE(await_workers(getpid(), limit, SOON));
	for (unsigned int i = 0; i < 20; i++) {
		EXPECT_EQ(limit, worker_count(getpid()));
		for (size_t n = 0; n < ARRAY_SIZE(rings); n++)
			EXPECT_EQ(limit, fdinfo_value(rings[n].fd, "user_workers"));
		EXPECT_EQ(3, fdinfo_value(rings[0].fd, "workers"));
		EXPECT_EQ(limit - 3, fdinfo_value(rings[1].fd, "workers"));
		sleep_ms(5);
	}
	EXPECT_EQ(0, in_child(count_as_other, NULL));
	stuck_let_go(&self->stuck);
	expect_reads(_metadata, &rings[0], 3);
	expect_reads(_metadata, &rings[1], STUCK);
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		ring_close(&rings[i]);
}

/* A ring that gets no worker at all says so; it gets one when there is one to be had. */
TEST_F(threads, that_cannot_be_had)
{
	const int limit = 2;
	struct io_ring_setup wanted = wanted_with(USUAL, 0);
	struct ring rich, poor;
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, number_write(PARAM_MAX_USER_WORKERS, limit));
	ASSERT_EQ(0, ring_open_as(&rich, &wanted));
	ASSERT_EQ(0, ring_open_as(&poor, &wanted));
	submit_stuck(_metadata, &rich, &self->stuck, 0, STUCK);
	EXPECT_TRUE(await_workers(getpid(), limit, SOON));
	sqe = sqe_fsync(file, 0, 0, 0);
	ASSERT_EQ(0, ring_run(&poor, &sqe, &cqe));
	EXPECT_EQ(-EAGAIN, cqe.res);
	stuck_let_go(&self->stuck);
	expect_reads(_metadata, &rich, STUCK);
	ring_close(&rich);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
	ASSERT_EQ(0, ring_run(&poor, &sqe, &cqe));
	EXPECT_EQ(0, cqe.res);
	ring_close(&poor);
	close(file);
}

/* The last one stays for what waits. */
TEST_F(threads, leave_when_they_are_idle)
{
	struct io_ring_setup wanted = wanted_with(USUAL, 0);
	struct io_ring_cqe cqe;
	struct ring ring;
	int ends[2];
	char byte;
	long begin;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit_stuck(_metadata, &ring, &self->stuck, 0, STUCK);
	EXPECT_TRUE(await_workers(getpid(), USUAL - 1, SOON));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), STUCK);
	begin = now_ms();
	stuck_let_go(&self->stuck);
	expect_reads(_metadata, &ring, STUCK);
	EXPECT_LT(1, worker_count(getpid()));
	EXPECT_TRUE(await_workers(getpid(), 1, IDLE_END_MS));
	EXPECT_LE(IDLE_MS, now_ms() - begin);
	EXPECT_EQ(1, fdinfo_value(ring.fd, "workers"));
	sleep_ms(IDLE_MS + 1000);
	EXPECT_EQ(1, worker_count(getpid()));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	ASSERT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	EXPECT_TRUE(await_workers(getpid(), 0, IDLE_END_MS));
	ring_close(&ring);
}

/* The last one that is not stuck stays as well. */
TEST_F(threads, leave_none_stuck_alone)
{
	struct io_ring_setup wanted = wanted_with(USUAL, 0);
	struct io_ring_cqe cqe;
	struct ring ring;
	int ends[2];
	char byte;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	submit(_metadata, &ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), STUCK);
	submit_stuck(_metadata, &ring, &self->stuck, 0, 1);
	EXPECT_TRUE(await_workers(getpid(), 2, SOON));
	sleep_ms(IDLE_MS + 1000);
	EXPECT_EQ(2, worker_count(getpid()));
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_TRUE(await_completions(&ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(STUCK, cqe.user_data);
	EXPECT_EQ(1, cqe.res);
	stuck_let_go(&self->stuck);
	expect_reads(_metadata, &ring, 1);
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
}

/* Several threads of many rings, all of which are gone as soon as the rings are. */
TEST_F(threads, leave_with_their_ring)
{
	struct ring rings[8];

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		struct io_ring_setup wanted = wanted_with(USUAL, 0);

		ASSERT_EQ(0, ring_open_as(&rings[i], &wanted));
		submit_stuck(_metadata, &rings[i], &self->stuck, i * STUCK, STUCK);
	}
	EXPECT_TRUE(await_workers(getpid(), ARRAY_SIZE(rings) * (USUAL - 1), SOON));
	stuck_let_go(&self->stuck);
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		ring_close(&rings[i]);
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
}

TEST_HARNESS_MAIN
