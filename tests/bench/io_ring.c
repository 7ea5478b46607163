// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_ring, without an index array, as a program uses it that registers nothing,
 * and with registered file and buffers.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/io_ring.h>

#include "engine.h"
#include "fail.h"

static struct {
	int fd;
	struct io_ring_sqe *sqes;
	__u32 *sq_tail, sq_mask, *cq_head, *cq_tail, cq_mask;
	struct io_ring_cqe *cqes;
	bool has_buffers;
	struct io_ring_sqe request;	/* what all requests have in common: it stays in the ring */
} ring;

static void ring_setup(unsigned int depth)
{
	struct io_ring_setup setup = {
		.size = sizeof(setup),
		.flags = IO_RING_SETUP_NO_SQARRAY,
		.entries = depth,
	};
	int device = must(open("/dev/io_ring", O_RDWR | O_CLOEXEC));
	unsigned char *region;

	ring.fd = must(ioctl(device, IO_RING_SETUP, &setup));
	region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		      ring.fd, IO_RING_OFF_REGION);
	if (region == MAP_FAILED)
		fail("io_ring: cannot map the ring: %s", strerror(errno));
	ring.sqes = (struct io_ring_sqe *)(region + setup.sqes_offset);
	ring.sq_tail = (__u32 *)(region + setup.sq_off.tail);
	ring.sq_mask = setup.entries - 1;
	ring.cq_head = (__u32 *)(region + setup.cq_off.head);
	ring.cq_tail = (__u32 *)(region + setup.cq_off.tail);
	ring.cq_mask = setup.cq_entries - 1;
	ring.cqes = (struct io_ring_cqe *)(region + setup.cq_off.cqes);
}

static void ring_describe(const struct job *job)
{
	ring.request.opcode = IO_RING_OP_NOP;
	if (!job->block)
		return;
	ring.request.opcode = job->workload->write ? IO_RING_OP_WRITE : IO_RING_OP_READ;
	ring.request.fd = job->fd;
	ring.request.len = job->block;
}

static void ring_register(__u32 opcode, const void *what, __u32 nr)
{
	struct io_ring_resources resources = { .data = (uintptr_t)what };
	struct io_ring_register call = {
		.size = sizeof(call),
		.opcode = opcode,
		.addr = (uintptr_t)&resources,
		.nr = nr,
	};

	must(ioctl(ring.fd, IO_RING_REGISTER, &call));
}

static void ring_register_file(int fd)
{
	ring_register(IO_RING_REGISTER_FILES, &fd, 1);
	ring.request.fd = 0;
	ring.request.flags = IO_RING_SQE_FIXED_FILE;
}

/* One for each slot: buf_index is the slot. */
static void ring_register_buffers(const struct job *job)
{
	struct io_ring_buffer *buffers = calloc(job->depth, sizeof(*buffers));
	unsigned int slot;

	if (!buffers)
		fail("no memory");
	for (slot = 0; slot < job->depth; slot++) {
		buffers[slot].addr = (uintptr_t)job_buffer(job, slot);
		buffers[slot].len = job->block;
	}
	ring_register(IO_RING_REGISTER_BUFFERS, buffers, job->depth);
	free(buffers);
	ring.has_buffers = true;
	ring.request.opcode =
		job->workload->write ? IO_RING_OP_WRITE_FIXED : IO_RING_OP_READ_FIXED;
}

static void ring_fill_all(void)
{
	__u32 i;

	for (i = 0; i <= ring.sq_mask; i++)
		ring.sqes[i] = ring.request;
}

static void ring_open(const struct job *job)
{
	ring_setup(job->depth);
	ring_describe(job);
	ring_fill_all();
}

static void ring_open_best(const struct job *job)
{
	ring_setup(job->depth);
	ring_describe(job);
	ring_register_file(job->fd);
	if (job->workload->fixed)
		ring_register_buffers(job);
	ring_fill_all();
}

static inline void ring_fill(struct job *job, __u32 position, unsigned int slot)
{
	struct io_ring_sqe *sqe = &ring.sqes[position & ring.sq_mask];

	sqe->user_data = slot;
	if (!job->block)
		return;
	sqe->off = job_next_offset(job);
	sqe->addr = (uintptr_t)job_buffer(job, slot);
	if (ring.has_buffers)
		sqe->buf_index = slot;
}

static void ring_run(struct job job, unsigned int requests)
{
	const int want = job.block;
	unsigned int left = requests, to_start = requests - job.depth;
	__u32 tail = *ring.sq_tail, head = *ring.cq_head;
	struct io_ring_enter enter = { 0 };
	__u32 offered, ready;

	for (offered = 0; offered < job.depth; offered++)
		ring_fill(&job, tail++, offered);
	while (left) {
		__atomic_store_n(ring.sq_tail, tail, __ATOMIC_RELEASE);
		enter.to_submit = offered;
		enter.min_complete = job_batch(&job, left);
		if (ioctl(ring.fd, IO_RING_ENTER, &enter) != (int)offered || enter.wait_error)
			fail("io_ring: of %u not all were taken, or the wait failed", offered);
		offered = 0;
		ready = __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);
		for (; head != ready; head++, left--) {
			const struct io_ring_cqe *cqe = &ring.cqes[head & ring.cq_mask];

			if (cqe->res != want)
				fail("io_ring: result %d", cqe->res);
			if (to_start) {
				to_start--;
				ring_fill(&job, tail++, cqe->user_data);
				offered++;
			}
		}
		__atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
	}
}

const struct engine engine_io_ring = {
	.name = "io_ring",
	.open = ring_open,
	.run = ring_run,
};

const struct engine engine_io_ring_best = {
	.name = "io_ring-best",
	.needs_file = true,
	.open = ring_open_best,
	.run = ring_run,
};
