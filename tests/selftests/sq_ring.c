// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sched.h>

#include "await.h"
#include "module.h"
#include "process.h"
#include "sq_ring.h"

#define LIMIT (30 * SOON)

int sq_open(struct ring *ring, __u32 entries, __u32 idle_ms)
{
	struct io_ring_setup wanted = ring_wanted(entries, IO_RING_SETUP_SQPOLL);

	wanted.sq_thread_idle_ms = idle_ms;
	return ring_open_as(ring, &wanted);
}

bool sq_needs_call(const struct ring *ring)
{
	return ring_load(ring, ring->setup.sq_off.flags) & IO_RING_SQ_NEED_WAKEUP;
}

int sq_call(const struct ring *ring, __u32 flags)
{
	struct io_ring_enter args = { .flags = flags };

	return ring_enter_fd(ring->fd, &args);
}

int sq_offered(const struct ring *ring)
{
	int ret;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!sq_needs_call(ring))
		return 0;
	ret = sq_call(ring, IO_RING_ENTER_SQ_WAKEUP);
	return ret < 0 ? ret : 1;
}

int sq_push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	return sq_offered(ring);
}

/* Its last look is behind it. */
static bool is_asleep(pid_t thread)
{
	char text[512];
	const char *stat = thread_stat(thread, text, sizeof(text));

	return stat && *stat == 'S';
}

bool sq_await_sleep(const struct ring *ring)
{
	long end = now_ms() + patience(LIMIT);
	pid_t thread = sq_thread(ring);

	while (!sq_needs_call(ring) || !is_asleep(thread)) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

bool sq_await_entries(const struct ring *ring, long entries)
{
	long end = now_ms() + patience(LIMIT);

	while (fdinfo_value(ring->fd, "sq_thread_entries") != entries) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

pid_t sq_thread(const struct ring *ring)
{
	long end = now_ms() + patience(LIMIT);
	long thread;

	while (!(thread = fdinfo_value(ring->fd, "sq_thread")) && now_ms() < end)
		sleep_ms(1);
	return thread;
}

bool sq_pop(const struct ring *ring, struct io_ring_cqe *cqe)
{
	long end = now_ms() + patience(LIMIT);

	while (!ring_pop(ring, cqe)) {
		if (now_ms() > end)
			return false;
		sched_yield();
	}
	return true;
}
