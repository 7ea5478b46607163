/* SPDX-License-Identifier: GPL-2.0-only */
/* What is measured: a kind of request to a kind of file. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdbool.h>

struct workload {
	const char *name;
	const char *path;	/* NULL: requests that do nothing */
	unsigned int block;	/* bytes a request */
	unsigned int weight;	/* requests for one of others: where interrupts would show */
	bool write;
	bool direct;
	bool fixed;		/* the best form of a ring registers the buffers */
	/* With fewer under way the processor waits for the device, and time is no measure. */
	unsigned int least_depth;
};

extern const struct workload workloads[];
extern const unsigned int workloads_nr;

const struct workload *workload_named(const char *name);

#endif
