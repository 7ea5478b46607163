/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call that is tried until it succeeds, each time with one more of its allocations and
 * copies passed before one fails.
 */
#ifndef FAULTS_TRIAL_H
#define FAULTS_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "ring.h"

#define ENTRIES 8
#define PIECE 512
#define ROOM (4 * 4096)

/* What a call is tried with: made anew each time. */
struct world {
	struct ring ring;	/* its fd is -1 if there is none */
	int control;
	int ends[2];		/* of a pipe */
	int sockets[2];
	int file;		/* on ext4, ROOM bytes of content number CONTENT */
	int event;		/* an eventfd */
	unsigned char *memory;	/* ROOM bytes */
	struct io_ring_sqe sqe;
};

#define CONTENT 3

struct trial {
	const char *name;
	bool (*prepare)(struct world *world);	/* nothing fails here; may be NULL */
	long (*call)(struct world *world);	/* -errno, or what it answered */
	bool (*holds)(struct world *world);	/* after a success; may be NULL */
	long answer;				/* of a success */
	bool may_be_short;			/* a success may be less than that */
	bool is_final;				/* it cannot fail, whatever fails inside */
};

/* How a trial went. */
struct outcome {
	unsigned int faults;	/* how many of its attempts met with a failure */
	unsigned int failed;	/* how many of them failed for it */
	const char *wrong;	/* what was not as it should be, or NULL */
	unsigned int at;	/* in which attempt, */
	long answer;		/* and what it had answered */
};

struct outcome trial_run(const struct trial *trial);

/* Calls that several trials have: entries are taken, and completions waited for. */
long call_request(struct world *world);

#endif
