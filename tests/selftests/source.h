/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of all kinds that can be waited for, with nothing in them to read. */
#ifndef SELFTESTS_SOURCE_H
#define SELFTESTS_SOURCE_H

#include <stdbool.h>

#define SOURCE_LEN 8		/* what to read from one: some give this, some give nothing less */

enum source_kind {
	SOURCE_PIPE,
	SOURCE_FIFO,		/* open for reading and writing: both of its queues count */
	SOURCE_SOCKET,
	SOURCE_TERMINAL,
	SOURCE_MASTER,		/* of a terminal */
	SOURCE_EVENTFD,
	SOURCE_TIMERFD,
	SOURCE_KINDS,
};

struct source {
	enum source_kind kind;
	int reader;
	int feeder;		/* may be the reader itself */
};

extern const char * const source_names[SOURCE_KINDS];

/* False, with errno, if it cannot be had. */
bool source_open(struct source *source, enum source_kind kind);
void source_close(struct source *source);

/* Makes it readable. The result is what a read of SOURCE_LEN bytes answers then, or -errno. */
int source_feed(const struct source *source);

#endif
