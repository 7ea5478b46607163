// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "mutator.h"
#include "source.h"
#include "tally.h"

#define BURST 64
#define QUEUE_WORDS 80		/* heads, tails, flags and constants */
#define WORD sizeof(__u32)

static struct mutator {
	pthread_t thread;
	bool is_running;
	bool is_over;
	unsigned char *region;
	size_t size;
	__u64 random;
} mutator;

/* Which byte: every one in turn, every second time one of those that matter most. */
static size_t choose(size_t turn)
{
	__u64 random = random_next(&mutator.random);

	return turn & 1 ? random % (QUEUE_WORDS * WORD) : turn / 2 % mutator.size;
}

static void *flip(void *unused)
{
	size_t turn = random_next(&mutator.random) % mutator.size;

	while (!__atomic_load_n(&mutator.is_over, __ATOMIC_ACQUIRE)) {
		for (unsigned int i = 0; i < BURST; i++, turn++) {
			__u8 bit = 1 << random_next(&mutator.random) % 8;

			__atomic_fetch_xor(&mutator.region[choose(turn)], bit, __ATOMIC_RELAXED);
		}
		__atomic_fetch_add(&tally->flips, BURST, __ATOMIC_RELAXED);
		sched_yield();
	}
	return unused;
}

int mutator_start(unsigned char *region, size_t size, __u64 seed)
{
	int error;

	mutator_stop();
	mutator = (struct mutator) { .region = region, .size = size, .random = seed };
	error = pthread_create(&mutator.thread, NULL, flip, NULL);
	mutator.is_running = !error;
	return -error;
}

void mutator_stop(void)
{
	if (!mutator.is_running)
		return;
	__atomic_store_n(&mutator.is_over, true, __ATOMIC_RELEASE);
	pthread_join(mutator.thread, NULL);
	mutator.is_running = false;
}
