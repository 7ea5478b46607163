// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "source.h"

#define MOST_CHANGES 6

/* splitmix64 */
__u64 random_next(__u64 *state)
{
	__u64 word = *state += 0x9e3779b97f4a7c15ULL;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	return word ^ (word >> 31);
}

struct source source_of(const struct program *program)
{
	return (struct source) { .program = program, .random = program->seed };
}

__u8 take_byte(struct source *source)
{
	if (source->at < source->program->length)
		return source->program->bytes[source->at++];
	return random_next(&source->random);
}

unsigned int take_below(struct source *source, unsigned int limit)
{
	unsigned int number = take_byte(source);

	if (limit > 256)
		number |= take_byte(source) << 8 | take_byte(source) << 16;
	return number % limit;
}

bool take_chance(struct source *source, unsigned int in)
{
	return !take_below(source, in);
}

__u32 take_u32(struct source *source)
{
	__u8 kind = take_byte(source);
	__u8 number = take_byte(source);

	switch (kind % 8) {
	case 0:
		return number;
	case 1:
		return 1U << number % 32;
	case 2:
		return -(__u32)number;
	case 3:
		return (1U << number % 32) - 1;
	case 4:
		return 0;
	case 5:
		return number * 4096;
	default:
		return random_next(&source->random);
	}
}

__u64 take_u64(struct source *source)
{
	__u8 kind = take_byte(source);

	switch (kind % 8) {
	case 0:
		return ~0ULL;
	case 1:
		return (__u64)take_u32(source) << 32 | take_u32(source);
	case 2:
		return 0x7fffffffffffffffULL - take_byte(source);
	case 3:
		return 1ULL << take_byte(source) % 64;
	default:
		return take_u32(source);
	}
}

struct program program_new(__u64 seed)
{
	struct program program = { .seed = seed, .length = PROGRAM_BYTES / 2 };

	for (unsigned int i = 0; i < program.length; i++)
		program.bytes[i] = random_next(&seed);
	return program;
}

static void change(struct program *program, __u64 random)
{
	unsigned int at = random % program->length;
	unsigned int other = (random >> 16) % program->length;
	unsigned int most = program->length - (at > other ? at : other);

	switch (random >> 32 & 3) {
	case 0:
		program->bytes[at] ^= 1 << (random >> 40 & 7);
		break;
	case 1:
		program->bytes[at] = random >> 40;
		break;
	case 2:
		memmove(program->bytes + at, program->bytes + other, most);
		break;
	default:
		program->length = at + 1;
		break;
	}
}

struct program program_changed(const struct program *origin, __u64 seed)
{
	struct program program = *origin;
	unsigned int changes = 1 + random_next(&seed) % MOST_CHANGES;

	if (random_next(&seed) & 1)
		program.seed = seed;
	while (changes--)
		change(&program, random_next(&seed));
	return program;
}
