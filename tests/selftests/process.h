/* SPDX-License-Identifier: GPL-2.0-only */
/* Other processes and users. */
#ifndef SELFTESTS_PROCESS_H
#define SELFTESTS_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

#define OTHER_ID 1000	/* a user and group without any privilege */

/*
 * Runs fn(arg) in a child and returns what it returned, 0 to 255, -signal if a
 * signal ended it, or 256 if there was no child.
 */
int in_child(int (*fn)(void *arg), void *arg);

pid_t spawn(int (*fn)(void *arg), void *arg);
int outcome_of(pid_t child);

/* What proc_pid_stat(5) says of a thread of this process, from its state on; NULL if it is gone. */
const char *thread_stat(pid_t thread, char *text, size_t size);

/* Become OTHER_ID for good. The result is -errno. */
int become_other(void);

/* Pass a descriptor through a connected AF_UNIX socket. The result is -errno. */
int send_fd(int socket, int fd);
int recv_fd(int socket);

/* The number that the next descriptor gets: it grows when something leaks. */
int next_fd(void);

#endif
