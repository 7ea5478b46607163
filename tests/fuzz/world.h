/* SPDX-License-Identifier: GPL-2.0-only */
/* What programs work with: descriptors of all kinds, memory, and rings. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <linux/types.h>

#include "ring.h"
#include "source.h"

enum kind {
	KIND_FILE, KIND_DIRECT, KIND_MEMORY, KIND_PIPE_IN, KIND_PIPE_OUT, KIND_SOCKET, KIND_PEER,
	KIND_DATAGRAM, KIND_EVENTFD, KIND_EPOLL, KIND_NULL, KIND_ZERO, KIND_PATH, KIND_DIRECTORY,
	KIND_DISK, KIND_TIMER, KIND_CONTROL, KIND_APPEND, KIND_READ_ONLY, KIND_TERMINAL,
	KIND_RING,	/* the current ring */
	KIND_NONE,	/* no open descriptor */
	KINDS
};

#define WORLD_DISK "fuzz"	/* in /dev */

#define ARENA_BYTES 0x20000
#define ARENA_DATA 0x10000	/* bytes of data; then structures */
#define WORLD_RINGS 3

struct world_ring {
	int fd;			/* -1: none */
	struct io_ring_setup setup;
	unsigned char *region;	/* NULL: not mapped */
};

struct world {
	int fds[KINDS];
	/* Writable, then a page that can be read, then nothing. */
	unsigned char *arena;
	struct world_ring rings[WORLD_RINGS];
	unsigned int current;
};

/* The disk that programs write to; once for all processes. */
int world_disk_make(void);
void world_disk_destroy(void);

/* Unload the module and load it again, with all operations allowed. The result is -errno. */
int world_module_reload(void);

/* The result is -errno. */
int world_make(struct world *world);

struct world_ring *world_ring(struct world *world);
/* Maps the region of the current ring, if that can be mapped. */
void world_ring_map(struct world *world);
void world_ring_close(struct world_ring *ring);

int world_fd(struct world *world, struct source *source);
/* Of data, of structures, of the ring, or where nothing is. */
__u64 world_address(struct world *world, struct source *source);
/* A structure with room for so many bytes, to be filled in. */
void *world_structure(struct world *world, struct source *source, size_t size);

#endif
