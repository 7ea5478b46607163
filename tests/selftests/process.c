// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module.h"
#include "process.h"

pid_t spawn(int (*fn)(void *arg), void *arg)
{
	pid_t child = fork();

	if (child == 0)
		_exit(fn(arg));
	return child;
}

int outcome_of(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		return 256;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

const char *thread_stat(pid_t thread, char *text, size_t size)
{
	char path[64];
	char *rest;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	if (text_read(path, text, size))
		return NULL;
	/* A name may have parentheses. */
	rest = strrchr(text, ')');
	return rest && strlen(rest) > 2 ? rest + 2 : NULL;
}

int in_child(int (*fn)(void *arg), void *arg)
{
	return outcome_of(spawn(fn, arg));
}

int become_other(void)
{
	if (setgroups(0, NULL) || setresgid(OTHER_ID, OTHER_ID, OTHER_ID) ||
	    setresuid(OTHER_ID, OTHER_ID, OTHER_ID))
		return -errno;
	return 0;
}

union fd_message {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

int send_fd(int socket, int fd)
{
	union fd_message control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

int recv_fd(int socket)
{
	union fd_message control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return fd;
}
