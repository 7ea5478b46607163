/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that keeps a ring busy with requests of every kind, until it is killed. */
#ifndef SOAK_LOAD_H
#define SOAK_LOAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

#define LOAD_ENTRIES 64
#define LOAD_PIPES 8
#define LOAD_CHUNK 4096

struct load_file {
	int fd;
	unsigned int chunks;
	bool syncs;
};

enum load_files {
	LOAD_BUFFERED,	/* cold, on ext4 */
	LOAD_DIRECT,	/* on ext4 */
	LOAD_DISK,	/* direct, and slow: completed by a timer */
	LOAD_FILES,
};

struct load {
	struct load_file files[LOAD_FILES];
	unsigned int random;
	unsigned char *memory;
	/* What follows is the process's, and only to be looked at. */
	struct ring ring;
	int pipes[LOAD_PIPES][2];
	bool reading[LOAD_PIPES];
	char bytes[LOAD_PIPES];
	unsigned int file_requests;
	unsigned long turns;
	pid_t pid;
};

/* Opens the files; the load is in memory that processes share. NULL with errno on failure. */
struct load *load_new(unsigned int seed);
void load_free(struct load *load);

/* What the process does. It returns only if something goes wrong: what it was. */
int load_run(void *load);

/* Starts the process and waits until it is busy. The result is -errno. */
int load_start(struct load *load);

/* How the process ended, as outcome_of() tells it. */
int load_kill(const struct load *load);

/* Gives every pipe of the process a byte. The result is -errno. */
int load_feed(const struct load *load);

#endif
