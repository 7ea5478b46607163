// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Lists the operations that rings of a device node may be used for. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/io_ring.h>

int main(int argc, char **argv)
{
	const char *node = argc > 1 ? argv[1] : "/dev/io_ring";
	struct io_ring_op_info ops[256];
	struct io_ring_query query = {
		.size = sizeof(query),
		.ops = (uintptr_t)ops,
		.ops_len = 256,
	};
	int device = open(node, O_RDWR | O_CLOEXEC);
	unsigned int i;

	if (device < 0)
		err(EXIT_FAILURE, "%s", node);
	if (ioctl(device, IO_RING_QUERY, &query) < 0)
		err(EXIT_FAILURE, "IO_RING_QUERY");

	printf("version %u; rings have up to %u entries\n",
	       query.abi_version, query.max_entries);
	if (query.disabled)
		puts("no ring can be set up");
	for (i = 0; i < query.ops_len; i++) {
		if (!(ops[i].flags & IO_RING_OP_SUPPORTED))
			continue;
		printf("operation %3u: flags %#04x, op_flags %#010x\n",
		       ops[i].opcode, ops[i].sqe_flags, ops[i].op_flags);
	}
	exit(EXIT_SUCCESS);
}
