// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module.h"

#define MODULE_FILE "/modules/io_ring.ko"
#define COUNTER_DIR "/sys/kernel/debug/io_ring"
#define SETTLE_STEP_US 10000
#define SETTLE_STEPS 500

static const char * const counter_names[] = {
	"rings", "ring_bytes", "requests", "teardowns", "workers", NULL
};

int text_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n < 0 ? n : 0;
}

int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : 0;
}

static long to_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return end == text || (*end && *end != '\n') ? -EINVAL : value;
}

long number_read(const char *path)
{
	char text[32];
	int error = text_read(path, text, sizeof(text));

	return error ? error : to_number(text);
}

long counter(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), COUNTER_DIR "/%s", name);
	return number_read(path);
}

const char *counters_busy(void)
{
	for (const char * const *name = counter_names; *name; name++) {
		unsigned int step = 0;

		while (counter(*name) != 0) {
			if (step++ == SETTLE_STEPS)
				return *name;
			usleep(SETTLE_STEP_US);
		}
	}
	return NULL;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "io_ring", O_NONBLOCK) ? -errno : 0;
}

int module_load(void)
{
	int fd = open(MODULE_FILE, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return error;
}

long fdinfo_value(int fd, const char *key)
{
	char path[48];
	char text[4096];
	char label[64];
	const char *line;
	int error;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(label, sizeof(label), "\nio_ring-%s:\t", key);
	error = text_read(path, text, sizeof(text));
	if (error)
		return error;
	line = strstr(text, label);
	return line ? to_number(line + strlen(label)) : -ENOENT;
}
