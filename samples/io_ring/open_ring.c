// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "open_ring.h"

#include <err.h>

#include "status.h"

void open_ring(struct ioring *ring, unsigned int entries)
{
	struct io_ring_setup setup = { .entries = entries, .flags = IO_RING_SETUP_NO_SQARRAY };
	int error = ioring_setup(ring, &setup);
	char text[200];

	if (error)
		errx(STATUS_FAILED, "cannot make a ring: %s",
		     ioring_setup_strerror(&setup, error, text, sizeof(text)));
}
