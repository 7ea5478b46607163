// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "source.h"
#include "target.h"

const char * const source_names[SOURCE_KINDS] = {
	[SOURCE_PIPE] = "pipe",
	[SOURCE_FIFO] = "fifo",
	[SOURCE_SOCKET] = "socket",
	[SOURCE_TERMINAL] = "terminal",
	[SOURCE_MASTER] = "master",
	[SOURCE_EVENTFD] = "eventfd",
	[SOURCE_TIMERFD] = "timerfd",
};

/* The end that does not work in a transfer sees what the other one writes. */
static bool open_ends(struct source *source, enum twin_target target, int mode)
{
	struct endpoint ends = { .fd = -1, .peer = -1, .feeder = -1 };
	bool opened = targets[target].open(&ends, mode);

	source->reader = ends.peer;
	source->feeder = ends.fd;
	return opened;
}

static bool open_backwards(struct source *source, enum twin_target target)
{
	struct source other;
	bool opened = open_ends(&other, target, O_RDWR);

	source->reader = other.feeder;
	source->feeder = other.reader;
	return opened;
}

static bool open_alone(struct source *source, int fd)
{
	source->reader = fd;
	source->feeder = fd;
	return fd >= 0;
}

static bool open_fifo(struct source *source)
{
	int ends[2];
	int fd;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	fd = reopen(ends[0], O_RDWR);
	close(ends[0]);
	close(ends[1]);
	return open_alone(source, fd);
}

bool source_open(struct source *source, enum source_kind kind)
{
	*source = (struct source) { .kind = kind, .reader = -1, .feeder = -1 };
	switch (kind) {
	case SOURCE_PIPE:
		return open_ends(source, TWIN_PIPE, O_WRONLY);
	case SOURCE_FIFO:
		return open_fifo(source);
	case SOURCE_SOCKET:
		return open_ends(source, TWIN_SOCKET, O_WRONLY);
	case SOURCE_TERMINAL:
		return open_backwards(source, TWIN_TERMINAL);
	case SOURCE_MASTER:
		return open_ends(source, TWIN_TERMINAL, O_RDWR);
	case SOURCE_EVENTFD:
		return open_alone(source, eventfd(0, EFD_CLOEXEC));
	case SOURCE_TIMERFD:
		return open_alone(source, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	case SOURCE_KINDS:
		break;
	}
	return false;
}

void source_close(struct source *source)
{
	if (source->feeder != source->reader)
		close(source->feeder);
	close(source->reader);
}

static int feed_timer(int fd)
{
	const struct itimerspec now = { .it_value = { .tv_nsec = 1 } };

	return timerfd_settime(fd, 0, &now, NULL) ? -errno : SOURCE_LEN;
}

int source_feed(const struct source *source)
{
	const uint64_t one = 1;
	size_t len = source->kind == SOURCE_EVENTFD ? sizeof(one) : 1;

	if (source->kind == SOURCE_TIMERFD)
		return feed_timer(source->feeder);
	return write(source->feeder, &one, len) == (ssize_t)len ? (int)len : -errno;
}
