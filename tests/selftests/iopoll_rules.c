// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_SETUP_IOPOLL: what such a ring refuses, and how. */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "pinned.h"
#include "polled_disk.h"
#include "registered.h"
#include "ring.h"

#define ENTRIES 8
#define SIZE 4096
#define OPS_MAX 256
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))

static const __u8 transfers[] = {
	IO_RING_OP_READ, IO_RING_OP_WRITE, IO_RING_OP_READV, IO_RING_OP_WRITEV,
	IO_RING_OP_READ_FIXED, IO_RING_OP_WRITE_FIXED, IO_RING_OP_READV_FIXED,
	IO_RING_OP_WRITEV_FIXED,
};

FIXTURE(rules)
{
	struct ring ring;
	int disk;
	void *page;
	struct iovec iov;
	struct io_ring_op_info all[OPS_MAX];
	struct io_ring_op_info here[OPS_MAX];
	__u32 known;
};

static int ask(int fd, struct io_ring_op_info *info)
{
	struct io_ring_query query = {
		.size = sizeof(query), .ops = (unsigned long)info, .ops_len = OPS_MAX,
	};

	return ioctl(fd, IO_RING_QUERY, &query) ? -errno : (int)query.ops_max;
}

FIXTURE_SETUP(rules)
{
	const struct polled_disk how = { .queues = 1, .depth = ENTRIES };
	int control = control_open();

	ASSERT_LE(0, control);
	self->disk = polled_disk_open(&how);
	ASSERT_LE(0, self->disk);
	self->page = new_pages(1);
	ASSERT_NE(NULL, self->page);
	self->iov = (struct iovec) { .iov_base = self->page, .iov_len = SIZE };
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_IOPOLL));
	ASSERT_EQ(0, buffer_register(&self->ring, self->page, SIZE));
	self->known = ask(control, self->all);
	ASSERT_EQ(self->known, ask(self->ring.fd, self->here));
	close(control);
}

FIXTURE_TEARDOWN(rules)
{
	ring_close(&self->ring);
	polled_disk_close(self->disk);
}

static bool is_transfer(__u8 opcode)
{
	return memchr(transfers, opcode, sizeof(transfers));
}

/* A transfer of the page by any operation, at offset 0. */
static struct io_ring_sqe transfer(const struct iovec *iov, __u8 opcode, int fd)
{
	bool vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV ||
		      opcode == IO_RING_OP_READV_FIXED || opcode == IO_RING_OP_WRITEV_FIXED;

	return sqe_rw(opcode, fd, vector ? iov : iov->iov_base, vector ? 1 : SIZE, 0);
}

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    struct io_ring_sqe sqe, int error, int field)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(error, cqe.res) {
		TH_LOG("opcode %u flags %#x", sqe.opcode, sqe.flags);
	}
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("opcode %u flags %#x", sqe.opcode, sqe.flags);
	}
}

TEST_F(rules, all_transfers_are_accepted)
{
	for (size_t i = 0; i < sizeof(transfers); i++) {
		struct io_ring_sqe sqe = transfer(&self->iov, transfers[i], self->disk);
		struct io_ring_cqe cqe;

		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(SIZE, cqe.res) {
			TH_LOG("opcode %u", transfers[i]);
		}
		EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
	}
}

static void expect_no_file_of(struct __test_metadata *_metadata, const struct ring *ring,
			      const struct iovec *iov, int fd, int error)
{
	ASSERT_LE(0, fd);
	for (size_t i = 0; i < sizeof(transfers); i++)
		expect_rejected(_metadata, ring, transfer(iov, transfers[i], fd), error, AT(fd));
}

TEST_F(rules, files)
{
	int buffered = reopen(self->disk, O_RDWR);
	int cached = temp_file(EXT4_DIR);
	int sockets[2], pipes[2];

	/* Not open with O_DIRECT; a pipe with it is in packet mode. */
	expect_no_file_of(_metadata, &self->ring, &self->iov, buffered, -EOPNOTSUPP);
	expect_no_file_of(_metadata, &self->ring, &self->iov, cached, -EOPNOTSUPP);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	expect_rejected(_metadata, &self->ring,
			transfer(&self->iov, IO_RING_OP_READ, sockets[0]), -EOPNOTSUPP, AT(fd));
	ASSERT_EQ(0, pipe2(pipes, O_DIRECT));
	expect_rejected(_metadata, &self->ring,
			transfer(&self->iov, IO_RING_OP_READ, pipes[0]), -EOPNOTSUPP, AT(fd));
	expect_rejected(_metadata, &self->ring,
			transfer(&self->iov, IO_RING_OP_WRITE, pipes[1]), -EOPNOTSUPP, AT(fd));
	expect_rejected(_metadata, &self->ring,
			transfer(&self->iov, IO_RING_OP_READ, -1), -EBADF, AT(fd));
	expect_rejected(_metadata, &self->ring,
			transfer(&self->iov, IO_RING_OP_WRITE, pipes[0]), -EBADF, AT(fd));
	close(pipes[0]);
	close(pipes[1]);
	close(sockets[0]);
	close(sockets[1]);
	close(buffered);
	close(cached);
}

TEST_F(rules, devices_that_cannot_be_asked)
{
	const struct polled_disk how = { .queues = 0, .depth = ENTRIES };

	polled_disk_close(self->disk);
	self->disk = polled_disk_open(&how);
	expect_no_file_of(_metadata, &self->ring, &self->iov, self->disk, -EOPNOTSUPP);
}

TEST_F(rules, other_operations)
{
	for (unsigned int opcode = 0; opcode < OPS_MAX; opcode++) {
		struct io_ring_sqe sqe = { .opcode = opcode, .fd = self->disk };

		if (opcode != IO_RING_OP_NOP && !is_transfer(opcode))
			expect_rejected(_metadata, &self->ring, sqe, -EINVAL, AT(opcode));
		sqe.fd = -1;
		if (opcode != IO_RING_OP_NOP && !is_transfer(opcode))
			expect_rejected(_metadata, &self->ring, sqe, -EINVAL, AT(opcode));
	}
}

TEST_F(rules, flags_of_entries)
{
	for (unsigned int bit = 1; bit < 8; bit++) {
		struct io_ring_sqe sqe = sqe_nop(0);

		sqe.flags = 1U << bit;
		expect_rejected(_metadata, &self->ring, sqe, -EINVAL, AT(flags));
		for (size_t i = 0; i < sizeof(transfers); i++) {
			sqe = transfer(&self->iov, transfers[i], self->disk);
			sqe.flags = 1U << bit;
			expect_rejected(_metadata, &self->ring, sqe, -EINVAL, AT(flags));
		}
	}
}

/* The ring says that, not the entry. */
TEST_F(rules, hipri)
{
	for (size_t i = 0; i < sizeof(transfers); i++) {
		struct io_ring_sqe sqe = transfer(&self->iov, transfers[i], self->disk);

		sqe.op_flags = RWF_HIPRI;
		expect_rejected(_metadata, &self->ring, sqe, -EINVAL, AT(op_flags));
	}
}

/* A rejected entry ends a batch where that is wished, and takes nothing with it. */
TEST_F(rules, stop_on_reject)
{
	struct io_ring_sqe sqe = { .opcode = IO_RING_OP_FSYNC, .fd = self->disk };
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, ENTRIES,
			       IO_RING_SETUP_IOPOLL | IO_RING_SETUP_STOP_ON_REJECT));
	ring_push_nops(&ring, 1, 0);
	ring_push(&ring, &sqe);
	ring_push_nops(&ring, 1, 0);
	EXPECT_EQ(2, ring_enter(&ring, 3, 0));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(0, cqe.res);
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_FALSE(ring_pop(&ring, &cqe));
	ring_close(&ring);
}

TEST_F(rules, eventfds)
{
	static const __u32 opcodes[] = { IO_RING_REGISTER_EVENTFD,
					 IO_RING_REGISTER_EVENTFD_ASYNC };
	int fd = eventfd(0, EFD_CLOEXEC);

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct io_ring_register args = register_args(opcodes[i], &fd, 1);

		EXPECT_EQ(-EINVAL, ring_register(&self->ring, &args));
		EXPECT_EQ(offsetof(struct io_ring_register, opcode), args.error_field);
	}
	close(fd);
}

TEST_F(rules, are_told)
{
	for (__u32 opcode = 0; opcode < self->known; opcode++) {
		struct io_ring_op_info here = self->here[opcode], all = self->all[opcode];
		bool polled = opcode == IO_RING_OP_NOP || is_transfer(opcode);

		EXPECT_EQ(polled, !!(all.flags & IO_RING_OP_IOPOLL));
		EXPECT_EQ(opcode, here.opcode);
		EXPECT_EQ(polled ? all.flags : 0, here.flags);
		EXPECT_EQ(is_transfer(opcode) ? IO_RING_SQE_FIXED_FILE : 0, here.sqe_flags);
		EXPECT_EQ(polled ? all.op_flags : 0, here.op_flags);
		if (opcode == IO_RING_OP_NOP)
			all.fields &= ~(1ULL << AT(flags));
		EXPECT_EQ(polled ? all.fields : 0, here.fields);
	}
}

/* What the program did not ask for is refused as ever. */
TEST_F(rules, operations_that_were_not_asked_for)
{
	__u8 ops[] = { IO_RING_OP_READ, IO_RING_OP_FSYNC };
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_IOPOLL);
	struct io_ring_cqe cqe;
	struct io_ring_sqe sqe;
	struct ring ring;

	wanted.ops = (unsigned long)ops;
	wanted.nr_ops = sizeof(ops);
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	sqe = transfer(&self->iov, IO_RING_OP_READ, self->disk);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(SIZE, cqe.res);
	expect_rejected(_metadata, &ring, transfer(&self->iov, IO_RING_OP_WRITE, self->disk),
			-EACCES, AT(opcode));
	sqe = (struct io_ring_sqe) { .opcode = IO_RING_OP_FSYNC, .fd = self->disk };
	expect_rejected(_metadata, &ring, sqe, -EINVAL, AT(opcode));
	expect_rejected(_metadata, &ring, sqe_nop(0), -EACCES, AT(opcode));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
