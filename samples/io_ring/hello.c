// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include <fcntl.h>
#include <stdio.h>
#include <libio_ring.h>

/* Reads the beginning of a file through a ring. */
int main(int argc, char **argv)
{
	static char buffer[80];
	struct ioring ring;
	struct io_ring_sqe *sqe;
	struct io_ring_cqe *cqe;
	int fd = open(argc > 1 ? argv[1] : "/proc/version", O_RDONLY);

	if (fd < 0 || ioring_init(&ring, 8) < 0) {
		perror("no file, or no ring");
		return 1;
	}

	sqe = ioring_get_sqe(&ring);	/* an empty slot of the submission queue */
	if (!sqe)
		return 1;
	ioring_prep_read(sqe, fd, buffer, sizeof(buffer), 0);
	sqe->user_data = 42;		/* comes back in the completion */

	if (ioring_submit(&ring) != 1 || ioring_wait_cqe(&ring, &cqe) < 0) {
		perror("the ring failed");
		return 1;
	}
	printf("request %llu read %d bytes: %.*s\n", cqe->user_data, cqe->res,
	       cqe->res > 0 ? cqe->res : 0, buffer);
	ioring_cq_advance(&ring, 1);
	ioring_exit(&ring);
	return 0;
}
