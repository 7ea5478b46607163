// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that nobody has written: batches of them, each of which leaves nothing behind.
 *
 * FUZZ_SECONDS  for how long (default 30)
 * FUZZ_SEED     what all random numbers come from (default: the time)
 * FUZZ_CORPUS   a file of programs to begin with, one a line
 * FUZZ_PROGRAM  such a line: nothing but this program
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#include "await.h"
#include "clock.h"
#include "module.h"
#include "process.h"
#include "reach.h"
#include "soak.h"
#include "tally.h"
#include "worker.h"
#include "world.h"

#define DEFAULT_SECONDS 30
#define WORKERS 3
#define PROGRAMS 40		/* of each worker of a batch */
#define RELOAD 16		/* batches between two unloads */
#define CORPUS 1024
#define LINE (2 * PROGRAM_BYTES + 20)

static struct program corpus[CORPUS];
static unsigned int corpus_size;

static __u64 setting(const char *name, __u64 otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void print_program(char *line, const struct program *program)
{
	int length = sprintf(line, "%016llx ", program->seed);

	for (unsigned int i = 0; i < program->length; i++)
		length += sprintf(line + length, "%02x", program->bytes[i]);
}

static bool parse_program(const char *line, struct program *program)
{
	unsigned int byte;
	int at = 0;

	*program = (struct program) { };
	if (sscanf(line, "%llx %n", &program->seed, &at) < 1)
		return false;
	while (program->length < PROGRAM_BYTES && sscanf(line + at, "%2x", &byte) == 1) {
		program->bytes[program->length++] = byte;
		at += 2;
	}
	return program->length > 0;
}

static void keep(const struct program *program)
{
	if (corpus_size < CORPUS)
		corpus[corpus_size++] = *program;
}

static void read_corpus(const char *path)
{
	FILE *file = path ? fopen(path, "r") : NULL;
	struct program program;
	char line[LINE + 2];

	while (file && fgets(line, sizeof(line), file))
		if (parse_program(line, &program))
			keep(&program);
	if (file)
		fclose(file);
}

FIXTURE(programs)
{
	struct reach *known;
	struct program only;
	bool has_only;
	__u64 seed;
	unsigned int seconds;
	unsigned int reached;
};

FIXTURE_SETUP(programs)
{
	const char *only = getenv("FUZZ_PROGRAM");

	ASSERT_EQ(0, tally_map());
	self->known = mmap(NULL, sizeof(*self->known), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->known);
	self->seconds = setting("FUZZ_SECONDS", DEFAULT_SECONDS);
	self->seed = setting("FUZZ_SEED", clock_now(CLOCK_REALTIME));
	self->has_only = only && parse_program(only, &self->only);
	read_corpus(getenv("FUZZ_CORPUS"));
	ASSERT_EQ(0, world_disk_make());
	ASSERT_EQ(0, world_module_reload());
	/* Who dies leaves its children to this process. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ksft_print_msg("figure: seed %llu, %u programs to begin with\n", self->seed, corpus_size);
}

FIXTURE_TEARDOWN(programs)
{
	world_disk_destroy();
}

static void print_running(unsigned int worker)
{
	char line[LINE + 1];

	print_program(line, &tally->running[worker]);
	ksft_print_msg("program: %s\n", line);
}

/* Where all processes are, in the log. */
static void print_stuck(void)
{
	text_write("/proc/sys/kernel/sysrq", "1");
	text_write("/proc/sysrq-trigger", "t");
}

/* Some are killed on purpose; others by themselves, if a request has overwritten what they need. */
static bool judge_end(unsigned int worker, int status)
{
	if (!status || WIFSIGNALED(status))
		return true;
	tally_complain("worker %u ended with status %#x", worker, status);
	print_running(worker);
	return false;
}

/* Until all children have ended, those of children too; one that has not is killed. */
static bool reap(const pid_t *workers)
{
	long end = now_ms() + patience(60 * SOON);
	bool is_good = true;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) >= 0 || errno == EINTR) {
		if (pid > 0) {
			for (int i = 0; i < WORKERS; i++)
				is_good &= pid != workers[i] || judge_end(i, status);
		} else if (now_ms() > end) {
			for (int i = 0; i < WORKERS; i++)
				print_running(i);
			tally_complain("a process does not end");
			print_stuck();
			for (int i = 0; i < WORKERS; i++)
				kill(-workers[i], SIGKILL);
			end = now_ms() + patience(60 * SOON);
			is_good = false;
		} else {
			usleep(2000);
		}
	}
	return is_good;
}

/* Keeps what was found, and tells scripts/fuzz. */
static unsigned int harvest(void)
{
	unsigned int found = tally->found < TALLY_FOUND ? tally->found : TALLY_FOUND;
	char line[LINE + 1];

	for (unsigned int i = 0; i < found; i++) {
		keep(&tally->programs_found[i]);
		print_program(line, &tally->programs_found[i]);
		ksft_print_msg("corpus: %s\n", line);
	}
	tally->found = 0;
	return found;
}

static void print_progress(const struct _test_data_programs *self, unsigned int batch, long seconds)
{
	ksft_print_msg("progress: %ld s, batch %u: %lu programs, %lu SQEs, %u edges, %u kept\n",
		       seconds, batch, tally->programs, tally->sqes, reach_size(self->known),
		       corpus_size);
}

static void run_batch(struct __test_metadata *_metadata, struct _test_data_programs *self,
		      __u64 *random)
{
	struct assignment assignments[WORKERS];
	pid_t workers[WORKERS];

	for (unsigned int i = 0; i < WORKERS; i++) {
		assignments[i] = (struct assignment) {
			.number = i,
			.count = PROGRAMS,
			.seed = random_next(random),
			.corpus = corpus,
			.corpus_size = corpus_size,
			.only = self->has_only ? &self->only : NULL,
			.known = self->known,
		};
		workers[i] = spawn(worker_run, &assignments[i]);
		ASSERT_LT(0, workers[i]);
	}
	if (random_next(random) % 4 == 0) {
		usleep(random_next(random) % 200000);
		kill(workers[random_next(random) % WORKERS], SIGKILL);
	}
	EXPECT_TRUE(reap(workers));
}

TEST_F_TIMEOUT(programs, leave_nothing_behind, 100000)
{
	long begin = now_ms(), end = begin + 1000L * self->seconds;
	__u64 random = self->seed;
	bool tells = reach_open();

	for (unsigned int batch = 1; now_ms() < end; batch++) {
		run_batch(_metadata, self, &random);
		EXPECT_STREQ("", counters_busy_after(patience(10 * SOON)) ?: "");
		EXPECT_STREQ("", tally->complaint);
		if (batch % RELOAD == 0) {
			ASSERT_EQ(0, world_module_reload());
			reach_open();
		}
		if (harvest() || batch % RELOAD == 0)
			print_progress(self, batch, (now_ms() - begin) / 1000);
		if (_metadata->exit_code != KSFT_PASS)
			break;
	}
	tally_print();
	EXPECT_LT(0, tally->sqes);
	EXPECT_LT(0, tally->cqes);
	if (tells)
		reach_print(self->known);
}

TEST_HARNESS_MAIN
