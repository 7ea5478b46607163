/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that wait for completions beside others. */
#ifndef SELFTESTS_WAITER_H
#define SELFTESTS_WAITER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ring.h"

/*
 * A thread that waits as @args says and, if that has succeeded, reads up to
 * @take completions. If it finds none, because others were faster, it waits again.
 */
struct waiter {
	const struct ring *ring;
	struct io_ring_enter args;
	__u32 take;
	int priority;		/* of SCHED_FIFO, on processor 0; or 0 */
	int epoll;		/* wait with this instead of the ring; or 0 */

	pthread_t thread;
	pid_t tid;
	int result;		/* of the last wait */
	unsigned int returns;	/* waits that have succeeded */
	unsigned int taken;	/* completions that it has read */
	long sleeps;		/* how often it was put to sleep while it waited */
	bool over;
};

/* Start a thread, and wait until it sleeps or is over. False if neither happens. */
bool waiter_start(struct waiter *waiter);

/* Whether a thread or process sleeps in ioctl(2) or epoll_wait(2). */
bool is_asleep(pid_t tid);

bool waiter_is_over(const struct waiter *waiter);

/* Whether the thread is over, after a while if it has to. */
bool await_waiter(const struct waiter *waiter);

/* Read one completion, as only one thread can do at a time: who holds this. */
bool pop_alone(const struct ring *ring);
extern pthread_mutex_t reading;

/* Have the calling thread run on processor 0, before all threads of lower priority. */
int run_before(int priority);

#endif
