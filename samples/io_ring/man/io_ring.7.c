// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Reads the beginnings of up to 8 files, all at the same time. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/io_ring.h>

#define ENTRIES	8
#define LENGTH	32

static int ring_fd;
static char *region;
static struct io_ring_setup setup = {
	.size = sizeof(setup),
	.flags = IO_RING_SETUP_NO_SQARRAY,
	.entries = ENTRIES,
};

static void make_ring(void)
{
	int device = open("/dev/io_ring", O_RDWR | O_CLOEXEC);

	if (device < 0)
		err(EXIT_FAILURE, "/dev/io_ring");
	ring_fd = ioctl(device, IO_RING_SETUP, &setup);
	if (ring_fd < 0)
		err(EXIT_FAILURE, "IO_RING_SETUP");
	close(device);
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED, ring_fd, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		err(EXIT_FAILURE, "mmap");
}

/* One of the numbers by which the two sides talk to each other. */
static uint32_t *word(uint32_t offset)
{
	return (uint32_t *)(region + offset);
}

/* Puts a read into the submission queue, which has room. */
static void offer_read(int fd, void *buffer, uint64_t user_data)
{
	uint32_t *tail = word(setup.sq_off.tail);
	uint32_t position = *tail;	/* nobody else writes it */
	struct io_ring_sqe *sqe;

	sqe = (struct io_ring_sqe *)(region + setup.sqes_offset);
	sqe += position & (setup.entries - 1);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IO_RING_OP_READ;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buffer;
	sqe->len = LENGTH;
	sqe->user_data = user_data;
	/* The entry has been written when the kernel sees the tail. */
	__atomic_store_n(tail, position + 1, __ATOMIC_RELEASE);
}

static void enter(uint32_t to_submit, uint32_t min_complete)
{
	struct io_ring_enter arg = {
		.to_submit = to_submit,
		.min_complete = min_complete,
	};

	if (ioctl(ring_fd, IO_RING_ENTER, &arg) < 0 && errno != EINTR)
		err(EXIT_FAILURE, "IO_RING_ENTER");
}

/* Takes a completion out of the queue, waiting for one if need be. */
static struct io_ring_cqe next_completion(void)
{
	uint32_t *head = word(setup.cq_off.head);
	uint32_t *tail = word(setup.cq_off.tail);
	uint32_t position = *head;	/* nobody else writes it */
	struct io_ring_cqe *cqes, cqe;

	/* The completion is read after the tail that announces it. */
	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == position)
		enter(0, 1);
	cqes = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
	cqe = cqes[position & (setup.cq_entries - 1)];
	/* It has been read when the kernel may write there again. */
	__atomic_store_n(head, position + 1, __ATOMIC_RELEASE);
	return cqe;
}

int main(int argc, char **argv)
{
	static char buffers[ENTRIES + 1][LENGTH];
	uint32_t *sq_head, *sq_tail;
	int i, fd;

	if (argc < 2 || argc > ENTRIES + 1)
		errx(EXIT_FAILURE, "give 1 to %d files", ENTRIES);
	make_ring();
	for (i = 1; i < argc; i++) {
		fd = open(argv[i], O_RDONLY);
		if (fd < 0)
			err(EXIT_FAILURE, "%s", argv[i]);
		offer_read(fd, buffers[i], i);
	}

	/* One call starts them all, unless a signal cuts it short. */
	sq_head = word(setup.sq_off.head);
	sq_tail = word(setup.sq_off.tail);
	while (__atomic_load_n(sq_head, __ATOMIC_ACQUIRE) != *sq_tail)
		enter(*sq_tail - *sq_head, 0);

	while (--argc) {
		struct io_ring_cqe cqe = next_completion();

		if (cqe.res < 0)
			errx(EXIT_FAILURE, "%s: %s", argv[cqe.user_data],
			     strerror(-cqe.res));
		printf("%s: %.*s\n", argv[cqe.user_data], cqe.res,
		       buffers[cqe.user_data]);
	}
	exit(EXIT_SUCCESS);
}
