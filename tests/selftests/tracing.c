// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "module.h"
#include "tracing.h"

#define PREFIX " io_ring_"

int tracing_begin(struct tracing *tracing)
{
	snprintf(tracing->mount, sizeof(tracing->mount), "/tmp/tracing-XXXXXX");
	if (!mkdtemp(tracing->mount))
		return -errno;
	if (mount("tracefs", tracing->mount, "tracefs", 0, NULL))
		return -errno;
	snprintf(tracing->instance, sizeof(tracing->instance), "%s/instances/selftests-%d",
		 tracing->mount, getpid());
	return mkdir(tracing->instance, 0700) ? -errno : 0;
}

void tracing_end(struct tracing *tracing)
{
	rmdir(tracing->instance);
	umount(tracing->mount);
	rmdir(tracing->mount);
}

int tracing_set(const struct tracing *tracing, const char *file, const char *value)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", tracing->instance, file);
	return text_write(path, value);
}

int tracing_enable(const struct tracing *tracing, const char *event, bool enable)
{
	char file[96] = "events/io_ring/enable";

	if (event)
		snprintf(file, sizeof(file), "events/io_ring/io_ring_%s/enable", event);
	return tracing_set(tracing, file, enable ? "1" : "0");
}

int tracing_forget(const struct tracing *tracing)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/trace", tracing->instance);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int tracing_read(struct tracing *tracing)
{
	size_t len = 0;
	char path[96];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/trace", tracing->instance);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, tracing->text + len, sizeof(tracing->text) - 1 - len)) > 0)
		len += n;
	tracing->text[len] = '\0';
	close(fd);
	return n < 0 ? -EIO : len == sizeof(tracing->text) - 1 ? -E2BIG : 0;
}

/* The thread that a line is about: behind its name, before the processor. */
static pid_t thread_of(const struct tracing *tracing, const char *line)
{
	const char *number;

	while (line > tracing->text && line[-1] != '\n')
		line--;
	number = strstr(line, " [");
	while (number > line && *number == ' ')
		number--;
	while (number > line && *number != '-')
		number--;
	return number > line ? atoi(number + 1) : -1;
}

static unsigned int count(const struct tracing *tracing, pid_t *last, const char *format,
			  va_list args)
{
	char wanted[256] = PREFIX;
	const char *line = tracing->text;
	unsigned int lines = 0;
	size_t len;

	vsnprintf(wanted + strlen(PREFIX), sizeof(wanted) - strlen(PREFIX), format, args);
	len = strlen(wanted);
	while ((line = strstr(line, wanted))) {
		line += len;
		if (*line != ' ' && *line != '\n' && *line != ':')
			continue;
		lines++;
		if (last)
			*last = thread_of(tracing, line);
	}
	return lines;
}

unsigned int tracing_lines(const struct tracing *tracing, pid_t *last, const char *format, ...)
{
	unsigned int lines;
	va_list args;

	va_start(args, format);
	lines = count(tracing, last, format, args);
	va_end(args);
	return lines;
}

bool tracing_await(struct tracing *tracing, const char *format, ...)
{
	long deadline = now_ms() + patience(20 * SOON);
	unsigned int lines = 0;

	while (!lines) {
		va_list args;

		if (tracing_read(tracing))
			return false;
		va_start(args, format);
		lines = count(tracing, NULL, format, args);
		va_end(args);
		if (!lines && now_ms() > deadline)
			return false;
		sleep_ms(lines ? 0 : 10);
	}
	return true;
}
