// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures what a request costs, in instructions, with each engine in turn.
 *
 * usage: bench --requests N --slices N --depth N... [WORKLOAD...]
 *
 * Prints a line for each slice: workload, depth, engine, requests, instructions.
 */
#include <getopt.h>
#include <signal.h>

#include "array.h"
#include "clock.h"
#include "fail.h"
#include "runner.h"

static const struct engine *const engines[] = {
	&engine_sync, &engine_libaio, &engine_io_uring, &engine_io_uring_best, &engine_io_ring,
	&engine_io_ring_best,
};

#define DEPTHS_MAX 16

static struct {
	unsigned int requests;	/* in a slice */
	unsigned int slices;
	unsigned int depths[DEPTHS_MAX];
	unsigned int depths_nr;
} options;

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!value || *end || value > 1000000)
		fail("'%s' makes no sense", text);
	return value;
}

/* Returns the index of the first workload in argv. */
static int parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "requests", required_argument, NULL, 'r' },
		{ "slices", required_argument, NULL, 's' },
		{ "depth", required_argument, NULL, 'd' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'r')
			options.requests = number(optarg);
		else if (option == 's')
			options.slices = number(optarg);
		else if (option == 'd' && options.depths_nr < DEPTHS_MAX)
			options.depths[options.depths_nr++] = number(optarg);
		else
			fail("see the head of main.c for the options");
	}
	if (!options.requests || !options.slices || !options.depths_nr)
		fail("--requests, --slices and --depth are needed");
	return optind;
}

/* What is the same at any depth is measured at the least. */
static bool fits(const struct engine *engine, const struct workload *workload, unsigned int index)
{
	if (engine->needs_file && !workload->path)
		return false;
	return !engine->one_at_a_time || !index ||
	       options.depths[index - 1] < workload->least_depth;
}

static void measure(const struct workload *workload, unsigned int index)
{
	unsigned int depth = options.depths[index];
	unsigned int requests = options.requests * (workload->weight ?: 1);
	struct runner runners[ARRAY_SIZE(engines)];
	unsigned int nr = 0, slice, i;
	uint64_t spent;

	/* The engine starts depth requests at once: whole multiples keep slices alike. */
	requests = (requests + depth - 1) / depth * depth;
	for (i = 0; i < ARRAY_SIZE(engines); i++) {
		if (fits(engines[i], workload, index))
			runner_start(&runners[nr++], engines[i], workload, depth);
	}
	/* The first round warms up: memory, and what the kernel keeps per task. */
	for (slice = 0; slice <= options.slices; slice++) {
		for (i = 0; i < nr; i++) {
			spent = runner_slice(&runners[i], requests);
			if (slice)
				printf("%s %u %s %u %llu\n", workload->name, depth,
				       runners[i].engine->name, requests,
				       (unsigned long long)spent);
		}
	}
	for (i = 0; i < nr; i++)
		runner_stop(&runners[i]);
}

static void measure_all(const struct workload *workload)
{
	unsigned int index;

	for (index = 0; index < options.depths_nr; index++) {
		if (options.depths[index] >= workload->least_depth)
			measure(workload, index);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int i;
	int arg = parse(argc, argv);

	signal(SIGPIPE, SIG_IGN);
	clock_check();
	for (i = 0; arg == argc && i < workloads_nr; i++)
		measure_all(&workloads[i]);
	for (; arg < argc; arg++) {
		const struct workload *workload = workload_named(argv[arg]);

		if (!workload)
			fail("no workload is called '%s'", argv[arg]);
		measure_all(workload);
	}
	return 0;
}
