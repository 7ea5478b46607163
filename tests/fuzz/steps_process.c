// SPDX-License-Identifier: GPL-2.0-only
/* What goes on between processes: they inherit rings, get them sent, and die. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mutator.h"
#include "process.h"
#include "steps.h"
#include "worker.h"

#define CHILD_STEPS 4

/* In a child: timers are not inherited, and only such rings are as were made so. */
static void inherit(struct world *world)
{
	worker_interrupt();
	for (int i = 0; i < WORLD_RINGS; i++)
		if (!(world->rings[i].setup.flags & IO_RING_SETUP_FORK_SHARED))
			world->rings[i].region = NULL;
}

static void live(struct world *world, struct source *source)
{
	inherit(world);
	if (take_chance(source, 4))
		become_other();
	for (int i = 0; i < CHILD_STEPS; i++) {
		if (take_chance(source, 2))
			step_submit(world, source);
		else
			step_register(world, source);
	}
	if (take_chance(source, 4))
		kill(getpid(), SIGKILL);
	_exit(0);
}

void step_fork(struct world *world, struct source *source)
{
	pid_t child;

	/* A child has no such thread, but believes it has. */
	mutator_stop();
	child = fork();
	if (!child)
		live(world, source);
	if (child > 0) {
		step_submit(world, source);
		if (take_chance(source, 2))
			kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

/* Another program, which has the ring and nothing to do with it. */
void step_exec(struct world *world, struct source *source)
{
	int fd = world_ring(world)->fd;
	char *const arguments[] = { "true", NULL };
	pid_t child;

	mutator_stop();
	child = fork();
	if (!child) {
		inherit(world);
		step_submit(world, source);
		fcntl(fd, F_SETFD, 0);
		execv("/bin/true", arguments);
		_exit(1);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A ring is sent, and got, or lost on the way. */
void step_pass(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);
	int got;

	if (ring->fd < 0 || fcntl(world->fds[KIND_SOCKET], F_SETFL, O_NONBLOCK) ||
	    fcntl(world->fds[KIND_PEER], F_SETFL, O_NONBLOCK))
		return;
	if (send_fd(world->fds[KIND_SOCKET], ring->fd) || take_chance(source, 2))
		return;
	got = recv_fd(world->fds[KIND_PEER]);
	if (got >= 0 && take_chance(source, 2)) {
		close(ring->fd);
		ring->fd = got;
	} else if (got >= 0) {
		close(got);
	}
}
