// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "fake_device.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "device.h"

#define MAX_PARKED	4096

struct fake_device fake;

/* The memory of the one ring that there is. */
static struct region {
	struct {
		uint32_t head, tail, mask, entries, flags, dropped, dropped_at;
	} sq;
	struct {
		uint32_t head, tail, mask, entries, overflow;
	} cq;
	uint32_t		array[IO_RING_MAX_ENTRIES];
	struct io_ring_cqe	cqes[IO_RING_MAX_CQ_ENTRIES];
	struct io_ring_sqe	sqes[IO_RING_MAX_ENTRIES];
} region;

static struct io_ring_setup ring;
static struct io_ring_cqe parked[MAX_PARKED];
static uint32_t nr_parked;

__attribute__((constructor)) void fake_reset(void)
{
	const char *max_transfer = getenv("FAKE_MAX_TRANSFER");

	fake = (struct fake_device){
		.take_limit = UINT32_MAX,
		.reverse = getenv("FAKE_REVERSE"),
		.max_transfer = max_transfer ? (uint32_t)atoi(max_transfer) : 0,
		.corrupt = getenv("FAKE_CORRUPT"),
		.extend = getenv("FAKE_EXTEND"),
	};
	nr_parked = 0;
}

/* A descriptor that is really open, so that it has an fdinfo. */
static int open_file(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/null");
	fake.open_files++;
	return fd;
}

int ioring_device_open(void)
{
	return fake.open_error ? fake.open_error : open_file();
}

int ioring_device_query(int fd, struct io_ring_query *query)
{
	struct io_ring_op_info *ops = (struct io_ring_op_info *)(uintptr_t)query->ops;

	(void)fd;
	query->abi_version = IO_RING_ABI_VERSION;
	query->max_entries = IO_RING_MAX_ENTRIES;
	query->max_cq_entries = IO_RING_MAX_CQ_ENTRIES;
	query->max_requests = IO_RING_MAX_REQUESTS;
	query->max_workers = IO_RING_MAX_WORKERS;
	query->features = IO_RING_FEAT_SINGLE_MMAP | IO_RING_FEAT_NODROP;
	query->setup_flags = IO_RING_SETUP_NO_SQARRAY;
	query->ops_len = 1;
	ops[0] = (struct io_ring_op_info){
		.opcode = IO_RING_OP_NOP,
		.flags = IO_RING_OP_SUPPORTED,
		.fields = 1U << offsetof(struct io_ring_sqe, opcode) |
			  0xffULL << offsetof(struct io_ring_sqe, user_data),
	};
	return 0;
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t power = 1;

	while (power < at_least)
		power *= 2;
	return power;
}

static void refuse(struct io_ring_setup *setup)
{
	setup->error_field = fake.refusal.error_field;
	setup->error_limit = fake.refusal.error_limit;
	setup->limit_need = fake.refusal.limit_need;
	setup->limit_have = fake.refusal.limit_have;
}

int ioring_device_setup(int fd, struct io_ring_setup *setup)
{
	(void)fd;
	if (fake.setup_error) {
		refuse(setup);
		return fake.setup_error;
	}
	setup->entries = power_of_two(setup->entries);
	setup->cq_entries = setup->cq_entries ? power_of_two(setup->cq_entries) :
						2 * setup->entries;
	setup->region_size = sizeof(region);
	setup->sqes_offset = offsetof(struct region, sqes);
	setup->sq_off = (struct io_ring_sq_offsets){
		.head = offsetof(struct region, sq.head),
		.tail = offsetof(struct region, sq.tail),
		.ring_mask = offsetof(struct region, sq.mask),
		.ring_entries = offsetof(struct region, sq.entries),
		.flags = offsetof(struct region, sq.flags),
		.dropped = offsetof(struct region, sq.dropped),
		.dropped_at = offsetof(struct region, sq.dropped_at),
	};
	if (!(setup->flags & IO_RING_SETUP_NO_SQARRAY))
		setup->sq_off.array = offsetof(struct region, array);
	setup->cq_off = (struct io_ring_cq_offsets){
		.head = offsetof(struct region, cq.head),
		.tail = offsetof(struct region, cq.tail),
		.ring_mask = offsetof(struct region, cq.mask),
		.ring_entries = offsetof(struct region, cq.entries),
		.overflow = offsetof(struct region, cq.overflow),
		.cqes = offsetof(struct region, cqes),
	};
	memset(&region, 0, sizeof(region));
	region.sq.head = fake.start;
	region.sq.tail = fake.start;
	region.cq.head = fake.start;
	region.cq.tail = fake.start;
	ring = *setup;
	return open_file();
}

int ioring_device_map(int fd, size_t size, void **mapping)
{
	(void)fd;
	if (fake.map_error)
		return fake.map_error;
	if (size != sizeof(region))
		errx(1, "mapped %zu bytes of %zu", size, sizeof(region));
	*mapping = &region;
	fake.mappings++;
	return 0;
}

void ioring_device_unmap(void *mapping, size_t size)
{
	if (mapping != &region || size != sizeof(region))
		errx(1, "unmapped %zu bytes of %zu", size, sizeof(region));
	fake.mappings--;
}

void ioring_device_close(int fd)
{
	close(fd);
	fake.open_files--;
}

static size_t cut(const struct io_ring_sqe *sqe)
{
	size_t most = fake.max_transfer;

	if (!most || sqe->len <= most)
		return sqe->len;
	/* As a device would: direct transfers end at a sector. */
	return fcntl(sqe->fd, F_GETFL) & O_DIRECT ? (most + 4095) / 4096 * 4096 : most;
}

static ssize_t transfer(const struct io_ring_sqe *sqe)
{
	char *data = (char *)(uintptr_t)sqe->addr;
	off_t offset = (off_t)sqe->off;
	size_t length = cut(sqe);

	if (sqe->opcode == IO_RING_OP_READ)
		return offset < 0 ? read(sqe->fd, data, length) :
				    pread(sqe->fd, data, length, offset);
	if (fake.corrupt)
		data[0] ^= 1;
	if (fake.extend && ftruncate(sqe->fd, 1 << 20))
		err(1, "ftruncate");
	return offset < 0 ? write(sqe->fd, data, length) : pwrite(sqe->fd, data, length, offset);
}

static struct io_ring_cqe carry_out(const struct io_ring_sqe *sqe)
{
	struct io_ring_cqe cqe = { .user_data = sqe->user_data };
	ssize_t result = 0;

	switch (sqe->opcode) {
	case IO_RING_OP_NOP:
		break;
	case IO_RING_OP_FSYNC:
		result = fsync(sqe->fd);
		break;
	case IO_RING_OP_READ:
	case IO_RING_OP_WRITE:
		result = transfer(sqe);
		break;
	case IO_RING_OP_CANCEL:
		/* Nothing ever waits here. */
		errno = ENOENT;
		result = -1;
		break;
	default:
		errno = EINVAL;
		result = -1;
		cqe.flags = IO_RING_CQE_F_REJECTED;
	}
	cqe.res = result < 0 ? -errno : (int32_t)result;
	return cqe;
}

static void flush_parked(void)
{
	uint32_t moved = 0;

	while (moved < nr_parked && region.cq.tail - region.cq.head < ring.cq_entries)
		region.cqes[region.cq.tail++ & (ring.cq_entries - 1)] = parked[moved++];
	nr_parked -= moved;
	memmove(parked, parked + moved, nr_parked * sizeof(parked[0]));
	region.sq.flags = nr_parked ? IO_RING_SQ_CQ_OVERFLOW : 0;
}

static void complete(const struct io_ring_cqe *cqe)
{
	if (nr_parked == MAX_PARKED)
		errx(1, "more than %u completions wait for room", MAX_PARKED);
	parked[nr_parked++] = *cqe;
	if (region.cq.tail - region.cq.head == ring.cq_entries || nr_parked > 1)
		region.cq.overflow++;
	flush_parked();
}

static uint32_t take(uint32_t to_submit)
{
	static struct io_ring_cqe done[IO_RING_MAX_ENTRIES];
	uint32_t offered = region.sq.tail - region.sq.head;
	uint32_t i, position, entry, taken;

	if (offered > ring.entries)
		errx(1, "%u entries offered, there are %u", offered, ring.entries);
	taken = to_submit < offered ? to_submit : offered;
	if (taken > fake.take_limit)
		taken = fake.take_limit;
	for (i = 0; i < taken; i++) {
		position = region.sq.head & (ring.entries - 1);
		entry = ring.sq_off.array ? region.array[position] : position;
		done[i] = carry_out(&region.sqes[entry]);
		/* Taken entries are the program's again: nothing may depend on them. */
		memset(&region.sqes[entry], 0xff, sizeof(region.sqes[entry]));
		region.sq.head++;
	}
	for (i = 0; i < taken; i++)
		complete(&done[fake.reverse ? taken - 1 - i : i]);
	return taken;
}

int ioring_device_enter(int fd, struct io_ring_enter *enter)
{
	uint32_t wanted = enter->min_complete, taken = 0;

	(void)fd;
	fake.enters++;
	flush_parked();
	if (enter->to_submit) {
		if (fake.enter_error)
			return fake.enter_error;
		taken = take(enter->to_submit);
	}
	if (wanted > ring.cq_entries)
		wanted = ring.cq_entries;
	if (taken < enter->to_submit || region.cq.tail - region.cq.head >= wanted)
		return (int)taken;

	if (!fake.interrupts && !enter->timeout)
		errx(1, "waits for ever for %u completions", wanted);
	enter->wait_error = fake.interrupts ? -EINTR : -ETIME;
	if (fake.interrupts)
		fake.interrupts--;
	return taken ? (int)taken : enter->wait_error;
}

int ioring_device_register(int fd, struct io_ring_register *arg)
{
	struct io_ring_quiesce *quiesce = (struct io_ring_quiesce *)(uintptr_t)arg->addr;

	(void)fd;
	if (arg->size != sizeof(*arg) || arg->opcode != IO_RING_REGISTER_QUIESCE || arg->nr != 1)
		errx(1, "register: size %u, opcode %u, nr %u", arg->size, arg->opcode, arg->nr);
	if (quiesce->timeout > INT64_MAX || quiesce->left)
		return -EINVAL;
	if (!fake.left)
		return 0;
	if (!fake.interrupts && !quiesce->timeout)
		errx(1, "waits for ever for %u requests", fake.left);
	quiesce->left = fake.left;
	return fake.interrupts ? -EINTR : -ETIME;
}
