// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "files.h"
#include "target.h"

#define SEED 1
#define TERMINAL_CONTENT 512	/* fits the line discipline's buffer */
#define COMM "selftest"

static bool is_reader(int mode)
{
	return (mode & O_ACCMODE) == O_RDONLY;
}

static bool open_regular(struct endpoint *e, const char *dir, int mode)
{
	e->peer = temp_file(dir);
	if (e->peer < 0 || pattern_write(e->peer, TWIN_CONTENT, SEED))
		return false;
	e->fd = reopen(e->peer, mode);
	return e->fd >= 0;
}

static bool open_ext4(struct endpoint *e, int mode)
{
	return open_regular(e, EXT4_DIR, mode);
}

static bool open_tmpfs(struct endpoint *e, int mode)
{
	return open_regular(e, TMPFS_DIR, mode);
}

static bool open_null_blk(struct endpoint *e, int mode)
{
	e->peer = open(NULL_BLK, O_RDWR | O_CLOEXEC);
	e->fd = open(NULL_BLK, mode | O_CLOEXEC);
	return e->peer >= 0 && e->fd >= 0 && !pattern_write(e->peer, 2 * TWIN_CONTENT, SEED);
}

static bool feed(int fd, size_t len)
{
	unsigned char *content = malloc(len);
	bool fed;

	if (!content)
		return false;
	pattern_fill(content, len, SEED);
	fed = write(fd, content, len) == (ssize_t)len;
	free(content);
	return fed;
}

/* One end works, the other one feeds it or sees what comes out. */
static bool open_ends(struct endpoint *e, int mode, int reader, int writer)
{
	if (is_reader(mode)) {
		e->fd = reader;
		e->feeder = writer;
		return feed(writer, TWIN_CONTENT);
	}
	e->fd = writer;
	e->peer = reader;
	return true;
}

static bool open_pipe(struct endpoint *e, int mode)
{
	int ends[2];

	return !pipe2(ends, O_CLOEXEC | (mode & O_NONBLOCK)) &&
	       open_ends(e, mode, ends[0], ends[1]);
}

static bool open_socket(struct endpoint *e, int mode)
{
	int ends[2];

	return !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) &&
	       open_ends(e, mode, ends[0], ends[1]);
}

static bool make_raw(int fd)
{
	struct termios termios;

	if (tcgetattr(fd, &termios))
		return false;
	cfmakeraw(&termios);
	return !tcsetattr(fd, TCSANOW, &termios);
}

/* What is written to the master end reaches the slave by a work item of the kernel. */
static bool wait_for_bytes(int fd, int count)
{
	int available;

	for (unsigned int tries = 0; tries < 2000; tries++) {
		if (ioctl(fd, FIONREAD, &available))
			return false;
		if (available == count)
			return true;
		usleep(1000);
	}
	return false;
}

static bool open_terminal(struct endpoint *e, int mode)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	if (is_reader(mode))
		e->feeder = master;
	else
		e->peer = master;
	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name)))
		return false;
	e->fd = open(name, mode | O_NOCTTY | O_CLOEXEC);
	if (e->fd < 0 || !make_raw(e->fd))
		return false;
	return !is_reader(mode) ||
	       (feed(master, TERMINAL_CONTENT) && wait_for_bytes(e->fd, TERMINAL_CONTENT));
}

static bool open_zero(struct endpoint *e, int mode)
{
	e->fd = open("/dev/zero", mode | O_CLOEXEC);
	return e->fd >= 0;
}

static bool open_null(struct endpoint *e, int mode)
{
	e->fd = open("/dev/null", mode | O_CLOEXEC);
	return e->fd >= 0;
}

static bool open_comm(struct endpoint *e, int mode)
{
	e->peer = open("/proc/self/comm", O_RDWR | O_CLOEXEC);
	e->fd = open("/proc/self/comm", mode | O_CLOEXEC);
	return e->fd >= 0 && write(e->peer, COMM, strlen(COMM)) == (ssize_t)strlen(COMM);
}

const struct target targets[TWIN_TARGETS] = {
	[TWIN_EXT4] = { "ext4", true, open_ext4 },
	[TWIN_TMPFS] = { "tmpfs", true, open_tmpfs },
	[TWIN_NULL_BLK] = { "null_blk", true, open_null_blk },
	[TWIN_PIPE] = { "pipe", false, open_pipe },
	[TWIN_SOCKET] = { "socket", false, open_socket },
	[TWIN_TERMINAL] = { "terminal", false, open_terminal },
	[TWIN_ZERO] = { "zero", true, open_zero },
	[TWIN_NULL] = { "null", true, open_null },
	[TWIN_COMM] = { "comm", true, open_comm },
};

static void close_opened(int fd)
{
	if (fd >= 0)
		close(fd);
}

void endpoint_close(struct endpoint *e)
{
	close_opened(e->fd);
	close_opened(e->peer);
	close_opened(e->feeder);
}
