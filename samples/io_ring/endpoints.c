// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "endpoints.h"

#include <err.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "status.h"

static int open_file(const char *name, int flags, mode_t mode)
{
	int fd = open(name, flags | O_CLOEXEC, mode);

	if (fd < 0)
		err(STATUS_FAILED, "%s%s", name, flags & O_DIRECT ? " (with O_DIRECT)" : "");
	return fd;
}

static void require_offsets(const char *name, int fd, struct stat *status)
{
	if (fstat(fd, status))
		err(STATUS_FAILED, "%s", name);
	if (S_ISDIR(status->st_mode))
		errx(STATUS_FAILED, "%s: is a directory; name a file", name);
	if (!S_ISREG(status->st_mode) && !S_ISBLK(status->st_mode))
		errx(STATUS_FAILED, "%s: is neither a regular file nor a block device", name);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static uint64_t size_of(const char *name, int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	/* Some files of /proc cannot say. */
	if (end < 0)
		return 0;
	if (lseek(fd, 0, SEEK_SET))
		err(STATUS_FAILED, "%s", name);
	return (uint64_t)end;
}

void endpoints_open(struct endpoints *endpoints, const char *source, const char *target,
		    bool direct)
{
	int flags = direct ? O_DIRECT : 0;
	struct stat from, to;

	endpoints->source_name = source;
	endpoints->target_name = target;
	endpoints->alignment = direct ? DIRECT_ALIGNMENT : 1;

	/* O_NONBLOCK: a FIFO is refused below rather than waited for. */
	endpoints->source = open_file(source, O_RDONLY | O_NONBLOCK | flags, 0);
	require_offsets(source, endpoints->source, &from);
	endpoints->size = size_of(source, endpoints->source);

	if (!stat(target, &to) && S_ISDIR(to.st_mode))
		errx(STATUS_FAILED, "%s: is a directory; name a file", target);
	/* With O_DIRECT the target is opened twice, so its owner must be let in. */
	endpoints->tail = open_file(target, O_RDWR | O_CREAT | O_NONBLOCK,
				    (from.st_mode & 0777) | 0600);
	require_offsets(target, endpoints->tail, &to);
	if (same_file(&from, &to))
		errx(STATUS_FAILED, "%s and %s are the same file", source, target);
	endpoints->target = direct ? open_file(target, O_RDWR | flags, 0) : endpoints->tail;
	if (S_ISREG(to.st_mode) && ftruncate(endpoints->tail, 0))
		err(STATUS_FAILED, "%s", target);
}

int endpoints_close(const struct endpoints *endpoints)
{
	int error = 0;

	close(endpoints->source);
	if (endpoints->target != endpoints->tail)
		error = close(endpoints->target);
	/* Some file systems report a failed write only here. */
	if (close(endpoints->tail) || error) {
		warn("%s", endpoints->target_name);
		return -1;
	}
	return 0;
}
