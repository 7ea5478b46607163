// SPDX-License-Identifier: GPL-2.0-only
/* A ring whose owner is gone, in the hands of another process. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define TICK_US 20000
#define NOPS 2

#define LEAVE "l"
#define EXECUTE "e"
#define EXECUTE_HOLDING "h"	/* the descriptor of the ring stays open */

/*
 * The owner hands its ring over with NOPS completions to be read. Then it leaves, or becomes
 * another program, which ends with the socket.
 */
FIXTURE(orphan)
{
	pid_t owner;
	int socket;
	int fd;
};

static int owner_main(void *arg)
{
	int socket = *(int *)arg;
	struct ring ring;
	char byte;

	if (ring_open(&ring, 4, 0))
		return 1;
	ring_push_nops(&ring, NOPS, 0);
	if (ring_enter(&ring, NOPS, NOPS) != NOPS || send_fd(socket, ring.fd))
		return 2;
	if (read(socket, &byte, 1) != 1)
		return 3;
	/* Give the other side time to begin waiting. */
	usleep(5 * TICK_US);
	if (byte == EXECUTE_HOLDING[0] && fcntl(ring.fd, F_SETFD, 0))
		return 4;
	if (byte != LEAVE[0] && dup2(socket, STDIN_FILENO) == STDIN_FILENO)
		return execl("/bin/sh", "sh", "-c", "read line", NULL);
	return byte != LEAVE[0];
}

FIXTURE_SETUP(orphan)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	self->owner = spawn(owner_main, &sockets[1]);
	ASSERT_LT(0, self->owner);
	close(sockets[1]);
	self->socket = sockets[0];
	self->fd = recv_fd(self->socket);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(orphan)
{
	close(self->fd);
	close(self->socket);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int wait_for(int fd, __u32 count)
{
	struct io_ring_enter args = { .min_complete = count };

	return ring_enter_fd(fd, &args);
}

TEST_F(orphan, wait_ends_when_the_owner_exits)
{
	ASSERT_EQ(1, write(self->socket, LEAVE, 1));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(0, outcome_of(self->owner));
}

static int kill_soon(void *arg)
{
	usleep(5 * TICK_US);
	return kill(*(pid_t *)arg, SIGKILL) ? 1 : 0;
}

TEST_F(orphan, wait_ends_when_the_owner_is_killed)
{
	pid_t killer = spawn(kill_soon, &self->owner);

	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(0, outcome_of(killer));
	EXPECT_EQ(-SIGKILL, outcome_of(self->owner));
}

TEST_F(orphan, wait_does_not_begin_without_an_owner)
{
	ASSERT_EQ(1, write(self->socket, LEAVE, 1));
	ASSERT_EQ(0, outcome_of(self->owner));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, ~0U));
}

TEST_F(orphan, completions_stay)
{
	struct pollfd pollfd = { .fd = self->fd, .events = POLLIN };
	struct io_ring_enter submit = { .to_submit = 1 };

	ASSERT_EQ(1, write(self->socket, LEAVE, 1));
	ASSERT_EQ(0, outcome_of(self->owner));
	EXPECT_EQ(0, wait_for(self->fd, 0));
	EXPECT_EQ(0, wait_for(self->fd, NOPS));
	EXPECT_EQ(1, poll(&pollfd, 1, 0));
	EXPECT_TRUE(pollfd.revents & POLLIN);
	EXPECT_EQ(-EPERM, ring_enter_fd(self->fd, &submit));
}

TEST_F(orphan, hangs_up_for_pollers)
{
	struct pollfd pollfd = { .fd = self->fd };

	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	ASSERT_EQ(1, write(self->socket, LEAVE, 1));
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_EQ(POLLHUP, pollfd.revents);
	EXPECT_EQ(0, outcome_of(self->owner));
}

/* The process itself is there still, until the socket is shut down. */
static void expect_other_program(struct __test_metadata *_metadata, pid_t owner, int socket)
{
	EXPECT_EQ(0, waitpid(owner, NULL, WNOHANG));
	shutdown(socket, SHUT_RDWR);
	EXPECT_EQ(owner, waitpid(owner, NULL, 0));
}

TEST_F(orphan, hangs_up_when_the_owner_becomes_another_program)
{
	struct pollfd pollfd = { .fd = self->fd };

	ASSERT_EQ(1, write(self->socket, EXECUTE, 1));
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_EQ(POLLHUP, pollfd.revents);
	expect_other_program(_metadata, self->owner, self->socket);
}

TEST_F(orphan, hangs_up_when_another_program_has_the_ring)
{
	struct pollfd pollfd = { .fd = self->fd };

	ASSERT_EQ(1, write(self->socket, EXECUTE_HOLDING, 1));
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_EQ(POLLHUP, pollfd.revents);
	expect_other_program(_metadata, self->owner, self->socket);
}

TEST_F(orphan, wait_ends_when_another_program_has_the_ring)
{
	struct io_ring_enter submit = { .to_submit = 1 };

	ASSERT_EQ(1, write(self->socket, EXECUTE_HOLDING, 1));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(-EPERM, ring_enter_fd(self->fd, &submit));
	expect_other_program(_metadata, self->owner, self->socket);
	EXPECT_EQ(-EPERM, ring_enter_fd(self->fd, &submit));
}

TEST_F(orphan, wait_ends_when_the_owner_becomes_another_program)
{
	ASSERT_EQ(1, write(self->socket, EXECUTE, 1));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(-EOWNERDEAD, wait_for(self->fd, NOPS + 1));
	EXPECT_EQ(0, wait_for(self->fd, NOPS));
	expect_other_program(_metadata, self->owner, self->socket);
}

TEST_F(orphan, lives_until_the_last_descriptor_is_closed)
{
	EXPECT_LE(1, counter("rings"));
	ASSERT_EQ(1, write(self->socket, LEAVE, 1));
	ASSERT_EQ(0, outcome_of(self->owner));
	EXPECT_LE(1, counter("rings"));
}

TEST_HARNESS_MAIN
