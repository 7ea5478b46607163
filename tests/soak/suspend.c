// SPDX-License-Identifier: GPL-2.0-only
/* Rings that are busy keep no system from being suspended, and go on afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/suspend_ioctls.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "load.h"
#include "module.h"
#include "process.h"
#include "soak.h"

#define FREEZES 200
#define SUSPENDS 20
#define LIMIT_S 3600
#define FREEZE (2 * SOON)
#define TURNS 20

#define WAKE_ALARM "/sys/class/rtc/rtc0/wakealarm"
#define WAKE_AFTER "+4"		/* seconds */

FIXTURE(suspend)
{
	struct load *load;
};

FIXTURE_SETUP(suspend)
{
	self->load = load_new(1);
	ASSERT_NE(NULL, self->load);
	ASSERT_EQ(0, load_start(self->load));
}

FIXTURE_TEARDOWN(suspend)
{
	EXPECT_EQ(-SIGKILL, load_kill(self->load));
	load_free(self->load);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Waits until the process has done something more. */
static bool goes_on(const struct load *load)
{
	unsigned long turns = __atomic_load_n(&load->turns, __ATOMIC_ACQUIRE);
	long end = now_ms() + patience(5 * SOON);

	while (__atomic_load_n(&load->turns, __ATOMIC_ACQUIRE) < turns + TURNS) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* What a suspend begins with: all processes are frozen but the one that asks for it. */
TEST_F_TIMEOUT(suspend, processes_are_frozen, LIMIT_S)
{
	unsigned int rounds = soak_scaled(FREEZES);
	int fd = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
	__u64 worst = 0;

	ASSERT_LE(0, fd);
	for (unsigned int i = 0; i < rounds; i++) {
		__u64 begin = clock_now(CLOCK_MONOTONIC);

		ASSERT_EQ(0, ioctl(fd, SNAPSHOT_FREEZE)) {
			TH_LOG("round %u of %u: %s", i, rounds, strerror(errno));
		}
		keep_worst(&worst, begin);
		ASSERT_EQ(0, ioctl(fd, SNAPSHOT_UNFREEZE));
		ASSERT_TRUE(goes_on(self->load));
		soak_progress(i, rounds);
	}
	close(fd);
	soak_figure("all processes frozen %u times with busy workers, worst %.1f ms", rounds,
		    in_ms(worst));
	EXPECT_GT(FREEZE * MS, worst);
}

TEST_F_TIMEOUT(suspend, to_memory, LIMIT_S)
{
	unsigned int rounds = soak_scaled(SUSPENDS);

	for (unsigned int i = 0; i < rounds; i++) {
		/* An alarm may have been left. */
		text_write(WAKE_ALARM, "0");
		ASSERT_EQ(0, text_write(WAKE_ALARM, WAKE_AFTER));
		ASSERT_EQ(0, text_write("/sys/power/state", "mem")) {
			TH_LOG("round %u of %u", i, rounds);
		}
		ASSERT_TRUE(goes_on(self->load));
		soak_progress(i, rounds);
	}
	soak_figure("suspended to memory and resumed %u times with busy workers", rounds);
}

TEST_HARNESS_MAIN
