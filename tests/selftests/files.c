// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"

int temp_file(const char *dir)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/io_ring-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

int reopen(int fd, int flags)
{
	char path[32];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, flags | O_CLOEXEC);
	return other < 0 ? -errno : other;
}

unsigned char pattern_byte(unsigned int seed, size_t i)
{
	/* A prime period keeps neighbouring pages and sectors from looking alike. */
	return (seed * 41 + i % 251 + i / 4096) & 0xff;
}

void pattern_fill(void *buf, size_t len, unsigned int seed)
{
	unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern_byte(seed, i);
}

size_t pattern_mismatch(const void *buf, size_t len, unsigned int seed, size_t start)
{
	const unsigned char *bytes = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != pattern_byte(seed, start + i))
			break;
	return i;
}

int pattern_write(int fd, size_t len, unsigned int seed)
{
	unsigned char *content = malloc(len);
	size_t done = 0;
	ssize_t n = 0;

	if (!content)
		return -ENOMEM;
	pattern_fill(content, len, seed);
	while (done < len) {
		n = pwrite(fd, content + done, len - done, done);
		if (n <= 0)
			break;
		done += n;
	}
	free(content);
	if (done == len)
		return 0;
	return n < 0 ? -errno : -EIO;
}

bool all_bytes(const void *buf, size_t len, unsigned char value)
{
	const unsigned char *bytes = buf;

	for (size_t i = 0; i < len; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

void *guarded_pages(unsigned int pages)
{
	size_t page = getpagesize();
	unsigned char *addr = mmap(NULL, (pages + 1) * page, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		return NULL;
	if (pages && mprotect(addr, pages * page, PROT_READ | PROT_WRITE)) {
		munmap(addr, (pages + 1) * page);
		return NULL;
	}
	return addr;
}

void guarded_free(void *addr, unsigned int pages)
{
	munmap(addr, (pages + 1) * getpagesize());
}
