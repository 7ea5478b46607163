// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "await.h"
#include "module.h"
#include "process.h"

#define LONG 10000	/* milliseconds; how fast a process is replaced is not what is tested */

static int act(struct ring *ring, int socket)
{
	actor_fn fn;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ring->region = mmap(NULL, ring->setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    ring->fd, IO_RING_OFF_REGION);
	if (ring->region == MAP_FAILED)
		return 100;
	while (read(socket, &fn, sizeof(fn)) == sizeof(fn)) {
		int result = fn(ring);

		if (write(socket, &result, sizeof(result)) != sizeof(result))
			return 101;
	}
	return 0;
}

bool actor_start(struct actor *actor, const struct ring *ring)
{
	struct ring own = *ring;
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return false;
	actor->pid = fork();
	if (actor->pid == 0) {
		close(sockets[0]);
		_exit(act(&own, sockets[1]));
	}
	close(sockets[1]);
	actor->socket = sockets[0];
	return actor->pid > 0;
}

bool actor_tell(const struct actor *actor, actor_fn fn)
{
	return send(actor->socket, &fn, sizeof(fn), MSG_NOSIGNAL) == sizeof(fn);
}

int actor_answer(const struct actor *actor)
{
	int result;

	return read(actor->socket, &result, sizeof(result)) == sizeof(result) ? result : -EPIPE;
}

int actor_ask(const struct actor *actor, actor_fn fn)
{
	return actor_tell(actor, fn) ? actor_answer(actor) : -EPIPE;
}

void actor_end(struct actor *actor)
{
	if (actor->pid > 0) {
		kill(actor->pid, SIGKILL);
		outcome_of(actor->pid);
		close(actor->socket);
	}
	actor->pid = 0;
}

static int leave(struct ring *ring)
{
	(void)ring;
	_exit(0);
}

bool actor_exits(struct actor *actor)
{
	int outcome = actor_tell(actor, leave) ? outcome_of(actor->pid) : 256;

	close(actor->socket);
	actor->pid = 0;
	return outcome == 0;
}

bool actor_is_killed(struct actor *actor)
{
	actor_end(actor);
	return true;
}

static int execute(struct ring *ring)
{
	(void)ring;
	execl("/bin/sleep", "sleep", "100", NULL);
	return -errno;
}

static int execute_holding(struct ring *ring)
{
	return fcntl(ring->fd, F_SETFD, 0) ? -errno : execute(ring);
}

static bool becomes_sleep(const struct actor *actor, actor_fn fn)
{
	long end = now_ms() + patience(LONG);
	char path[32], name[32];

	if (!actor_tell(actor, fn))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/comm", actor->pid);
	while (now_ms() < end) {
		if (!text_read(path, name, sizeof(name)) && !strcmp(name, "sleep\n"))
			return true;
		sleep_ms(1);
	}
	return false;
}

bool actor_executes(struct actor *actor)
{
	return becomes_sleep(actor, execute);
}

bool actor_executes_holding(struct actor *actor)
{
	return becomes_sleep(actor, execute_holding);
}
