// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "entry.h"

#define MOST_BYTES 0x10000
#define MOST_PARTS 8
#define FEW_USER_DATA 16

const __u8 entry_opcodes[] = {
	IO_RING_OP_NOP, IO_RING_OP_READV, IO_RING_OP_WRITEV, IO_RING_OP_FSYNC,
	IO_RING_OP_READ_FIXED, IO_RING_OP_WRITE_FIXED, IO_RING_OP_POLL_ADD,
	IO_RING_OP_POLL_REMOVE, IO_RING_OP_SYNC_FILE_RANGE, IO_RING_OP_SENDMSG,
	IO_RING_OP_RECVMSG, IO_RING_OP_TIMEOUT, IO_RING_OP_TIMEOUT_REMOVE, IO_RING_OP_CANCEL,
	IO_RING_OP_LINK_TIMEOUT, IO_RING_OP_FALLOCATE, IO_RING_OP_READ, IO_RING_OP_WRITE,
	IO_RING_OP_FADVISE, IO_RING_OP_SEND, IO_RING_OP_RECV, IO_RING_OP_FTRUNCATE,
	IO_RING_OP_READV_FIXED, IO_RING_OP_WRITEV_FIXED, IO_RING_OP_GETDENTS,
	IO_RING_OP_COPY_FILE_RANGE,
};

const unsigned int entry_opcode_count = sizeof(entry_opcodes);

static __u64 offset(struct source *source)
{
	switch (take_below(source, 8)) {
	case 0:
		return ~0ULL;
	case 1:
		return take_u64(source);
	default:
		return 512 * take_below(source, 256);
	}
}

static __u32 bytes(struct source *source)
{
	switch (take_below(source, 8)) {
	case 0:
		return take_u32(source);
	case 1:
		return 1 + take_byte(source);
	default:
		return 512 * take_below(source, 32);
	}
}

static __u32 one_flag(struct source *source, __u32 flags)
{
	return take_chance(source, 3) ? flags & 1U << take_below(source, 32) : 0;
}

static __u64 parts(struct world *world, struct source *source, unsigned int count)
{
	struct iovec *array = world_structure(world, source, count * sizeof(*array));

	for (unsigned int i = 0; i < count; i++)
		array[i] = (struct iovec) {
			(void *)(unsigned long)world_address(world, source), bytes(source)
		};
	return (unsigned long)array;
}

static __u64 message(struct world *world, struct source *source)
{
	struct msghdr *header = world_structure(world, source, sizeof(*header));
	unsigned int count = take_below(source, MOST_PARTS);

	*header = (struct msghdr) {
		.msg_iov = (struct iovec *)(unsigned long)parts(world, source, count),
		.msg_iovlen = count,
	};
	if (take_chance(source, 4)) {
		header->msg_name = (void *)(unsigned long)world_address(world, source);
		header->msg_namelen = take_byte(source);
	}
	if (take_chance(source, 16))
		header->msg_controllen = take_u32(source);
	return (unsigned long)header;
}

static __u64 moment(struct world *world, struct source *source)
{
	struct io_ring_timespec *time = world_structure(world, source, sizeof(*time));

	*time = (struct io_ring_timespec) { 0, take_below(source, 3000000) };
	if (take_chance(source, 8))
		*time = (struct io_ring_timespec) { take_u64(source), take_u64(source) };
	return (unsigned long)time;
}

static void fill_transfer(struct world *world, struct source *source, struct io_ring_sqe *sqe)
{
	const __u32 flags = 0x1fe;	/* RWF_DSYNC to RWF_NOSIGNAL */

	sqe->off = offset(source);
	sqe->op_flags = one_flag(source, flags);
	sqe->ioprio = take_chance(source, 16) ? take_u32(source) : 0;
	switch (sqe->opcode) {
	case IO_RING_OP_READV:
	case IO_RING_OP_WRITEV:
	case IO_RING_OP_READV_FIXED:
	case IO_RING_OP_WRITEV_FIXED:
		sqe->len = take_below(source, MOST_PARTS);
		sqe->addr = parts(world, source, sqe->len);
		break;
	default:
		sqe->addr = world_address(world, source);
		sqe->len = bytes(source) % MOST_BYTES;
		break;
	}
	switch (sqe->opcode) {
	case IO_RING_OP_READ_FIXED:
	case IO_RING_OP_WRITE_FIXED:
	case IO_RING_OP_READV_FIXED:
	case IO_RING_OP_WRITEV_FIXED:
		sqe->buf_index = take_below(source, 4);
		break;
	}
}

static void fill_socket(struct world *world, struct source *source, struct io_ring_sqe *sqe)
{
	bool sends = sqe->opcode == IO_RING_OP_SEND || sqe->opcode == IO_RING_OP_SENDMSG;

	/* Never SIGPIPE. */
	sqe->op_flags = one_flag(source, sends ? 0x88c5 : 0x2163) | (sends ? MSG_NOSIGNAL : 0);
	if (sqe->opcode == IO_RING_OP_SENDMSG || sqe->opcode == IO_RING_OP_RECVMSG) {
		sqe->addr = message(world, source);
		sqe->len = 1;
	} else {
		sqe->addr = world_address(world, source);
		sqe->len = bytes(source);
	}
}

static void fill_file_call(struct source *source, struct io_ring_sqe *sqe)
{
	sqe->off = offset(source);
	switch (sqe->opcode) {
	case IO_RING_OP_FSYNC:
		sqe->len = bytes(source);
		sqe->op_flags = one_flag(source, IO_RING_FSYNC_DATASYNC);
		break;
	case IO_RING_OP_SYNC_FILE_RANGE:
	case IO_RING_OP_FADVISE:
		sqe->len = bytes(source);
		sqe->op_flags = take_below(source, 8);
		break;
	case IO_RING_OP_FALLOCATE:
		sqe->addr = bytes(source);
		sqe->len = take_below(source, 0x80);
		break;
	case IO_RING_OP_COPY_FILE_RANGE:
		sqe->len = bytes(source);
		sqe->addr = offset(source);
		sqe->op_flags = one_flag(source, IO_RING_COPY_FROM_FIXED);
		break;
	}
}

static void fill_poll(struct source *source, struct io_ring_sqe *sqe)
{
	sqe->op_flags = POLLIN | one_flag(source, 0x800027ff);
	if (sqe->opcode == IO_RING_OP_POLL_ADD) {
		sqe->len = one_flag(source, IO_RING_POLL_ADD_MULTI);
		return;
	}
	sqe->addr = take_below(source, FEW_USER_DATA);
	sqe->len = take_below(source, 8);
	if (sqe->len & IO_RING_POLL_UPDATE_USER_DATA)
		sqe->off = take_below(source, FEW_USER_DATA);
	if (!(sqe->len & IO_RING_POLL_UPDATE_EVENTS))
		sqe->op_flags = 0;
}

static void fill_time(struct world *world, struct source *source, struct io_ring_sqe *sqe)
{
	if (sqe->opcode == IO_RING_OP_TIMEOUT_REMOVE) {
		sqe->addr = take_below(source, FEW_USER_DATA);
		if (take_chance(source, 2)) {
			sqe->op_flags = IO_RING_TIMEOUT_UPDATE | take_below(source, 2);
			sqe->off = moment(world, source);
		}
		return;
	}
	sqe->addr = moment(world, source);
	sqe->len = 1;
	sqe->op_flags = one_flag(source, 0x6d) | one_flag(source, 0x6d);
	if (sqe->opcode == IO_RING_OP_TIMEOUT)
		sqe->off = take_below(source, 4);
	else
		sqe->op_flags &= ~IO_RING_TIMEOUT_MULTISHOT;
}

static void fill_cancel(struct world *world, struct source *source, struct io_ring_sqe *sqe)
{
	sqe->op_flags = take_below(source, 0x40);
	sqe->fd = 0;
	if (sqe->op_flags & IO_RING_CANCEL_FD)
		sqe->fd = sqe->op_flags & IO_RING_CANCEL_FD_FIXED ? (int)take_below(source, 8) :
			  world_fd(world, source);
	if (!(sqe->op_flags & (IO_RING_CANCEL_FD | IO_RING_CANCEL_ANY | IO_RING_CANCEL_OP)) ||
	    sqe->op_flags & IO_RING_CANCEL_USERDATA)
		sqe->addr = take_below(source, FEW_USER_DATA);
	if (sqe->op_flags & IO_RING_CANCEL_OP)
		sqe->len = take_byte(source);
}

static void fill(struct world *world, struct source *source, struct io_ring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IO_RING_OP_READV:
	case IO_RING_OP_WRITEV:
	case IO_RING_OP_READ_FIXED:
	case IO_RING_OP_WRITE_FIXED:
	case IO_RING_OP_READ:
	case IO_RING_OP_WRITE:
	case IO_RING_OP_READV_FIXED:
	case IO_RING_OP_WRITEV_FIXED:
		return fill_transfer(world, source, sqe);
	case IO_RING_OP_SENDMSG:
	case IO_RING_OP_RECVMSG:
	case IO_RING_OP_SEND:
	case IO_RING_OP_RECV:
		return fill_socket(world, source, sqe);
	case IO_RING_OP_GETDENTS:
		sqe->addr = world_address(world, source);
		sqe->len = bytes(source);
		return;
	case IO_RING_OP_POLL_ADD:
	case IO_RING_OP_POLL_REMOVE:
		return fill_poll(source, sqe);
	case IO_RING_OP_TIMEOUT:
	case IO_RING_OP_TIMEOUT_REMOVE:
	case IO_RING_OP_LINK_TIMEOUT:
		return fill_time(world, source, sqe);
	case IO_RING_OP_CANCEL:
		return fill_cancel(world, source, sqe);
	default:
		return fill_file_call(source, sqe);
	}
}

static bool has_file(__u8 opcode)
{
	switch (opcode) {
	case IO_RING_OP_NOP:
	case IO_RING_OP_POLL_REMOVE:
	case IO_RING_OP_TIMEOUT:
	case IO_RING_OP_TIMEOUT_REMOVE:
	case IO_RING_OP_LINK_TIMEOUT:
	case IO_RING_OP_CANCEL:
		return false;
	default:
		return true;
	}
}

struct io_ring_sqe entry_valid(struct world *world, struct source *source, __u8 opcode)
{
	struct io_ring_sqe sqe = { .opcode = opcode };

	sqe.user_data = take_below(source, FEW_USER_DATA);
	if (opcode != IO_RING_OP_NOP)
		fill(world, source, &sqe);
	if (has_file(opcode)) {
		bool is_fixed = take_chance(source, 4);

		sqe.fd = is_fixed ? (int)take_below(source, 10) : world_fd(world, source);
		sqe.flags = is_fixed ? IO_RING_SQE_FIXED_FILE : 0;
	}
	if (opcode == IO_RING_OP_COPY_FILE_RANGE)
		sqe.file_index = sqe.op_flags ? (int)take_below(source, 10) :
				 world_fd(world, source);
	return sqe;
}

struct io_ring_sqe entry_new(struct world *world, struct source *source)
{
	__u8 opcode = entry_opcodes[take_below(source, entry_opcode_count)];
	struct io_ring_sqe sqe = entry_valid(world, source, opcode);
	unsigned char *raw = (unsigned char *)&sqe;

	if (take_chance(source, 2))
		sqe.flags |= 1 << (1 + take_below(source, 6));
	if (take_chance(source, 8)) {
		unsigned int at = take_below(source, sizeof(sqe));

		raw[at] ^= 1 << take_below(source, 8);
	}
	if (take_chance(source, 64))
		for (unsigned int i = 0; i < sizeof(sqe); i++)
			raw[i] = take_byte(source);
	return sqe;
}
