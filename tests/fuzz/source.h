/* SPDX-License-Identifier: GPL-2.0-only */
/* Where decisions come from: bytes that say what a program does, and random ones after them. */
#ifndef FUZZ_SOURCE_H
#define FUZZ_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/* Most bytes of a program. What it does in addition depends on its seed alone. */
#define PROGRAM_BYTES 192

struct program {
	__u64 seed;
	unsigned int length;
	unsigned char bytes[PROGRAM_BYTES];
};

struct source {
	const struct program *program;
	unsigned int at;
	__u64 random;
};

/* The next of a row of random numbers, which begins with any state. */
__u64 random_next(__u64 *state);

struct source source_of(const struct program *program);

__u8 take_byte(struct source *source);
/* Less than limit, which is not 0. */
unsigned int take_below(struct source *source, unsigned int limit);
/* True once in so many times. */
bool take_chance(struct source *source, unsigned int in);
/* Numbers around which something changes, more often than others. */
__u32 take_u32(struct source *source);
__u64 take_u64(struct source *source);

/* A program of random bytes, or one that differs a bit from another. */
struct program program_new(__u64 seed);
struct program program_changed(const struct program *origin, __u64 seed);

#endif
