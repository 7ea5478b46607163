// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request of every kind, while an allocation or a copy fails in the call that submits
 * it: it is not taken, or it completes, and whoever waits for that comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "failing.h"
#include "files.h"
#include "pinned.h"
#include "registered.h"

#define SEGMENTS 12	/* more than are kept without an allocation */

/* The request of a trial: prepares what it needs. */
static bool asks_for(struct world *world, struct io_ring_sqe sqe)
{
	sqe.user_data = 5;
	world->sqe = sqe;
	return true;
}

/* A worker has to be made for it. */
static bool nop(struct world *world)
{
	struct io_ring_sqe sqe = sqe_nop(0);

	sqe.flags |= IO_RING_SQE_FORCE_ASYNC;
	return asks_for(world, sqe);
}

static bool read_file(struct world *world)
{
	return asks_for(world, sqe_rw(IO_RING_OP_READ, world->file, world->memory, ROOM, 0));
}

static bool read_cold(struct world *world)
{
	return !fsync(world->file) && !posix_fadvise(world->file, 0, 0, POSIX_FADV_DONTNEED) &&
	       read_file(world);
}

static bool was_read(struct world *world)
{
	return pattern_mismatch(world->memory, PIECE, CONTENT, 0) == PIECE;
}

static bool write_file(struct world *world)
{
	memset(world->memory, 'w', ROOM);
	return asks_for(world, sqe_rw(IO_RING_OP_WRITE, world->file, world->memory, ROOM, ROOM));
}

static bool was_written(struct world *world)
{
	unsigned char back[PIECE];

	return pread(world->file, back, PIECE, ROOM) == PIECE && all_bytes(back, PIECE, 'w');
}

/* The segments live in the memory behind the data. */
static struct io_ring_sqe vectored(struct world *world, __u8 opcode)
{
	struct iovec *segments = (void *)(world->memory + ROOM / 2);

	for (unsigned int i = 0; i < SEGMENTS; i++)
		segments[i] = (struct iovec) { world->memory + i * PIECE, PIECE };
	return sqe_rw(opcode, world->file, segments, SEGMENTS, 0);
}

static bool readv_file(struct world *world)
{
	return asks_for(world, vectored(world, IO_RING_OP_READV));
}

static bool writev_file(struct world *world)
{
	return asks_for(world, vectored(world, IO_RING_OP_WRITEV));
}

static bool fsync_file(struct world *world)
{
	return asks_for(world, sqe_fsync(world->file, 0, 0, 0));
}

static bool read_elsewhere(struct world *world)
{
	read_file(world);
	world->sqe.flags |= IO_RING_SQE_FORCE_ASYNC;
	return true;
}

static bool read_fixed(struct world *world)
{
	struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, world->file, 0, world->memory,
					    ROOM, 0);

	return !buffer_register(&world->ring, world->memory, ROOM) && asks_for(world, sqe);
}

static bool readv_fixed(struct world *world)
{
	struct io_ring_sqe sqe = vectored(world, IO_RING_OP_READV_FIXED);

	return !buffer_register(&world->ring, world->memory, ROOM) && asks_for(world, sqe);
}

static bool read_registered(struct world *world)
{
	return !files_register(&world->ring, &world->file, NULL, 1) && read_file(world) &&
	       asks_for(world, sqe_fixed(world->sqe, 0));
}

/* It goes there as it is, if there is memory for that. */
static bool read_device(struct world *world)
{
	struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, 0, 0, world->memory, ROOM, 0);
	const int fd = open(NULL_BLK, O_RDWR | O_DIRECT | O_CLOEXEC);
	const bool is_ready = fd >= 0 && !buffer_register(&world->ring, world->memory, ROOM) &&
			      !files_register(&world->ring, &fd, NULL, 1);

	close(fd);
	return is_ready && asks_for(world, sqe_fixed(sqe, 0));
}

FIXTURE_VARIANT_ADD(failing, nop)
{
	.trial = { "NOP by a worker", nop, call_request },
};

FIXTURE_VARIANT_ADD(failing, read)
{
	.trial = { "READ", read_file, call_request, was_read, ROOM, .may_be_short = true },
};

FIXTURE_VARIANT_ADD(failing, read_cold)
{
	.trial = {
		"READ of what is not cached", read_cold, call_request, was_read, ROOM,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, write)
{
	.trial = { "WRITE", write_file, call_request, was_written, ROOM, .may_be_short = true },
};

FIXTURE_VARIANT_ADD(failing, readv)
{
	.trial = {
		"READV", readv_file, call_request, was_read, SEGMENTS * PIECE,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, writev)
{
	.trial = {
		"WRITEV", writev_file, call_request, NULL, SEGMENTS * PIECE,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, fsync)
{
	.trial = { "FSYNC", fsync_file, call_request },
};

FIXTURE_VARIANT_ADD(failing, force_async)
{
	.trial = { "READ by a worker", read_elsewhere, call_request, was_read, ROOM },
};

FIXTURE_VARIANT_ADD(failing, read_fixed)
{
	.trial = { "READ_FIXED", read_fixed, call_request, was_read, ROOM, .may_be_short = true },
};

FIXTURE_VARIANT_ADD(failing, read_device)
{
	.trial = { "READ_FIXED of a block device", read_device, call_request, NULL, ROOM },
};

FIXTURE_VARIANT_ADD(failing, readv_fixed)
{
	.trial = {
		"READV_FIXED", readv_fixed, call_request, was_read, SEGMENTS * PIECE,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, read_registered)
{
	.trial = {
		"READ of a registered file", read_registered, call_request, was_read, ROOM,
		.may_be_short = true,
	},
};

static bool has_data(struct world *world)
{
	return write(world->ends[1], "data", 4) == 4;
}

static bool read_pipe(struct world *world)
{
	return has_data(world) &&
	       asks_for(world, sqe_rw(IO_RING_OP_READ, world->ends[0], world->memory, 4, 0));
}

static bool poll_ready(struct world *world)
{
	return has_data(world) && asks_for(world, sqe_poll(world->ends[0], POLLIN, 0));
}

static bool timeout(struct world *world)
{
	static const struct io_ring_timespec time = { .nsec = 1000000 };

	return asks_for(world, sqe_timeout(&time, 0, 0));
}

/* The message and its segments live in the memory behind the data. */
static struct io_ring_sqe message(struct world *world, __u8 opcode, int socket)
{
	struct msghdr *header = (void *)(world->memory + ROOM - PIECE);

	*header = (struct msghdr) {
		.msg_iov = (void *)(world->memory + ROOM / 2),
		.msg_iovlen = SEGMENTS,
	};
	vectored(world, opcode);
	return sqe_rw(opcode, socket, header, 1, 0);
}

static bool send_message(struct world *world)
{
	return asks_for(world, message(world, IO_RING_OP_SENDMSG, world->sockets[0]));
}

static bool receive_message(struct world *world)
{
	return write(world->sockets[1], world->memory, SEGMENTS * PIECE) == SEGMENTS * PIECE &&
	       asks_for(world, message(world, IO_RING_OP_RECVMSG, world->sockets[0]));
}

/* What the second waits for is what the first does. */
static long call_chain(struct world *world)
{
	struct io_ring_sqe poll = sqe_poll(world->ends[0], POLLIN, 0);
	struct io_ring_sqe write = sqe_rw(IO_RING_OP_WRITE, world->ends[1], "data", 4, 0);
	struct io_ring_cqe cqe[2];
	int taken;

	write.flags |= IO_RING_SQE_LINK;
	ring_push(&world->ring, &write);
	ring_push(&world->ring, &poll);
	taken = ring_enter(&world->ring, 2, 2);
	if (taken < 0) {
		ring_store(&world->ring, world->ring.setup.sq_off.tail,
			   ring_load(&world->ring, world->ring.setup.sq_off.tail) - 2);
		return taken;
	}
	if (taken != 2 || !ring_pop(&world->ring, &cqe[0]) || !ring_pop(&world->ring, &cqe[1]))
		return -EPROTO;
	return cqe[0].res < 0 ? cqe[0].res : cqe[1].res;
}

FIXTURE_VARIANT_ADD(failing, read_pipe)
{
	.trial = { "READ of a pipe", read_pipe, call_request, NULL, 4 },
};

FIXTURE_VARIANT_ADD(failing, poll)
{
	.trial = { "POLL_ADD", poll_ready, call_request, NULL, POLLIN },
};

FIXTURE_VARIANT_ADD(failing, timeout)
{
	.trial = { "TIMEOUT", timeout, call_request, NULL, -ETIME },
};

FIXTURE_VARIANT_ADD(failing, sendmsg)
{
	.trial = {
		"SENDMSG", send_message, call_request, NULL, SEGMENTS * PIECE,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, recvmsg)
{
	.trial = {
		"RECVMSG", receive_message, call_request, NULL, SEGMENTS * PIECE,
		.may_be_short = true,
	},
};

FIXTURE_VARIANT_ADD(failing, chain)
{
	.trial = { "WRITE and POLL_ADD in a chain", NULL, call_chain, NULL, POLLIN },
};

TEST_HARNESS_MAIN
