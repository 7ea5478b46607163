/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that hold a ring and do with it what they are told. */
#ifndef SELFTESTS_ACTOR_H
#define SELFTESTS_ACTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

struct actor {
	pid_t pid;	/* a child of the test, 0 if there is none any more */
	int socket;
};

/* What an actor can be told: its result is not negative unless it is -errno. */
typedef int (*actor_fn)(struct ring *ring);

/* A new process with a mapping of its own of a ring whose descriptor it inherits. */
bool actor_start(struct actor *actor, const struct ring *ring);

/* Has the actor do something; -EPIPE if it did not live to tell the result. */
int actor_ask(const struct actor *actor, actor_fn fn);

/* The same in two steps. */
bool actor_tell(const struct actor *actor, actor_fn fn);
int actor_answer(const struct actor *actor);

/* Ends it, whatever it does; it has ended and been waited for when this returns. */
void actor_end(struct actor *actor);

/* How a process lets go of a ring. Returns when it has, and says whether it did. */
bool actor_exits(struct actor *actor);
bool actor_is_killed(struct actor *actor);
bool actor_executes(struct actor *actor);
bool actor_executes_holding(struct actor *actor);	/* its descriptor stays open */

#endif
