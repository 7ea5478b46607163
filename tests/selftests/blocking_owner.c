// SPDX-License-Identifier: GPL-2.0-only
/* Requests that block while the owner of their ring stops, leaves, or becomes another program. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "pause.h"
#include "process.h"
#include "ring.h"

#define READS 4
#define CLOSE_MS 500

/* What the owner shares with the test, and does when told to. */
struct owner {
	int pipes[READS][2];	/* one blocked READ each */
	int socket;		/* of the test */
	int orders;		/* the owner's end of it */
	pid_t pid;
	struct ring ring;
	char bytes[READS];
};

typedef int (*order_fn)(struct owner *owner);

/* In the owner: block some READs, pass the ring on, and carry out orders until one is to leave. */
static int owner_main(void *arg)
{
	struct owner *owner = arg;
	order_fn order;

	close(owner->socket);
	if (ring_open(&owner->ring, READS, 0))
		return 100;
	for (__u64 i = 0; i < READS; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, owner->pipes[i][0],
						&owner->bytes[i], 1, 0);

		sqe.user_data = i;
		ring_push(&owner->ring, &sqe);
	}
	if (ring_enter(&owner->ring, READS, 0) != READS)
		return 101;
	if (send_fd(owner->orders, owner->ring.fd) ||
	    write(owner->orders, &owner->ring.setup, sizeof(owner->ring.setup)) < 0)
		return 102;
	while (read(owner->orders, &order, sizeof(order)) == sizeof(order)) {
		int result = order(owner);

		if (write(owner->orders, &result, sizeof(result)) != sizeof(result))
			return 103;
	}
	return 104;
}

static void owner_start(struct __test_metadata *_metadata, struct owner *owner)
{
	int sockets[2];

	for (size_t i = 0; i < READS; i++)
		ASSERT_EQ(0, pipe2(owner->pipes[i], O_CLOEXEC));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	owner->socket = sockets[0];
	owner->orders = sockets[1];
	owner->pid = spawn(owner_main, owner);
	ASSERT_LT(0, owner->pid);
	close(owner->orders);
	owner->ring.fd = recv_fd(owner->socket);
	ASSERT_LE(0, owner->ring.fd);
	ASSERT_EQ(sizeof(owner->ring.setup),
		  read(owner->socket, &owner->ring.setup, sizeof(owner->ring.setup)));
	owner->ring.region = mmap(NULL, owner->ring.setup.region_size, PROT_READ | PROT_WRITE,
				  MAP_SHARED, owner->ring.fd, IO_RING_OFF_REGION);
	ASSERT_NE(MAP_FAILED, owner->ring.region);
	sleep_ms(A_WHILE);
	ASSERT_EQ(0, ring_ready(&owner->ring));
}

/* Orders that leave have no result; the others do. */
static bool tell(struct owner *owner, order_fn order)
{
	return write(owner->socket, &order, sizeof(order)) == sizeof(order);
}

static int ask(struct owner *owner, order_fn order)
{
	int result;

	if (!tell(owner, order))
		return -EIO;
	return read(owner->socket, &result, sizeof(result)) == sizeof(result) ? result : -EPIPE;
}

static bool feed(struct owner *owner)
{
	for (size_t i = 0; i < READS; i++)
		if (write(owner->pipes[i][1], &"abcdefgh"[i], 1) != 1)
			return false;
	return true;
}

static int check_reads(struct owner *owner)
{
	int error = ring_enter(&owner->ring, 0, READS);
	struct io_ring_cqe cqe;

	if (error)
		return error;
	while (ring_pop(&owner->ring, &cqe))
		if (cqe.res != 1 || owner->bytes[cqe.user_data] != "abcdefgh"[cqe.user_data])
			return -EBADMSG;
	return 0;
}

/* The requests did not read what came after the owner was gone. */
static void expect_untouched(struct __test_metadata *_metadata, struct owner *owner)
{
	ASSERT_TRUE(feed(owner));
	for (size_t i = 0; i < READS; i++) {
		char byte = 0;

		EXPECT_EQ(1, read(owner->pipes[i][0], &byte, 1));
		EXPECT_EQ("abcdefgh"[i], byte);
	}
}

FIXTURE(leaving)
{
	struct owner owner;
};

FIXTURE_VARIANT(leaving)
{
	bool held;	/* the test has the ring, too */
};

FIXTURE_VARIANT_ADD(leaving, alone) { .held = false };
FIXTURE_VARIANT_ADD(leaving, held_by_another) { .held = true };

FIXTURE_SETUP(leaving)
{
	owner_start(_metadata, &self->owner);
	if (!variant->held)
		ring_close(&self->owner.ring);
}

FIXTURE_TEARDOWN(leaving)
{
	if (variant->held)
		ring_close(&self->owner.ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void expect_cancelled(struct __test_metadata *_metadata, struct ring *ring)
{
	struct io_ring_cqe cqe;

	ASSERT_TRUE(await_completions(ring, READS, SOON));
	EXPECT_EQ(0, ring_enter(ring, 0, READS));
	for (size_t i = 0; i < READS; i++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(-ECANCELED, cqe.res);
	}
	EXPECT_EQ(0, ring_ready(ring));
	EXPECT_EQ(0, fdinfo_value(ring->fd, "in_flight"));
	EXPECT_EQ(-EOWNERDEAD, ring_enter(ring, 0, 1));
}

static void expect_end(struct __test_metadata *_metadata, struct owner *owner, bool held,
		       int outcome)
{
	ASSERT_TRUE(await_exit(owner->pid, SOON));
	EXPECT_EQ(outcome, outcome_of(owner->pid));
	if (held)
		expect_cancelled(_metadata, &owner->ring);
	else
		EXPECT_STREQ("", counters_busy() ?: "");
	expect_untouched(_metadata, owner);
}

static int leave(struct owner *owner)
{
	(void)owner;
	_exit(7);
}

TEST_F(leaving, exit)
{
	ASSERT_TRUE(tell(&self->owner, leave));
	expect_end(_metadata, &self->owner, variant->held, 7);
}

static void *leave_soon(void *arg)
{
	sleep_ms(A_WHILE);
	return (void *)(long)leave(arg);
}

static int leave_in_second_thread(struct owner *owner)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, leave_soon, owner))
		return 0;
	return ring_enter(&owner->ring, 0, READS);
}

TEST_F(leaving, exit_by_a_second_thread_while_the_first_waits)
{
	ASSERT_TRUE(tell(&self->owner, leave_in_second_thread));
	expect_end(_metadata, &self->owner, variant->held, 7);
}

/* Not the process, the only thread of the program. */
static int end_last_thread(struct owner *owner)
{
	(void)owner;
	return syscall(SYS_exit, 0);
}

TEST_F(leaving, end_of_the_last_thread)
{
	ASSERT_TRUE(tell(&self->owner, end_last_thread));
	expect_end(_metadata, &self->owner, variant->held, 0);
}

static void *carry_on(void *arg)
{
	struct owner *owner = arg;

	sleep_ms(A_WHILE);
	if (await_completions(&owner->ring, READS, SOON) && !check_reads(owner))
		_exit(8);
	_exit(9);
}

/* The first thread ends, another one goes on, and so do the requests. */
static int end_first_thread(struct owner *owner)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, carry_on, owner))
		syscall(SYS_exit, 0);
	return 0;
}

TEST_F(leaving, not_yet_the_second_thread)
{
	ASSERT_TRUE(tell(&self->owner, end_first_thread));
	sleep_ms(A_WHILE);
	ASSERT_TRUE(feed(&self->owner));
	ASSERT_TRUE(await_exit(self->owner.pid, SOON));
	EXPECT_EQ(8, outcome_of(self->owner.pid));
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 7;
}

static int have_a_child(struct owner *owner)
{
	return in_child(do_nothing, owner);
}

TEST_F(leaving, not_yet_a_child)
{
	ASSERT_EQ(7, ask(&self->owner, have_a_child));
	sleep_ms(A_WHILE);
	ASSERT_TRUE(feed(&self->owner));
	EXPECT_EQ(0, ask(&self->owner, check_reads));
	ASSERT_TRUE(tell(&self->owner, leave));
	EXPECT_EQ(7, outcome_of(self->owner.pid));
}

TEST_F(leaving, killed)
{
	ASSERT_EQ(0, kill(self->owner.pid, SIGKILL));
	expect_end(_metadata, &self->owner, variant->held, -SIGKILL);
}

static int crash(struct owner *owner)
{
	(void)owner;
	__builtin_trap();
}

TEST_F(leaving, crash)
{
	ASSERT_TRUE(tell(&self->owner, crash));
	expect_end(_metadata, &self->owner, variant->held, -SIGILL);
}

TEST_F(leaving, killed_while_stopped)
{
	ASSERT_EQ(0, kill(self->owner.pid, SIGSTOP));
	ASSERT_TRUE(await_stop(self->owner.pid));
	ASSERT_EQ(0, kill(self->owner.pid, SIGKILL));
	expect_end(_metadata, &self->owner, variant->held, -SIGKILL);
}

static int become_sleep(struct owner *owner)
{
	(void)owner;
	return execl("/bin/sleep", "sleep", "100", NULL);
}

static bool await_program(pid_t pid, const char *name)
{
	long end = now_ms() + patience(SOON);
	char path[32], seen[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	while (now_ms() < end) {
		if (!text_read(path, seen, sizeof(seen)) && !strcmp(seen, name))
			return true;
		sleep_ms(1);
	}
	return false;
}

TEST_F(leaving, another_program)
{
	ASSERT_TRUE(tell(&self->owner, become_sleep));
	EXPECT_TRUE(await_program(self->owner.pid, "sleep\n"));
	EXPECT_TRUE(await_workers(self->owner.pid, 0, SOON));
	if (variant->held)
		expect_cancelled(_metadata, &self->owner.ring);
	else
		EXPECT_STREQ("", counters_busy() ?: "");
	ASSERT_EQ(0, kill(self->owner.pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(self->owner.pid));
	expect_untouched(_metadata, &self->owner);
}

/* The test has the ring, too. */
FIXTURE(stopping)
{
	struct owner owner;
};

FIXTURE_VARIANT(stopping)
{
	const struct pause *pause;
};

FIXTURE_VARIANT_ADD(stopping, by_signal) { .pause = &pause_by_signal };
FIXTURE_VARIANT_ADD(stopping, by_freezer) { .pause = &pause_by_freezer };

FIXTURE_SETUP(stopping)
{
	ASSERT_TRUE(pause_prepare());
	owner_start(_metadata, &self->owner);
}

FIXTURE_TEARDOWN(stopping)
{
	if (self->owner.ring.region)
		ring_close(&self->owner.ring);
	kill(self->owner.pid, SIGKILL);
	EXPECT_TRUE(await_exit(self->owner.pid, SOON));
	outcome_of(self->owner.pid);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_TRUE(pause_clean_up());
}

TEST_F(stopping, goes_on)
{
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_TRUE(variant->pause->begin(self->owner.pid));
		ASSERT_TRUE(variant->pause->end(self->owner.pid));
	}
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, ring_ready(&self->owner.ring));
	ASSERT_TRUE(feed(&self->owner));
	EXPECT_EQ(0, ask(&self->owner, check_reads));
}

TEST_F(stopping, data_comes_meanwhile)
{
	ASSERT_TRUE(variant->pause->begin(self->owner.pid));
	ASSERT_TRUE(feed(&self->owner));
	sleep_ms(A_WHILE);
	ASSERT_TRUE(variant->pause->end(self->owner.pid));
	EXPECT_EQ(0, ask(&self->owner, check_reads));
}

static void expect_quick_close(struct __test_metadata *_metadata, struct ring *ring)
{
	long begin = now_ms();

	ring_close(ring);
	ring->region = NULL;
	EXPECT_GE(patience(CLOSE_MS), now_ms() - begin);
}

TEST_F(stopping, another_closes_its_descriptor)
{
	ASSERT_TRUE(variant->pause->begin(self->owner.pid));
	expect_quick_close(_metadata, &self->owner.ring);
	ASSERT_TRUE(feed(&self->owner));
	ASSERT_TRUE(variant->pause->end(self->owner.pid));
	EXPECT_EQ(0, ask(&self->owner, check_reads));
}

static int give_up(struct owner *owner)
{
	ring_close(&owner->ring);
	return 0;
}

TEST_F(stopping, another_closes_the_last_descriptor)
{
	ASSERT_EQ(0, ask(&self->owner, give_up));
	sleep_ms(A_WHILE);
	EXPECT_EQ(READS, fdinfo_value(self->owner.ring.fd, "in_flight"));
	ASSERT_TRUE(variant->pause->begin(self->owner.pid));
	expect_quick_close(_metadata, &self->owner.ring);
	ASSERT_TRUE(variant->pause->end(self->owner.pid));
	EXPECT_TRUE(await_workers(self->owner.pid, 0, SOON));
	EXPECT_STREQ("", counters_busy() ?: "");
	expect_untouched(_metadata, &self->owner);
}

TEST_F(stopping, another_closes_the_last_descriptor_and_it_is_killed)
{
	ASSERT_EQ(0, ask(&self->owner, give_up));
	ASSERT_TRUE(variant->pause->begin(self->owner.pid));
	expect_quick_close(_metadata, &self->owner.ring);
	ASSERT_EQ(0, kill(self->owner.pid, SIGKILL));
	EXPECT_TRUE(await_exit(self->owner.pid, SOON));
	expect_untouched(_metadata, &self->owner);
}

TEST_HARNESS_MAIN
