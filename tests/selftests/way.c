// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <unistd.h>

#include "files.h"
#include "slow_disk.h"
#include "way.h"

const char * const way_names[WAYS] = {
	[IO_RING_PATH_INLINE] = "inline",
	[IO_RING_PATH_POLLED] = "polled",
	[IO_RING_PATH_WORKER] = "worker",
	[IO_RING_PATH_DEVICE] = "device",
};

bool ways_open(struct ways *ways, __u64 disk_delay)
{
	if (pipe2(ways->ends, O_CLOEXEC))
		return false;
	ways->file = temp_file(TMPFS_DIR);
	ways->disk = slow_disk_open(disk_delay);
	ways->page = guarded_pages(1);
	return ways->file >= 0 && ways->disk >= 0 && ways->page;
}

void ways_close(struct ways *ways)
{
	close(ways->ends[0]);
	close(ways->ends[1]);
	close(ways->file);
	slow_disk_close(ways->disk);
	guarded_free(ways->page, 1);
}

static struct io_ring_sqe request(const struct ways *ways, enum io_ring_path way)
{
	switch (way) {
	case IO_RING_PATH_POLLED:
		return sqe_rw(IO_RING_OP_READ, ways->ends[0], ways->page, 1, 0);
	case IO_RING_PATH_WORKER:
		return sqe_fsync(ways->file, 0, 0, 0);
	case IO_RING_PATH_DEVICE:
		return sqe_rw(IO_RING_OP_READ, ways->disk, ways->page, SLOW_DISK_BLOCK, 0);
	default:
		return sqe_nop(0);
	}
}

int way_begin(const struct ways *ways, const struct ring *ring, enum io_ring_path way)
{
	struct io_ring_sqe sqe = request(ways, way);

	sqe.user_data = way;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0);
}

bool way_end(const struct ways *ways, enum io_ring_path way)
{
	return way != IO_RING_PATH_POLLED || write(ways->ends[1], "x", 1) == 1;
}

bool way_is(const struct io_ring_cqe *cqe, enum io_ring_path way)
{
	return cqe->user_data == way && cqe->res >= 0 && cqe->flags == CQE_VIA(way);
}
