/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that runs one engine on one job, a slice at a time when it is told.
 * Engines take turns that way and yet share nothing: threads and rings of one
 * change what a system call costs its process, not the others.
 */
#ifndef BENCH_RUNNER_H
#define BENCH_RUNNER_H

#include <stdint.h>
#include <sys/types.h>

#include "engine.h"

struct runner {
	const struct engine *engine;
	pid_t pid;
	int orders;
	int results;
};

void runner_start(struct runner *runner, const struct engine *engine,
		  const struct workload *workload, unsigned int depth);

/* Instructions that the requests took, all together. */
uint64_t runner_slice(const struct runner *runner, unsigned int requests);

void runner_stop(const struct runner *runner);

#endif
