// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "module.h"
#include "pinned.h"

int buffers_call(const struct ring *ring, struct buffers_call *call, __u32 opcode,
		 const struct io_ring_buffer *list, __u32 nr, const __u64 *tags)
{
	call->resources.data = (uintptr_t)list;
	call->resources.tags = (uintptr_t)tags;
	call->arg = (struct io_ring_register) {
		.size = sizeof(call->arg),
		.opcode = opcode,
		.addr = (uintptr_t)&call->resources,
		.nr = nr,
	};
	return ioctl(ring->fd, IO_RING_REGISTER, &call->arg) < 0 ? -errno : 0;
}

int buffers_register(const struct ring *ring, const struct io_ring_buffer *list, __u32 nr,
		     const __u64 *tags)
{
	struct buffers_call call = { 0 };

	return buffers_call(ring, &call, IO_RING_REGISTER_BUFFERS, list, nr, tags);
}

int buffers_update(const struct ring *ring, __u32 first, const struct io_ring_buffer *list,
		   __u32 nr, const __u64 *tags)
{
	struct buffers_call call = { .resources.first = first };

	return buffers_call(ring, &call, IO_RING_UPDATE_BUFFERS, list, nr, tags);
}

int buffers_unregister(const struct ring *ring)
{
	struct io_ring_register arg = {
		.size = sizeof(arg),
		.opcode = IO_RING_UNREGISTER_BUFFERS,
	};

	return ioctl(ring->fd, IO_RING_REGISTER, &arg) < 0 ? -errno : 0;
}

int buffer_register(const struct ring *ring, const void *addr, size_t len)
{
	const struct io_ring_buffer buffer = buffer_at(addr, len);

	return buffers_register(ring, &buffer, 1, NULL);
}

struct io_ring_buffer buffer_at(const void *addr, size_t len)
{
	return (struct io_ring_buffer) { .addr = (uintptr_t)addr, .len = len };
}

struct io_ring_sqe sqe_buffer(__u8 opcode, int fd, __u16 index, const void *addr, __u32 len,
			      __u64 off)
{
	struct io_ring_sqe sqe = sqe_rw(opcode, fd, addr, len, off);

	sqe.buf_index = index;
	return sqe;
}

int run_fixed(const struct ring *ring, __u8 opcode, int fd, const void *addr, __u32 len,
	      __u64 off)
{
	const struct io_ring_sqe sqe = sqe_buffer(opcode, fd, 0, addr, len, off);
	struct io_ring_cqe cqe;
	int err = ring_run(ring, &sqe, &cqe);

	return err ?: cqe.res;
}

long pinned_here(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status) &&
	       sscanf(line, "VmPin: %ld kB", &kib) != 1)
		;
	if (status)
		fclose(status);
	return kib < 0 ? -1 : kib / (PAGE / 1024);
}

long pinned_by_all(void)
{
	return counter("pinned_pages");
}

static long kernel_count(const char *name)
{
	FILE *counts = fopen("/proc/vmstat", "re");
	char line[128], its_name[64];
	long count = -1, value;

	while (counts && count < 0 && fgets(line, sizeof(line), counts)) {
		if (sscanf(line, "%63s %ld", its_name, &value) == 2 && !strcmp(its_name, name))
			count = value;
	}
	if (counts)
		fclose(counts);
	return count;
}

long pins_of_kernel(void)
{
	/* What processors have counted for themselves so far. */
	if (text_write("/proc/sys/vm/stat_refresh", "1"))
		return -1;
	return kernel_count("nr_foll_pin_acquired") - kernel_count("nr_foll_pin_released");
}

unsigned char *new_pages(unsigned int pages)
{
	void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}
