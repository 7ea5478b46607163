/* SPDX-License-Identifier: GPL-2.0-only */
/* Registered buffers, and what is pinned for them. */
#ifndef SELFTESTS_PINNED_H
#define SELFTESTS_PINNED_H

#include <stddef.h>

#include "ring.h"

#define PAGE 4096

/* An argument of IO_RING_REGISTER that asks for buffers; the arrays are not copied. */
struct buffers_call {
	struct io_ring_register arg;
	struct io_ring_resources resources;
};

/* The result is -errno; @call is as the kernel left it. */
int buffers_call(const struct ring *ring, struct buffers_call *call, __u32 opcode,
		 const struct io_ring_buffer *list, __u32 nr, const __u64 *tags);

int buffers_register(const struct ring *ring, const struct io_ring_buffer *list, __u32 nr,
		     const __u64 *tags);
int buffers_update(const struct ring *ring, __u32 first, const struct io_ring_buffer *list,
		   __u32 nr, const __u64 *tags);
int buffers_unregister(const struct ring *ring);

/* A table of one buffer. */
int buffer_register(const struct ring *ring, const void *addr, size_t len);
struct io_ring_buffer buffer_at(const void *addr, size_t len);

struct io_ring_sqe sqe_buffer(__u8 opcode, int fd, __u16 index, const void *addr, __u32 len,
			      __u64 off);

/* Run a request that uses registered buffer 0 on an otherwise idle ring: its result. */
int run_fixed(const struct ring *ring, __u8 opcode, int fd, const void *addr, __u32 len,
	      __u64 off);

/* How many pages are pinned for this process, and for all. */
long pinned_here(void);
long pinned_by_all(void);

/* How many times pages are pinned, by the kernel's own count; for the root user. */
long pins_of_kernel(void);

/* New zeroed pages that are private to the process, or NULL. */
unsigned char *new_pages(unsigned int pages);

#endif
