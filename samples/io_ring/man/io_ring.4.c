// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Tells whether the caller may set up rings, and if not, why. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/io_ring.h>

int main(int argc, char **argv)
{
	const char *node = argc > 1 ? argv[1] : "/dev/io_ring";
	struct io_ring_query query = { .size = sizeof(query) };
	int device = open(node, O_RDWR | O_CLOEXEC);

	if (device < 0 && errno == ENOENT)
		errx(EXIT_FAILURE, "%s: is the module loaded?", node);
	if (device < 0 && errno == EACCES)
		errx(EXIT_FAILURE, "%s: not yours to open", node);
	if (device < 0)
		err(EXIT_FAILURE, "%s", node);
	if (ioctl(device, IO_RING_QUERY, &query) < 0)
		err(EXIT_FAILURE, "%s: not a node of io_ring", node);

	switch (query.disabled) {
	case 0:
		printf("%s: rings can be set up\n", node);
		exit(EXIT_SUCCESS);
	case 1:
		errx(EXIT_FAILURE, "%s: switched off (disabled)", node);
	case 2:
		errx(EXIT_FAILURE, "%s: no rings on this CPU", node);
	default:
		errx(EXIT_FAILURE, "%s: no rings", node);
	}
}
