// SPDX-License-Identifier: GPL-2.0-only
/* What QUERY says of each operation, held against what the ring does with it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "ring.h"

#define OPCODES 256
#define CONTENT_LEN 4096
#define MARK 0x5a		/* what buffers hold before a request */
#define COOKIE 0x1122334455667788ULL

#define FIELD(member) { #member, offsetof(struct io_ring_sqe, member) }

/* In the order of the structure, which has no holes: each ends where the next one begins. */
static const struct field {
	const char *name;
	unsigned int offset;
} fields[] = {
	FIELD(opcode), FIELD(flags), FIELD(ioprio), FIELD(fd), FIELD(off), FIELD(addr), FIELD(len),
	FIELD(op_flags), FIELD(user_data), FIELD(buf_index), FIELD(personality),
	FIELD(file_index), FIELD(addr3), FIELD(resv), { "", sizeof(struct io_ring_sqe) },
};

#define FIELDS (ARRAY_SIZE(fields) - 1)

#define FLAGS (&fields[1])
#define OP_FLAGS (&fields[7])

/* What requests work on. */
struct bench {
	struct ring ring;
	int file;
	int other;
	int dir;
	int pair[2];
	unsigned char buffer[64];
	struct iovec iov;
	void *zeros;		/* wherever an address differs in one of its lower 25 bits */
	struct msghdr msg;
};

/* Nothing else is near. */
#define ZEROS ((void *)(uintptr_t)(sizeof(long) == 8 ? 0x200000000000ULL : 0x40000000))
#define ZEROS_LEN (32UL << 20)

FIXTURE(ops)
{
	struct bench bench;
	struct io_ring_op_info info[OPCODES];
	__u32 known;
};

FIXTURE_SETUP(ops)
{
	static const unsigned char zeros[CONTENT_LEN];
	struct io_ring_query q = {
		.size = sizeof(q),
		.ops = (uintptr_t)self->info,
		.ops_len = OPCODES,
	};

	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&self->bench.ring, 8, 0));
	ASSERT_EQ(0, ioctl(self->bench.ring.fd, IO_RING_QUERY, &q));
	self->known = q.ops_len;
	self->bench.file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->bench.file);
	ASSERT_EQ(0, pattern_write(self->bench.file, CONTENT_LEN, 1));
	self->bench.other = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->bench.other);
	ASSERT_EQ(0, pattern_write(self->bench.other, CONTENT_LEN, 2));
	self->bench.dir = open("/", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, self->bench.dir);
	memset(self->bench.buffer, MARK, sizeof(self->bench.buffer));
	self->bench.iov.iov_base = self->bench.buffer;
	self->bench.iov.iov_len = sizeof(self->bench.buffer);
	self->bench.zeros = mmap(ZEROS, ZEROS_LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
				 MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(ZEROS, self->bench.zeros);
	ASSERT_EQ(0, buffer_register(&self->bench.ring, self->bench.buffer,
				     sizeof(self->bench.buffer)));
	self->bench.msg = (struct msghdr) { .msg_iov = &self->bench.iov, .msg_iovlen = 1 };
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->bench.pair));
	ASSERT_EQ(CONTENT_LEN, write(self->bench.pair[0], zeros, CONTENT_LEN));
	ASSERT_EQ(CONTENT_LEN, write(self->bench.pair[1], zeros, CONTENT_LEN));
}

FIXTURE_TEARDOWN(ops)
{
	ring_close(&self->bench.ring);
	close(self->bench.file);
	munmap(self->bench.zeros, ZEROS_LEN);
	close(self->bench.other);
	close(self->bench.dir);
	close(self->bench.pair[0]);
	close(self->bench.pair[1]);
}

static const __u8 listed[] = {
	IO_RING_OP_NOP, IO_RING_OP_READV, IO_RING_OP_WRITEV,
	IO_RING_OP_FSYNC, IO_RING_OP_CANCEL, IO_RING_OP_READ, IO_RING_OP_WRITE,
	IO_RING_OP_READ_FIXED, IO_RING_OP_WRITE_FIXED,
	IO_RING_OP_READV_FIXED, IO_RING_OP_WRITEV_FIXED,
	IO_RING_OP_POLL_ADD, IO_RING_OP_POLL_REMOVE,
	IO_RING_OP_TIMEOUT, IO_RING_OP_TIMEOUT_REMOVE, IO_RING_OP_LINK_TIMEOUT,
	IO_RING_OP_SYNC_FILE_RANGE, IO_RING_OP_FALLOCATE, IO_RING_OP_FADVISE,
	IO_RING_OP_FTRUNCATE, IO_RING_OP_GETDENTS, IO_RING_OP_COPY_FILE_RANGE,
	IO_RING_OP_SEND, IO_RING_OP_RECV, IO_RING_OP_SENDMSG, IO_RING_OP_RECVMSG,
};

/* What every operation accepts. */
#define IN_TURN (IO_RING_SQE_DRAIN | IO_RING_SQE_LINK | IO_RING_SQE_HARDLINK | \
		 IO_RING_SQE_FORCE_ASYNC | IO_RING_SQE_CQE_SKIP_SUCCESS)

static __u8 sqe_flags_of(unsigned int opcode)
{
	switch (opcode) {
	case IO_RING_OP_READV:
	case IO_RING_OP_WRITEV:
	case IO_RING_OP_FSYNC:
	case IO_RING_OP_POLL_ADD:
	case IO_RING_OP_READ:
	case IO_RING_OP_WRITE:
	case IO_RING_OP_READ_FIXED:
	case IO_RING_OP_WRITE_FIXED:
	case IO_RING_OP_READV_FIXED:
	case IO_RING_OP_WRITEV_FIXED:
	case IO_RING_OP_SYNC_FILE_RANGE:
	case IO_RING_OP_FALLOCATE:
	case IO_RING_OP_FADVISE:
	case IO_RING_OP_FTRUNCATE:
	case IO_RING_OP_GETDENTS:
	case IO_RING_OP_COPY_FILE_RANGE:
	case IO_RING_OP_SEND:
	case IO_RING_OP_RECV:
	case IO_RING_OP_SENDMSG:
	case IO_RING_OP_RECVMSG:
		return IO_RING_SQE_FIXED_FILE | IN_TURN;
	default:
		return IN_TURN;
	}
}

static bool is_done_by_a_worker(unsigned int opcode)
{
	switch (opcode) {
	case IO_RING_OP_FSYNC:
	case IO_RING_OP_SYNC_FILE_RANGE:
	case IO_RING_OP_FALLOCATE:
	case IO_RING_OP_FTRUNCATE:
	case IO_RING_OP_GETDENTS:
	case IO_RING_OP_COPY_FILE_RANGE:
		return true;
	default:
		return false;
	}
}

static bool is_listed(unsigned int opcode)
{
	return memchr(listed, opcode, sizeof(listed));
}

/* A request that is right; transfers have an effect on the file or on the buffer. */
static struct io_ring_sqe effective(const struct bench *bench, __u8 opcode)
{
	struct io_ring_sqe sqe = sqe_nop(COOKIE);

	sqe.opcode = opcode;
	if (opcode == IO_RING_OP_NOP)
		return sqe;
	sqe.fd = bench->file;
	switch (opcode) {
	case IO_RING_OP_READ:
	case IO_RING_OP_WRITE:
	case IO_RING_OP_READ_FIXED:
	case IO_RING_OP_WRITE_FIXED:
		sqe.addr = (uintptr_t)bench->buffer;
		sqe.len = sizeof(bench->buffer);
		break;
	case IO_RING_OP_READV:
	case IO_RING_OP_WRITEV:
	case IO_RING_OP_READV_FIXED:
	case IO_RING_OP_WRITEV_FIXED:
		sqe.addr = (uintptr_t)&bench->iov;
		sqe.len = 1;
		break;
	case IO_RING_OP_POLL_ADD:
		sqe.op_flags = POLLOUT;
		break;
	case IO_RING_OP_POLL_REMOVE:
		sqe.fd = 0;
		sqe.len = IO_RING_POLL_UPDATE_USER_DATA;
		break;
	case IO_RING_OP_TIMEOUT:
	case IO_RING_OP_LINK_TIMEOUT:
		sqe.fd = 0;
		sqe.addr = (uintptr_t)bench->zeros;
		sqe.len = 1;
		break;
	case IO_RING_OP_TIMEOUT_REMOVE:
		sqe.fd = 0;
		sqe.off = (uintptr_t)bench->zeros;
		sqe.op_flags = IO_RING_TIMEOUT_UPDATE;
		break;
	case IO_RING_OP_CANCEL:
		sqe.op_flags = IO_RING_CANCEL_ALL | IO_RING_CANCEL_FD | IO_RING_CANCEL_USERDATA |
			       IO_RING_CANCEL_OP;
		break;
	case IO_RING_OP_FALLOCATE:
		sqe.off = CONTENT_LEN;
		sqe.addr = 1;
		break;
	case IO_RING_OP_FTRUNCATE:
		sqe.off = CONTENT_LEN + 1;
		break;
	case IO_RING_OP_GETDENTS:
		sqe.fd = bench->dir;
		sqe.addr = (uintptr_t)bench->buffer;
		sqe.len = sizeof(bench->buffer);
		break;
	case IO_RING_OP_COPY_FILE_RANGE:
		sqe.off = CONTENT_LEN;
		sqe.file_index = bench->other;
		sqe.len = sizeof(bench->buffer);
		break;
	case IO_RING_OP_SEND:
	case IO_RING_OP_RECV:
		sqe.fd = bench->pair[0];
		sqe.addr = (uintptr_t)bench->buffer;
		sqe.len = sizeof(bench->buffer);
		break;
	case IO_RING_OP_SENDMSG:
	case IO_RING_OP_RECVMSG:
		sqe.fd = bench->pair[0];
		sqe.addr = (uintptr_t)&bench->msg;
		sqe.len = 1;
		break;
	}
	return sqe;
}

static __s32 effective_result(const struct bench *bench, __u8 opcode)
{
	switch (opcode) {
	case IO_RING_OP_POLL_ADD:
		return POLLOUT;
	case IO_RING_OP_TIMEOUT:
		return -ETIME;
	case IO_RING_OP_LINK_TIMEOUT:
		return -EINVAL;	/* it is alone */
	case IO_RING_OP_POLL_REMOVE:
	case IO_RING_OP_TIMEOUT_REMOVE:
		return -ENOENT;
	default:
		return effective(bench, opcode).len ? (int)sizeof(bench->buffer) : 0;
	}
}

static __u32 effective_flags(__u8 opcode)
{
	if (opcode == IO_RING_OP_TIMEOUT)
		return CQE_VIA(IO_RING_PATH_POLLED);
	if (opcode == IO_RING_OP_LINK_TIMEOUT)
		return IO_RING_CQE_F_REJECTED;
	return is_done_by_a_worker(opcode) ? CQE_VIA(IO_RING_PATH_WORKER) : 0;
}

static bool nothing_happened(const struct bench *bench)
{
	unsigned char content[CONTENT_LEN + 1];

	return all_bytes(bench->buffer, sizeof(bench->buffer), MARK) &&
	       lseek(bench->file, 0, SEEK_CUR) == 0 &&
	       pread(bench->file, content, sizeof(content), 0) == CONTENT_LEN &&
	       pattern_mismatch(content, CONTENT_LEN, 1, 0) == CONTENT_LEN;
}

static void expect_rejected(struct __test_metadata *_metadata, struct bench *bench,
			    const struct io_ring_sqe *sqe, const struct field *field)
{
	const __u32 flags = IO_RING_CQE_F_REJECTED | field->offset << IO_RING_CQE_FIELD_SHIFT;
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(&bench->ring, sqe, &cqe));
	EXPECT_TRUE(cqe.res == -EINVAL || (cqe.res == -EOPNOTSUPP && field == OP_FLAGS)) {
		TH_LOG("opcode %u, field %s: result %d", sqe->opcode, field->name, cqe.res);
	}
	EXPECT_EQ(flags, cqe.flags) {
		TH_LOG("opcode %u, field %s", sqe->opcode, field->name);
	}
	EXPECT_EQ(sqe->user_data, cqe.user_data);
}

TEST_F(ops, are_those_that_are_listed)
{
	for (unsigned int opcode = 0; opcode < self->known; opcode++) {
		const struct io_ring_op_info *info = &self->info[opcode];

		EXPECT_EQ(opcode, info->opcode);
		EXPECT_EQ(is_listed(opcode) ? IO_RING_OP_SUPPORTED : 0,
			  info->flags & ~IO_RING_OP_IOPOLL) {
			TH_LOG("opcode %u", opcode);
		}
		EXPECT_EQ(is_listed(opcode) ? sqe_flags_of(opcode) : 0, info->sqe_flags) {
			TH_LOG("opcode %u", opcode);
		}
		EXPECT_EQ(0, info->resv);
		if (!(info->flags & IO_RING_OP_SUPPORTED)) {
			EXPECT_EQ(0, info->op_flags);
			EXPECT_EQ(0, info->fields);
		}
	}
	for (size_t i = 0; i < sizeof(listed); i++)
		EXPECT_LT(listed[i], self->known);
}

TEST_F(ops, have_tables_without_contradiction)
{
	const unsigned int at = offsetof(struct io_ring_sqe, op_flags);
	const unsigned int user_data = offsetof(struct io_ring_sqe, user_data);

	for (size_t i = 0; i < sizeof(listed); i++) {
		const struct io_ring_op_info *info = &self->info[listed[i]];

		EXPECT_EQ(0xffULL, (info->fields >> user_data) & 0xff);
		EXPECT_EQ(info->sqe_flags != 0,
			  (info->fields >> offsetof(struct io_ring_sqe, flags)) & 1);
		for (unsigned int byte = 0; byte < 4; byte++) {
			bool has_bits = (info->op_flags >> 8 * byte) & 0xff;
			bool may_differ = (info->fields >> (at + byte)) & 1;

			EXPECT_TRUE(may_differ || !has_bits) {
				TH_LOG("opcode %u: op_flags byte %u", listed[i], byte);
			}
		}
	}
}

TEST_F(ops, work_when_they_are_right)
{
	struct io_ring_cqe cqe;

	for (size_t i = 0; i < sizeof(listed); i++) {
		struct io_ring_sqe sqe = effective(&self->bench, listed[i]);

		ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
		/* A directory gives as many entries as fit. */
		if (listed[i] == IO_RING_OP_GETDENTS && cqe.res > 0)
			cqe.res = sizeof(self->bench.buffer);
		EXPECT_EQ(effective_result(&self->bench, listed[i]), cqe.res) {
			TH_LOG("opcode %u", listed[i]);
		}
		EXPECT_EQ(effective_flags(listed[i]), cqe.flags) {
			TH_LOG("opcode %u", listed[i]);
		}
		EXPECT_EQ(COOKIE, cqe.user_data);
	}
	/* The oracle of the rejection tests sees such an effect. */
	EXPECT_FALSE(nothing_happened(&self->bench));
}

TEST_F(ops, that_are_unknown_are_rejected)
{
	for (unsigned int opcode = 0; opcode < OPCODES; opcode++) {
		struct io_ring_sqe sqe = sqe_nop(~(__u64)opcode);

		sqe.opcode = opcode;
		if (!is_listed(opcode))
			expect_rejected(_metadata, &self->bench, &sqe, &fields[0]);
	}
}

TEST_F(ops, reject_each_bit_of_each_unused_field)
{
	for (size_t i = 0; i < sizeof(listed); i++) {
		const struct io_ring_op_info *info = &self->info[listed[i]];

		for (size_t f = 1; f < FIELDS; f++) {
			const unsigned int bits = 8 * (fields[f + 1].offset - fields[f].offset);

			for (unsigned int bit = 0; bit < bits; bit++) {
				struct io_ring_sqe sqe = effective(&self->bench, listed[i]);
				unsigned int byte = fields[f].offset + bit / 8;

				if (info->fields & (1ULL << byte))
					continue;
				((unsigned char *)&sqe)[byte] |= 1U << bit % 8;
				expect_rejected(_metadata, &self->bench, &sqe, &fields[f]);
			}
		}
	}
	EXPECT_TRUE(nothing_happened(&self->bench));
}

TEST_F(ops, reject_each_unknown_flag)
{
	for (size_t i = 0; i < sizeof(listed); i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			struct io_ring_sqe sqe = effective(&self->bench, listed[i]);

			sqe.flags = 1U << bit;
			if (!(self->info[listed[i]].sqe_flags & sqe.flags))
				expect_rejected(_metadata, &self->bench, &sqe, FLAGS);
		}
	}
	EXPECT_TRUE(nothing_happened(&self->bench));
}

TEST_F(ops, reject_each_unknown_op_flag)
{
	ASSERT_EQ(offsetof(struct io_ring_sqe, op_flags), OP_FLAGS->offset);
	for (size_t i = 0; i < sizeof(listed); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct io_ring_sqe sqe = effective(&self->bench, listed[i]);

			sqe.op_flags |= 1U << bit;
			if (!(self->info[listed[i]].op_flags & (1U << bit)))
				expect_rejected(_metadata, &self->bench, &sqe, OP_FLAGS);
		}
	}
	EXPECT_TRUE(nothing_happened(&self->bench));
}

/* Of several fields that are wrong, the first one is named. */
TEST_F(ops, blame_the_first_field)
{
	for (size_t i = 0; i < sizeof(listed); i++) {
		struct io_ring_sqe sqe = effective(&self->bench, listed[i]);

		for (size_t f = FIELDS - 1; f >= 1; f--) {
			unsigned int byte = fields[f].offset;

			if (self->info[listed[i]].fields & (1ULL << byte))
				continue;
			((unsigned char *)&sqe)[byte] = 1;
			expect_rejected(_metadata, &self->bench, &sqe, &fields[f]);
		}
	}
	EXPECT_TRUE(nothing_happened(&self->bench));
}

static const char * const plain[] = { "fd", "off", "addr", "user_data" };

static bool is_plain(const struct field *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (!strcmp(plain[i], field->name))
			return true;
	return false;
}

/* The request has no length and a buffer that cannot be accessed, so no value can do harm. */
static void expect_accepted(struct __test_metadata *_metadata, struct bench *bench,
			    __u8 opcode, const struct field *field, unsigned int byte)
{
	struct io_ring_sqe sqe = effective(bench, opcode);
	void *guard = guarded_pages(0);
	struct io_ring_cqe cqe;

	ASSERT_NE(NULL, guard);
	sqe.addr = sqe.len ? (uintptr_t)guard : 0;
	if (opcode != IO_RING_OP_POLL_REMOVE)
		sqe.len = 0;
	((unsigned char *)&sqe)[byte] ^= 1;
	ASSERT_EQ(0, ring_run(&bench->ring, &sqe, &cqe));
	EXPECT_FALSE(cqe.res == -EINVAL && cqe_rejected_field(&cqe) == (int)field->offset) {
		TH_LOG("opcode %u, byte %u of the entry, in %s", opcode, byte, field->name);
	}
	guarded_free(guard, 0);
}

TEST_F(ops, accept_the_fields_they_use)
{
	for (size_t i = 0; i < sizeof(listed); i++) {
		__u64 used = self->info[listed[i]].fields;

		for (size_t f = 0; f < FIELDS; f++) {
			const struct field *field = &fields[f];

			for (unsigned int byte = field->offset; byte < field[1].offset; byte++)
				if (is_plain(field) && used & (1ULL << byte))
					expect_accepted(_metadata, &self->bench, listed[i], field,
							byte);
		}
	}
}

TEST_HARNESS_MAIN
