// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* io_ring-tail: the end of a file, and what is appended to it. Uses no library. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/io_ring.h>

#include "status.h"

#define BUFFER_SIZE	65536
#define LINES		10

/* What a request is for: its user_data. */
enum { CHANGE, EVENTS, DATA };

struct tail {
	int fd;
	/* An inotify that tells of changes, or -1. */
	int changes;
	uint64_t offset;
	char buffer[BUFFER_SIZE];
	char events[4096];
};

static const char help[] =
	"Usage: io_ring-tail FILE\n"
	"Writes the last 10 lines of FILE to standard output, and then what is appended\n"
	"to it, until it is ended by a signal. All waiting and reading is done through\n"
	"/dev/io_ring.\n"
	"\n"
	"  -h, --help      this text\n"
	"\n"
	"Exit status: 1 something failed, 2 wrong usage.\n";

static int ring_fd;
static char *region;
static struct io_ring_setup setup = {
	.size = sizeof(setup),
	.flags = IO_RING_SETUP_NO_SQARRAY,
	.entries = 4,
};

static void make_ring(void)
{
	int device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(STATUS_FAILED, "/dev/io_ring");
	ring_fd = ioctl(device, IO_RING_SETUP, &setup);
	if (ring_fd < 0)
		err(STATUS_FAILED, "no ring");
	close(device);
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
		      IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(STATUS_FAILED, "cannot map the ring");
}

static uint32_t *word(uint32_t offset)
{
	return (uint32_t *)(region + offset);
}

/* The next entry, which enter() offers. There are never more than 4. */
static struct io_ring_sqe *next_entry(uint8_t opcode, int fd, uint64_t user_data)
{
	uint32_t *tail = word(setup.sq_off.tail);
	struct io_ring_sqe *sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);

	sqe += *tail & (setup.entries - 1);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = user_data;
	/* Nobody but enter() has the kernel look at it. */
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELAXED);
	return sqe;
}

/* Offers what is new, and waits for a completion. */
static void enter(void)
{
	/* The kernel has copied what is before the head. */
	uint32_t head = __atomic_load_n(word(setup.sq_off.head), __ATOMIC_ACQUIRE);
	struct io_ring_enter arg = {
		.to_submit = *word(setup.sq_off.tail) - head,
		.min_complete = 1,
	};

	if (ioctl(ring_fd, IO_RING_ENTER, &arg) < 0 && errno != EINTR)
		err(STATUS_FAILED, "the ring failed");
}

/* Waits for the next completion. */
static struct io_ring_cqe next_completion(void)
{
	uint32_t *head = word(setup.cq_off.head);
	struct io_ring_cqe cqe;

	/* Acquire: the completion is read after the tail. */
	while (__atomic_load_n(word(setup.cq_off.tail), __ATOMIC_ACQUIRE) == *head)
		enter();
	cqe = ((struct io_ring_cqe *)(region + setup.cq_off.cqes))[*head & (setup.cq_entries - 1)];
	/* Release: it has been read when its place may be used again. */
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe;
}

/*
 * Reads at the offset; with @wait, as the end of a chain that begins when the file
 * changes, or might have. Returns the number of bytes, 0 at the end of the file or
 * if a signal came. The links are hard: fewer bytes than asked for are no reason to
 * go no further.
 */
static int32_t read_more(struct tail *tail, bool wait)
{
	static const struct io_ring_timespec pause = { .nsec = 250000000 };
	struct io_ring_sqe *sqe;
	struct io_ring_cqe cqe;

	if (wait && tail->changes >= 0) {
		sqe = next_entry(IO_RING_OP_POLL_ADD, tail->changes, CHANGE);
		sqe->op_flags = POLLIN;
		sqe->flags = IO_RING_SQE_HARDLINK;
		/* What has changed does not matter. */
		sqe = next_entry(IO_RING_OP_READ, tail->changes, EVENTS);
		sqe->addr = (uintptr_t)tail->events;
		sqe->len = sizeof(tail->events);
		sqe->flags = IO_RING_SQE_HARDLINK;
	} else if (wait) {
		sqe = next_entry(IO_RING_OP_TIMEOUT, 0, CHANGE);
		sqe->addr = (uintptr_t)&pause;
		sqe->len = 1;
		sqe->flags = IO_RING_SQE_HARDLINK;
	}
	sqe = next_entry(IO_RING_OP_READ, tail->fd, DATA);
	sqe->addr = (uintptr_t)tail->buffer;
	sqe->len = BUFFER_SIZE;
	sqe->off = tail->offset;

	do {
		cqe = next_completion();
		if (cqe.res < 0 && cqe.res != -ETIME && cqe.res != -EINTR)
			errx(STATUS_FAILED, "cannot %s: %s",
			     cqe.user_data == CHANGE ? "wait" : "read", strerror(-cqe.res));
	} while (cqe.user_data != DATA);
	return cqe.res > 0 ? cqe.res : 0;
}

static void print(struct tail *tail, const char *data, int32_t length)
{
	if (fwrite(data, 1, length, stdout) != (size_t)length || fflush(stdout))
		err(STATUS_FAILED, "standard output");
	tail->offset += length;
}

/* Prints the last lines of what the file ends with, as far as the buffer holds it. */
static void print_end(struct tail *tail, uint64_t size)
{
	int32_t length, start;
	int lines = 0;

	tail->offset = size > BUFFER_SIZE ? size - BUFFER_SIZE : 0;
	length = read_more(tail, false);
	for (start = length; start > 0; start--)
		if (start < length && tail->buffer[start - 1] == '\n' && ++lines == LINES)
			break;
	tail->offset += start;
	print(tail, tail->buffer + start, length - start);
}

/* Whether the file has become shorter than what was read of it; then it begins again. */
static bool is_truncated(struct tail *tail, const char *name)
{
	struct stat status;

	if (fstat(tail->fd, &status) < 0 || (uint64_t)status.st_size >= tail->offset)
		return false;
	warnx("%s: file truncated", name);
	tail->offset = 0;
	return true;
}

static void follow(struct tail *tail, const char *name)
{
	bool wait = true;
	int32_t length;

	for (;;) {
		length = read_more(tail, wait);
		print(tail, tail->buffer, length);
		wait = !length && !is_truncated(tail, name);
	}
}

static const char *parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option = getopt_long(argc, argv, "h", names, NULL);

	if (option == 'h') {
		fputs(help, stdout);
		exit(STATUS_OK);
	}
	if (option != -1 || optind != argc - 1)
		errx(STATUS_USAGE, "try --help");
	return argv[optind];
}

int main(int argc, char **argv)
{
	static struct tail tail;
	const char *name = parse_options(argc, argv);
	struct stat status;

	tail.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (tail.fd < 0 || fstat(tail.fd, &status) < 0)
		err(STATUS_FAILED, "%s", name);
	if (!S_ISREG(status.st_mode))
		errx(STATUS_FAILED, "%s: not a regular file", name);
	/* Before anything is read, so that no change goes unnoticed. */
	tail.changes = inotify_init1(IN_CLOEXEC);
	if (tail.changes >= 0 && inotify_add_watch(tail.changes, name, IN_MODIFY) < 0)
		err(STATUS_FAILED, "%s: cannot be watched", name);
	make_ring();
	print_end(&tail, status.st_size);
	follow(&tail, name);
}
