/* SPDX-License-Identifier: GPL-2.0-only */
/* The objects that twin transfers work on. */
#ifndef SELFTESTS_TARGET_H
#define SELFTESTS_TARGET_H

#include <stdbool.h>

#include "twin.h"

struct endpoint {
	int fd;			/* the transfer works on this one */
	int peer;		/* sees what was written, or -1 */
	int feeder;		/* keeps the other end of a reader open, or -1 */
};

struct target {
	const char *name;
	bool positioned;
	/* Open in a state that is always the same, with open(2) flags; false with errno. */
	bool (*open)(struct endpoint *endpoint, int mode);
};

extern const struct target targets[TWIN_TARGETS];

void endpoint_close(struct endpoint *endpoint);

#endif
