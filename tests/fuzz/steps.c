// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"
#include "mutator.h"
#include "steps.h"
#include "tally.h"

#define MOST_ENTRIES 64
#define MOST_OPCODES 10
#define MOST_FILES 8
#define MOST_ROUNDS 12
#define LEAST_WAIT 1000		/* nanoseconds */

/* The errors that the header lists. */
static const int setup_errors[] = {
	EINVAL, E2BIG, EFAULT, ENOMEM, EPERM, EMFILE, ENFILE, EBADF, ELOOP, EACCES, 0
};

static const int enter_errors[] = {
	EINVAL, EFAULT, ENOMEM, EPERM, EBUSY, EOVERFLOW, EINTR, ETIME, EDEADLK, EOWNERDEAD, 0
};

static const int register_errors[] = {
	EINVAL, EFAULT, EPERM, EINTR, ENXIO, EBADF, EBUSY, EMFILE, ELOOP, ETIME, ENOMEM,
	EOPNOTSUPP, E2BIG, EOWNERDEAD, 0
};

static int judged(enum tally_call call, const char *name, int result, const int *errors)
{
	int error = result < 0 ? errno : 0;

	tally_call(call, -error);
	for (; error && *errors; errors++)
		if (*errors == error)
			return result;
	if (error)
		tally_complain("%s failed with %s", name, strerrorname_np(error));
	return result;
}

static __u32 random_sizes(struct source *source, __u32 small)
{
	return take_chance(source, 16) ? take_u32(source) : 1U << take_below(source, small);
}

static void wanted(struct world *world, struct source *source, struct io_ring_setup *setup)
{
	setup->entries = random_sizes(source, 8);
	if (setup->flags & IO_RING_SETUP_CQSIZE)
		setup->cq_entries = random_sizes(source, 8);
	if (take_chance(source, 8))
		setup->requests = random_sizes(source, 9);
	if (take_chance(source, 8))
		setup->max_workers = take_below(source, 20);
	if (take_chance(source, 2)) {
		int *files = world_structure(world, source, MOST_FILES * sizeof(int));

		for (int i = 0; i < MOST_FILES; i++)
			files[i] = take_chance(source, 32) ? world_fd(world, source) :
							     world->fds[take_below(source, 6)];
		setup->files = (unsigned long)files;
		setup->nr_files = take_below(source, MOST_FILES + 1);
	}
	if (take_chance(source, 16)) {
		__u8 *ops = world_structure(world, source, MOST_OPCODES);

		for (int i = 0; i < MOST_OPCODES; i++)
			ops[i] = entry_opcodes[take_below(source, entry_opcode_count)];
		setup->ops = (unsigned long)ops;
		setup->nr_ops = take_below(source, MOST_OPCODES + 1);
	}
}

void step_setup(struct world *world, struct source *source, __u32 flags)
{
	struct world_ring *ring = world_ring(world);
	struct io_ring_setup setup = { .size = sizeof(setup), .flags = flags };
	unsigned char *raw = (unsigned char *)&setup;

	mutator_stop();
	world_ring_close(ring);
	wanted(world, source, &setup);
	if (take_chance(source, 8))
		raw[take_below(source, sizeof(setup))] ^= 1 << take_below(source, 8);
	ring->fd = ioctl(world->fds[KIND_CONTROL], IO_RING_SETUP, &setup);
	judged(CALL_SETUP, "SETUP", ring->fd, setup_errors);
	if (ring->fd < 0)
		return;
	ring->setup = setup;
	world_ring_map(world);
}

static void random_setup(struct world *world, struct source *source)
{
	static const __u32 flags[] = {
		IO_RING_SETUP_IOPOLL, IO_RING_SETUP_CQSIZE, IO_RING_SETUP_CLAMP,
		IO_RING_SETUP_SUBMIT_ALL, IO_RING_SETUP_NO_SQARRAY, IO_RING_SETUP_REBIND,
		IO_RING_SETUP_FORK_SHARED, IO_RING_SETUP_STOP_ON_REJECT
	};
	__u32 chosen = take_chance(source, 16) ? take_u32(source) : 0;

	for (unsigned int i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (take_chance(source, i ? 3 : 8))
			chosen |= flags[i];
	if (take_byte(source) & 7)
		chosen &= ~(chosen & IO_RING_SETUP_SUBMIT_ALL ? IO_RING_SETUP_STOP_ON_REJECT : 0);
	world->current = take_below(source, WORLD_RINGS);
	step_setup(world, source, chosen);
}

static __u32 *word(const struct world_ring *ring, __u32 offset)
{
	return (__u32 *)(ring->region + offset);
}

/* Entries from the kernel's head on, as far as it says; answers how many. */
static unsigned int offer(struct world *world, struct source *source, unsigned int count)
{
	struct world_ring *ring = world_ring(world);
	const struct io_ring_setup *setup = &ring->setup;
	__u32 tail = __atomic_load_n(word(ring, setup->sq_off.head), __ATOMIC_ACQUIRE);
	__u32 mask = setup->entries - 1;

	if (count > setup->entries)
		count = setup->entries;
	for (unsigned int i = 0; i < count; i++, tail++) {
		struct io_ring_sqe sqe = entry_new(world, source);

		memcpy(ring->region + setup->sqes_offset + (tail & mask) * sizeof(sqe), &sqe,
		       sizeof(sqe));
		if (!(setup->flags & IO_RING_SETUP_NO_SQARRAY))
			word(ring, setup->sq_off.array)[tail & mask] =
				take_chance(source, 64) ? take_u32(source) : tail & mask;
	}
	if (take_chance(source, 32))
		tail = take_u32(source);
	__atomic_store_n(word(ring, setup->sq_off.tail), tail, __ATOMIC_RELEASE);
	return count;
}

static void enter(struct world_ring *ring, struct io_ring_enter *args)
{
	int taken = judged(CALL_ENTER, "ENTER", ioctl(ring->fd, IO_RING_ENTER, args), enter_errors);

	if (taken > 0)
		__atomic_fetch_add(&tally->sqes, taken, __ATOMIC_RELAXED);
	if (taken > 0 && (__u32)taken > args->to_submit)
		tally_complain("ENTER took %d of %u", taken, args->to_submit);
}

void step_submit(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);
	struct io_ring_enter args = { };

	if (!ring->region)
		return;
	args.to_submit = offer(world, source, 1 + take_below(source, MOST_ENTRIES));
	if (take_chance(source, 8))
		args.to_submit = take_u32(source);
	if (take_chance(source, 3)) {
		args.min_complete = take_below(source, 4);
		args.clock = CLOCK_MONOTONIC;
		args.timeout = args.min_complete ? LEAST_WAIT << take_below(source, 10) : 0;
		args.clock = args.timeout ? CLOCK_MONOTONIC : 0;
	}
	enter(ring, &args);
	step_reap(world, source);
}

/* An argument that is seldom right. */
static void random_enter(struct world *world, struct source *source)
{
	struct io_ring_enter args = { .to_submit = take_u32(source), .min_complete = 1 };
	struct io_ring_enter *given = world_structure(world, source, sizeof(args));
	unsigned char *raw = (unsigned char *)&args;
	struct world_ring *ring = world_ring(world);
	__u64 *mask = world_structure(world, source, sizeof(*mask));

	*mask = take_u64(source);
	args.flags = take_below(source, 4) * 0x10000 | take_below(source, 2) * 0x20;
	args.timeout = LEAST_WAIT << take_below(source, 12);
	args.clock = take_below(source, 9);
	args.min_wait = take_chance(source, 2) ? take_u64(source) : 0;
	args.sigmask = take_chance(source, 2) ? (unsigned long)mask : 0;
	if (take_chance(source, 2))
		raw[take_below(source, sizeof(args))] ^= 1 << take_below(source, 8);
	*given = args;
	if (take_chance(source, 16))
		given = (struct io_ring_enter *)(unsigned long)world_address(world, source);
	if (ring->fd >= 0)
		judged(CALL_ENTER, "ENTER", ioctl(ring->fd, IO_RING_ENTER, given), enter_errors);
}

void step_reap(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);
	const struct io_ring_setup *setup = &ring->setup;
	__u32 head, tail;

	if (!ring->region)
		return;
	head = __atomic_load_n(word(ring, setup->cq_off.head), __ATOMIC_RELAXED);
	tail = __atomic_load_n(word(ring, setup->cq_off.tail), __ATOMIC_ACQUIRE);
	if (tail - head > setup->cq_entries)
		head = tail;
	for (; head != tail; head++) {
		struct io_ring_cqe *cqes = (void *)(ring->region + setup->cq_off.cqes);

		tally_cqe(cqes[head & (setup->cq_entries - 1)].res);
	}
	if (take_chance(source, 16))
		head += take_u32(source);
	__atomic_store_n(word(ring, setup->cq_off.head), head, __ATOMIC_RELEASE);
}

static void fill_files(struct world *world, struct source *source, int *files, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		files[i] = take_chance(source, 8) ? -1 - (int)take_below(source, 3) :
			   world_fd(world, source);
}

static void fill_buffers(struct world *world, struct source *source, struct io_ring_buffer *buffers,
			 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		buffers[i].addr = (unsigned long)world->arena + 4096 * take_below(source, 8);
		buffers[i].len = 512 * take_below(source, 64);
		if (take_chance(source, 8)) {
			buffers[i].addr = world_address(world, source);
			buffers[i].len = take_u64(source);
		}
	}
}

static void fill_resources(struct world *world, struct source *source,
			   struct io_ring_register *args, bool are_files)
{
	struct io_ring_resources *resources = world_structure(world, source, sizeof(*resources));
	__u64 *tags = world_structure(world, source, 8 * sizeof(*tags));
	void *data = world_structure(world, source, 8 * sizeof(struct io_ring_buffer));

	args->nr = 1 + take_below(source, 8);
	if (are_files)
		fill_files(world, source, data, args->nr);
	else
		fill_buffers(world, source, data, args->nr);
	for (unsigned int i = 0; i < args->nr; i++)
		tags[i] = take_below(source, 4);
	*resources = (struct io_ring_resources) {
		.first = args->opcode == IO_RING_UPDATE_FILES ||
			 args->opcode == IO_RING_UPDATE_BUFFERS ? take_below(source, 4) : 0,
		.data = take_chance(source, 8) ? 0 : (unsigned long)data,
		.tags = take_chance(source, 3) ? (unsigned long)tags : 0,
	};
	args->addr = (unsigned long)resources;
}

void step_register(struct world *world, struct source *source)
{
	static const __u8 opcodes[] = { 0, 1, 3, 4, 5, 7, 13, 14, 16, 128, 13, 0 };
	struct io_ring_register args = { .size = sizeof(args) };
	unsigned char *raw = (unsigned char *)&args;
	struct io_ring_quiesce *quiesce;
	int *fd;

	args.opcode = opcodes[take_below(source, sizeof(opcodes))];
	switch (args.opcode) {
	case IO_RING_REGISTER_BUFFERS:
	case IO_RING_UPDATE_BUFFERS:
		fill_resources(world, source, &args, false);
		break;
	case IO_RING_REGISTER_FILES:
	case IO_RING_UPDATE_FILES:
		fill_resources(world, source, &args, true);
		break;
	case IO_RING_REGISTER_EVENTFD:
	case IO_RING_REGISTER_EVENTFD_ASYNC:
		fd = world_structure(world, source, sizeof(*fd));
		*fd = take_chance(source, 4) ? world_fd(world, source) :
					       world->fds[KIND_EVENTFD];
		args.addr = (unsigned long)fd;
		args.nr = 1;
		break;
	case IO_RING_REGISTER_QUIESCE:
		quiesce = world_structure(world, source, sizeof(*quiesce));
		memset(quiesce, 0, sizeof(*quiesce));
		quiesce->timeout = LEAST_WAIT << take_below(source, 12);
		args.addr = (unsigned long)quiesce;
		args.nr = 1;
		break;
	}
	if (take_chance(source, 16))
		args.addr = world_address(world, source);
	if (take_chance(source, 16))
		raw[take_below(source, sizeof(args))] ^= 1 << take_below(source, 8);
	if (world_ring(world)->fd >= 0)
		judged(CALL_REGISTER, "REGISTER",
		       ioctl(world_ring(world)->fd, IO_RING_REGISTER, &args), register_errors);
}

static void random_query(struct world *world, struct source *source)
{
	struct io_ring_query query = { .size = sizeof(query) };
	unsigned char *raw = (unsigned char *)&query;
	int fd = take_chance(source, 2) ? world->fds[KIND_CONTROL] : world_ring(world)->fd;

	if (take_chance(source, 2)) {
		query.ops = world_address(world, source);
		query.ops_len = take_byte(source);
	}
	if (take_chance(source, 4))
		raw[take_below(source, sizeof(query))] ^= 1 << take_below(source, 8);
	tally_call(CALL_QUERY, ioctl(fd, IO_RING_QUERY, &query) ? -errno : 0);
}

static void map(struct world *world, struct source *source)
{
	static const off_t offsets[] = {
		IO_RING_OFF_REGION, IO_RING_OFF_CQ_REGION, IO_RING_OFF_SQES
	};
	off_t offset = offsets[take_below(source, 3)] + 4096 * take_below(source, 3);
	size_t length = 4096 * (1 + take_below(source, 4));
	int protection = take_below(source, 8);
	unsigned char *at;

	if (take_chance(source, 8))
		offset = take_u64(source) & ~4095ULL;
	at = mmap(NULL, length, protection, take_chance(source, 4) ? MAP_PRIVATE : MAP_SHARED,
		  world_ring(world)->fd, offset);
	tally_call(CALL_MMAP, at == MAP_FAILED ? -errno : 0);
	if (at == MAP_FAILED)
		return;
	if (protection & PROT_WRITE)
		at[take_below(source, length)] ^= take_byte(source);
	mprotect(at, length, take_below(source, 8));
	madvise(at, length, take_below(source, 25));
	if (take_chance(source, 2) && mremap(at, length, length + 4096, 0) != MAP_FAILED)
		tally_complain("a mapping of a ring has grown");
	munmap(at, length);
}

/* Something that requests wait for happens. */
static void act(struct world *world, struct source *source)
{
	static const int readable[] = { KIND_PIPE_IN, KIND_SOCKET, KIND_PEER, KIND_EVENTFD };
	static const int writable[] = { KIND_PIPE_OUT, KIND_SOCKET, KIND_PEER, KIND_EVENTFD };
	unsigned int which = take_below(source, 4);
	int fd = world->fds[take_chance(source, 2) ? readable[which] : writable[which]];
	struct pollfd ready = { .fd = fd, .events = POLLIN | POLLOUT };
	__u64 bytes[64] = { 1 };

	poll(&ready, 1, 0);
	if (ready.revents & POLLIN && read(fd, bytes, 8 * (1 + take_below(source, 63))) < 0)
		return;
	if (ready.revents & POLLOUT && write(fd, bytes, 8) < 0)
		return;
	if (take_chance(source, 8))
		kill(getpid(), SIGUSR1);
}

/* What can be done with the descriptor of a ring besides. */
static void look(struct world *world, struct source *source)
{
	struct pollfd ready = { .fd = world_ring(world)->fd, .events = POLLIN | POLLOUT };
	char path[40], text[2048];
	int fd;

	poll(&ready, 1, 0);
	if (read(ready.fd, text, 8) > 0 || write(ready.fd, text, 8) > 0)
		tally_complain("a ring has been read or written");
	ioctl(ready.fd, take_u32(source), text);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ready.fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void poke(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);
	unsigned int count = take_below(source, 16);

	if (!ring->region)
		return;
	while (count--)
		*word(ring, 4 * take_below(source, ring->setup.region_size / 4)) = take_u32(source);
}

static void mutate(struct world *world, struct source *source)
{
	struct world_ring *ring = world_ring(world);

	if (ring->region)
		mutator_start(ring->region, ring->setup.region_size, source->random);
}

static void leave(struct world *world, struct source *source)
{
	mutator_stop();
	world_ring_close(world_ring(world));
	world->current = take_below(source, WORLD_RINGS);
}

/* Most of what is submitted. */
static void flood(struct world *world, struct source *source)
{
	unsigned int rounds = 1 + take_below(source, MOST_ROUNDS);

	while (rounds--)
		step_submit(world, source);
}

void step(struct world *world, struct source *source)
{
	switch (take_below(source, 40)) {
	case 0:
	case 1:
		return random_setup(world, source);
	case 2:
		return random_enter(world, source);
	case 3:
		return random_query(world, source);
	case 4:
		return map(world, source);
	case 5:
		return look(world, source);
	case 6:
	case 7:
		return poke(world, source);
	case 8:
		return leave(world, source);
	case 9:
		return mutate(world, source);
	case 10:
	case 11:
	case 12:
	case 13:
	case 14:
		return step_register(world, source);
	case 15:
	case 16:
	case 17:
	case 18:
		return act(world, source);
	case 19:
		return take_chance(source, 4) ? step_fork(world, source) : step_reap(world, source);
	case 20:
		return take_chance(source, 16) ? step_exec(world, source) :
						 step_reap(world, source);
	case 21:
		return step_pass(world, source);
	default:
		return flood(world, source);
	}
}
