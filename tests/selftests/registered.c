// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "registered.h"

struct io_ring_register register_args(__u32 opcode, const void *addr, __u32 nr)
{
	return (struct io_ring_register) {
		.size = sizeof(struct io_ring_register),
		.opcode = opcode,
		.addr = (uintptr_t)addr,
		.nr = nr,
	};
}

int ring_register(const struct ring *ring, struct io_ring_register *args)
{
	return ioctl(ring->fd, IO_RING_REGISTER, args) < 0 ? -errno : 0;
}

static int resources(const struct ring *ring, __u32 opcode, __u32 first, const int *fds,
		     const __u64 *tags, __u32 nr)
{
	const struct io_ring_resources what = {
		.first = first,
		.data = (uintptr_t)fds,
		.tags = (uintptr_t)tags,
	};
	struct io_ring_register args = register_args(opcode, &what, nr);

	return ring_register(ring, &args);
}

int files_register(const struct ring *ring, const int *fds, const __u64 *tags, __u32 nr)
{
	return resources(ring, IO_RING_REGISTER_FILES, 0, fds, tags, nr);
}

int files_update(const struct ring *ring, __u32 first, const int *fds, const __u64 *tags, __u32 nr)
{
	return resources(ring, IO_RING_UPDATE_FILES, first, fds, tags, nr);
}

int files_unregister(const struct ring *ring)
{
	struct io_ring_register args = register_args(IO_RING_UNREGISTER_FILES, NULL, 0);

	return ring_register(ring, &args);
}

int file_replace(const struct ring *ring, __u32 number, int fd, __u64 tag)
{
	return files_update(ring, number, &fd, &tag, 1);
}

struct io_ring_sqe sqe_fixed(struct io_ring_sqe sqe, int number)
{
	sqe.fd = number;
	sqe.flags |= IO_RING_SQE_FIXED_FILE;
	return sqe;
}
