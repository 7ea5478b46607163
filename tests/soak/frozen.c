// SPDX-License-Identifier: GPL-2.0-only
/* A process whose cgroup is frozen does no I/O through its rings. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <kselftest_harness.h>

#include "await.h"
#include "cgroup.h"
#include "clock.h"
#include "load.h"
#include "module.h"
#include "process.h"
#include "soak.h"

#define ROUNDS 200
#define LIMIT_S 3600
#define FREEZE (2 * SOON)

/* What the process has done so far, as the kernel sees it. */
struct account {
	long completed;
	char io[512];
};

FIXTURE(frozen)
{
	struct load *load;
};

FIXTURE_SETUP(frozen)
{
	self->load = load_new(1);
	ASSERT_NE(NULL, self->load);
	ASSERT_EQ(0, cgroup_make());
	ASSERT_EQ(0, load_start(self->load));
	ASSERT_EQ(0, cgroup_add(self->load->pid));
}

FIXTURE_TEARDOWN(frozen)
{
	EXPECT_EQ(-SIGKILL, load_kill(self->load));
	EXPECT_EQ(0, cgroup_remove());
	load_free(self->load);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static long number(const struct load *load, const char *key)
{
	return fdinfo_value_of(load->pid, load->ring.fd, key);
}

static int take_account(const struct load *load, struct account *account)
{
	char path[32];

	memset(account, 0, sizeof(*account));
	snprintf(path, sizeof(path), "/proc/%d/io", load->pid);
	account->completed = number(load, "completed");
	return account->completed < 0 ? (int)account->completed :
					text_read(path, account->io, sizeof(account->io));
}

static bool await_more_than(const struct load *load, long completed)
{
	long end = now_ms() + patience(5 * SOON);

	while (number(load, "completed") <= completed) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

TEST_F_TIMEOUT(frozen, does_nothing, LIMIT_S)
{
	unsigned int rounds = soak_scaled(ROUNDS);
	long most_in_flight = 0, most_workers = 0;
	__u64 worst_freeze = 0, worst_thaw = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		struct account before, after;
		__u64 begin = clock_now(CLOCK_MONOTONIC);

		ASSERT_EQ(0, cgroup_freeze(true, patience(FREEZE)));
		keep_worst(&worst_freeze, begin);
		/* What a device had, it finishes. */
		sleep_ms(patience(A_WHILE));
		ASSERT_EQ(0, take_account(self->load, &before));
		if (number(self->load, "in_flight") > most_in_flight)
			most_in_flight = number(self->load, "in_flight");
		if (number(self->load, "workers") > most_workers)
			most_workers = number(self->load, "workers");
		/* Requests that wait for pipes could go on now. */
		ASSERT_EQ(0, load_feed(self->load));
		sleep_ms(A_WHILE);
		ASSERT_EQ(0, take_account(self->load, &after));
		EXPECT_EQ(before.completed, after.completed);
		EXPECT_STREQ(before.io, after.io);

		begin = clock_now(CLOCK_MONOTONIC);
		ASSERT_EQ(0, cgroup_freeze(false, patience(FREEZE)));
		EXPECT_TRUE(await_more_than(self->load, after.completed));
		keep_worst(&worst_thaw, begin);
		sleep_ms(10);
		soak_progress(i, rounds);
	}
	soak_figure("%u times frozen, up to %ld requests in flight and %ld workers", rounds,
		    most_in_flight, most_workers);
	soak_figure("  worst freeze %.1f ms, worst thaw %.1f ms", in_ms(worst_freeze),
		    in_ms(worst_thaw));
	EXPECT_LT(0, most_in_flight);
	EXPECT_LT(0, most_workers);
}

TEST_HARNESS_MAIN
