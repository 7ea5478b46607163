// SPDX-License-Identifier: GPL-2.0-only
/* Registered files belong to the process of the ring, and are let go of when it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "actor.h"
#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 4
#define ROUNDS 25

/* How a process leaves: the byte it is told, or by a signal. */
enum departure { BY_EXIT, BY_KILL, BY_EXEC };

/* What a process is to do with its ring before it leaves. */
struct plan {
	__u32 flags;		/* of SETUP */
	bool inherited;		/* the descriptor survives the execution of another program */
	bool closed;		/* it is closed, and only a mapping is left */
	int registered;		/* the only file in the table */
};

/* A process that has made a ring, which the test holds, too. */
struct holder {
	pid_t pid;
	int socket;
	struct ring ring;	/* not mapped */
};

static int hold_ring(const struct plan *plan, int socket)
{
	struct ring ring;
	char how;

	if (ring_open(&ring, ENTRIES, plan->flags) ||
	    files_register(&ring, &plan->registered, NULL, 1) ||
	    send_fd(socket, ring.fd))
		return 1;
	close(plan->registered);
	if (plan->inherited && fcntl(ring.fd, F_SETFD, 0))
		return 2;
	if (plan->closed)
		close(ring.fd);
	if (write(socket, "r", 1) != 1 || read(socket, &how, 1) != 1)
		return 3;
	if (how == BY_EXEC)
		execl("/bin/sleep", "sleep", "100", NULL);
	return 0;
}

static bool hold(struct holder *holder, const struct plan *plan)
{
	int sockets[2];
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return false;
	holder->pid = fork();
	if (!holder->pid) {
		close(sockets[0]);
		_exit(hold_ring(plan, sockets[1]));
	}
	close(sockets[1]);
	holder->socket = sockets[0];
	holder->ring.fd = recv_fd(holder->socket);
	return holder->ring.fd >= 0 && read(holder->socket, &ready, 1) == 1;
}

/* When this returns it has left, unless it executes another program, which it is about to do. */
static bool leave(struct holder *holder, enum departure how)
{
	char byte = how;

	if (how == BY_KILL)
		kill(holder->pid, SIGKILL);
	else if (write(holder->socket, &byte, 1) != 1)
		return false;
	return how == BY_EXEC || outcome_of(holder->pid) == (how == BY_KILL ? -SIGKILL : 0);
}

static void let_go(struct holder *holder, enum departure how)
{
	if (how == BY_EXEC) {
		kill(holder->pid, SIGKILL);
		outcome_of(holder->pid);
	}
	close(holder->socket);
	close(holder->ring.fd);
}

FIXTURE(leaving)
{
	int ends[2];
};

FIXTURE_VARIANT(leaving)
{
	enum departure how;
	struct plan plan;
};

FIXTURE_VARIANT_ADD(leaving, exit) { .how = BY_EXIT };
FIXTURE_VARIANT_ADD(leaving, kill) { .how = BY_KILL };
FIXTURE_VARIANT_ADD(leaving, exec) { .how = BY_EXEC };
FIXTURE_VARIANT_ADD(leaving, exec_inherited) { .how = BY_EXEC, .plan = { .inherited = true } };
FIXTURE_VARIANT_ADD(leaving, exit_mapped) { .how = BY_EXIT, .plan = { .closed = true } };
FIXTURE_VARIANT_ADD(leaving, kill_mapped) { .how = BY_KILL, .plan = { .closed = true } };
FIXTURE_VARIANT_ADD(leaving, exec_mapped) { .how = BY_EXEC, .plan = { .closed = true } };

FIXTURE_VARIANT_ADD(leaving, exit_rebind)
{
	.how = BY_EXIT, .plan = { .flags = IO_RING_SETUP_REBIND },
};

FIXTURE_VARIANT_ADD(leaving, exec_rebind)
{
	.how = BY_EXEC, .plan = { .flags = IO_RING_SETUP_REBIND, .inherited = true },
};

FIXTURE_SETUP(leaving)
{
	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
}

FIXTURE_TEARDOWN(leaving)
{
	close(self->ends[0]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The test keeps the ring. Who has exited has closed everything; who executes is about to. */
TEST_F(leaving, closes_files)
{
	struct pollfd end = { .fd = self->ends[0] };
	struct plan plan = variant->plan;
	struct holder holder;

	plan.registered = self->ends[1];
	ASSERT_TRUE(hold(&holder, &plan));
	close(self->ends[1]);
	sleep_ms(A_WHILE);
	EXPECT_EQ(0, poll(&end, 1, 0));
	ASSERT_TRUE(leave(&holder, variant->how));
	EXPECT_EQ(1, poll(&end, 1, variant->how == BY_EXEC ? patience(SOON) : 0));
	EXPECT_EQ(POLLHUP, end.revents);
	let_go(&holder, variant->how);
}

TEST_F(leaving, frees_locks)
{
	int file = temp_file(EXT4_DIR);
	int other = reopen(file, O_RDWR);
	long limit = now_ms() + patience(SOON);
	struct plan plan = variant->plan;
	struct holder holder;
	int result;

	plan.registered = file;
	ASSERT_LE(0, other);
	ASSERT_EQ(0, flock(file, LOCK_EX));
	ASSERT_TRUE(hold(&holder, &plan));
	close(file);
	EXPECT_EQ(-1, flock(other, LOCK_EX | LOCK_NB));
	ASSERT_TRUE(leave(&holder, variant->how));
	do {
		result = flock(other, LOCK_EX | LOCK_NB);
	} while (result && variant->how == BY_EXEC && now_ms() < limit);
	EXPECT_EQ(0, result);
	let_go(&holder, variant->how);
	close(other);
	close(self->ends[1]);
}

/* Others call, and are refused, all the time. */
static int pester(void *arg)
{
	const struct ring *ring = arg;

	for (;;) {
		if (files_unregister(ring) != -EPERM)
			return 1;
	}
}

TEST_F(leaving, closes_files_while_others_call)
{
	if (variant->plan.flags & IO_RING_SETUP_REBIND) {
		/* They would become its process. */
		close(self->ends[1]);
		return;
	}
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct plan plan = variant->plan;
		struct pollfd end;
		struct holder holder;
		pid_t others[2];
		int ends[2];

		ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
		end = (struct pollfd) { .fd = ends[0] };
		plan.registered = ends[1];
		ASSERT_TRUE(hold(&holder, &plan));
		close(ends[1]);
		for (unsigned int i = 0; i < 2; i++)
			others[i] = spawn(pester, &holder.ring);
		ASSERT_TRUE(leave(&holder, variant->how));
		EXPECT_EQ(1, poll(&end, 1, patience(SOON)));
		for (unsigned int i = 0; i < 2; i++) {
			kill(others[i], SIGKILL);
			EXPECT_EQ(-SIGKILL, outcome_of(others[i]));
		}
		let_go(&holder, variant->how);
		close(ends[0]);
	}
	close(self->ends[1]);
}

FIXTURE(owner)
{
	struct ring ring;
	int ends[2];
};

FIXTURE_SETUP(owner)
{
	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, files_register(&self->ring, self->ends, NULL, 2));
}

FIXTURE_TEARDOWN(owner)
{
	ring_close(&self->ring);
	close(self->ends[0]);
	close(self->ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static __s32 write_byte(const struct ring *ring, int number)
{
	struct io_ring_sqe sqe = sqe_fixed(sqe_rw(IO_RING_OP_WRITE, 0, "x", 1, 0), number);
	struct io_ring_cqe cqe;

	return ring_run(ring, &sqe, &cqe) ?: cqe.res;
}

/* A child may change nothing, and takes nothing with it. */
static int try_all(void *arg)
{
	const struct ring *ring = arg;
	const int none = -1;

	if (files_register(ring, &none, NULL, 1) != -EPERM)
		return 1;
	if (files_update(ring, 0, &none, NULL, 1) != -EPERM)
		return 2;
	if (files_unregister(ring) != -EPERM)
		return 3;
	return ring_enter(ring, 1, 0) == -EPERM ? 0 : 4;
}

TEST_F(owner, child_process)
{
	char byte;

	EXPECT_EQ(0, in_child(try_all, &self->ring));
	EXPECT_EQ(1, write_byte(&self->ring, 1));
	EXPECT_EQ(1, read(self->ends[0], &byte, 1));
}

/* A list that cannot be read says nothing to a process that may not register. */
static int try_wild(void *arg)
{
	return files_register(arg, (const int *)8, NULL, 1) == -EPERM ? 0 : 1;
}

TEST_F(owner, child_process_with_a_bad_list)
{
	EXPECT_EQ(0, in_child(try_wild, &self->ring));
}

static int ends[2];

static int actor_registers(struct ring *ring)
{
	return files_register(ring, ends, NULL, 2);
}

static int actor_finds_nothing(struct ring *ring)
{
	int error = write_byte(ring, 1);

	if (error != -EBADF)
		return error < 0 ? error : -EEXIST;
	return files_unregister(ring) == -ENXIO ? 0 : -EEXIST;
}

static int actor_writes(struct ring *ring)
{
	return write_byte(ring, 1);
}

TEST(next_process_finds_no_table)
{
	struct actor first, second;
	struct ring ring;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
	ASSERT_TRUE(actor_start(&first, &ring));
	ASSERT_TRUE(actor_start(&second, &ring));
	EXPECT_EQ(0, actor_ask(&first, actor_registers));
	EXPECT_EQ(1, actor_ask(&first, actor_writes));
	EXPECT_EQ(-EPERM, actor_ask(&second, actor_registers));
	actor_end(&first);
	EXPECT_EQ(0, actor_ask(&second, actor_finds_nothing));
	EXPECT_EQ(0, actor_ask(&second, actor_registers));
	EXPECT_EQ(1, actor_ask(&second, actor_writes));
	actor_end(&second);
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST(files_of_setup_are_those_of_the_first_process)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_REBIND);
	struct actor first, second;
	struct ring ring;

	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	wanted.files = (uintptr_t)ends;
	wanted.nr_files = 2;
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	ASSERT_TRUE(actor_start(&first, &ring));
	ASSERT_TRUE(actor_start(&second, &ring));
	EXPECT_EQ(1, actor_ask(&first, actor_writes));
	actor_end(&first);
	EXPECT_EQ(0, actor_ask(&second, actor_finds_nothing));
	actor_end(&second);
	ring_close(&ring);
	close(ends[0]);
	close(ends[1]);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
