// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "stopwatch.h"

#define REDRAW_SECONDS	0.2
#define BAR_WIDTH	30

void progress_start(struct progress *progress, const char *what, uint64_t total, bool quiet)
{
	*progress = (struct progress){
		.what = what,
		.total = total,
		.started = stopwatch_now(),
		.visible = !quiet && isatty(STDERR_FILENO),
	};
}

static void draw_bar(double part)
{
	static const char full[] = "##############################";
	int filled = (int)(part * BAR_WIDTH);

	fprintf(stderr, " [%.*s%*s] %3d%%", filled, full, BAR_WIDTH - filled, "",
		(int)(part * 100));
}

void progress_update(struct progress *progress, uint64_t done)
{
	double now, seconds;

	if (!progress->visible)
		return;
	now = stopwatch_now();
	if (now - progress->shown < REDRAW_SECONDS)
		return;
	progress->shown = now;
	seconds = now - progress->started;

	fprintf(stderr, "\r%s", progress->what);
	if (progress->total && done <= progress->total)
		draw_bar((double)done / (double)progress->total);
	fprintf(stderr, " %.1f MB, %.1f MB/s\033[K", (double)done / 1e6,
		seconds > 0 ? (double)done / 1e6 / seconds : 0);
}

double progress_stop(struct progress *progress)
{
	if (progress->shown > 0)
		fputs("\r\033[K", stderr);
	return stopwatch_now() - progress->started;
}
