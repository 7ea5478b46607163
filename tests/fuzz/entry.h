/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries: operations that make sense, and such with something wrong. */
#ifndef FUZZ_ENTRY_H
#define FUZZ_ENTRY_H

#include "world.h"

/* The opcodes there are. */
extern const __u8 entry_opcodes[];
extern const unsigned int entry_opcode_count;

/* An entry of this operation that a module accepts, apart from its descriptor and its addresses. */
struct io_ring_sqe entry_valid(struct world *world, struct source *source, __u8 opcode);

/* Any entry. */
struct io_ring_sqe entry_new(struct world *world, struct source *source);

#endif
