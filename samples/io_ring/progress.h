/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* One line on the terminal that shows how far a transfer is. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char	*what;
	uint64_t	total;		/* bytes, 0 if not known */
	double		started;	/* stopwatch time */
	double		shown;		/* stopwatch time of the last change, 0 before it */
	bool		visible;
};

/* Shows nothing if @quiet or if standard error is not a terminal. */
void progress_start(struct progress *progress, const char *what, uint64_t total, bool quiet);

/* To be called often; redraws a few times a second. */
void progress_update(struct progress *progress, uint64_t done);

/* Removes the line and returns how many seconds have passed since the start. */
double progress_stop(struct progress *progress);

#endif /* PROGRESS_H */
