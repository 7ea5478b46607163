// SPDX-License-Identifier: GPL-2.0-only
/* The submission thread: how it is asked for, when it sleeps, and how it is woken. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "sq_ring.h"

#define ENTRIES 8
#define FIRST_SIZE 160		/* of the structure without these fields */
#define DEFAULT_MS 1000
#define SLEEPY_MS 1
#define CYCLES 300
#define PAUSE_MAX_US 3000
#define QUIET_MS 1000
#define RANDOM_SEED 1
#define AT(member) offsetof(struct io_ring_setup, member)
#define THREAD_NAME "io_ring_sq\n"

static struct io_ring_setup wanted_with(__u32 flags, __u32 cpu, __u32 idle_ms)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, flags);

	wanted.sq_thread_cpu = cpu;
	wanted.sq_thread_idle_ms = idle_ms;
	return wanted;
}

static void expect_refused(struct __test_metadata *_metadata, struct io_ring_setup wanted,
			   unsigned int field, const char *what)
{
	EXPECT_EQ(-EINVAL, ring_setup(&wanted)) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(field, wanted.error_field) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(IO_RING_LIMIT_NONE, wanted.error_limit);
}

TEST(flags_that_do_not_go_together)
{
	expect_refused(_metadata, wanted_with(IO_RING_SETUP_SQ_AFF, 0, 0), AT(flags), "AFF alone");
	expect_refused(_metadata, wanted_with(IO_RING_SETUP_SQPOLL | IO_RING_SETUP_REBIND, 0, 0),
		       AT(flags), "with REBIND");
	expect_refused(_metadata, wanted_with(IO_RING_SETUP_SQPOLL | IO_RING_SETUP_IOPOLL, 0, 0),
		       AT(flags), "with IOPOLL");
}

TEST(fields_without_their_flag)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		__u32 value = 1U << bit;

		expect_refused(_metadata, wanted_with(0, value, 0), AT(sq_thread_cpu), "cpu");
		expect_refused(_metadata, wanted_with(0, 0, value), AT(sq_thread_idle_ms), "idle");
		expect_refused(_metadata, wanted_with(IO_RING_SETUP_SQPOLL, value, 0),
			       AT(sq_thread_cpu), "cpu without AFF");
	}
	expect_refused(_metadata, wanted_with(0, 1, 1), AT(sq_thread_cpu), "both");
}

TEST(processors_that_cannot_be)
{
	static const __u32 flags = IO_RING_SETUP_SQPOLL | IO_RING_SETUP_SQ_AFF;
	static const __u32 cpus[] = { 1U << 16, 1U << 31, ~0U - 1, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
		expect_refused(_metadata, wanted_with(flags, cpus[i], 0), AT(sq_thread_cpu),
			       "no such processor");
}

static int ask_for_the_other(void *arg)
{
	struct io_ring_setup wanted;
	cpu_set_t allowed;
	cpu_set_t one;
	int first = -1;
	int other = -1;

	(void)arg;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		other = cpu;
		if (first < 0)
			first = cpu;
	}
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return 2;
	wanted = wanted_with(IO_RING_SETUP_SQPOLL | IO_RING_SETUP_SQ_AFF, first, 0);
	if (ring_setup(&wanted) < 0)
		return 3;
	/* On a machine with one processor it is the next that does not exist. */
	wanted = wanted_with(IO_RING_SETUP_SQPOLL | IO_RING_SETUP_SQ_AFF,
			     other == first ? first + 1 : other, 0);
	if (ring_setup(&wanted) != -EINVAL || wanted.error_field != AT(sq_thread_cpu))
		return 4;
	return 0;
}

TEST(processor_is_one_of_the_caller)
{
	EXPECT_EQ(0, in_child(ask_for_the_other, NULL));
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Whether the thread may run on that processor and no other, as soon as it runs. */
static bool await_only_on(pid_t thread, int cpu)
{
	long end = now_ms() + patience(30 * SOON);
	cpu_set_t allowed;

	do {
		if (sched_getaffinity(thread, sizeof(allowed), &allowed))
			return false;
		if (CPU_COUNT(&allowed) == 1 && CPU_ISSET(cpu, &allowed))
			return true;
		sleep_ms(1);
	} while (now_ms() < end);
	return false;
}

TEST(thread_runs_where_it_is_to)
{
	struct io_ring_setup wanted = wanted_with(IO_RING_SETUP_SQPOLL | IO_RING_SETUP_SQ_AFF,
						  0, IO_RING_SQ_IDLE_NEVER);
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	EXPECT_EQ(0, sq_push(&ring, sqe_nop(0), 1));
	ASSERT_TRUE(sq_pop(&ring, &cqe));
	EXPECT_TRUE(await_only_on(sq_thread(&ring), 0));
	ring_close(&ring);
}

/* A program that does not know the fields gets the default, and nothing is written behind. */
TEST(first_version_of_the_structure)
{
	struct io_ring_setup wanted = wanted_with(IO_RING_SETUP_SQPOLL, 77, 78);
	int fd;

	wanted.size = FIRST_SIZE;
	fd = ring_setup(&wanted);
	ASSERT_LE(0, fd);
	EXPECT_EQ(77, wanted.sq_thread_cpu);
	EXPECT_EQ(78, wanted.sq_thread_idle_ms);
	close(fd);

	wanted = wanted_with(0, 77, 78);
	wanted.size = FIRST_SIZE;
	fd = ring_setup(&wanted);
	ASSERT_LE(0, fd);
	EXPECT_EQ(78, wanted.sq_thread_idle_ms);
	close(fd);

	wanted = wanted_with(0, 0, 78);
	wanted.size = FIRST_SIZE + 4;
	fd = ring_setup(&wanted);
	ASSERT_LE(0, fd);
	EXPECT_EQ(78, wanted.sq_thread_idle_ms);
	close(fd);
}

TEST(setup_answers_how_long_it_looks)
{
	static const struct {
		__u32 asked;
		__u32 made;
	} cases[] = {
		{ 0, DEFAULT_MS }, { 1, 1 }, { 50, 50 }, { ~0U - 1, ~0U - 1 }, { ~0U, ~0U },
	};

	EXPECT_EQ(DEFAULT_MS, IO_RING_SQ_IDLE_DEFAULT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_ring_setup wanted = wanted_with(IO_RING_SETUP_SQPOLL, 0, cases[i].asked);
		int fd = ring_setup(&wanted);

		ASSERT_LE(0, fd);
		EXPECT_EQ(cases[i].made, wanted.sq_thread_idle_ms);
		close(fd);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(flags_of_enter_without_a_thread)
{
	static const __u32 flags[] = { IO_RING_ENTER_SQ_WAKEUP, IO_RING_ENTER_SQ_WAIT };
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct io_ring_enter args = { .flags = flags[i] };

		EXPECT_EQ(-EINVAL, ring_enter_fd(ring.fd, &args));
		EXPECT_EQ(offsetof(struct io_ring_enter, flags), args.error_field);
	}
	EXPECT_EQ(-ENOENT, fdinfo_value(ring.fd, "sq_thread"));
	ring_close(&ring);
}

FIXTURE(sleepy)
{
	struct ring ring;
};

FIXTURE_SETUP(sleepy)
{
	ASSERT_EQ(0, sq_open(&self->ring, ENTRIES, SLEEPY_MS));
}

FIXTURE_TEARDOWN(sleepy)
{
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Between an entry and the next there is any time, around that after which the thread sleeps. */
TEST_F(sleepy, no_call_is_lost)
{
	unsigned int random = RANDOM_SEED;
	struct io_ring_cqe cqe;
	int calls = 0;

	for (unsigned int i = 0; i < CYCLES; i++) {
		int called;

		usleep(rand_r(&random) % PAUSE_MAX_US);
		called = sq_push(&self->ring, sqe_nop(0), i);
		ASSERT_LE(0, called);
		calls += called;
		ASSERT_TRUE(sq_pop(&self->ring, &cqe)) {
			TH_LOG("entry %u is not taken", i);
		}
		ASSERT_EQ(i, cqe.user_data);
	}
	ASSERT_TRUE(sq_await_sleep(&self->ring));
	ASSERT_EQ(1, sq_push(&self->ring, sqe_nop(0), CYCLES));
	ASSERT_TRUE(sq_pop(&self->ring, &cqe));
	TH_LOG("%d calls for %d entries", calls + 1, CYCLES + 1);
	EXPECT_LE(calls + 1, fdinfo_value(self->ring.fd, "sq_thread_naps"));
	EXPECT_TRUE(sq_await_entries(&self->ring, CYCLES + 1));
	EXPECT_EQ(CYCLES + 1, fdinfo_value(self->ring.fd, "sq_thread_rounds"));
}

TEST_F(sleepy, both_flags_do_not_disturb_each_other)
{
	const __u32 both = IO_RING_SQ_NEED_WAKEUP | IO_RING_SQ_CQ_OVERFLOW;
	struct io_ring_cqe cqe;
	struct ring ring;
	struct io_ring_setup wanted = wanted_with(IO_RING_SETUP_SQPOLL, 0, SLEEPY_MS);

	wanted.requests = 64;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 3; i++) {
		ring_push_nops(&ring, ENTRIES, 0);
		ASSERT_LE(0, sq_offered(&ring));
		ASSERT_TRUE(sq_await_entries(&ring, (i + 1) * ENTRIES));
	}
	ASSERT_TRUE(sq_await_sleep(&ring));
	EXPECT_EQ(both, ring_load(&ring, ring.setup.sq_off.flags));
	for (unsigned int i = 0; i < 3 * ENTRIES; i++) {
		if (!ring_ready(&ring))
			EXPECT_EQ(0, ring_enter(&ring, 0, 1));
		ASSERT_TRUE(ring_pop(&ring, &cqe));
	}
	EXPECT_EQ(IO_RING_SQ_NEED_WAKEUP, ring_load(&ring, ring.setup.sq_off.flags));
	ring_close(&ring);
}

/* User and kernel time of a thread of this process, in ticks. */
static long ticks_of(pid_t thread)
{
	unsigned long user = 0;
	unsigned long kernel = 0;
	char text[512];
	const char *stat = thread_stat(thread, text, sizeof(text));

	if (!stat || sscanf(stat, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			    &user, &kernel) != 2)
		return -1;
	return user + kernel;
}

TEST_F(sleepy, a_thread_that_sleeps_takes_no_time)
{
	pid_t thread;
	long before;

	ASSERT_TRUE(sq_await_sleep(&self->ring));
	thread = sq_thread(&self->ring);
	before = ticks_of(thread);
	ASSERT_LE(0, before);
	sleep_ms(QUIET_MS);
	/* It may still have been on its way to sleep. One that looks uses all of the time. */
	EXPECT_GT(before + QUIET_MS * sysconf(_SC_CLK_TCK) / 1000 / 2, ticks_of(thread));
	EXPECT_TRUE(sq_needs_call(&self->ring));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "sq_thread_asleep"));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "sq_thread_naps"));
}

TEST_F(sleepy, thread_has_a_name)
{
	char path[64];
	char name[32] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", sq_thread(&self->ring));
	ASSERT_EQ(0, text_read(path, name, sizeof(name)));
	EXPECT_STREQ(THREAD_NAME, name);
	EXPECT_EQ(0, worker_count(getpid()));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "user_workers"));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "workers"));
}

TEST_F(sleepy, two_rings_have_two_threads)
{
	struct io_ring_cqe cqe;
	struct ring other;

	ASSERT_EQ(0, sq_open(&other, ENTRIES, SLEEPY_MS));
	EXPECT_NE(sq_thread(&self->ring), sq_thread(&other));
	EXPECT_EQ(2, fdinfo_value(other.fd, "user_workers"));
	for (unsigned int i = 0; i < 20; i++) {
		const struct ring *ring = i % 2 ? &self->ring : &other;

		ASSERT_LE(0, sq_push(ring, sqe_nop(0), i));
		ASSERT_TRUE(sq_pop(ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
	}
	ring_close(&other);
}

TEST(never_is_never)
{
	struct ring ring;

	ASSERT_EQ(0, sq_open(&ring, ENTRIES, IO_RING_SQ_IDLE_NEVER));
	sleep_ms(DEFAULT_MS + A_WHILE);
	EXPECT_FALSE(sq_needs_call(&ring));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "sq_thread_asleep"));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "sq_thread_naps"));
	ring_close(&ring);
}

TEST(a_user_may_have_no_more_threads)
{
	long limit = number_read(PARAM_MAX_USER_WORKERS);
	struct io_ring_setup wanted = wanted_with(IO_RING_SETUP_SQPOLL, 0, 0);
	char text[24];

	ASSERT_LT(0, limit);
	ASSERT_EQ(0, text_write(PARAM_MAX_USER_WORKERS, "0"));
	EXPECT_EQ(-EAGAIN, ring_setup(&wanted));
	EXPECT_EQ(IO_RING_NO_FIELD, wanted.error_field);
	EXPECT_STREQ("", counters_busy() ?: "");
	snprintf(text, sizeof(text), "%ld", limit);
	ASSERT_EQ(0, text_write(PARAM_MAX_USER_WORKERS, text));
}

TEST_HARNESS_MAIN
