// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "await.h"
#include "files.h"
#include "module.h"
#include "null_disk.h"
#include "world.h"

#define PAGE 4096
#define DISK_MB 8
#define FILE_BYTES 0x10000

/*
 * The arena and the rings' regions are far from all other memory, and from one another: a request
 * with a wrong bit in its address does not write to what processes share.
 */
#define FIRST_ROOM 0x10000000000ULL
#define ROOM_BYTES 0x1000000000ULL

/* The disk, open for as long as it is there. */
static int disk = -1;

/*
 * Linux 7.3 writes to a disk with O_DIRECT and RWF_DONTCACHE through a null pointer, pwritev2(2)
 * as well, unless something has been written to it through the cache since it was opened.
 */
static int write_once(void)
{
	char bytes[512] = "";

	disk = open("/dev/" WORLD_DISK, O_RDWR | O_CLOEXEC);
	return disk >= 0 && write(disk, bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : -errno;
}

int world_disk_make(void)
{
	const struct null_disk_setting settings[] = {
		{ "size", DISK_MB },
		{ "memory_backed", 1 },
		{ "poll_queues", 1 },
		{ "power", 1 },
		{ },
	};

	return null_disk_make(WORLD_DISK, settings) ?: write_once();
}

void world_disk_destroy(void)
{
	close(disk);
	null_disk_destroy(WORLD_DISK);
}

int world_module_reload(void)
{
	long end = now_ms() + patience(5 * SOON);
	int error;

	/* Who closes the last file of the module may still be on the way out of it. */
	while ((error = module_unload()) == -EAGAIN && now_ms() < end)
		sleep_ms(1);
	return error ?: module_load_with("ops=all");
}

static void *room(unsigned int number)
{
	return (void *)(uintptr_t)(FIRST_ROOM + number * ROOM_BYTES);
}

static int make_arena(struct world *world)
{
	world->arena = mmap(room(WORLD_RINGS), ARENA_BYTES + PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (world->arena == MAP_FAILED || mprotect(world->arena + ARENA_BYTES, PAGE, PROT_READ))
		return -errno;
	return 0;
}

static void make_files(int *fds)
{
	fds[KIND_FILE] = temp_file(EXT4_DIR);
	pattern_write(fds[KIND_FILE], FILE_BYTES, 0);
	fds[KIND_DIRECT] = reopen(fds[KIND_FILE], O_RDWR | O_DIRECT);
	fds[KIND_APPEND] = reopen(fds[KIND_FILE], O_WRONLY | O_APPEND);
	fds[KIND_READ_ONLY] = reopen(fds[KIND_FILE], O_RDONLY);
	fds[KIND_MEMORY] = memfd_create("fuzz", MFD_CLOEXEC);
	fds[KIND_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[KIND_ZERO] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[KIND_PATH] = open(EXT4_DIR, O_PATH | O_CLOEXEC);
	fds[KIND_DIRECTORY] = open(EXT4_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[KIND_DISK] = open("/dev/" WORLD_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	fds[KIND_CONTROL] = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	fds[KIND_TERMINAL] = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int make_waiting(int *fds)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pair[2];

	if (pipe2(pair, O_CLOEXEC))
		return -errno;
	fds[KIND_PIPE_IN] = pair[0];
	fds[KIND_PIPE_OUT] = pair[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	fds[KIND_SOCKET] = pair[0];
	fds[KIND_PEER] = pair[1];
	fds[KIND_DATAGRAM] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[KIND_EVENTFD] = eventfd(0, EFD_CLOEXEC);
	fds[KIND_EPOLL] = epoll_create1(EPOLL_CLOEXEC);
	fds[KIND_TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	epoll_ctl(fds[KIND_EPOLL], EPOLL_CTL_ADD, fds[KIND_EVENTFD], &event);
	return 0;
}

int world_make(struct world *world)
{
	int error = make_arena(world) ?: make_waiting(world->fds);

	if (error)
		return error;
	make_files(world->fds);
	world->fds[KIND_RING] = -1;
	world->fds[KIND_NONE] = -1;
	for (int i = 0; i < KIND_RING; i++)
		if (world->fds[i] < 0)
			return -EBADF;
	for (int i = 0; i < WORLD_RINGS; i++)
		world->rings[i].fd = -1;
	return 0;
}

struct world_ring *world_ring(struct world *world)
{
	return &world->rings[world->current];
}

void world_ring_map(struct world *world)
{
	struct world_ring *ring = world_ring(world);
	void *region = mmap(room(world->current), ring->setup.region_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED_NOREPLACE, ring->fd, IO_RING_OFF_REGION);

	ring->region = region == MAP_FAILED ? NULL : region;
}

void world_ring_close(struct world_ring *ring)
{
	if (ring->region)
		munmap(ring->region, ring->setup.region_size);
	ring->region = NULL;
	if (ring->fd >= 0)
		close(ring->fd);
	ring->fd = -1;
}

int world_fd(struct world *world, struct source *source)
{
	unsigned int kind = take_below(source, KINDS + 2);

	if (kind == KIND_RING)
		return world_ring(world)->fd;
	if (kind == KIND_NONE)
		return (int)take_u32(source);
	return world->fds[kind < KINDS ? kind : KIND_FILE];
}

__u64 world_address(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);
	__u64 arena = (unsigned long)world->arena;

	switch (take_below(source, 16)) {
	case 0:
		return 0;
	case 1:
		return arena + ARENA_BYTES - take_byte(source);
	case 2:
		return arena + ARENA_BYTES + 2 * PAGE - take_below(source, 3 * PAGE);
	case 3:
		return (unsigned long)ring->region +
		       (ring->region ? take_u32(source) % ring->setup.region_size : 0);
	case 4:
		return 0xffff888000000000ULL + take_u32(source);
	case 5:
		/* Not what this program itself consists of. */
		return take_u64(source) | 1ULL << 40;
	case 6:
	case 7:
		return arena + ARENA_DATA + 64 * take_below(source, 64);
	case 8:
	case 9:
		return arena + take_below(source, ARENA_DATA);
	default:
		return arena + 512 * take_below(source, 32);
	}
}

void *world_structure(struct world *world, struct source *source, size_t size)
{
	unsigned int places = (ARENA_BYTES - ARENA_DATA - size) / 64;

	return world->arena + ARENA_DATA + 64 * take_below(source, places);
}
