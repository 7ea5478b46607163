// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "await.h"
#include "stream.h"

#define CHUNK 4096

size_t stream_fill(int fd)
{
	static const unsigned char chunk[CHUNK];
	int flags = fcntl(fd, F_GETFL);
	size_t filled = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while ((n = write(fd, chunk, CHUNK)) > 0)
		filled += n;
	if (errno != EAGAIN)
		filled = 0;
	fcntl(fd, F_SETFL, flags);
	return filled;
}

size_t stream_drain(int fd, size_t expected)
{
	long end = now_ms() + patience(SOON);
	int flags = fcntl(fd, F_GETFL);
	unsigned char chunk[CHUNK];
	size_t drained = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while ((n = read(fd, chunk, CHUNK)) > 0 || (drained < expected && now_ms() < end)) {
		if (n > 0)
			drained += n;
		else
			sleep_ms(1);
	}
	fcntl(fd, F_SETFL, flags);
	return drained;
}
