// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are stopped or frozen hold up nobody who closes their rings. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "await.h"
#include "cgroup.h"
#include "clock.h"
#include "files.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "soak.h"
#include "stopwatch.h"

#define OWNERS 128
#define LIMIT_S 1200
#define READS 8
#define FSYNCS 4
#define REQUESTS (READS + FSYNCS)
#define AT_ONCE (100 * MS)

struct owner {
	pid_t pid;
	int ring;		/* the only descriptor of it */
};

struct owners {
	struct owner all[OWNERS];
	unsigned int count;
	bool freeze;		/* else they are stopped */
};

FIXTURE(owners)
{
	struct owners owners;
	int file;
	int memory_file;
};

FIXTURE_VARIANT(owners)
{
	const char *name;
	bool frozen;
};

FIXTURE_VARIANT_ADD(owners, stopped)
{
	.name = "stopped",
};

FIXTURE_VARIANT_ADD(owners, frozen)
{
	.name = "frozen",
	.frozen = true,
};

FIXTURE_SETUP(owners)
{
	self->owners.freeze = variant->frozen;
	self->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->file);
	self->memory_file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->memory_file);
	ASSERT_EQ(0, cgroup_make());
}

FIXTURE_TEARDOWN(owners)
{
	EXPECT_EQ(0, cgroup_remove());
	close(self->file);
	close(self->memory_file);
}

/* Makes requests that block, and some for workers, and gives the ring away. */
static int give_ring(int socket, int file)
{
	static char bytes[READS];
	struct ring ring;
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC) || ring_open(&ring, REQUESTS, 0))
		return 1;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct io_ring_sqe sqe = sqe_fsync(file, 0, 0, 0);

		if (i < READS)
			sqe = sqe_rw(IO_RING_OP_READ, pipe[0], &bytes[i], 1, 0);

		ring_push(&ring, &sqe);
	}
	if (pwrite(file, bytes, READS, 0) != READS ||
	    ring_enter(&ring, REQUESTS, 0) != REQUESTS || send_fd(socket, ring.fd))
		return 2;
	ring_close(&ring);
	if (write(socket, "x", 1) != 1)
		return 3;
	for (;;)
		pause();
}

/* Starts one more; the rings of the others are none of its business. */
static bool start(struct owners *owners, int file)
{
	struct owner *owner = &owners->all[owners->count];
	int sockets[2];
	char byte;
	bool given;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return false;
	owner->pid = fork();
	if (!owner->pid) {
		for (unsigned int i = 0; i < owners->count; i++)
			close(owners->all[i].ring);
		_exit(give_ring(sockets[1], file));
	}
	close(sockets[1]);
	owner->ring = recv_fd(sockets[0]);
	/* From here on the owner has no descriptor any more. */
	given = owner->ring >= 0 && read(sockets[0], &byte, 1) == 1;
	close(sockets[0]);
	owners->count++;
	return given;
}

static bool stop(pid_t pid)
{
	int status;

	return !kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid &&
	       WIFSTOPPED(status);
}

static void stop_all(struct __test_metadata *_metadata, const struct owners *owners)
{
	for (unsigned int i = 0; i < owners->count; i++) {
		pid_t pid = owners->all[i].pid;

		ASSERT_TRUE(owners->freeze ? !cgroup_add(pid) : stop(pid));
	}
	if (owners->freeze)
		ASSERT_EQ(0, cgroup_freeze(true, patience(2 * SOON)));
}

static void close_all(struct __test_metadata *_metadata, const struct owners *owners,
		      struct span *longest)
{
	for (unsigned int i = 0; i < owners->count; i++) {
		struct stopwatch watch = stopwatch_start();
		struct span span;

		ASSERT_EQ(0, close(owners->all[i].ring));
		span = stopwatch_stop(&watch);
		keep_longest(longest, &span);
		EXPECT_TRUE(span_within(&span, AT_ONCE)) {
			TH_LOG("close %u: %.1f ms, late %.1f ms", i, in_ms(span.length),
			       in_ms(span.late));
		}
	}
}

/* A ring with a worker, and nothing else that could take long. */
static void use_fresh_ring(struct __test_metadata *_metadata, int memory_file,
			   struct span *longest)
{
	struct io_ring_sqe sqe = sqe_fsync(memory_file, 0, 0, 0);
	struct stopwatch watch = stopwatch_start();
	struct io_ring_cqe cqe;
	struct span span;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 1, 0));
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	ASSERT_EQ(0, cqe.res);
	ring_close(&ring);
	span = stopwatch_stop(&watch);
	keep_longest(longest, &span);
	EXPECT_TRUE(span_within(&span, AT_ONCE)) {
		TH_LOG("%.1f ms, late %.1f ms", in_ms(span.length), in_ms(span.late));
	}
}

/* One half of the owners is killed where it is, the other one goes on, to lose its workers. */
static void release_all(struct __test_metadata *_metadata, const struct owners *owners)
{
	for (unsigned int i = 0; i < owners->count; i += 2) {
		ASSERT_EQ(0, kill(owners->all[i].pid, SIGKILL));
		EXPECT_EQ(-SIGKILL, outcome_of(owners->all[i].pid));
	}
	if (owners->freeze)
		ASSERT_EQ(0, cgroup_freeze(false, patience(2 * SOON)));
	for (unsigned int i = 1; i < owners->count; i += 2) {
		pid_t pid = owners->all[i].pid;

		if (!owners->freeze)
			ASSERT_EQ(0, kill(pid, SIGCONT));
		EXPECT_TRUE(await_workers(pid, 0, 5 * SOON)) {
			TH_LOG("owner %u has %d workers", i, worker_count(pid));
		}
		ASSERT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(-SIGKILL, outcome_of(pid));
	}
}

TEST_F_TIMEOUT(owners, hold_up_nobody, LIMIT_S)
{
	struct span close = { 0 }, fresh = { 0 };

	while (self->owners.count < soak_scaled(OWNERS))
		ASSERT_TRUE(start(&self->owners, self->file));
	EXPECT_EQ(self->owners.count, counter("rings"));
	stop_all(_metadata, &self->owners);
	ASSERT_EQ(0, stopwatch_prepare());
	use_fresh_ring(_metadata, self->memory_file, &fresh);
	close_all(_metadata, &self->owners, &close);
	EXPECT_EQ(0, counter("rings"));
	use_fresh_ring(_metadata, self->memory_file, &fresh);
	release_all(_metadata, &self->owners);
	EXPECT_STREQ("", counters_busy() ?: "");
	soak_figure("%u rings of %s owners:", self->owners.count, variant->name);
	soak_figure("  longest close %.1f ms (processor late %.1f ms)", in_ms(close.length),
		    in_ms(close.late));
	soak_figure("  longest life of a fresh ring %.1f ms (processor late %.1f ms)",
		    in_ms(fresh.length), in_ms(fresh.late));
}

TEST_HARNESS_MAIN
