// SPDX-License-Identifier: GPL-2.0-only
/* io_ring, without an index array. */
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

/* What all requests have in common. */
static struct io_ring_sqe ring_request(const struct job *job)
{
	if (!job->block)
		return (struct io_ring_sqe) { .opcode = IO_RING_OP_NOP };
	return (struct io_ring_sqe) {
		.opcode = job->workload->write ? IO_RING_OP_WRITE : IO_RING_OP_READ,
		.fd = job->fd,
		.len = job->block,
	};
}

static void ring_open(const struct job *job)
{
	__u32 i;

	ring_setup(job->depth);
	for (i = 0; i <= ring.sq_mask; i++)
		ring.sqes[i] = ring_request(job);
}

static inline void ring_fill(struct job *job, __u32 position, unsigned int slot)
{
	struct io_ring_sqe *sqe = &ring.sqes[position & ring.sq_mask];

	sqe->user_data = slot;
	if (!job->block)
		return;
	sqe->off = job_next_offset(job);
	sqe->addr = (uintptr_t)job_buffer(job, slot);
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
