/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be under way in a ring when something happens to it. */
#ifndef SOAK_STATE_H
#define SOAK_STATE_H

#include "ring.h"

#define STATE_ENTRIES 16

/* What the states need besides a ring; made once. */
struct stage {
	int disk;	/* direct, and slow */
	int file;
	int pipe[2];	/* nothing is in it */
	unsigned char *memory;	/* a page */
};

/* The functions give -errno on failure. */
int stage_open(struct stage *stage);
void stage_close(struct stage *stage);

struct state {
	const char *name;
	int (*reach)(const struct stage *stage, struct ring *ring);
};

#define STATES 12
extern const struct state states[STATES];

/* Opens a ring and brings it into the state. */
int state_open(const struct state *state, const struct stage *stage, struct ring *ring);

#endif
