// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "slow_disk.h"
#include "stuck.h"

/* Long enough for a read to be found not to be in memory, even on a slow kernel. */
#define DELAY (20 * MS)

static struct uffdio_range missing_page(const struct stuck *stuck)
{
	return (struct uffdio_range) {
		.start = (unsigned long)stuck->memory + STUCK_PAGE,
		.len = STUCK_PAGE,
	};
}

/* One page that is there, and one whose use waits for what userfaultfd(2) is told. */
static int open_memory(struct stuck *stuck)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register registration = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	stuck->memory = mmap(NULL, 2 * STUCK_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stuck->memory == MAP_FAILED)
		return -errno;
	memset(stuck->memory, STUCK_MARK, STUCK_PAGE);
	stuck->faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (stuck->faults < 0 || ioctl(stuck->faults, UFFDIO_API, &api))
		return -errno;
	registration.range = missing_page(stuck);
	return ioctl(stuck->faults, UFFDIO_REGISTER, &registration) ? -errno : 0;
}

int stuck_open(struct stuck *stuck)
{
	stuck->device = slow_disk_open(DELAY);
	if (stuck->device < 0)
		return stuck->device;
	stuck->disk = reopen(stuck->device, O_RDONLY);
	if (stuck->disk < 0)
		return stuck->disk;
	/* A read brings in nothing but its own pages. */
	if (posix_fadvise(stuck->disk, 0, 0, POSIX_FADV_RANDOM))
		return -EIO;
	return open_memory(stuck);
}

struct io_ring_sqe stuck_read(const struct stuck *stuck, __u32 n)
{
	return sqe_rw(IO_RING_OP_READ, stuck->disk, stuck->memory + STUCK_PAGE, STUCK_PAGE,
		      2ULL * n * STUCK_PAGE);
}

struct io_ring_sqe stuck_read_half(const struct stuck *stuck, __u32 n)
{
	return sqe_rw(IO_RING_OP_READ, stuck->disk, stuck->memory, 2 * STUCK_PAGE,
		      2ULL * n * STUCK_PAGE);
}

void stuck_let_go(struct stuck *stuck)
{
	struct uffdio_range range = missing_page(stuck);

	ioctl(stuck->faults, UFFDIO_UNREGISTER, &range);
}

void stuck_close(struct stuck *stuck)
{
	close(stuck->faults);
	munmap(stuck->memory, 2 * STUCK_PAGE);
	close(stuck->disk);
	slow_disk_close(stuck->device);
}
