// SPDX-License-Identifier: GPL-2.0-only
/* A processor comes and goes under a process that does a bit of everything. */
#include <signal.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "load.h"
#include "module.h"
#include "soak.h"

#define ROUNDS 1000
#define LIMIT_S 7200
#define PROCESSOR "/sys/devices/system/cpu/cpu1/online"

FIXTURE(hotplug)
{
	struct load *load;
};

FIXTURE_SETUP(hotplug)
{
	self->load = load_new(2);
	ASSERT_NE(NULL, self->load);
	ASSERT_EQ(0, load_start(self->load));
}

FIXTURE_TEARDOWN(hotplug)
{
	EXPECT_EQ(0, text_write(PROCESSOR, "1"));
	EXPECT_EQ(-SIGKILL, load_kill(self->load));
	load_free(self->load);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static bool await_turn(const struct load *load, __u64 *worst)
{
	const unsigned long turns = __atomic_load_n(&load->turns, __ATOMIC_ACQUIRE);
	const __u64 begin = clock_now(CLOCK_MONOTONIC);
	const long end = now_ms() + patience(10 * SOON);

	while (__atomic_load_n(&load->turns, __ATOMIC_ACQUIRE) == turns) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	keep_worst(worst, begin);
	return true;
}

TEST_F_TIMEOUT(hotplug, of_a_processor, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	const unsigned long turns = self->load->turns;
	__u64 worst = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		ASSERT_EQ(0, text_write(PROCESSOR, "0"));
		ASSERT_TRUE(await_turn(self->load, &worst));
		ASSERT_EQ(0, text_write(PROCESSOR, "1"));
		ASSERT_TRUE(await_turn(self->load, &worst));
		soak_progress(round, rounds);
	}
	soak_figure("%u times off and on, %lu turns meanwhile, the longest %.1f ms", rounds,
		    self->load->turns - turns, in_ms(worst));
}

TEST_HARNESS_MAIN
