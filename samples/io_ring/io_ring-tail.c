// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * io_ring-tail: the last lines of a file, and what is appended to it. Written from the manual
 * pages alone: no library, only what io_ring(7) and the pages it names describe.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
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

#define DEVICE	"/dev/io_ring"
#define ENTRIES	4

static const char help[] =
	"Usage: io_ring-tail [-n LINES] FILE\n"
	"Writes the last 10 (or LINES) lines of FILE to standard output, and then what is\n"
	"appended to it, until SIGINT or SIGTERM ends it. All waiting and reading is done\n"
	"through " DEVICE ".\n"
	"\n"
	"  -n LINES        how many lines to begin with\n"
	"  -h, --help      this text\n"
	"\n"
	"Exit status: 0 ended by a signal, 1 something failed, 2 wrong usage.\n";

static char buffer[256 * 1024];
static char events[16 * 1024];
static const char *name;
static int file_fd, ring_fd;
/* Tells of changes of the file; -1 if no inotify is to be had. */
static int inotify_fd;
static char *region;
static struct io_ring_setup setup = {
	.size = sizeof(setup),
	.flags = IO_RING_SETUP_NO_SQARRAY,
	.entries = ENTRIES,
};

/* Entries that have been filled in and not been offered yet. */
static uint32_t queued;
/* What the entries offered last came to, in their order. */
static int32_t results[ENTRIES];

/* Whenever it comes nothing is left to do: the kernel cleans up. */
static void on_signal(int number)
{
	(void)number;
	_exit(STATUS_OK);
}

static uint32_t *word(uint32_t offset)
{
	return (uint32_t *)(region + offset);
}

static void make_ring(void)
{
	int device = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0 && errno == ENOENT)
		errx(STATUS_FAILED, "%s is not there: is the module io_ring loaded?", DEVICE);
	if (device < 0)
		err(STATUS_FAILED, "cannot open %s", DEVICE);
	ring_fd = ioctl(device, IO_RING_SETUP, &setup);
	if (ring_fd < 0 && setup.error_limit == IO_RING_LIMIT_DISABLED)
		errx(STATUS_FAILED, "cannot make a ring: the administrator has switched rings off");
	if (ring_fd < 0)
		err(STATUS_FAILED, "cannot make a ring");
	close(device);
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd,
		      IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(STATUS_FAILED, "cannot map the ring");
}

/* The next entry of the queue, empty; run() offers it. */
static struct io_ring_sqe *entry(uint8_t opcode, int fd)
{
	uint32_t position = *word(setup.sq_off.tail) + queued;
	struct io_ring_sqe *sqe;

	sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);
	sqe += position & (setup.entries - 1);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = queued++;
	return sqe;
}

static struct io_ring_sqe *read_entry(int fd, void *to, uint32_t len, uint64_t off)
{
	struct io_ring_sqe *sqe = entry(IO_RING_OP_READ, fd);

	sqe->addr = (uintptr_t)to;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

/* Offers what the kernel has not taken yet, and waits for so many completions. */
static void enter(uint32_t min_complete)
{
	/* Acquire: the kernel has copied the entries before the head. */
	uint32_t head = __atomic_load_n(word(setup.sq_off.head), __ATOMIC_ACQUIRE);
	/* Always a new one, as the kernel may have written to the last. */
	struct io_ring_enter arg = {
		.to_submit = *word(setup.sq_off.tail) - head,
		.min_complete = min_complete,
	};
	int ret = ioctl(ring_fd, IO_RING_ENTER, &arg);

	/* SIGSTOP and SIGCONT end a wait, too. */
	if (ret < 0 && errno != EINTR)
		err(STATUS_FAILED, "the ring failed");
	if (ret >= 0 && arg.wait_error && arg.wait_error != -EINTR)
		errx(STATUS_FAILED, "the ring failed: %s", strerror(-arg.wait_error));
}

/* Takes all completions that are there out of the queue, and answers how many. */
static uint32_t reap(void)
{
	const struct io_ring_cqe *cqes = (void *)(region + setup.cq_off.cqes);
	uint32_t head = *word(setup.cq_off.head);
	uint32_t count = 0;

	/* Acquire: a completion is read after the tail that announces it. */
	while (__atomic_load_n(word(setup.cq_off.tail), __ATOMIC_ACQUIRE) != head + count) {
		struct io_ring_cqe cqe = cqes[(head + count) & (setup.cq_entries - 1)];

		if (cqe.flags & IO_RING_CQE_F_REJECTED)
			errx(STATUS_FAILED, "request rejected, member at offset %d: %s",
			     (int)(cqe.flags >> IO_RING_CQE_FIELD_SHIFT & IO_RING_CQE_FIELD_MASK),
			     strerror(-cqe.res));
		results[cqe.user_data] = cqe.res;
		count++;
	}
	/* Release: they have been read when their places may be used again. */
	__atomic_store_n(word(setup.cq_off.head), head + count, __ATOMIC_RELEASE);
	return count;
}

/* Offers all entries and waits until all have completed. */
static void run(void)
{
	uint32_t *tail = word(setup.sq_off.tail);
	uint32_t left = queued;

	/* Release: the entries have been written when the kernel sees the tail. */
	__atomic_store_n(tail, *tail + queued, __ATOMIC_RELEASE);
	queued = 0;
	while (left) {
		enter(left);
		left -= reap();
	}
}

/* The result of a read of the file, or the end of the program. */
static uint32_t file_result(int number)
{
	if (results[number] < 0)
		errx(STATUS_FAILED, "%s: cannot read: %s", name, strerror(-results[number]));
	return results[number];
}

static uint32_t read_file(uint64_t offset, uint32_t len)
{
	do {
		read_entry(file_fd, buffer, len, offset);
		run();
	} while (results[0] == -EINTR);
	return file_result(0);
}

static void print(const char *text, size_t len)
{
	while (len) {
		ssize_t written = write(STDOUT_FILENO, text, len);

		if (written < 0 && errno != EINTR)
			err(STATUS_FAILED, "standard output");
		if (written > 0) {
			text += written;
			len -= written;
		}
	}
}

static uint64_t size_of_file(void)
{
	struct stat status;

	if (fstat(file_fd, &status) < 0)
		err(STATUS_FAILED, "%s", name);
	if (!S_ISREG(status.st_mode))
		errx(STATUS_FAILED, "%s: not a regular file", name);
	return status.st_size;
}

/* Where the last so many lines begin. */
static uint64_t find_start(uint64_t lines)
{
	uint64_t end = size_of_file();
	uint64_t offset = end;

	if (!lines)
		return end;
	while (offset) {
		uint32_t len = offset < sizeof(buffer) ? offset : sizeof(buffer);

		offset -= len;
		for (uint32_t i = read_file(offset, len); i; i--) {
			if (buffer[i - 1] != '\n' || offset + i == end)
				continue;
			if (!--lines)
				return offset + i;
		}
	}
	return 0;
}

/* Prints what there is from the offset on, and returns where that ends. */
static uint64_t print_rest(uint64_t offset)
{
	uint32_t len;

	do {
		len = read_file(offset, sizeof(buffer));
		print(buffer, len);
		offset += len;
	} while (len == sizeof(buffer));
	return offset;
}

/*
 * Waits until the file has changed, or might have, and reads from it, as one chain.
 * Answers the number of the entry that reads.
 */
static int wait_and_read(uint64_t offset)
{
	static const struct io_ring_timespec pause = { .nsec = 250000000 };
	struct io_ring_sqe *sqe;
	int number;

	if (inotify_fd >= 0) {
		sqe = entry(IO_RING_OP_POLL_ADD, inotify_fd);
		sqe->op_flags = POLLIN;
		sqe->flags = IO_RING_SQE_LINK;
		/* That it is short is sure, so what follows must be a hard link. */
		sqe = read_entry(inotify_fd, events, sizeof(events), 0);
		sqe->flags = IO_RING_SQE_HARDLINK;
	} else {
		sqe = entry(IO_RING_OP_TIMEOUT, 0);
		sqe->addr = (uintptr_t)&pause;
		sqe->len = 1;
		sqe->flags = IO_RING_SQE_HARDLINK;
	}
	number = queued;
	read_entry(file_fd, buffer, sizeof(buffer), offset);
	run();

	if (inotify_fd < 0)
		return number;
	if (results[0] < 0)
		errx(STATUS_FAILED, "cannot wait for events: %s", strerror(-results[0]));
	if (!(results[0] & POLLIN))
		errx(STATUS_FAILED, "cannot wait for events: poll result %#x", results[0]);
	if (results[1] < 0 && results[1] != -EINTR)
		errx(STATUS_FAILED, "cannot read events: %s", strerror(-results[1]));
	return number;
}

/* Waits until something has happened, and prints what is there to print. */
static uint64_t follow(uint64_t offset)
{
	int number = wait_and_read(offset);
	uint32_t len;

	if (results[number] == -EINTR)
		return print_rest(offset);
	len = file_result(number);
	print(buffer, len);
	offset += len;
	if (len == sizeof(buffer))
		return print_rest(offset);
	if (size_of_file() < offset) {
		warnx("%s: file truncated", name);
		return print_rest(0);
	}
	return offset;
}

static void watch_file(void)
{
	char path[64];

	inotify_fd = inotify_init1(IN_CLOEXEC);
	if (inotify_fd < 0)
		return;
	/* By the descriptor, so that it is the same file; by name if there is no /proc. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	if (inotify_add_watch(inotify_fd, path, IN_MODIFY) < 0 &&
	    (errno != ENOENT || inotify_add_watch(inotify_fd, name, IN_MODIFY) < 0))
		err(STATUS_FAILED, "%s: cannot be watched", name);
}

static uint64_t parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned long long lines = 10;
	char *end;
	int option;

	while ((option = getopt_long(argc, argv, "hn:", names, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			exit(STATUS_OK);
		}
		if (option != 'n')
			errx(STATUS_USAGE, "try --help");
		errno = 0;
		lines = strtoull(optarg, &end, 10);
		if (errno || *end || *optarg < '0' || *optarg > '9')
			errx(STATUS_USAGE, "not a number of lines: '%s'", optarg);
	}
	if (optind + 1 != argc)
		errx(STATUS_USAGE, "try --help");
	name = argv[optind];
	return lines;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = on_signal };
	uint64_t lines = parse_options(argc, argv);
	uint64_t offset;

	/* O_NONBLOCK: not to hang in the open if it is a FIFO. */
	file_fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file_fd < 0)
		err(STATUS_FAILED, "%s", name);
	size_of_file();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	make_ring();
	/* Before anything is read, so that no change goes unnoticed. */
	watch_file();
	offset = print_rest(find_start(lines));
	for (;;)
		offset = follow(offset);
}
