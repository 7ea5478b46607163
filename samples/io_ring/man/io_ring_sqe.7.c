// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Writes, syncs and reads again in one chain; then makes a mistake. */
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

static char *region;
static struct io_ring_setup setup = {
	.size = sizeof(setup),
	.flags = IO_RING_SETUP_NO_SQARRAY,
	.entries = 4,
};

static struct io_ring_sqe *entry(int position, uint8_t opcode)
{
	struct io_ring_sqe *sqe;

	sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);
	sqe += position;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->user_data = position;
	return sqe;
}

static void show(const struct io_ring_cqe *cqe)
{
	printf("request %llu: ", cqe->user_data);
	if (cqe->flags & IO_RING_CQE_F_REJECTED)
		printf("rejected, member at offset %u: ",
		       cqe->flags >> IO_RING_CQE_FIELD_SHIFT &
		       IO_RING_CQE_FIELD_MASK);
	if (cqe->res < 0)
		puts(strerror(-cqe->res));
	else
		printf("%d\n", cqe->res);
}

int main(void)
{
	static const char out[] = "all of this";
	static char in[sizeof(out)];
	FILE *file = tmpfile();
	struct io_ring_enter enter = {
		.to_submit = 4,
		.min_complete = 2,
	};
	int device, ring;
	struct io_ring_sqe *sqe;
	struct io_ring_cqe *cqes;
	uint32_t i, tail;

	device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);
	if (device < 0 || !file)
		err(EXIT_FAILURE, "cannot open /dev/io_ring and a file");
	ring = ioctl(device, IO_RING_SETUP, &setup);
	if (ring < 0)
		err(EXIT_FAILURE, "IO_RING_SETUP");
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, ring, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");

	/* Only the last member of the chain completes if all goes well. */
	sqe = entry(0, IO_RING_OP_WRITE);
	sqe->flags = IO_RING_SQE_LINK | IO_RING_SQE_CQE_SKIP_SUCCESS;
	sqe->fd = fileno(file);
	sqe->addr = (uintptr_t)out;
	sqe->len = sizeof(out);
	sqe = entry(1, IO_RING_OP_FSYNC);
	sqe->flags = IO_RING_SQE_LINK | IO_RING_SQE_CQE_SKIP_SUCCESS;
	sqe->fd = fileno(file);
	sqe->op_flags = IO_RING_FSYNC_DATASYNC;
	sqe = entry(2, IO_RING_OP_READ);
	sqe->fd = fileno(file);
	sqe->addr = (uintptr_t)in;
	sqe->len = sizeof(in);

	/* A NOP has no length. */
	sqe = entry(3, IO_RING_OP_NOP);
	sqe->len = 1;

	__atomic_store_n((uint32_t *)(region + setup.sq_off.tail), 4,
			 __ATOMIC_RELEASE);
	if (ioctl(ring, IO_RING_ENTER, &enter) != 4 || enter.wait_error)
		errx(EXIT_FAILURE, "IO_RING_ENTER");

	tail = __atomic_load_n((uint32_t *)(region + setup.cq_off.tail),
			       __ATOMIC_ACQUIRE);
	cqes = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
	for (i = 0; i < tail; i++)
		show(&cqes[i]);
	printf("read \"%s\"\n", in);
	exit(strcmp(in, out) ? EXIT_FAILURE : EXIT_SUCCESS);
}
