// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Reads from a pipe that has nothing to read for the time being. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/io_ring.h>

static int pipefd[2];

static void fill_pipe(int number)
{
	(void)number;
	if (write(pipefd[1], "hello", 5) != 5)
		_exit(EXIT_FAILURE);
}

int main(void)
{
	struct io_ring_setup setup = {
		.size = sizeof(setup),
		.flags = IO_RING_SETUP_NO_SQARRAY,
		.entries = 1,
	};
	struct io_ring_enter enter;
	int device, ring, result;
	struct io_ring_sqe *sqe;
	struct io_ring_cqe *cqe;
	char *region, text[16];

	device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);
	if (device < 0 || pipe(pipefd) < 0)
		err(EXIT_FAILURE, "cannot open /dev/io_ring and a pipe");
	ring = ioctl(device, IO_RING_SETUP, &setup);
	if (ring < 0)
		err(EXIT_FAILURE, "IO_RING_SETUP");
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, ring, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");

	sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IO_RING_OP_READ;
	sqe->fd = pipefd[0];
	sqe->addr = (uintptr_t)text;
	sqe->len = sizeof(text);
	__atomic_store_n((uint32_t *)(region + setup.sq_off.tail), 1,
			 __ATOMIC_RELEASE);

	/* The request is taken; there is nothing to read yet. */
	enter = (struct io_ring_enter) {
		.to_submit = 1,
		.min_complete = 1,
		.clock = CLOCK_MONOTONIC,
		.timeout = 100000000,	/* nanoseconds */
	};
	result = ioctl(ring, IO_RING_ENTER, &enter);
	if (result < 0)
		err(EXIT_FAILURE, "IO_RING_ENTER");
	printf("%d taken; the wait: %s\n", result,
	       strerror(-enter.wait_error));

	/* What has been taken is not offered again: wait only. */
	enter = (struct io_ring_enter) {
		.min_complete = 1,
		.clock = CLOCK_MONOTONIC,
		.timeout = 100000000,
	};
	if (ioctl(ring, IO_RING_ENTER, &enter) < 0)
		printf("nothing taken; the wait: %s\n", strerror(errno));

	/* The signal ends a wait; the next one gets a new structure. */
	if (signal(SIGALRM, fill_pipe) == SIG_ERR)
		err(EXIT_FAILURE, "signal");
	alarm(1);
	do {
		enter = (struct io_ring_enter) { .min_complete = 1 };
		result = ioctl(ring, IO_RING_ENTER, &enter);
	} while (result < 0 && errno == EINTR);
	if (result < 0)
		err(EXIT_FAILURE, "IO_RING_ENTER");

	/* The completion is read after the tail that announces it. */
	if (!__atomic_load_n((uint32_t *)(region + setup.cq_off.tail),
			     __ATOMIC_ACQUIRE))
		errx(EXIT_FAILURE, "no completion");
	cqe = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
	printf("read %d bytes: %.*s\n", cqe->res, cqe->res, text);
	exit(cqe->res == 5 ? EXIT_SUCCESS : EXIT_FAILURE);
}
