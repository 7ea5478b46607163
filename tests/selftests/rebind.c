// SPDX-License-Identifier: GPL-2.0-only
/* A ring that belongs to one process after another (IO_RING_SETUP_REBIND): who may submit when. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "actor.h"
#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define ENTRIES 4
#define CONTENDERS 6

/* Entering with to_submit other than 0 binds, even if the queue is empty. */
static int try_submit(struct ring *ring)
{
	return ring_enter(ring, 1, 0);
}

/* The user_data of the completion that comes of submitting one more entry. */
static int submit_nop(struct ring *ring)
{
	struct io_ring_sqe sqe = sqe_nop(17);
	struct io_ring_cqe cqe;
	int error = ring_run(ring, &sqe, &cqe);

	return error ?: (int)cqe.user_data;
}

static int wait_for_one(struct ring *ring)
{
	return ring_enter(ring, 0, 1);
}

/* A ring of no process, in the hands of the test and of two others. */
FIXTURE(rebind)
{
	struct ring ring;
	struct actor first;
	struct actor second;
};

FIXTURE_VARIANT(rebind)
{
	bool (*leaves)(struct actor *actor);
};

FIXTURE_VARIANT_ADD(rebind, exit) { .leaves = actor_exits };
FIXTURE_VARIANT_ADD(rebind, kill) { .leaves = actor_is_killed };
FIXTURE_VARIANT_ADD(rebind, exec) { .leaves = actor_executes };
FIXTURE_VARIANT_ADD(rebind, exec_holding) { .leaves = actor_executes_holding };

FIXTURE_SETUP(rebind)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&self->first, &self->ring));
	ASSERT_TRUE(actor_start(&self->second, &self->ring));
}

FIXTURE_TEARDOWN(rebind)
{
	actor_end(&self->first);
	actor_end(&self->second);
	ring_close(&self->ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(rebind, others_may_not_submit_until_it_has_left)
{
	EXPECT_EQ(17, actor_ask(&self->first, submit_nop));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, try_submit));
	EXPECT_EQ(-EPERM, try_submit(&self->ring));
	EXPECT_EQ(17, actor_ask(&self->first, submit_nop));
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_EQ(17, actor_ask(&self->second, submit_nop));
	EXPECT_EQ(-EPERM, try_submit(&self->ring));
	ASSERT_TRUE(variant->leaves(&self->second));
	EXPECT_EQ(17, submit_nop(&self->ring));
}

TEST_F(rebind, owner_in_fdinfo)
{
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "owner"));
	EXPECT_EQ(32, fdinfo_value(self->ring.fd, "max_workers"));
	EXPECT_EQ(0, actor_ask(&self->first, try_submit));
	EXPECT_EQ(self->first.pid, fdinfo_value(self->ring.fd, "owner"));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, try_submit));
	EXPECT_EQ(self->first.pid, fdinfo_value(self->ring.fd, "owner"));
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "owner"));
	EXPECT_EQ(0, actor_ask(&self->second, try_submit));
	EXPECT_EQ(self->second.pid, fdinfo_value(self->ring.fd, "owner"));
	EXPECT_EQ(32, fdinfo_value(self->ring.fd, "max_workers"));
}

static int quiesce(struct ring *ring)
{
	__u32 left;

	return ring_quiesce(ring, 0, &left);
}

TEST_F(rebind, registering_binds_as_submitting_does)
{
	EXPECT_EQ(0, actor_ask(&self->first, quiesce));
	EXPECT_EQ(self->first.pid, fdinfo_value(self->ring.fd, "owner"));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, try_submit));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, quiesce));
	ASSERT_TRUE(variant->leaves(&self->first));
	EXPECT_EQ(0, actor_ask(&self->second, quiesce));
	EXPECT_EQ(-EPERM, quiesce(&self->ring));
}

static int push_two_submit_one(struct ring *ring)
{
	ring_push_nops(ring, 2, 30);
	return ring_enter(ring, 1, 0);
}

TEST_F(rebind, next_takes_what_was_left_in_the_queue)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(1, actor_ask(&self->first, push_two_submit_one));
	ASSERT_TRUE(variant->leaves(&self->first));
	ASSERT_EQ(1, actor_ask(&self->second, try_submit));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(30, cqe.user_data);
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(31, cqe.user_data);
	EXPECT_FALSE(ring_pop(&self->ring, &cqe));
}

static int drop_user(struct ring *ring)
{
	(void)ring;
	return become_other();
}

TEST_F(rebind, credentials_are_those_at_binding)
{
	ASSERT_EQ(0, actor_ask(&self->first, drop_user));
	EXPECT_EQ(17, actor_ask(&self->first, submit_nop));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, try_submit));
	ASSERT_TRUE(variant->leaves(&self->first));

	EXPECT_EQ(17, actor_ask(&self->second, submit_nop));
	ASSERT_EQ(0, actor_ask(&self->second, drop_user));
	EXPECT_EQ(-EPERM, actor_ask(&self->second, try_submit));
	EXPECT_EQ(-EPERM, try_submit(&self->ring));
	ASSERT_TRUE(variant->leaves(&self->second));
	EXPECT_EQ(17, submit_nop(&self->ring));
}

/* Waiting, polling and submitting nothing do not bind. */
TEST_F(rebind, waits_before_there_is_a_process)
{
	struct pollfd pollfd = { .fd = self->ring.fd, .events = POLLIN };

	EXPECT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	ASSERT_TRUE(actor_tell(&self->second, wait_for_one));
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, fdinfo_value(self->ring.fd, "owner"));
	ASSERT_EQ(1, actor_ask(&self->first, push_two_submit_one));
	EXPECT_EQ(0, actor_answer(&self->second));
	EXPECT_EQ(self->first.pid, fdinfo_value(self->ring.fd, "owner"));
}

static int let_go(struct ring *ring)
{
	ring_close(ring);
	return 0;
}

/* Nobody is told when such a process leaves. */
static void expect_next_after(struct __test_metadata *_metadata,
			      bool (*leaves)(struct actor *actor))
{
	struct actor first, second;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&first, &ring));
	ASSERT_TRUE(actor_start(&second, &ring));
	EXPECT_EQ(17, actor_ask(&first, submit_nop));
	ASSERT_EQ(0, actor_ask(&first, let_go));
	EXPECT_EQ(-EPERM, actor_ask(&second, try_submit));
	EXPECT_EQ(first.pid, fdinfo_value(ring.fd, "owner"));
	ASSERT_TRUE(leaves(&first));
	EXPECT_EQ(0, fdinfo_value(ring.fd, "owner"));
	EXPECT_EQ(17, actor_ask(&second, submit_nop));
	EXPECT_EQ(second.pid, fdinfo_value(ring.fd, "owner"));
	actor_end(&first);
	actor_end(&second);
	ring_close(&ring);
}

TEST(owner_has_let_go_of_the_ring)
{
	expect_next_after(_metadata, actor_exits);
	expect_next_after(_metadata, actor_is_killed);
	expect_next_after(_metadata, actor_executes);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The creator is nobody special. */
TEST(creator_is_gone_first)
{
	struct actor creator, other;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&creator, &ring));
	ASSERT_TRUE(actor_start(&other, &ring));
	ring_close(&ring);
	EXPECT_EQ(17, actor_ask(&other, submit_nop));
	EXPECT_EQ(-EPERM, actor_ask(&creator, try_submit));
	EXPECT_EQ(17, actor_ask(&other, submit_nop));
	ASSERT_TRUE(actor_exits(&other));
	EXPECT_EQ(17, actor_ask(&creator, submit_nop));
	actor_end(&creator);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int makes_and_sends(void *arg)
{
	struct io_ring_setup setup = ring_wanted(ENTRIES, IO_RING_SETUP_REBIND);
	int socket = *(int *)arg;
	int fd = ring_setup(&setup);

	if (fd < 0 || send_fd(socket, fd))
		return 1;
	return write(socket, &setup, sizeof(setup)) != sizeof(setup);
}

TEST(passed_over_a_socket_by_one_that_is_gone)
{
	struct ring ring;
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	ASSERT_EQ(0, in_child(makes_and_sends, &sockets[1]));
	ring.fd = recv_fd(sockets[0]);
	ASSERT_LE(0, ring.fd);
	ASSERT_EQ(sizeof(ring.setup), read(sockets[0], &ring.setup, sizeof(ring.setup)));
	ring.region = mmap(NULL, ring.setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ring.fd, IO_RING_OFF_REGION);
	ASSERT_NE(MAP_FAILED, ring.region);
	EXPECT_EQ(17, submit_nop(&ring));
	ring_close(&ring);
	close(sockets[0]);
	close(sockets[1]);
}

static int child_submits(void *arg)
{
	struct ring *ring = arg;

	ring_push_nops(ring, 1, 40);
	return ring_enter(ring, 1, 0) != 1;
}

/* Mappings that were made before the forks. */
TEST(reaped_by_others)
{
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND | IO_RING_SETUP_FORK_SHARED));
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(0, in_child(child_submits, &ring));
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		EXPECT_EQ(40, cqe.user_data);
	}
	EXPECT_EQ(17, submit_nop(&ring));
	EXPECT_EQ(1, in_child(child_submits, &ring));
	ring_close(&ring);
}

struct contest {
	struct ring ring;
	int *owners;	/* how many there are, and how many there have been */
};

static int contend(void *arg)
{
	struct contest *contest = arg;
	long end = now_ms() + patience(10 * SOON);
	int result;

	do {
		result = try_submit(&contest->ring);
	} while (result == -EPERM && now_ms() < end);
	if (result)
		return 1;
	if (__atomic_fetch_add(&contest->owners[0], 1, __ATOMIC_SEQ_CST))
		return 2;
	__atomic_fetch_add(&contest->owners[1], 1, __ATOMIC_SEQ_CST);
	sleep_ms(10);
	if (try_submit(&contest->ring))
		return 3;
	__atomic_fetch_sub(&contest->owners[0], 1, __ATOMIC_SEQ_CST);
	return 0;
}

TEST(one_at_a_time)
{
	struct contest contest;
	pid_t children[CONTENDERS];

	contest.owners = mmap(NULL, 2 * sizeof(int), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, contest.owners);
	ASSERT_EQ(0, ring_open(&contest.ring, ENTRIES, IO_RING_SETUP_REBIND));
	for (unsigned int i = 0; i < CONTENDERS; i++)
		children[i] = spawn(contend, &contest);
	for (unsigned int i = 0; i < CONTENDERS; i++)
		EXPECT_EQ(0, outcome_of(children[i]));
	EXPECT_EQ(CONTENDERS, contest.owners[1]);
	ring_close(&contest.ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/*
 * The program that a process becomes by exec is another process for a ring, even with a descriptor
 * that it has kept. This program becomes itself, and gets here before main(), with the number of
 * the descriptor in the environment.
 */
#define KEPT "REBIND_TEST_FD"

static void __attribute__((constructor)) submit_by_kept_descriptor(void)
{
	struct io_ring_enter args = { .to_submit = 1 };
	const char *kept = getenv(KEPT);

	if (kept)
		_exit(-ring_enter_fd(atoi(kept), &args));
}

static int becomes_itself(void *arg)
{
	int fd = ((struct ring *)arg)->fd;
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (try_submit(arg) || fcntl(fd, F_SETFD, 0) || setenv(KEPT, number, 1))
		return 200;
	execl("/proc/self/exe", "rebind", NULL);
	return 201;
}

static int makes_one_and_becomes_itself(void *arg)
{
	struct ring ring;

	return ring_open(&ring, ENTRIES, *(__u32 *)arg) ? 202 : becomes_itself(&ring);
}

TEST(program_after_exec_is_another_process)
{
	__u32 flags[] = { 0, IO_RING_SETUP_REBIND };

	EXPECT_EQ(EPERM, in_child(makes_one_and_becomes_itself, &flags[0]));
	EXPECT_EQ(0, in_child(makes_one_and_becomes_itself, &flags[1]));
}

TEST_HARNESS_MAIN
