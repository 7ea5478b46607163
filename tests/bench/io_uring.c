// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring, as a program uses it that asks for nothing special, and in the form
 * that costs least: registered ring, file and buffers, no index array, completion
 * work deferred to the one thread that submits.
 */
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine.h"
#include "fail.h"

#define BEST_SETUP \
	(IORING_SETUP_NO_SQARRAY | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

static struct {
	int fd;
	unsigned int enter_flags;
	struct io_uring_sqe *sqes;
	unsigned int *sq_tail, sq_mask, *cq_head, *cq_tail, cq_mask;
	struct io_uring_cqe *cqes;
	struct io_uring_sqe request;	/* what all requests have in common: it stays in the ring */
} uring;

static int uring_register(unsigned int opcode, const void *what, unsigned int nr)
{
	return must((int)syscall(SYS_io_uring_register, uring.fd, opcode, what, nr));
}

static void *uring_map(size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, uring.fd,
			offset);

	if (at == MAP_FAILED)
		fail("io_uring: cannot map the ring: %s", strerror(errno));
	return at;
}

static void uring_setup(unsigned int depth, unsigned int flags)
{
	struct io_uring_params params = { .flags = flags };
	unsigned char *region;
	unsigned int i;

	uring.fd = must((int)syscall(SYS_io_uring_setup, depth, &params));
	uring.enter_flags = IORING_ENTER_GETEVENTS;
	region = uring_map(params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe) +
			   params.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	uring.sqes = uring_map(params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	uring.sq_tail = (unsigned int *)(region + params.sq_off.tail);
	uring.sq_mask = params.sq_entries - 1;
	uring.cq_head = (unsigned int *)(region + params.cq_off.head);
	uring.cq_tail = (unsigned int *)(region + params.cq_off.tail);
	uring.cq_mask = params.cq_entries - 1;
	uring.cqes = (struct io_uring_cqe *)(region + params.cq_off.cqes);
	if (flags & IORING_SETUP_NO_SQARRAY)
		return;
	for (i = 0; i < params.sq_entries; i++)
		((unsigned int *)(region + params.sq_off.array))[i] = i;
}

static void uring_describe(const struct job *job)
{
	uring.request.opcode = IORING_OP_NOP;
	if (!job->block)
		return;
	uring.request.opcode = job->workload->write ? IORING_OP_WRITE : IORING_OP_READ;
	uring.request.fd = job->fd;
	uring.request.len = job->block;
}

static void uring_register_ring(void)
{
	struct io_uring_rsrc_update ring = { .offset = -1U, .data = uring.fd };

	uring_register(IORING_REGISTER_RING_FDS, &ring, 1);
	uring.fd = ring.offset;
	uring.enter_flags |= IORING_ENTER_REGISTERED_RING;
}

static void uring_register_file(int fd)
{
	uring_register(IORING_REGISTER_FILES, &fd, 1);
	uring.request.fd = 0;
	uring.request.flags = IOSQE_FIXED_FILE;
}

/* One for each slot: buf_index is the slot. */
static void uring_register_buffers(const struct job *job)
{
	struct iovec *buffers = calloc(job->depth, sizeof(*buffers));
	unsigned int slot;

	if (!buffers)
		fail("no memory");
	for (slot = 0; slot < job->depth; slot++) {
		buffers[slot].iov_base = job_buffer(job, slot);
		buffers[slot].iov_len = job->block;
	}
	uring_register(IORING_REGISTER_BUFFERS, buffers, job->depth);
	free(buffers);
	uring.request.opcode = job->workload->write ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
}

static void uring_fill_all(void)
{
	unsigned int i;

	for (i = 0; i <= uring.sq_mask; i++)
		uring.sqes[i] = uring.request;
}

static void uring_open(const struct job *job)
{
	uring_setup(job->depth, 0);
	uring_describe(job);
	uring_fill_all();
}

static void uring_open_best(const struct job *job)
{
	uring_setup(job->depth, BEST_SETUP);
	uring_describe(job);
	if (job->workload->path)
		uring_register_file(job->fd);
	if (job->workload->fixed)
		uring_register_buffers(job);
	uring_register_ring();
	uring_fill_all();
}

static inline void uring_fill(struct job *job, unsigned int position, unsigned int slot)
{
	struct io_uring_sqe *sqe = &uring.sqes[position & uring.sq_mask];

	sqe->user_data = slot;
	if (!job->block)
		return;
	sqe->off = job_next_offset(job);
	sqe->addr = (uintptr_t)job_buffer(job, slot);
	sqe->buf_index = slot;
}

static void uring_run(struct job job, unsigned int requests)
{
	const int want = job.block;
	unsigned int left = requests, to_start = requests - job.depth;
	unsigned int tail = *uring.sq_tail, head = *uring.cq_head;
	unsigned int offered, ready;

	for (offered = 0; offered < job.depth; offered++)
		uring_fill(&job, tail++, offered);
	while (left) {
		__atomic_store_n(uring.sq_tail, tail, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, uring.fd, offered, job_batch(&job, left),
			    uring.enter_flags, NULL, 0) != offered)
			fail("io_uring: of %u not all were taken", offered);
		offered = 0;
		ready = __atomic_load_n(uring.cq_tail, __ATOMIC_ACQUIRE);
		for (; head != ready; head++, left--) {
			const struct io_uring_cqe *cqe = &uring.cqes[head & uring.cq_mask];

			if (cqe->res != want)
				fail("io_uring: result %d", cqe->res);
			if (to_start) {
				to_start--;
				uring_fill(&job, tail++, cqe->user_data);
				offered++;
			}
		}
		__atomic_store_n(uring.cq_head, head, __ATOMIC_RELEASE);
	}
}

const struct engine engine_io_uring = {
	.name = "io_uring",
	.open = uring_open,
	.run = uring_run,
};

const struct engine engine_io_uring_best = {
	.name = "io_uring-best",
	.open = uring_open_best,
	.run = uring_run,
};
