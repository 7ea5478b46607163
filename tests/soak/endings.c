// SPDX-License-Identifier: GPL-2.0-only
/* Processes that fork, execute a program, exit or are killed, whatever their rings are doing. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "module.h"
#include "process.h"
#include "soak.h"
#include "state.h"

#define ROUNDS 200
#define LIMIT_S 7200
#define READY 1		/* byte of who is as far as it was to be */

enum ending {
	EXIT,
	KILL,
	EXEC,
	EXEC_HOLDING,	/* the descriptor stays open */
	FORK,		/* and a child closes, while the parent goes on */
	FORK_LATER,	/* likewise, and the child outlives the parent */
	ENDINGS,
};

static const char * const ending_names[ENDINGS] = {
	"exit", "kill", "exec", "exec that holds the ring", "fork", "fork that outlives",
};

/* What a process is to do. */
struct script {
	struct stage stage;
	const struct state *state;
	enum ending ending;
	bool has_waiter;	/* a second thread, in ENTER */
	int told[2];
	pid_t pid;
	struct ring ring;
};

FIXTURE(processes)
{
	struct script script;
};

FIXTURE_SETUP(processes)
{
	ASSERT_EQ(0, stage_open(&self->script.stage));
	ASSERT_EQ(0, pipe2(self->script.told, O_CLOEXEC));
}

FIXTURE_TEARDOWN(processes)
{
	stage_close(&self->script.stage);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

static void *wait_for_ever(void *arg)
{
	const struct ring *ring = arg;

	while (ring_enter(ring, 0, ring->setup.cq_entries) != -EBADF)
		;
	return NULL;
}

/* The ring is not a child's to drive, and a child can always let go of it. */
static int child(void *arg)
{
	const struct ring *ring = arg;

	if (ring_enter(ring, 1, 0) != -EPERM)
		return 1;
	return close(ring->fd) ? 2 : 0;
}

static int late_child(void *arg)
{
	struct script *script = arg;

	while (getppid() == script->pid)
		sleep_ms(1);
	return child(&script->ring);
}

static int end(struct script *script)
{
	switch (script->ending) {
	case KILL:
		for (;;)
			pause();
	case EXEC_HOLDING:
		if (fcntl(script->ring.fd, F_SETFD, 0))
			return 3;
		__attribute__((fallthrough));
	case EXEC:
		execl("/bin/busybox", "true", NULL);
		return 4;
	case FORK:
		return in_child(child, &script->ring);
	case FORK_LATER:
		return spawn(late_child, script) < 0 ? 5 : 0;
	default:
		return 0;
	}
}

static int play(void *arg)
{
	struct script *script = arg;
	const char ready = READY;
	pthread_t thread;

	script->pid = getpid();
	if (state_open(script->state, &script->stage, &script->ring))
		return 10;
	if (script->has_waiter && pthread_create(&thread, NULL, wait_for_ever, &script->ring))
		return 11;
	if (write(script->told[1], &ready, 1) != 1)
		return 12;
	return end(script);
}

static void run(struct __test_metadata *_metadata, struct script *script, __u64 *worst)
{
	const int expected = script->ending == KILL ? -SIGKILL : 0;
	pid_t pid = spawn(play, script);
	char ready = 0;
	__u64 begin;

	ASSERT_LT(0, pid);
	ASSERT_EQ(1, read(script->told[0], &ready, 1));
	begin = clock_now(CLOCK_MONOTONIC);
	if (script->ending == KILL)
		ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(await_exit(pid, 5 * SOON)) {
		TH_LOG("%s, %s", script->state->name, ending_names[script->ending]);
	}
	keep_worst(worst, begin);
	ASSERT_EQ(expected, outcome_of(pid)) {
		TH_LOG("%s, %s", script->state->name, ending_names[script->ending]);
	}
}

TEST_F_TIMEOUT(processes, end_in_every_state, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS), all = rounds * STATES * ENDINGS;
	unsigned int done = 0;
	__u64 worst = 0;

	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < STATES * ENDINGS; i++) {
			self->script.state = &states[i % STATES];
			self->script.ending = i / STATES;
			self->script.has_waiter = round % 2;
			run(_metadata, &self->script, &worst);
			soak_progress(++done, all);
		}
		ASSERT_STREQ("", counters_busy() ?: "");
	}
	soak_figure("%u processes, %d states of a ring, %d ways to end, worst end %.1f ms", done,
		    STATES, ENDINGS, in_ms(worst));
}

TEST_HARNESS_MAIN
