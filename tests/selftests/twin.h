/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One transfer done twice, on two objects in the same state: by the system call
 * and by the ring. Everything that can be seen of the two has to be the same.
 */
#ifndef SELFTESTS_TWIN_H
#define SELFTESTS_TWIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

#define TWIN_CONTENT 16384	/* bytes that a target holds beforehand, if it can hold that many */
#define TWIN_MEMORY 8192	/* bytes before the guard page */
#define TWIN_SEED 2		/* of the content that memory has beforehand */

enum twin_target {
	TWIN_EXT4,
	TWIN_TMPFS,
	TWIN_NULL_BLK,
	TWIN_PIPE,
	TWIN_SOCKET,
	TWIN_TERMINAL,
	TWIN_ZERO,
	TWIN_NULL,
	TWIN_COMM,		/* a file that has read and write, but not their iter kind */
	TWIN_TARGETS,
};

/* Where the buffer is, relative to memory that ends in a guard page. */
enum twin_buffer {
	TWIN_AT_START,
	TWIN_AT_ODD,		/* one byte in */
	TWIN_AT_TAIL,		/* ACCESSIBLE_TAIL bytes before the guard page */
	TWIN_AT_GUARD,
	TWIN_AT_NULL,
	TWIN_AT_WILD,		/* not an address of user space */
	TWIN_AT_GIVEN,		/* twin_transfer.addr */
};

struct twin_transfer {
	const char *name;
	__u8 opcode;
	enum twin_buffer buffer;
	__u32 len;
	__u64 off;
	off_t start;		/* the file position beforehand */
	int mode;		/* open(2) flags */
	__u32 op_flags;
	const void *addr;
};

struct twin_outcome {
	long res;
	off_t position;
	off_t size;
	long left;		/* bytes still to be read, where there is no position */
	long arrived;
	unsigned char memory[TWIN_MEMORY];
	unsigned char content[2 * TWIN_CONTENT];
};

const char *twin_name(enum twin_target target);
bool twin_is_write(__u8 opcode);

/* The memory that transfers work on; made at the first call, NULL if it could not be. */
unsigned char *twin_memory(void);

/*
 * Carries out the transfer both ways and says whether everything was the same.
 * What differs, and what went wrong in preparing the test, is told on stderr.
 */
bool twin_agree(const struct ring *ring, enum twin_target target,
		const struct twin_transfer *transfer);

/* As above, without the judgement: false if the test could not be prepared. */
bool twin_run(const struct ring *ring, enum twin_target target,
	      const struct twin_transfer *transfer, struct twin_outcome *by_syscall,
	      struct twin_outcome *by_ring, struct io_ring_cqe *cqe);

#endif
