/* SPDX-License-Identifier: GPL-2.0-only */
/* Somebody who makes a file ready again and again. */
#ifndef SELFTESTS_SIGNALLER_H
#define SELFTESTS_SIGNALLER_H

#include <pthread.h>
#include <stdbool.h>

struct signaller {
	pthread_t thread;
	int fd;		/* an eventfd */
	bool stop;
};

/* The result is -errno. */
int signaller_begin(struct signaller *signaller);
void signaller_end(struct signaller *signaller);

#endif
