// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "libio_ring.h"

#include <errno.h>

#include "device.h"

static uint32_t *word_at(void *region, uint32_t offset)
{
	return (uint32_t *)((char *)region + offset);
}

static void find_submission_queue(struct ioring_sq *sq, void *region,
				  const struct io_ring_setup *setup)
{
	const struct io_ring_sq_offsets *off = &setup->sq_off;
	uint32_t i;

	sq->head = word_at(region, off->head);
	sq->tail = word_at(region, off->tail);
	sq->flags = word_at(region, off->flags);
	sq->dropped = word_at(region, off->dropped);
	sq->sqes = (struct io_ring_sqe *)((char *)region + setup->sqes_offset);
	sq->entries = setup->entries;
	sq->mask = setup->entries - 1;
	sq->next = *sq->tail;

	if (setup->flags & IO_RING_SETUP_NO_SQARRAY)
		return;
	sq->array = word_at(region, off->array);
	for (i = 0; i < sq->entries; i++)
		sq->array[i] = i;
}

static void find_completion_queue(struct ioring_cq *cq, void *region,
				  const struct io_ring_setup *setup)
{
	const struct io_ring_cq_offsets *off = &setup->cq_off;

	cq->head = word_at(region, off->head);
	cq->tail = word_at(region, off->tail);
	cq->overflow = word_at(region, off->overflow);
	cq->cqes = (struct io_ring_cqe *)((char *)region + off->cqes);
	cq->entries = setup->cq_entries;
	cq->mask = setup->cq_entries - 1;
}

int ioring_setup(struct ioring *ring, struct io_ring_setup *setup)
{
	int device, err;

	memset(ring, 0, sizeof(*ring));
	setup->size = sizeof(*setup);
	setup->error_field = 0;
	setup->error_limit = IO_RING_LIMIT_NONE;
	setup->limit_need = 0;
	setup->limit_have = 0;

	device = ioring_device_open();
	if (device < 0)
		return device;
	ring->fd = ioring_device_setup(device, setup);
	ioring_device_close(device);
	if (ring->fd < 0)
		return ring->fd;

	ring->region_size = setup->region_size;
	err = ioring_device_map(ring->fd, ring->region_size, &ring->region);
	if (err) {
		ioring_device_close(ring->fd);
		setup->error_field = IO_RING_NO_FIELD;
		return err;
	}

	ring->features = setup->features;
	find_submission_queue(&ring->sq, ring->region, setup);
	find_completion_queue(&ring->cq, ring->region, setup);
	return 0;
}

int ioring_init(struct ioring *ring, uint32_t entries)
{
	struct io_ring_setup setup;

	memset(&setup, 0, sizeof(setup));
	setup.entries = entries;
	setup.flags = IO_RING_SETUP_NO_SQARRAY;
	return ioring_setup(ring, &setup);
}

void ioring_exit(struct ioring *ring)
{
	/* The mapping holds the file, so that the ring ends with the later of the two calls. */
	ioring_device_unmap(ring->region, ring->region_size);
	ioring_device_close(ring->fd);
}

int ioring_query(struct io_ring_query *query)
{
	int device = ioring_device_open();
	int err;

	if (device < 0)
		return device;
	query->size = sizeof(*query);
	err = ioring_device_query(device, query);
	ioring_device_close(device);
	return err;
}

int ioring_enter(struct ioring *ring, uint32_t to_submit, uint32_t min_complete)
{
	struct io_ring_enter enter;
	int taken;

	memset(&enter, 0, sizeof(enter));
	enter.to_submit = to_submit;
	enter.min_complete = min_complete;
	ring->enters++;
	taken = ioring_device_enter(ring->fd, &enter);
	ring->wait_error = taken < 0 ? 0 : enter.wait_error;
	return taken;
}

int ioring_quiesce(struct ioring *ring, uint64_t timeout)
{
	struct io_ring_quiesce quiesce;
	struct io_ring_register arg;
	int err;

	memset(&quiesce, 0, sizeof(quiesce));
	quiesce.timeout = timeout;
	memset(&arg, 0, sizeof(arg));
	arg.size = sizeof(arg);
	arg.opcode = IO_RING_REGISTER_QUIESCE;
	arg.addr = (uintptr_t)&quiesce;
	arg.nr = 1;
	err = ioring_device_register(ring->fd, &arg);
	return err == -ETIME || err == -EINTR ? (int)quiesce.left : err;
}

int ioring_submit_and_wait(struct ioring *ring, uint32_t wait_nr)
{
	uint32_t pending = ioring_sq_pending(ring);

	/* Release: the entries are written before the kernel can see them offered. */
	__atomic_store_n(ring->sq.tail, ring->sq.next, __ATOMIC_RELEASE);
	if (!pending && ioring_cq_ready(ring) >= wait_nr) {
		ring->wait_error = 0;
		return 0;
	}
	return ioring_enter(ring, pending, wait_nr);
}

int ioring_submit(struct ioring *ring)
{
	return ioring_submit_and_wait(ring, 0);
}

int ioring_wait_cqe(struct ioring *ring, struct io_ring_cqe **cqe)
{
	int err;

	while (!(*cqe = ioring_cqe_at(ring, 0))) {
		err = ioring_enter(ring, 0, 1);
		if (err < 0)
			return err;
	}
	return 0;
}

int ioring_wait_cqes_timeout(struct ioring *ring, struct io_ring_cqe **cqe, uint32_t nr,
			     uint64_t timeout)
{
	struct io_ring_enter enter;
	int err = 0;

	if (ioring_cq_ready(ring) < nr) {
		memset(&enter, 0, sizeof(enter));
		enter.min_complete = nr;
		enter.timeout = timeout;
		ring->enters++;
		err = ioring_device_enter(ring->fd, &enter);
	}
	*cqe = ioring_cqe_at(ring, 0);
	return err < 0 ? err : 0;
}

int ioring_peek_cqe(struct ioring *ring, struct io_ring_cqe **cqe)
{
	int err;

	*cqe = ioring_cqe_at(ring, 0);
	if (*cqe)
		return 0;
	if (ioring_cq_has_overflow(ring)) {
		err = ioring_enter(ring, 0, 0);
		if (err < 0)
			return err;
		*cqe = ioring_cqe_at(ring, 0);
	}
	return *cqe ? 0 : -EAGAIN;
}
