// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module.h"

#define MODULE_FILE "/modules/io_ring.ko"
#define COUNTER_DIR "/sys/kernel/debug/io_ring"
#define SETTLE_STEP_MS 10
#define SETTLE_MS 5000

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
	char path[sizeof(COUNTER_DIR) + 256];

	snprintf(path, sizeof(path), COUNTER_DIR "/%s", name);
	return number_read(path);
}

/* The name of a counter that is not 0, or NULL; in static memory. */
static const char *busy_counter(void)
{
	struct dirent *entry;
	static char name[sizeof(entry->d_name)];
	unsigned int count = 0;
	bool busy = false;
	DIR *dir = opendir(COUNTER_DIR);

	if (!dir)
		return COUNTER_DIR;
	while (!busy && (entry = readdir(dir))) {
		if (entry->d_type != DT_REG)
			continue;
		snprintf(name, sizeof(name), "%s", entry->d_name);
		busy = counter(name) != 0;
		count++;
	}
	closedir(dir);
	if (!count)
		return COUNTER_DIR;
	return busy ? name : NULL;
}

const char *counters_busy(void)
{
	return counters_busy_after(SETTLE_MS);
}

const char *counters_busy_after(unsigned int limit_ms)
{
	const char *busy;

	for (unsigned int step = 0; (busy = busy_counter()); step++) {
		if (step * SETTLE_STEP_MS >= limit_ms)
			break;
		usleep(SETTLE_STEP_MS * 1000);
	}
	return busy;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "io_ring", O_NONBLOCK) ? -errno : 0;
}

int module_load(void)
{
	return module_load_with("");
}

int module_reload_with(const char *parameters)
{
	int error = module_unload();

	return error ? error : module_load_with(parameters);
}

int module_load_with(const char *parameters)
{
	int fd = open(MODULE_FILE, O_RDONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	error = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return error;
}

static long fdinfo_read(const char *process, int fd, const char *key)
{
	char path[48];
	char text[4096];
	char label[64];
	const char *line;
	int error;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%d", process, fd);
	snprintf(label, sizeof(label), "\nio_ring-%s:\t", key);
	error = text_read(path, text, sizeof(text));
	if (error)
		return error;
	line = strstr(text, label);
	return line ? to_number(line + strlen(label)) : -ENOENT;
}

long fdinfo_value(int fd, const char *key)
{
	return fdinfo_read("thread-self", fd, key);
}

long fdinfo_value_of(pid_t pid, int fd, const char *key)
{
	char process[16];

	snprintf(process, sizeof(process), "%d", pid);
	return fdinfo_read(process, fd, key);
}
