// SPDX-License-Identifier: GPL-2.0-only
/* Somebody tries to unload the module all the time, while rings come, work and go. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "module.h"
#include "process.h"
#include "soak.h"
#include "state.h"

#define UNLOADS 500
#define LIMIT_S 7200
#define USERS 2
#define LONGEST_PAUSE_US 30000

/* A process that opens rings, each in another state, and closes them. */
struct user {
	const struct stage *stage;
	unsigned int seed;
	unsigned int rings;
	unsigned int missing;	/* times that there was no module */
	pid_t pid;
};

FIXTURE(unloading)
{
	struct stage stage;
	struct user *users;
};

FIXTURE_SETUP(unloading)
{
	ASSERT_EQ(0, stage_open(&self->stage));
	self->users = mmap(NULL, USERS * sizeof(*self->users), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->users);
}

FIXTURE_TEARDOWN(unloading)
{
	stage_close(&self->stage);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* What opening says while there is no module. */
static bool is_missing(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO;
}

static int use(void *arg)
{
	struct user *user = arg;
	unsigned int random = user->seed;

	for (;;) {
		struct ring ring;
		int error = state_open(&states[rand_r(&random) % STATES], user->stage, &ring);

		if (!error) {
			user->rings++;
			ring_close(&ring);
		} else if (is_missing(error)) {
			user->missing++;
		} else {
			return -error;
		}
		usleep(rand_r(&random) % LONGEST_PAUSE_US);
	}
}

TEST_F_TIMEOUT(unloading, is_refused_or_complete, LIMIT_S)
{
	const unsigned int unloads = soak_scaled(UNLOADS);
	unsigned int unloaded = 0, rings = 0, missing = 0;
	unsigned long refused = 0;

	for (unsigned int i = 0; i < USERS; i++) {
		self->users[i].stage = &self->stage;
		self->users[i].seed = i;
		self->users[i].pid = spawn(use, &self->users[i]);
		ASSERT_LT(0, self->users[i].pid);
	}
	while (unloaded < unloads) {
		int error = module_unload();

		if (error) {
			ASSERT_EQ(-EWOULDBLOCK, error);
			refused++;
			continue;
		}
		/* Nothing of it is left, and it can come again. */
		ASSERT_NE(0, access(CONTROL_NODE, F_OK));
		ASSERT_EQ(0, module_load());
		soak_progress(++unloaded, unloads);
	}
	for (unsigned int i = 0; i < USERS; i++) {
		ASSERT_EQ(0, kill(self->users[i].pid, SIGKILL));
		EXPECT_EQ(-SIGKILL, outcome_of(self->users[i].pid));
		rings += self->users[i].rings;
		missing += self->users[i].missing;
	}
	soak_figure("%u times unloaded, %lu times refused; %u rings, %u times there was no module",
		    unloaded, refused, rings, missing);
	EXPECT_LT(0, refused);
	EXPECT_LT(0, rings);
}

TEST_HARNESS_MAIN
