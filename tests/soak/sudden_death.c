// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are killed at random moments, with requests of every kind under way. */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "load.h"
#include "module.h"
#include "process.h"
#include "soak.h"

#define VICTIMS 5000
#define LIMIT_S 7200
#define LONGEST_LIFE_US 60000

FIXTURE(victims)
{
	struct load *load;
};

/* The seed can be given: the moments are then the same, as far as that goes. */
static unsigned int seed(void)
{
	const char *given = getenv("SOAK_SEED");

	return given ? atol(given) : time(NULL);
}

FIXTURE_SETUP(victims)
{
	self->load = load_new(0);
	ASSERT_NE(NULL, self->load);
}

FIXTURE_TEARDOWN(victims)
{
	load_free(self->load);
}

/* How many worker threads there are in the whole system. */
static int all_workers(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]))
			count += worker_count(atoi(entry->d_name));
	closedir(dir);
	return count;
}

TEST_F_TIMEOUT(victims, leave_nothing, LIMIT_S)
{
	unsigned int victims = soak_scaled(VICTIMS);
	unsigned int random = seed();
	unsigned int busy = 0;
	__u64 worst = 0;

	soak_figure("seed %u", random);
	self->load->random = random;
	for (unsigned int i = 0; i < victims; i++) {
		__u64 begin;
		pid_t victim;

		self->load->turns = 0;
		victim = spawn(load_run, self->load);
		ASSERT_LT(0, victim);
		usleep(rand_r(&random) % patience(LONGEST_LIFE_US));
		begin = clock_now(CLOCK_MONOTONIC);
		ASSERT_EQ(0, kill(victim, SIGKILL));
		ASSERT_TRUE(await_exit(victim, 2 * SOON)) {
			TH_LOG("victim %u of %u", i, victims);
		}
		keep_worst(&worst, begin);
		ASSERT_EQ(-SIGKILL, outcome_of(victim));
		busy += self->load->turns > 0;
		soak_progress(i, victims);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, all_workers());
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
	soak_figure("%u processes killed, %u of them busy, worst death %.1f ms", victims, busy,
		    in_ms(worst));
	EXPECT_LT(victims / 4, busy);
}

TEST_HARNESS_MAIN
