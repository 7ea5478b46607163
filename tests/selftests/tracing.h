/* SPDX-License-Identifier: GPL-2.0-only */
/* Listening to the tracepoints of the module, with a buffer of one's own. */
#ifndef SELFTESTS_TRACING_H
#define SELFTESTS_TRACING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tracing {
	char mount[32];		/* where tracefs is */
	char instance[64];	/* the directory there with the buffer */
	char text[1 << 18];	/* what tracing_read() has read */
};

/* Functions that return int give -errno on failure. */

/* Mount tracefs, and make a buffer in which nothing is recorded yet. */
int tracing_begin(struct tracing *tracing);
void tracing_end(struct tracing *tracing);

/* Write to a file below the instance. */
int tracing_set(const struct tracing *tracing, const char *file, const char *value);

/* Whether to record an event, by its name without "io_ring_", or all of them if that is NULL. */
int tracing_enable(const struct tracing *tracing, const char *event, bool enable);

/* Read what has been recorded since tracing_forget(). */
int tracing_read(struct tracing *tracing);
int tracing_forget(const struct tracing *tracing);

/* How many of the lines that have been read have "io_ring_" and these words in them. */
#define tracing_count(tracing, ...)	tracing_lines(tracing, NULL, __VA_ARGS__)

/* The same; and, unless last is NULL, the thread that the last of them is about. */
unsigned int tracing_lines(const struct tracing *tracing, pid_t *last, const char *format, ...);

/* Read until there is such a line, for a while. */
bool tracing_await(struct tracing *tracing, const char *format, ...);

#endif
