// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <sched.h>

#include "await.h"
#include "clock.h"
#include "stopwatch.h"

#define NAP (2 * MS)

struct sleeper {
	__u64 late;
	unsigned int naps;
};

static struct sleeper sleepers[STOPWATCH_PROCESSORS];

static void *sleep_on(void *arg)
{
	struct sleeper *me = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me - sleepers, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;) {
		__u64 begin = clock_now(CLOCK_MONOTONIC);

		clock_sleep(NAP);
		__atomic_add_fetch(&me->late, clock_since(begin + NAP), __ATOMIC_RELAXED);
		__atomic_add_fetch(&me->naps, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

int stopwatch_prepare(void)
{
	int error = 0;

	for (unsigned int i = 0; i < STOPWATCH_PROCESSORS && !error; i++) {
		pthread_t thread;

		error = -pthread_create(&thread, NULL, sleep_on, &sleepers[i]);
	}
	return error;
}

/* How late a processor has been so far, the nap that is just taken included. */
static __u64 lateness(const struct sleeper *sleeper)
{
	unsigned int naps = __atomic_load_n(&sleeper->naps, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&sleeper->naps, __ATOMIC_ACQUIRE) == naps)
		sleep_ms(1);
	return __atomic_load_n(&sleeper->late, __ATOMIC_RELAXED);
}

struct stopwatch stopwatch_start(void)
{
	struct stopwatch watch;

	for (unsigned int i = 0; i < STOPWATCH_PROCESSORS; i++)
		watch.late[i] = lateness(&sleepers[i]);
	watch.begin = clock_now(CLOCK_MONOTONIC);
	return watch;
}

struct span stopwatch_stop(const struct stopwatch *watch)
{
	struct span span = { .length = clock_since(watch->begin) };

	for (unsigned int i = 0; i < STOPWATCH_PROCESSORS; i++) {
		__u64 late = lateness(&sleepers[i]) - watch->late[i];

		if (late > span.late)
			span.late = late;
	}
	return span;
}

bool span_within(const struct span *span, __u64 limit)
{
	return span->length < patience(limit) + span->late;
}

void keep_longest(struct span *longest, const struct span *span)
{
	if (span->length > longest->length)
		*longest = *span;
}
