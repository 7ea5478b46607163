// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Reads the beginning of a file, by a registered file and buffer. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/io_ring.h>

static int register_with(int ring, struct io_ring_register arg)
{
	arg.size = sizeof(arg);
	if (!ioctl(ring, IO_RING_REGISTER, &arg))
		return 0;
	warn("IO_RING_REGISTER, opcode %u", arg.opcode);
	warnx("member at offset %u, element %u", arg.error_field,
	      arg.error_index);
	return -1;
}

/* Registers one file or one buffer, which @data describes. */
static void register_one(int ring, uint32_t opcode, const void *data)
{
	struct io_ring_resources resources = {
		.data = (uintptr_t)data,
	};
	struct io_ring_register arg = {
		.opcode = opcode,
		.addr = (uintptr_t)&resources,
		.nr = 1,
	};

	if (register_with(ring, arg) < 0)
		exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	static char memory[4096];
	struct io_ring_setup setup = {
		.size = sizeof(setup),
		.flags = IO_RING_SETUP_NO_SQARRAY,
		.entries = 1,
	};
	struct io_ring_buffer buffer = {
		.addr = (uintptr_t)memory,
		.len = sizeof(memory),
	};
	struct io_ring_enter enter = {
		.to_submit = 1,
		.min_complete = 1,
	};
	struct io_ring_quiesce quiesce = { 0 };
	struct io_ring_register end = {
		.opcode = IO_RING_REGISTER_QUIESCE,
		.addr = (uintptr_t)&quiesce,
		.nr = 1,
	};
	int device, ring, file;
	struct io_ring_sqe *sqe;
	struct io_ring_cqe *cqe;
	char *region;

	if (argc != 2)
		errx(EXIT_FAILURE, "give a file");
	file = open(argv[1], O_RDONLY);
	device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);
	if (file < 0 || device < 0)
		err(EXIT_FAILURE, "%s, /dev/io_ring", argv[1]);
	ring = ioctl(device, IO_RING_SETUP, &setup);
	if (ring < 0)
		err(EXIT_FAILURE, "IO_RING_SETUP");
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, ring, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
	register_one(ring, IO_RING_REGISTER_FILES, &file);
	register_one(ring, IO_RING_REGISTER_BUFFERS, &buffer);

	sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IO_RING_OP_READ_FIXED;
	sqe->flags = IO_RING_SQE_FIXED_FILE;
	sqe->fd = 0;		/* file 0 of the table */
	sqe->buf_index = 0;	/* buffer 0 of the table */
	sqe->addr = (uintptr_t)memory + 1024;	/* somewhere inside */
	sqe->len = 64;
	__atomic_store_n((uint32_t *)(region + setup.sq_off.tail), 1,
			 __ATOMIC_RELEASE);
	if (ioctl(ring, IO_RING_ENTER, &enter) != 1)
		err(EXIT_FAILURE, "IO_RING_ENTER");

	/* From here on the kernel does nothing for the ring any more. */
	if (register_with(ring, end) < 0)
		exit(EXIT_FAILURE);
	if (!__atomic_load_n((uint32_t *)(region + setup.cq_off.tail),
			     __ATOMIC_ACQUIRE))
		errx(EXIT_FAILURE, "no completion");
	cqe = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
	if (cqe->res < 0)
		errx(EXIT_FAILURE, "%s: %s", argv[1], strerror(-cqe->res));
	printf("%d bytes: %.*s\n", cqe->res, cqe->res, memory + 1024);
	exit(EXIT_SUCCESS);
}
