// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* io_ring-cat: files to standard output, one READ or WRITE at a time. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "open_ring.h"
#include "request.h"
#include "status.h"

#define BUFFER_SIZE	(128U << 10)

static const char help[] =
	"Usage: io_ring-cat [FILE]...\n"
	"Writes the files to standard output through /dev/io_ring. Without FILE, or\n"
	"where FILE is -, reads standard input.\n"
	"\n"
	"  -h, --help      this text\n"
	"\n"
	"Exit status: 0 all written, 1 something failed, 2 wrong usage.\n";

static void parse_options(int argc, char **argv)
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
	if (option != -1)
		errx(STATUS_USAGE, "try --help");
}

/* Returns what the system call would; an error has been printed. */
static int32_t run(struct ioring *ring, const struct io_ring_sqe *request, const char *name)
{
	struct io_ring_cqe cqe;
	char text[200];

	/* As with read(2), a signal may end a transfer that had to wait. */
	do {
		cqe = request_run(ring, request);
	} while (cqe.res == -EINTR);
	if (cqe.res < 0)
		warnx("%s: %s", name, ioring_cqe_strerror(&cqe, text, sizeof(text)));
	return cqe.res;
}

static void write_out(struct ioring *ring, const char *data, uint32_t length)
{
	struct io_ring_sqe request;
	int32_t written;

	while (length) {
		ioring_prep_write(&request, STDOUT_FILENO, data, length, IORING_FILE_POSITION);
		written = run(ring, &request, "standard output");
		if (written <= 0)
			errx(STATUS_FAILED, "cannot write any more");
		data += written;
		length -= (uint32_t)written;
	}
}

static bool is_output(int fd)
{
	struct stat in, out;

	return !fstat(fd, &in) && !fstat(STDOUT_FILENO, &out) && S_ISREG(in.st_mode) &&
	       in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

/* Returns 0 or -1; the reason has been printed. */
static int cat(struct ioring *ring, int fd, const char *name, char *buffer)
{
	struct io_ring_sqe request;
	int32_t got;

	if (is_output(fd)) {
		warnx("%s: is standard output as well", name);
		return -1;
	}
	ioring_prep_read(&request, fd, buffer, BUFFER_SIZE, IORING_FILE_POSITION);
	for (;;) {
		got = run(ring, &request, name);
		if (got <= 0)
			return got;
		write_out(ring, buffer, (uint32_t)got);
	}
}

static int cat_name(struct ioring *ring, const char *name, char *buffer)
{
	int fd, error;

	if (!strcmp(name, "-"))
		return cat(ring, STDIN_FILENO, "standard input", buffer);

	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		warn("%s", name);
		return -1;
	}
	error = cat(ring, fd, name, buffer);
	close(fd);
	return error;
}

int main(int argc, char **argv)
{
	static char buffer[BUFFER_SIZE];
	int status = STATUS_OK;
	struct ioring ring;

	parse_options(argc, argv);
	open_ring(&ring, 1);
	if (optind == argc && cat_name(&ring, "-", buffer))
		status = STATUS_FAILED;
	for (; optind < argc; optind++)
		if (cat_name(&ring, argv[optind], buffer))
			status = STATUS_FAILED;
	ioring_exit(&ring);
	return status;
}
