// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Makes a ring with as many entries as asked for, and describes it. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/io_ring.h>

int main(int argc, char **argv)
{
	struct io_ring_setup setup = {
		.size = sizeof(setup),
		.flags = IO_RING_SETUP_NO_SQARRAY,
		.entries = argc > 1 ? strtoul(argv[1], NULL, 0) : 5,
	};
	int device, ring;
	char *region;

	device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(EXIT_FAILURE, "/dev/io_ring");
	ring = ioctl(device, IO_RING_SETUP, &setup);
	if (ring < 0) {
		warn("IO_RING_SETUP");
		if (setup.error_field != IO_RING_NO_FIELD)
			warnx("the member at offset %u is to blame",
			      setup.error_field);
		if (setup.error_limit != IO_RING_LIMIT_NONE)
			warnx("limit %u: %llu is needed, %llu is allowed",
			      setup.error_limit, setup.limit_need,
			      setup.limit_have);
		exit(EXIT_FAILURE);
	}
	close(device);

	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, ring, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	printf("%u entries, room for %u completions, %u requests\n",
	       setup.entries, setup.cq_entries, setup.requests);
	printf("%u workers at most; features %#llx\n",
	       setup.max_workers, setup.features);
	printf("the kernel's mask is %u\n",
	       *(unsigned int *)(region + setup.sq_off.ring_mask));

	munmap(region, setup.region_size);
	close(ring);
	exit(EXIT_SUCCESS);
}
