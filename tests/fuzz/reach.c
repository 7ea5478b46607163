// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest.h>

#include "reach.h"

#define PARAMETERS "/sys/module/io_ring/parameters/"

static int count_fd = -1;
static int part_fds[REACH_PARTS];

bool reach_open(void)
{
	count_fd = open(PARAMETERS "reached", O_RDONLY | O_CLOEXEC);
	for (int part = 0; count_fd >= 0 && part < REACH_PARTS; part++) {
		char path[64];

		snprintf(path, sizeof(path), PARAMETERS "reached_%d", part);
		part_fds[part] = open(path, O_RDONLY | O_CLOEXEC);
	}
	return count_fd >= 0;
}

long reach_count(void)
{
	char text[24] = "";

	return count_fd >= 0 && pread(count_fd, text, sizeof(text) - 1, 0) > 0 ? atol(text) : 0;
}

static unsigned int digit(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* A part ends with the last byte that is not 0. */
static unsigned int add_part(unsigned char *known, const char *text, ssize_t length)
{
	unsigned int added = 0;

	for (ssize_t i = 0; i + 1 < length; i += 2) {
		unsigned char bits = digit(text[i]) << 4 | digit(text[i + 1]);
		unsigned char new = bits & ~known[i / 2];

		added += __builtin_popcount(new);
		if (new)
			__atomic_fetch_or(&known[i / 2], new, __ATOMIC_RELAXED);
	}
	return added;
}

unsigned int reach_add(struct reach *known)
{
	unsigned int added = 0;

	for (int part = 0; part < REACH_PARTS; part++) {
		char text[2 * REACH_PART_BYTES + 2];
		ssize_t length = pread(part_fds[part], text, sizeof(text), 0);

		added += add_part(known->bits + part * REACH_PART_BYTES, text, length - 1);
	}
	return added;
}

unsigned int reach_size(const struct reach *known)
{
	unsigned int size = 0;

	for (unsigned int i = 0; i < REACH_BYTES; i++)
		size += __builtin_popcount(known->bits[i]);
	return size;
}

void reach_print(const struct reach *known)
{
	for (int part = 0; part < REACH_PARTS; part++) {
		const unsigned char *bits = known->bits + part * REACH_PART_BYTES;
		char text[2 * REACH_PART_BYTES + 1];

		for (int i = 0; i < REACH_PART_BYTES; i++)
			sprintf(text + 2 * i, "%02x", bits[i]);
		ksft_print_msg("reached: %d %s\n", part, text);
	}
}
