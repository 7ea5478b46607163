// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that only a socket refers to, which only they refer to: what io_uring
 * needed three attempts for. Nobody else can undo such a knot, so the end of the
 * process has to.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "stream.h"
#include "stuck.h"

#define ENTRIES 4
#define MOST_RINGS 3

struct knot {
	struct ring rings[MOST_RINGS];
	int pairs[MOST_RINGS][2];
	int pipe[2];
	unsigned int count;
	char bytes[ENTRIES];
	struct stuck stuck;
	bool is_stuck;		/* a read has not let go of what it has read yet */
};

static bool open_knot(struct knot *knot, unsigned int count)
{
	knot->count = count;
	if (pipe2(knot->pipe, O_CLOEXEC))
		return false;
	for (unsigned int i = 0; i < count; i++)
		if (ring_open(&knot->rings[i], ENTRIES, 0) ||
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, knot->pairs[i]))
			return false;
	return true;
}

/* Closes all that the rings may need but the pipe, which is not part of the knot. */
static void let_go(struct knot *knot)
{
	for (unsigned int i = 0; i < knot->count; i++) {
		ring_close(&knot->rings[i]);
		close(knot->pairs[i][0]);
		close(knot->pairs[i][1]);
	}
	if (knot->is_stuck)
		stuck_let_go(&knot->stuck);
}

static bool submit(const struct ring *ring, __u8 opcode, int fd, void *byte)
{
	struct io_ring_sqe sqe = sqe_rw(opcode, fd, byte, 1, 0);

	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0) == 1;
}

/*
 * Each ring waits to write to both ends of a pair of sockets, neither of which
 * has room, and the next ring is among what they are full of.
 */
static bool tie_writes(struct knot *knot)
{
	for (unsigned int i = 0; i < knot->count; i++) {
		const struct ring *next = &knot->rings[(i + 1) % knot->count];
		const int *pair = knot->pairs[i];

		if (send_fd(pair[0], next->fd) || !stream_fill(pair[0]) || !stream_fill(pair[1]))
			return false;
		for (unsigned int end = 0; end < 2; end++)
			if (!submit(&knot->rings[i], IO_RING_OP_WRITE, pair[end],
				    &knot->bytes[end]))
				return false;
	}
	return true;
}

/* The ring waits to read from the socket that it is sent over. */
static bool tie_read_here(struct knot *knot)
{
	return submit(&knot->rings[0], IO_RING_OP_READ, knot->pairs[0][0], &knot->bytes[0]) &&
	       !send_fd(knot->pairs[0][0], knot->rings[0].fd);
}

/* The ring reads itself, as the last who has it, and waits for something else, too. */
static bool tie_read_there(struct knot *knot)
{
	knot->is_stuck = !stuck_open(&knot->stuck);
	return knot->is_stuck &&
	       submit(&knot->rings[0], IO_RING_OP_READ, knot->pipe[0], &knot->bytes[0]) &&
	       submit(&knot->rings[0], IO_RING_OP_READ, knot->pairs[0][1],
		      knot->stuck.memory + STUCK_PAGE) &&
	       !send_fd(knot->pairs[0][0], knot->rings[0].fd);
}

/* The ring waits to read, and an operation on itself waits for its turn. */
static bool tie_turn(struct knot *knot, struct io_ring_sqe sqe)
{
	const struct ring *ring = &knot->rings[0];

	sqe.fd = ring->fd;
	sqe.flags = IO_RING_SQE_DRAIN;
	if (!submit(ring, IO_RING_OP_READ, knot->pipe[0], &knot->bytes[0]))
		return false;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0) == 1 && fdinfo_value(ring->fd, "in_line") == 1;
}

static bool tie_sync(struct knot *knot)
{
	return tie_turn(knot, sqe_fsync(-1, 0, 0, 0));
}

static bool tie_read_itself(struct knot *knot)
{
	return tie_turn(knot, sqe_rw(IO_RING_OP_READ, -1, &knot->bytes[1], 1, 0));
}

static bool tie_advice(struct knot *knot)
{
	return tie_turn(knot, (struct io_ring_sqe) { .opcode = IO_RING_OP_FADVISE });
}

static bool tie_cancel(struct knot *knot)
{
	return tie_turn(knot, sqe_cancel(IO_RING_CANCEL_FD, 0, -1, 0));
}

/*
 * The ring is in the queue of a socket that is in its own queue, where only the
 * kernel's garbage collector for sockets gets, with the other end of the socket
 * that the ring waits to read from.
 */
static bool tie_garbage(struct knot *knot)
{
	const int *pair = knot->pairs[0], *other = knot->pairs[1];

	return submit(&knot->rings[0], IO_RING_OP_READ, other[0], &knot->bytes[0]) &&
	       !send_fd(pair[0], knot->rings[0].fd) && !send_fd(pair[0], pair[1]) &&
	       !send_fd(pair[0], other[1]);
}

/* The garbage collector looks when a socket goes away. */
static void collect_garbage(void)
{
	int pair[2];

	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		close(pair[0]);
		close(pair[1]);
	}
}

static bool await_rings(long count)
{
	long end = now_ms() + patience(SOON);

	while (counter("rings") != count) {
		if (now_ms() > end)
			return false;
		collect_garbage();
		sleep_ms(1);
	}
	return true;
}

enum ending {
	EXIT,
	EXIT_HOLDING,	/* with the descriptors and mappings still there */
	KILL,
	ENDINGS,
};

/* How a knot is tied. */
struct shape {
	bool (*tie)(struct knot *knot);
	unsigned int rings;
	bool comes_undone;	/* while the process is there */
};

static const struct shape writes_of_one_ring = { .tie = tie_writes, .rings = 1 };
static const struct shape writes_of_several_rings = { .tie = tie_writes, .rings = MOST_RINGS };
static const struct shape sent_over_what_it_reads = { tie_read_here, 1, .comes_undone = true };
static const struct shape read_by_itself = { tie_read_there, 1, .comes_undone = true };
static const struct shape among_garbage = { tie_garbage, 2, .comes_undone = true };
static const struct shape syncs_itself_in_turn = { tie_sync, 1, .comes_undone = true };
static const struct shape reads_itself_in_turn = { tie_read_itself, 1, .comes_undone = true };
static const struct shape advises_itself_in_turn = { tie_advice, 1, .comes_undone = true };
static const struct shape cancels_itself_in_turn = { tie_cancel, 1, .comes_undone = true };

/* A process that ties a knot, and ends when it is told to. */
struct owner {
	struct knot *knot;
	const struct shape *shape;
	enum ending ending;
	int ready[2];
	int go[2];
	pid_t pid;
};

FIXTURE(knot)
{
	struct owner owner;
};

FIXTURE_VARIANT(knot)
{
	const struct shape *shape;
};

FIXTURE_VARIANT_ADD(knot, writes_of_one_ring) { &writes_of_one_ring };
FIXTURE_VARIANT_ADD(knot, writes_of_several_rings) { &writes_of_several_rings };
FIXTURE_VARIANT_ADD(knot, sent_over_what_it_reads) { &sent_over_what_it_reads };
FIXTURE_VARIANT_ADD(knot, read_by_itself) { &read_by_itself };
FIXTURE_VARIANT_ADD(knot, among_garbage) { &among_garbage };
FIXTURE_VARIANT_ADD(knot, syncs_itself_in_turn) { &syncs_itself_in_turn };
FIXTURE_VARIANT_ADD(knot, reads_itself_in_turn) { &reads_itself_in_turn };
FIXTURE_VARIANT_ADD(knot, advises_itself_in_turn) { &advises_itself_in_turn };
FIXTURE_VARIANT_ADD(knot, cancels_itself_in_turn) { &cancels_itself_in_turn };

FIXTURE_SETUP(knot)
{
	struct owner *owner = &self->owner;

	owner->shape = variant->shape;
	owner->knot = calloc(1, sizeof(*owner->knot));
	ASSERT_NE(NULL, owner->knot);
	ASSERT_EQ(0, pipe2(owner->ready, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(owner->go, O_CLOEXEC));
}

FIXTURE_TEARDOWN(knot)
{
	free(self->owner.knot);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

static int owner_main(void *arg)
{
	struct owner *owner = arg;
	char byte = 0;

	if (!open_knot(owner->knot, owner->shape->rings) || !owner->shape->tie(owner->knot))
		return 1;
	if (owner->ending != EXIT_HOLDING)
		let_go(owner->knot);
	if (write(owner->ready[1], &byte, 1) != 1 || read(owner->go[0], &byte, 1) != 1)
		return 2;
	return 0;
}

static void start_owner(struct __test_metadata *_metadata, struct owner *owner, enum ending ending)
{
	char byte;

	owner->ending = ending;
	owner->pid = spawn(owner_main, owner);
	ASSERT_LT(0, owner->pid);
	ASSERT_EQ(1, read(owner->ready[0], &byte, 1));
}

static void end_owner(struct __test_metadata *_metadata, struct owner *owner)
{
	bool kills = owner->ending == KILL;

	ASSERT_TRUE(kills ? !kill(owner->pid, SIGKILL) : write(owner->go[1], "x", 1) == 1);
	ASSERT_TRUE(await_exit(owner->pid, SOON));
	EXPECT_EQ(kills ? -SIGKILL : 0, outcome_of(owner->pid));
	EXPECT_TRUE(await_rings(0)) {
		TH_LOG("ending %d", owner->ending);
	}
}

TEST_F(knot, is_undone_when_the_process_ends)
{
	for (enum ending ending = 0; ending < ENDINGS; ending++) {
		start_owner(_metadata, &self->owner, ending);
		end_owner(_metadata, &self->owner);
	}
}

/* What can be reached by nobody, and would last, shows that the other test tests something. */
TEST_F(knot, while_the_process_is_there)
{
	start_owner(_metadata, &self->owner, EXIT);
	if (variant->shape->comes_undone) {
		EXPECT_TRUE(await_rings(0));
	} else {
		sleep_ms(A_WHILE);
		collect_garbage();
		EXPECT_EQ(variant->shape->rings, counter("rings"));
	}
	end_owner(_metadata, &self->owner);
}

TEST_HARNESS_MAIN
