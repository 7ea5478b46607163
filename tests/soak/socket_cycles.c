// SPDX-License-Identifier: GPL-2.0-only
/* Rings that nothing but a queue of sockets refers to, again and again: none stays. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "await.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "soak.h"

#define ROUNDS 10000
#define LIMIT_S 7200
#define ENTRIES 4
#define MOST_RINGS 32	/* before they are looked for */

struct ends {
	struct ring ring;
	int pair[2];
	int other[2];
};

/* The result is -errno. */
typedef int (*tie_fn)(const struct ends *ends);

static int open_ends(struct ends *ends)
{
	int error = ring_open(&ends->ring, ENTRIES, 0);

	if (error)
		return error;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->pair) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->other))
		return -errno;
	return 0;
}

static void close_ends(struct ends *ends)
{
	ring_close(&ends->ring);
	for (unsigned int i = 0; i < 2; i++) {
		close(ends->pair[i]);
		close(ends->other[i]);
	}
}

static int submit_read(const struct ring *ring, int fd)
{
	static char byte;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, fd, &byte, 1, 0);

	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0) == 1 ? 0 : -EPROTO;
}

/* In the queue of a socket that is in its own queue, with the end that others write to. */
static int tie_garbage(const struct ends *ends)
{
	int error = submit_read(&ends->ring, ends->other[0]);

	error = error ?: send_fd(ends->pair[0], ends->ring.fd);
	error = error ?: send_fd(ends->pair[0], ends->pair[1]);
	return error ?: send_fd(ends->pair[0], ends->other[1]);
}

/* In the queue of the socket that it reads, whose other end is closed. */
static int tie_read(const struct ends *ends)
{
	int error = submit_read(&ends->ring, ends->pair[0]);

	return error ?: send_fd(ends->pair[0], ends->ring.fd);
}

/* It waits for the socket that has it, and only the end of the process undoes that. */
static int tie_for_good(const struct ends *ends)
{
	int error = submit_read(&ends->ring, ends->pair[0]);

	error = error ?: submit_read(&ends->ring, ends->other[0]);
	error = error ?: send_fd(ends->pair[1], ends->pair[0]);
	error = error ?: send_fd(ends->pair[1], ends->ring.fd);
	return error ?: send_fd(ends->other[1], ends->ring.fd);
}

FIXTURE(cycles)
{
};

FIXTURE_VARIANT(cycles)
{
	tie_fn tie;
	bool in_process_that_ends;
};

FIXTURE_VARIANT_ADD(cycles, of_garbage) { tie_garbage };
FIXTURE_VARIANT_ADD(cycles, of_a_ring_that_reads_itself) { tie_read };
FIXTURE_VARIANT_ADD(cycles, of_a_process_that_ends) { tie_for_good, .in_process_that_ends = true };

FIXTURE_SETUP(cycles)
{
	(void)self;
}

FIXTURE_TEARDOWN(cycles)
{
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

/* The garbage collector looks when a socket goes away. */
static bool await_no_ring(void)
{
	const long end = now_ms() + patience(5 * SOON);

	while (counter("rings")) {
		int pair[2];

		if (now_ms() > end || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			return false;
		close(pair[0]);
		close(pair[1]);
		sleep_ms(1);
	}
	return true;
}

/* The result is 0, or 1. */
static int tie_and_let_go(void *arg)
{
	tie_fn tie = *(tie_fn *)arg;
	struct ends ends;

	if (open_ends(&ends) || tie(&ends))
		return 1;
	close_ends(&ends);
	return 0;
}

TEST_F_TIMEOUT(cycles, come_undone, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	tie_fn tie = variant->tie;

	for (unsigned int round = 1; round <= rounds; round++) {
		ASSERT_EQ(0, variant->in_process_that_ends ? in_child(tie_and_let_go, &tie) :
							     tie_and_let_go(&tie));
		if (round % MOST_RINGS == 0 || round == rounds)
			ASSERT_TRUE(await_no_ring());
		soak_progress(round, rounds);
	}
	soak_figure("%u rings in queues of sockets are gone", rounds);
}

TEST_HARNESS_MAIN
