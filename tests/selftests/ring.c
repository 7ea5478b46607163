// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

int control_open(void)
{
	int fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

struct io_ring_setup ring_wanted(__u32 entries, __u32 flags)
{
	return (struct io_ring_setup) {
		.size = sizeof(struct io_ring_setup),
		.entries = entries,
		.flags = flags,
	};
}

int ring_setup(struct io_ring_setup *setup)
{
	int control = control_open();
	int fd;

	if (control < 0)
		return control;
	fd = ioctl(control, IO_RING_SETUP, setup);
	if (fd < 0)
		fd = -errno;
	close(control);
	return fd;
}

int ring_open_as(struct ring *ring, const struct io_ring_setup *wanted)
{
	ring->setup = *wanted;
	ring->fd = ring_setup(&ring->setup);
	if (ring->fd < 0)
		return ring->fd;
	ring->region = mmap(NULL, ring->setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    ring->fd, IO_RING_OFF_REGION);
	if (ring->region == MAP_FAILED) {
		int error = -errno;

		close(ring->fd);
		return error;
	}
	return 0;
}

int ring_open(struct ring *ring, __u32 entries, __u32 flags)
{
	struct io_ring_setup wanted = ring_wanted(entries, flags);

	return ring_open_as(ring, &wanted);
}

void ring_unmap(struct ring *ring)
{
	munmap(ring->region, ring->setup.region_size);
}

void ring_close(struct ring *ring)
{
	ring_unmap(ring);
	close(ring->fd);
}

static __u32 *ring_word(const struct ring *ring, __u32 offset)
{
	return (__u32 *)(ring->region + offset);
}

__u32 ring_load(const struct ring *ring, __u32 offset)
{
	return __atomic_load_n(ring_word(ring, offset), __ATOMIC_ACQUIRE);
}

void ring_store(const struct ring *ring, __u32 offset, __u32 value)
{
	__atomic_store_n(ring_word(ring, offset), value, __ATOMIC_RELEASE);
}

struct io_ring_sqe *ring_sqe(const struct ring *ring, __u32 position)
{
	struct io_ring_sqe *sqes = (void *)(ring->region + ring->setup.sqes_offset);

	return &sqes[position & (ring->setup.entries - 1)];
}

struct io_ring_cqe *ring_cqe(const struct ring *ring, __u32 position)
{
	struct io_ring_cqe *cqes = (void *)(ring->region + ring->setup.cq_off.cqes);

	return &cqes[position & (ring->setup.cq_entries - 1)];
}

void ring_push(const struct ring *ring, const struct io_ring_sqe *sqe)
{
	__u32 tail = ring_load(ring, ring->setup.sq_off.tail);
	__u32 slot = tail & (ring->setup.entries - 1);

	*ring_sqe(ring, tail) = *sqe;
	if (!(ring->setup.flags & IO_RING_SETUP_NO_SQARRAY))
		ring_word(ring, ring->setup.sq_off.array)[slot] = slot;
	ring_store(ring, ring->setup.sq_off.tail, tail + 1);
}

void ring_push_nops(const struct ring *ring, unsigned int count, __u64 first_user_data)
{
	for (unsigned int i = 0; i < count; i++) {
		struct io_ring_sqe sqe = sqe_nop(first_user_data + i);

		ring_push(ring, &sqe);
	}
}

int ring_enter_fd(int fd, struct io_ring_enter *args)
{
	int taken = ioctl(fd, IO_RING_ENTER, args);

	return taken < 0 ? -errno : taken;
}

int ring_enter(const struct ring *ring, __u32 to_submit, __u32 min_complete)
{
	struct io_ring_enter args = { .to_submit = to_submit, .min_complete = min_complete };

	return ring_enter_fd(ring->fd, &args);
}

int ring_quiesce(const struct ring *ring, __u64 timeout, __u32 *left)
{
	struct io_ring_quiesce quiesce = { .timeout = timeout };
	struct io_ring_register args = {
		.size = sizeof(args),
		.opcode = IO_RING_REGISTER_QUIESCE,
		.addr = (uintptr_t)&quiesce,
		.nr = 1,
	};
	int error = ioctl(ring->fd, IO_RING_REGISTER, &args) < 0 ? -errno : 0;

	if (left)
		*left = quiesce.left;
	return error;
}

__u32 ring_ready(const struct ring *ring)
{
	return ring_load(ring, ring->setup.cq_off.tail) - ring_load(ring, ring->setup.cq_off.head);
}

bool ring_pop(const struct ring *ring, struct io_ring_cqe *cqe)
{
	__u32 head = ring_load(ring, ring->setup.cq_off.head);

	if (!ring_ready(ring))
		return false;
	*cqe = *ring_cqe(ring, head);
	ring_store(ring, ring->setup.cq_off.head, head + 1);
	return true;
}

int ring_run(const struct ring *ring, const struct io_ring_sqe *sqe, struct io_ring_cqe *cqe)
{
	int taken;

	ring_push(ring, sqe);
	taken = ring_enter(ring, 1, 1);
	if (taken != 1)
		return taken < 0 ? taken : -EPROTO;
	return ring_pop(ring, cqe) && !ring_ready(ring) ? 0 : -EPROTO;
}

struct io_ring_sqe sqe_nop(__u64 user_data)
{
	return (struct io_ring_sqe) { .opcode = IO_RING_OP_NOP, .user_data = user_data };
}

struct io_ring_sqe sqe_rw(__u8 opcode, int fd, const void *addr, __u32 len, __u64 off)
{
	return (struct io_ring_sqe) {
		.opcode = opcode,
		.fd = fd,
		.addr = (uintptr_t)addr,
		.len = len,
		.off = off,
	};
}

struct io_ring_sqe sqe_fsync(int fd, __u64 off, __u32 len, __u32 flags)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_FSYNC,
		.fd = fd,
		.off = off,
		.len = len,
		.op_flags = flags,
	};
}

struct io_ring_sqe sqe_cancel(__u32 flags, __u64 user_data, int fd, __u32 opcode)
{
	return (struct io_ring_sqe) {
		.opcode = IO_RING_OP_CANCEL,
		.op_flags = flags,
		.addr = user_data,
		.fd = fd,
		.len = opcode,
	};
}

struct io_ring_sqe sqe_poll(int fd, __u32 events, __u32 flags)
{
	return (struct io_ring_sqe){
		.opcode = IO_RING_OP_POLL_ADD,
		.fd = fd,
		.op_flags = events,
		.len = flags,
	};
}

struct io_ring_sqe sqe_timeout(const struct io_ring_timespec *time, __u32 count, __u32 flags)
{
	return (struct io_ring_sqe){
		.opcode = IO_RING_OP_TIMEOUT,
		.addr = (uintptr_t)time,
		.len = 1,
		.off = count,
		.op_flags = flags,
	};
}

int cqe_rejected_field(const struct io_ring_cqe *cqe)
{
	if (!(cqe->flags & IO_RING_CQE_F_REJECTED))
		return -1;
	return (cqe->flags >> IO_RING_CQE_FIELD_SHIFT) & IO_RING_CQE_FIELD_MASK;
}
