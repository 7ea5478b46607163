// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "mutator.h"
#include "steps.h"
#include "tally.h"
#include "worker.h"

#define INTERVAL_US 3000
#define FILE_LIMIT 0x100000
#define FD_LIMIT 256
#define LEAST_STEPS 4
#define MORE_STEPS 24

static void ignore(int signal)
{
	(void)signal;
}

void worker_interrupt(void)
{
	const struct itimerval often = {
		.it_interval.tv_usec = INTERVAL_US, .it_value.tv_usec = INTERVAL_US
	};

	setitimer(ITIMER_REAL, &often, NULL);
}

static void limit(int resource, rlim_t number)
{
	const struct rlimit limits = { number, number };

	setrlimit(resource, &limits);
}

/* Requests may name any descriptor: none is of use to anybody else. */
static int hide_descriptors(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	return null < 0 ? -errno : 0;
}

static int prepare(struct world *world)
{
	const struct sigaction interrupt = { .sa_handler = ignore };

	sigaction(SIGALRM, &interrupt, NULL);
	sigaction(SIGUSR1, &interrupt, NULL);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	limit(RLIMIT_FSIZE, FILE_LIMIT);
	limit(RLIMIT_NOFILE, FD_LIMIT);
	limit(RLIMIT_CORE, 0);
	return hide_descriptors() ?: world_make(world);
}

struct program worker_program(const struct assignment *assignment, unsigned int index)
{
	__u64 seed = assignment->seed ^ (index * 0x9e3779b97f4a7c15ULL);
	__u64 choice = random_next(&seed);

	if (assignment->only)
		return *assignment->only;
	if (!assignment->corpus_size || choice % 3 == 0)
		return program_new(seed);
	return program_changed(&assignment->corpus[(choice >> 8) % assignment->corpus_size], seed);
}

static void run(struct world *world, const struct program *program)
{
	struct source source = source_of(program);
	unsigned int steps = LEAST_STEPS + take_below(&source, MORE_STEPS);

	if (take_chance(&source, 2) || world_ring(world)->fd < 0)
		step_setup(world, &source, take_chance(&source, 2) ? 0 : IO_RING_SETUP_NO_SQARRAY);
	world->fds[KIND_RING] = world_ring(world)->fd;
	while (steps--)
		step(world, &source);
	mutator_stop();
	if (take_chance(&source, 4))
		world_ring_close(world_ring(world));
}

/* Keeps a program that has reached something new. */
static void judge(const struct assignment *assignment, const struct program *program)
{
	static long count;
	long now = reach_count();
	unsigned int place;

	if (now == count)
		return;
	count = now;
	if (!reach_add(assignment->known))
		return;
	place = __atomic_fetch_add(&tally->found, 1, __ATOMIC_ACQ_REL);
	if (place < TALLY_FOUND)
		tally->programs_found[place] = *program;
}

int worker_run(void *arg)
{
	const struct assignment *assignment = arg;
	struct world world = { };
	int error = prepare(&world);

	if (error) {
		tally_complain("nothing to work with: %s", strerrorname_np(-error));
		return 1;
	}
	setpgid(0, 0);
	worker_interrupt();
	for (unsigned int i = 0; i < assignment->count; i++) {
		struct program *program = &tally->running[assignment->number];

		*program = worker_program(assignment, i);
		run(&world, program);
		judge(assignment, program);
		__atomic_fetch_add(&tally->programs, 1, __ATOMIC_RELAXED);
	}
	return 0;
}
