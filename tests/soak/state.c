// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "files.h"
#include "pinned.h"
#include "registered.h"
#include "slow_disk.h"
#include "state.h"

#define DISK_DELAY (20 * MS)

static const struct io_ring_timespec never = { .sec = 1000000 };

int stage_open(struct stage *stage)
{
	stage->memory = new_pages(1);
	if (!stage->memory)
		return -ENOMEM;
	stage->file = temp_file(EXT4_DIR);
	if (stage->file < 0)
		return stage->file;
	stage->disk = slow_disk_open(DISK_DELAY);
	if (stage->disk < 0)
		return stage->disk;
	return pipe2(stage->pipe, O_CLOEXEC) ? -errno : 0;
}

void stage_close(struct stage *stage)
{
	munmap(stage->memory, PAGE);
	close(stage->file);
	close(stage->pipe[0]);
	close(stage->pipe[1]);
	slow_disk_close(stage->disk);
}

static int submitted(const struct ring *ring, int count)
{
	int taken = ring_enter(ring, count, 0);

	return taken == count ? 0 : taken < 0 ? taken : -EPROTO;
}

static int submit(const struct ring *ring, struct io_ring_sqe sqe)
{
	ring_push(ring, &sqe);
	return submitted(ring, 1);
}

static struct io_ring_sqe pipe_read(const struct stage *stage)
{
	return sqe_rw(IO_RING_OP_READ, stage->pipe[0], stage->memory, 1, 0);
}

static int reach_nothing(const struct stage *stage, struct ring *ring)
{
	(void)stage;
	(void)ring;
	return 0;
}

static int reach_offered(const struct stage *stage, struct ring *ring)
{
	struct io_ring_sqe sqe = pipe_read(stage);

	ring_push(ring, &sqe);
	return 0;
}

static int reach_watched(const struct stage *stage, struct ring *ring)
{
	return submit(ring, pipe_read(stage));
}

static int reach_forced(const struct stage *stage, struct ring *ring)
{
	chain_push(ring, pipe_read(stage), IO_RING_SQE_FORCE_ASYNC);
	return submitted(ring, 1);
}

static int reach_device(const struct stage *stage, struct ring *ring)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, stage->disk, stage->memory, PAGE,
						0);

		ring_push(ring, &sqe);
	}
	return submitted(ring, 4);
}

static int reach_worker(const struct stage *stage, struct ring *ring)
{
	if (pwrite(stage->file, stage->memory, PAGE, 0) != PAGE)
		return -errno;
	for (unsigned int i = 0; i < 4; i++) {
		struct io_ring_sqe sqe = sqe_fsync(stage->file, 0, 0, 0);

		ring_push(ring, &sqe);
	}
	return submitted(ring, 4);
}

static int reach_timer(const struct stage *stage, struct ring *ring)
{
	(void)stage;
	return submit(ring, sqe_timeout(&never, 0, 0));
}

static int reach_chain(const struct stage *stage, struct ring *ring)
{
	chain_push(ring, pipe_read(stage), IO_RING_SQE_LINK);
	chain_push(ring, chain_limit(&never, 0), IO_RING_SQE_LINK);
	chain_push(ring, sqe_nop(0), 0);
	return submitted(ring, 3);
}

static int reach_drain(const struct stage *stage, struct ring *ring)
{
	chain_push(ring, pipe_read(stage), 0);
	chain_push(ring, sqe_nop(0), IO_RING_SQE_DRAIN);
	chain_push(ring, sqe_nop(0), 0);
	return submitted(ring, 3);
}

static int reach_poll(const struct stage *stage, struct ring *ring)
{
	return submit(ring, sqe_poll(stage->pipe[0], POLLIN, IO_RING_POLL_ADD_MULTI));
}

/* There is no place for the last of them. */
static int reach_overflow(const struct stage *stage, struct ring *ring)
{
	(void)stage;
	for (unsigned int left = ring->setup.cq_entries + 1; left; left--) {
		int error = submit(ring, sqe_nop(0));

		if (error)
			return error;
	}
	return 0;
}

static int reach_registered(const struct stage *stage, struct ring *ring)
{
	int error = files_register(ring, &stage->disk, NULL, 1);
	struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, 0, 0, stage->memory, PAGE, 0);

	error = error ?: buffer_register(ring, stage->memory, PAGE);
	return error ?: submit(ring, sqe_fixed(sqe, 0));
}

const struct state states[STATES] = {
	{ "idle", reach_nothing },
	{ "offered", reach_offered },
	{ "watched", reach_watched },
	{ "forced", reach_forced },
	{ "device", reach_device },
	{ "worker", reach_worker },
	{ "timer", reach_timer },
	{ "chain", reach_chain },
	{ "drain", reach_drain },
	{ "poll", reach_poll },
	{ "overflow", reach_overflow },
	{ "registered", reach_registered },
};

int state_open(const struct state *state, const struct stage *stage, struct ring *ring)
{
	int error = ring_open(ring, STATE_ENTRIES, 0);

	return error ?: state->reach(stage, ring);
}
