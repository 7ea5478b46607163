/* SPDX-License-Identifier: GPL-2.0-only */
/* A way to have requests done. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include "job.h"

/*
 * Each engine runs in a process of its own, so what it keeps is static, and what
 * it makes ends with the process.
 */
struct engine {
	const char *name;
	bool needs_file;
	bool one_at_a_time;	/* the same at any depth */
	void (*open)(const struct job *job);
	/*
	 * Do that many requests, a multiple of the depth, keeping as many as that
	 * under way. The job is a copy so that the compiler keeps it in registers.
	 */
	void (*run)(struct job job, unsigned int requests);
};

extern const struct engine engine_sync;
extern const struct engine engine_libaio;
extern const struct engine engine_io_uring;
extern const struct engine engine_io_uring_best;
extern const struct engine engine_io_ring;
extern const struct engine engine_io_ring_best;

#endif
