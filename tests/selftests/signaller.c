// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "signaller.h"

static void *keep_signalling(void *arg)
{
	struct signaller *signaller = arg;
	eventfd_t value;

	while (!__atomic_load_n(&signaller->stop, __ATOMIC_RELAXED)) {
		eventfd_write(signaller->fd, 1);
		sched_yield();
		eventfd_read(signaller->fd, &value);
	}
	return NULL;
}

int signaller_begin(struct signaller *signaller)
{
	int err;

	signaller->stop = false;
	signaller->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signaller->fd < 0)
		return -errno;
	err = pthread_create(&signaller->thread, NULL, keep_signalling, signaller);
	if (err)
		close(signaller->fd);
	return -err;
}

void signaller_end(struct signaller *signaller)
{
	__atomic_store_n(&signaller->stop, true, __ATOMIC_RELAXED);
	pthread_join(signaller->thread, NULL);
	close(signaller->fd);
}
