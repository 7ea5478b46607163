// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Reads from a pipe that has nothing to read for the time being. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/io_ring.h>

int main(void)
{
	struct io_ring_setup setup = {
		.size = sizeof(setup),
		.flags = IO_RING_SETUP_NO_SQARRAY,
		.entries = 1,
	};
	struct io_ring_enter enter = {
		.to_submit = 1,
		.min_complete = 1,
		.clock = CLOCK_MONOTONIC,
		.timeout = 100000000,	/* nanoseconds */
	};
	int device, ring, taken, pipefd[2];
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
	taken = ioctl(ring, IO_RING_ENTER, &enter);
	if (taken < 0)
		err(EXIT_FAILURE, "IO_RING_ENTER");
	printf("%d taken; the wait: %s\n", taken,
	       strerror(-enter.wait_error));

	/* What has been taken is not offered again: wait only. */
	enter.to_submit = 0;
	enter.wait_error = 0;
	if (ioctl(ring, IO_RING_ENTER, &enter) < 0)
		printf("nothing taken; the wait: %s\n", strerror(errno));

	if (write(pipefd[1], "hello", 5) != 5)
		err(EXIT_FAILURE, "write");
	enter.wait_error = 0;
	enter.clock = 0;
	enter.timeout = 0;
	while (ioctl(ring, IO_RING_ENTER, &enter) < 0) {
		if (errno != EINTR)
			err(EXIT_FAILURE, "IO_RING_ENTER");
	}

	/* The completion is read after the tail that announces it. */
	if (!__atomic_load_n((uint32_t *)(region + setup.cq_off.tail),
			     __ATOMIC_ACQUIRE))
		errx(EXIT_FAILURE, "no completion");
	cqe = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
	printf("read %d bytes: %.*s\n", cqe->res, cqe->res, text);
	exit(cqe->res == 5 ? EXIT_SUCCESS : EXIT_FAILURE);
}
