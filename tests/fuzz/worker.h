/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that runs programs. */
#ifndef FUZZ_WORKER_H
#define FUZZ_WORKER_H

#include "reach.h"
#include "source.h"

/* What one worker does. */
struct assignment {
	unsigned int number;		/* among those at the same time */
	unsigned int count;		/* of programs */
	__u64 seed;
	const struct program *corpus;	/* what programs are like, or none */
	unsigned int corpus_size;
	const struct program *only;	/* nothing but this one, or NULL */
	struct reach *known;		/* shared by all */
};

/* To be spawned; 0 on success. */
int worker_run(void *assignment);

/* From now on signals interrupt what this process sleeps in, again and again. */
void worker_interrupt(void);

/* The program that runs as number index of an assignment. */
struct program worker_program(const struct assignment *assignment, unsigned int index);

#endif
