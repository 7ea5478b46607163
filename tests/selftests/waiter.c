// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "await.h"
#include "module.h"
#include "waiter.h"

#define STEP_MS 2

pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

bool pop_alone(const struct ring *ring)
{
	struct io_ring_cqe cqe;
	bool popped;

	pthread_mutex_lock(&reading);
	popped = ring_pop(ring, &cqe);
	pthread_mutex_unlock(&reading);
	return popped;
}

int run_before(int priority)
{
	const struct sched_param param = { .sched_priority = priority };
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first) ||
	    sched_setscheduler(0, SCHED_FIFO, &param))
		return -errno;
	return 0;
}

static long sleeps_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static int wait_for_news(const struct waiter *waiter)
{
	struct io_ring_enter args = waiter->args;
	struct epoll_event event;

	if (!waiter->epoll)
		return ring_enter_fd(waiter->ring->fd, &args);
	return epoll_wait(waiter->epoll, &event, 1, -1) == 1 ? 0 : -errno;
}

static void wait_once(struct waiter *waiter)
{
	long before = sleeps_so_far();

	waiter->result = wait_for_news(waiter);
	waiter->sleeps += sleeps_so_far() - before;
	if (waiter->result)
		return;
	__atomic_add_fetch(&waiter->returns, 1, __ATOMIC_RELAXED);
	while (waiter->taken < waiter->take && pop_alone(waiter->ring))
		__atomic_add_fetch(&waiter->taken, 1, __ATOMIC_RELEASE);
}

static void *run(void *arg)
{
	struct waiter *waiter = arg;

	if (waiter->priority)
		waiter->result = run_before(waiter->priority);
	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_RELEASE);
	while (!waiter->result && !waiter->taken)
		wait_once(waiter);
	__atomic_store_n(&waiter->over, true, __ATOMIC_RELEASE);
	return NULL;
}

bool is_asleep(pid_t tid)
{
	char path[40];
	char call[160];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	if (text_read(path, call, sizeof(call)))
		return false;
	return atoi(call) == SYS_ioctl || atoi(call) == SYS_epoll_wait;
}

bool waiter_is_over(const struct waiter *waiter)
{
	return __atomic_load_n(&waiter->over, __ATOMIC_ACQUIRE);
}

static bool is_settled(const struct waiter *waiter)
{
	pid_t tid = __atomic_load_n(&waiter->tid, __ATOMIC_ACQUIRE);

	return tid && (is_asleep(tid) || waiter_is_over(waiter));
}

static bool await(bool (*is_so)(const struct waiter *waiter), const struct waiter *waiter)
{
	long end = now_ms() + patience(SOON);

	while (!is_so(waiter)) {
		if (now_ms() > end)
			return false;
		sleep_ms(STEP_MS);
	}
	return true;
}

bool waiter_start(struct waiter *waiter)
{
	return !pthread_create(&waiter->thread, NULL, run, waiter) && await(is_settled, waiter);
}

bool await_waiter(const struct waiter *waiter)
{
	return await(waiter_is_over, waiter);
}
