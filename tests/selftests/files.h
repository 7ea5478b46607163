/* SPDX-License-Identifier: GPL-2.0-only */
/* Files to work on, which vanish with their last descriptor, and their content. */
#ifndef SELFTESTS_FILES_H
#define SELFTESTS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define EXT4_DIR "/mnt/ext4"
#define TMPFS_DIR "/tmp"
#define NULL_BLK "/dev/nullb0"

/*
 * What a file has in the page cache beyond what is written with O_DIRECT. Without it
 * such a write ends in a soft interrupt, where ext4 reads the size of the file: with 32
 * bits that takes a sequence lock, and lockdep reports the kernel for it.
 */
#define CACHED_TAIL 4096

/* Functions that return int give -errno on failure. */

/* A new file without a name in dir, open for reading and writing. */
int temp_file(const char *dir);

/* Another open file description of the same file. */
int reopen(int fd, int flags);

/* Byte i of content number seed. */
unsigned char pattern_byte(unsigned int seed, size_t i);
void pattern_fill(void *buf, size_t len, unsigned int seed);

/* The first position at which buf is not bytes [start, start + len) of the content, or len. */
size_t pattern_mismatch(const void *buf, size_t len, unsigned int seed, size_t start);
int pattern_write(int fd, size_t len, unsigned int seed);
bool all_bytes(const void *buf, size_t len, unsigned char value);

/* An address that nothing is at: where the upper half of the address space begins. */
#define WILD_ADDRESS ((void *)~(~0UL >> 1))

/*
 * How many bytes can be accessed of a buffer that ends in a guard page. 32-bit ARM
 * copies blocks of 32: if a buffer becomes inaccessible inside of one, write(2) to
 * a file makes no progress there and tries until it is killed.
 */
#ifdef __arm__
#define ACCESSIBLE_TAIL	96
#else
#define ACCESSIBLE_TAIL	100
#endif

/* Read-write pages with an inaccessible one behind them. */
void *guarded_pages(unsigned int pages);
void guarded_free(void *addr, unsigned int pages);

#endif
