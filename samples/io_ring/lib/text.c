// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Names and sentences for people. */
#include "libio_ring.h"

#include <errno.h>
#include <stdio.h>

#include "device.h"

/* A member of a structure; it ends where the next one of the table starts. */
struct field {
	const char	*name;
	size_t		offset;
};

#define FIELD(type, member)	{ #member, offsetof(struct type, member) }
#define END(type)		{ NULL, sizeof(struct type) }

static const struct field sqe_fields[] = {
	FIELD(io_ring_sqe, opcode),
	FIELD(io_ring_sqe, flags),
	FIELD(io_ring_sqe, ioprio),
	FIELD(io_ring_sqe, fd),
	FIELD(io_ring_sqe, off),
	FIELD(io_ring_sqe, addr),
	FIELD(io_ring_sqe, len),
	FIELD(io_ring_sqe, op_flags),
	FIELD(io_ring_sqe, user_data),
	FIELD(io_ring_sqe, buf_index),
	FIELD(io_ring_sqe, personality),
	FIELD(io_ring_sqe, file_index),
	FIELD(io_ring_sqe, addr3),
	FIELD(io_ring_sqe, resv),
	END(io_ring_sqe),
};

static const struct field setup_fields[] = {
	FIELD(io_ring_setup, size),
	FIELD(io_ring_setup, flags),
	FIELD(io_ring_setup, entries),
	FIELD(io_ring_setup, cq_entries),
	FIELD(io_ring_setup, requests),
	FIELD(io_ring_setup, error_field),
	FIELD(io_ring_setup, error_limit),
	FIELD(io_ring_setup, max_workers),
	FIELD(io_ring_setup, limit_need),
	FIELD(io_ring_setup, limit_have),
	FIELD(io_ring_setup, features),
	FIELD(io_ring_setup, region_size),
	FIELD(io_ring_setup, sqes_offset),
	FIELD(io_ring_setup, sqes_size),
	FIELD(io_ring_setup, sq_off),
	FIELD(io_ring_setup, cq_off),
	FIELD(io_ring_setup, files),
	FIELD(io_ring_setup, nr_files),
	FIELD(io_ring_setup, nr_ops),
	FIELD(io_ring_setup, ops),
	END(io_ring_setup),
};

static const struct {
	unsigned int	opcode;
	const char	*name;
} op_names[] = {
	{ IO_RING_OP_NOP, "NOP" },
	{ IO_RING_OP_READV, "READV" },
	{ IO_RING_OP_WRITEV, "WRITEV" },
	{ IO_RING_OP_FSYNC, "FSYNC" },
	{ IO_RING_OP_SYNC_FILE_RANGE, "SYNC_FILE_RANGE" },
	{ IO_RING_OP_SENDMSG, "SENDMSG" },
	{ IO_RING_OP_RECVMSG, "RECVMSG" },
	{ IO_RING_OP_CANCEL, "CANCEL" },
	{ IO_RING_OP_FALLOCATE, "FALLOCATE" },
	{ IO_RING_OP_READ, "READ" },
	{ IO_RING_OP_WRITE, "WRITE" },
	{ IO_RING_OP_FADVISE, "FADVISE" },
	{ IO_RING_OP_SEND, "SEND" },
	{ IO_RING_OP_RECV, "RECV" },
	{ IO_RING_OP_FTRUNCATE, "FTRUNCATE" },
	{ IO_RING_OP_GETDENTS, "GETDENTS" },
	{ IO_RING_OP_COPY_FILE_RANGE, "COPY_FILE_RANGE" },
};

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static size_t size_of(const struct field *field)
{
	return field[1].offset - field[0].offset;
}

static const struct field *field_at(const struct field *fields, size_t offset)
{
	for (; fields->name; fields++)
		if (offset - fields->offset < size_of(fields))
			return fields;
	return NULL;
}

const char *ioring_sqe_field_name(size_t offset)
{
	const struct field *field = field_at(sqe_fields, offset);

	return field ? field->name : NULL;
}

const char *ioring_op_name(unsigned int opcode)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(op_names); i++)
		if (op_names[i].opcode == opcode)
			return op_names[i].name;
	return NULL;
}

const char *ioring_cqe_field(const struct io_ring_cqe *cqe)
{
	if (!(cqe->flags & IO_RING_CQE_F_REJECTED))
		return NULL;
	return ioring_sqe_field_name(cqe->flags >> IO_RING_CQE_FIELD_SHIFT &
				     IO_RING_CQE_FIELD_MASK);
}

char *ioring_cqe_strerror(const struct io_ring_cqe *cqe, char *text, size_t size)
{
	const char *field = ioring_cqe_field(cqe);
	const char *error = strerror(cqe->res < 0 ? -cqe->res : 0);

	if (field)
		snprintf(text, size, "%s: %s", field, error);
	else
		snprintf(text, size, "%s", error);
	return text;
}

static void limit_text(const struct io_ring_setup *setup, int err, char *text, size_t size)
{
	unsigned long long need = setup->limit_need;
	unsigned long long have = setup->limit_have;
	const char *name;

	switch (setup->error_limit) {
	case IO_RING_LIMIT_ENTRIES:
		name = "entries";
		break;
	case IO_RING_LIMIT_CQ_ENTRIES:
		name = "cq_entries";
		break;
	case IO_RING_LIMIT_REQUESTS:
		name = "requests";
		break;
	case IO_RING_LIMIT_WORKERS:
		name = "max_workers";
		break;
	case IO_RING_LIMIT_FILES:
		name = "nr_files";
		break;
	case IO_RING_LIMIT_MEMORY:
		snprintf(text, size, "not enough memory for a ring of %llu bytes", need);
		return;
	case IO_RING_LIMIT_DISABLED:
		snprintf(text, size, "%s",
			 "rings are switched off for this process (module parameter disabled)");
		return;
	default:
		snprintf(text, size, "limit %u of the kernel: %s", setup->error_limit,
			 strerror(err));
		return;
	}
	snprintf(text, size, "%s: %llu is above the limit %llu", name, need, have);
}

static void field_text(const struct io_ring_setup *setup, const struct field *field, int err,
		       char *text, size_t size)
{
	const char *member = (const char *)setup + field->offset;
	uint32_t value32;
	uint64_t value64;

	if (size_of(field) == sizeof(value32)) {
		memcpy(&value32, member, sizeof(value32));
		snprintf(text, size, "%s: %u (%#x): %s", field->name, value32, value32,
			 strerror(err));
	} else if (size_of(field) == sizeof(value64)) {
		memcpy(&value64, member, sizeof(value64));
		snprintf(text, size, "%s: %llu (%#llx): %s", field->name,
			 (unsigned long long)value64, (unsigned long long)value64, strerror(err));
	} else {
		snprintf(text, size, "%s: %s", field->name, strerror(err));
	}
}

static const char *hint(int err)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return " (is the module io_ring loaded?)";
	case EACCES:
		return " (the mode of the device decides who may use it)";
	case ENOTTY:
		return " (this is not an io_ring device)";
	default:
		return "";
	}
}

char *ioring_device_strerror(int err, char *text, size_t size)
{
	if (err < 0)
		err = -err;
	snprintf(text, size, "%s: %s%s", IORING_DEVICE_PATH, strerror(err), hint(err));
	return text;
}

char *ioring_setup_strerror(const struct io_ring_setup *setup, int err, char *text, size_t size)
{
	const struct field *field = NULL;

	if (err < 0)
		err = -err;
	/* The kernel answers a bad argument by name; what it left alone is still 0. */
	if (err == EINVAL || err == E2BIG)
		field = field_at(setup_fields, setup->error_field);

	if (setup->error_limit != IO_RING_LIMIT_NONE)
		limit_text(setup, err, text, size);
	else if (field)
		field_text(setup, field, err, text, size);
	else
		ioring_device_strerror(err, text, size);
	return text;
}
