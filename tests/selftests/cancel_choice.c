// SPDX-License-Identifier: GPL-2.0-only
/* Which requests IO_RING_OP_CANCEL chooses, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"
#include "stream.h"

#define ENTRIES 16
#define CANCEL 99		/* user_data of what cancels */

#define ALL IO_RING_CANCEL_ALL
#define FD IO_RING_CANCEL_FD
#define ANY IO_RING_CANCEL_ANY
#define USERDATA IO_RING_CANCEL_USERDATA
#define OP IO_RING_CANCEL_OP
#define KNOWN (ALL | FD | ANY | USERDATA | OP)

enum pipe { PIPE_A, PIPE_B, PIPE_FULL, PIPES };

/* What waits: READs and a READV of two pipes, and a WRITE to a full one. */
static const struct request {
	__u64 user_data;
	__u8 opcode;
	enum pipe pipe;
} requests[] = {
	{ 10, IO_RING_OP_READ, PIPE_A },
	{ 10, IO_RING_OP_READ, PIPE_B },
	{ 11, IO_RING_OP_READ, PIPE_A },
	{ 12, IO_RING_OP_READV, PIPE_B },
	{ 0, IO_RING_OP_WRITE, PIPE_FULL },
};

#define REQUESTS ARRAY_SIZE(requests)
#define EVERYTHING ((1U << REQUESTS) - 1)

struct bench {
	struct ring ring;
	int pipes[PIPES][2];
	size_t filled;
	int copy;		/* another descriptor of pipe A's file */
	int other;		/* another file on pipe A */
	char bytes[REQUESTS];
	struct iovec iov;
};

FIXTURE(choice)
{
	struct bench bench;
};

FIXTURE_SETUP(choice)
{
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	for (size_t i = 0; i < PIPES; i++)
		ASSERT_EQ(0, pipe2(self->bench.pipes[i], O_CLOEXEC));
	self->bench.filled = stream_fill(self->bench.pipes[PIPE_FULL][1]);
	ASSERT_LT(0, self->bench.filled);
	self->bench.copy = dup(self->bench.pipes[PIPE_A][0]);
	ASSERT_LE(0, self->bench.copy);
	self->bench.other = reopen(self->bench.pipes[PIPE_A][0], O_RDONLY);
	ASSERT_LE(0, self->bench.other);
}

FIXTURE_TEARDOWN(choice)
{
	ring_close(&self->bench.ring);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void submit_requests(struct __test_metadata *_metadata,
			    struct bench *bench)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		const struct request *request = &requests[i];
		bool writes = request->opcode == IO_RING_OP_WRITE;
		struct io_ring_sqe sqe = sqe_rw(request->opcode,
						bench->pipes[request->pipe][writes],
						&bench->bytes[i], 1, 0);

		bench->iov = (struct iovec) { &bench->bytes[i], 1 };
		if (request->opcode == IO_RING_OP_READV)
			sqe.addr = (uintptr_t)&bench->iov;
		sqe.user_data = request->user_data;
		ring_push(&bench->ring, &sqe);
		/* One by one, as they share the description. */
		ASSERT_EQ(1, ring_enter(&bench->ring, 1, 0));
	}
	sleep_ms(A_WHILE / 10);
	ASSERT_EQ(0, ring_ready(&bench->ring));
}

/* Requests with the same user_data and opcode can be told apart by their pipe only. */
static bool is_left(const struct io_ring_cqe *cqe, __u32 cancelled)
{
	for (size_t i = 0; i < REQUESTS; i++)
		if (!(cancelled & (1U << i)) && requests[i].user_data == cqe->user_data)
			return true;
	return false;
}

static unsigned int count_left(enum pipe pipe, __u32 cancelled)
{
	unsigned int left = 0;

	for (size_t i = 0; i < REQUESTS; i++)
		left += requests[i].pipe == pipe && !(cancelled & (1U << i));
	return left;
}

/* The rest completes: all pipes get what they could use, and keep what they had no use for. */
static void finish_rest(struct __test_metadata *_metadata, struct bench *bench,
			__u32 cancelled)
{
	unsigned int left = REQUESTS - __builtin_popcount(cancelled);
	unsigned int written = count_left(PIPE_FULL, cancelled);
	struct io_ring_cqe cqe;

	for (enum pipe pipe = PIPE_A; pipe <= PIPE_B; pipe++)
		ASSERT_EQ(2, write(bench->pipes[pipe][1], "xy", 2));
	ASSERT_EQ(bench->filled + written,
		  stream_drain(bench->pipes[PIPE_FULL][0], bench->filled + written));
	ASSERT_TRUE(await_completions(&bench->ring, left, SOON));
	EXPECT_EQ(left, ring_ready(&bench->ring));
	while (ring_pop(&bench->ring, &cqe)) {
		EXPECT_EQ(1, cqe.res);
		EXPECT_TRUE(is_left(&cqe, cancelled));
	}
	for (enum pipe pipe = PIPE_A; pipe <= PIPE_B; pipe++)
		EXPECT_EQ(2 - count_left(pipe, cancelled),
			  stream_drain(bench->pipes[pipe][0], 0));
	ASSERT_EQ(bench->filled, stream_fill(bench->pipes[PIPE_FULL][1]));
}

enum which_fd { NO_FD, FD_A, FD_B, FD_WRITER_OF_A, FD_FULL, FD_COPY, FD_OTHER };

static int to_fd(const struct bench *bench, enum which_fd which)
{
	const int fds[] = {
		[NO_FD] = 0,
		[FD_A] = bench->pipes[PIPE_A][0],
		[FD_B] = bench->pipes[PIPE_B][0],
		[FD_WRITER_OF_A] = bench->pipes[PIPE_A][1],
		[FD_FULL] = bench->pipes[PIPE_FULL][1],
		[FD_COPY] = bench->copy,
		[FD_OTHER] = bench->other,
	};

	return fds[which];
}

struct criteria {
	const char *name;
	__u32 flags;
	__u64 user_data;
	enum which_fd fd;
	__u32 opcode;
	__u32 matches;		/* bit for request */
};

static const struct criteria criteria[] = {
	{ "user_data", .user_data = 11, .matches = 0x04 },
	{ "user_data 0", .matches = 0x10 },
	{ "user_data of several", .user_data = 10, .matches = 0x03 },
	{ "user_data of none", .user_data = 13 },
	{ "user_data, said so", USERDATA, .user_data = 12, .matches = 0x08 },
	{ "file", FD, .fd = FD_FULL, .matches = 0x10 },
	{ "file of several", FD, .fd = FD_A, .matches = 0x05 },
	{ "file by another descriptor", FD, .fd = FD_COPY, .matches = 0x05 },
	{ "file opened anew", FD, .fd = FD_OTHER },
	{ "file of none", FD, .fd = FD_WRITER_OF_A },
	{ "opcode", OP, .opcode = IO_RING_OP_READV, .matches = 0x08 },
	{ "opcode of several", OP, .opcode = IO_RING_OP_READ, .matches = 0x07 },
	{ "opcode of none", OP, .opcode = IO_RING_OP_FSYNC },
	{ "opcode that does not exist", OP, .opcode = 255 },
	{ "file and opcode", FD | OP, .fd = FD_B, .opcode = IO_RING_OP_READ, .matches = 0x02 },
	{ "file and user_data", FD | USERDATA, 10, FD_A, .matches = 0x01 },
	{ "opcode and user_data", OP | USERDATA, 12, .opcode = IO_RING_OP_READV, .matches = 0x08 },
	{ "opcode, not user_data", OP | USERDATA, 12, .opcode = IO_RING_OP_READ },
	{ "all three", FD | OP | USERDATA, 10, FD_B, IO_RING_OP_READ, 0x02 },
	{ "two of three", FD | OP | USERDATA, 11, FD_B, IO_RING_OP_READ, 0 },
};

/* Cancels, checks how many completed and the result, and answers which request that was. */
static __u32 cancel(struct __test_metadata *_metadata, struct bench *bench,
		    const struct criteria *c, __u32 flags, unsigned int expected, __s32 result)
{
	struct io_ring_sqe sqe = sqe_cancel(flags, c->user_data, to_fd(bench, c->fd), c->opcode);
	struct io_ring_cqe cqe;
	__u32 cancelled = 0;

	sqe.user_data = CANCEL;
	ring_push(&bench->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&bench->ring, 1, expected + 1));
	ASSERT_EQ(expected + 1, ring_ready(&bench->ring));
	for (unsigned int n = 0; n < expected; n++) {
		ASSERT_TRUE(ring_pop(&bench->ring, &cqe));
		EXPECT_EQ(-ECANCELED, cqe.res);
		for (size_t i = 0; i < REQUESTS; i++) {
			if (requests[i].user_data == cqe.user_data && c->matches & (1U << i) &&
			    !(cancelled & (1U << i))) {
				cancelled |= 1U << i;
				break;
			}
		}
	}
	EXPECT_EQ(expected, __builtin_popcount(cancelled));
	ASSERT_TRUE(ring_pop(&bench->ring, &cqe));
	EXPECT_EQ(CANCEL, cqe.user_data);
	EXPECT_EQ(result, cqe.res);
	return cancelled;
}

static void expect_all(struct __test_metadata *_metadata, struct bench *bench,
		       const struct criteria *c, __u32 flags)
{
	unsigned int count = __builtin_popcount(c->matches);

	TH_LOG("%s", c->name);
	submit_requests(_metadata, bench);
	EXPECT_EQ(c->matches, cancel(_metadata, bench, c, flags, count, count));
	finish_rest(_metadata, bench, c->matches);
}

TEST_F(choice, all_that_match)
{
	for (size_t i = 0; i < ARRAY_SIZE(criteria); i++)
		expect_all(_metadata, &self->bench, &criteria[i], criteria[i].flags | ALL);
}

TEST_F(choice, any)
{
	static const struct criteria any = { "any", .matches = EVERYTHING };

	expect_all(_metadata, &self->bench, &any, ANY);
	expect_all(_metadata, &self->bench, &any, ANY | ALL);
}

TEST_F(choice, one_that_matches)
{
	for (size_t i = 0; i < ARRAY_SIZE(criteria); i++) {
		const struct criteria *c = &criteria[i];
		__u32 cancelled;

		TH_LOG("%s", c->name);
		submit_requests(_metadata, &self->bench);
		cancelled = cancel(_metadata, &self->bench, c, c->flags, !!c->matches,
				   c->matches ? 0 : -ENOENT);
		/* Which of several is open: the pipes tell which it was. */
		if (c->matches & (c->matches - 1)) {
			ASSERT_EQ(REQUESTS - 1, fdinfo_value(self->bench.ring.fd, "in_flight"));
			ASSERT_EQ(0, ring_quiesce(&self->bench.ring, 0, NULL));
			while (ring_ready(&self->bench.ring)) {
				struct io_ring_cqe cqe;

				ASSERT_TRUE(ring_pop(&self->bench.ring, &cqe));
				EXPECT_TRUE(is_left(&cqe, 0));
			}
			continue;
		}
		finish_rest(_metadata, &self->bench, cancelled);
	}
}

/* Until there is none left. */
TEST_F(choice, one_after_the_other)
{
	static const struct criteria reads = {
		"reads", OP, .opcode = IO_RING_OP_READ, .matches = 0x07,
	};

	submit_requests(_metadata, &self->bench);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_NE(0, cancel(_metadata, &self->bench, &reads, OP, 1, 0));
	EXPECT_EQ(0, cancel(_metadata, &self->bench, &reads, OP, 0, -ENOENT));
	finish_rest(_metadata, &self->bench, reads.matches);
}

static void expect_rejected(struct __test_metadata *_metadata, struct bench *bench,
			    struct io_ring_sqe sqe, unsigned int field)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(&bench->ring, &sqe, &cqe));
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_EQ(IO_RING_CQE_F_REJECTED | field << IO_RING_CQE_FIELD_SHIFT, cqe.flags) {
		TH_LOG("op_flags %#x, fd %d, addr %#llx, len %u", sqe.op_flags, sqe.fd, sqe.addr,
		       sqe.len);
	}
}

TEST_F(choice, unknown_flags)
{
	submit_requests(_metadata, &self->bench);
	for (unsigned int bit = 0; bit < 32; bit++) {
		const __u32 flag = 1U << bit;

		if (flag & KNOWN)
			continue;
		expect_rejected(_metadata, &self->bench, sqe_cancel(flag, 0, 0, 0),
				offsetof(struct io_ring_sqe, op_flags));
		expect_rejected(_metadata, &self->bench, sqe_cancel(flag | ANY | ALL, 0, 0, 0),
				offsetof(struct io_ring_sqe, op_flags));
	}
	finish_rest(_metadata, &self->bench, 0);
}

TEST_F(choice, any_with_a_criterion)
{
	static const __u32 parts[] = { FD, USERDATA, OP };

	submit_requests(_metadata, &self->bench);
	for (unsigned int set = 1; set < 1U << ARRAY_SIZE(parts); set++) {
		__u32 flags = ANY;

		for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
			flags |= set & (1U << i) ? parts[i] : 0;
		expect_rejected(_metadata, &self->bench, sqe_cancel(flags, 0, 0, 0),
				offsetof(struct io_ring_sqe, op_flags));
		expect_rejected(_metadata, &self->bench, sqe_cancel(flags | ALL, 0, 0, 0),
				offsetof(struct io_ring_sqe, op_flags));
	}
	finish_rest(_metadata, &self->bench, 0);
}

TEST_F(choice, opcodes_beyond_a_byte)
{
	static const __u32 opcodes[] = { 256, 257, 0x100 | IO_RING_OP_READ, 1U << 31, ~0U };

	submit_requests(_metadata, &self->bench);
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		expect_rejected(_metadata, &self->bench, sqe_cancel(OP, 0, 0, opcodes[i]),
				offsetof(struct io_ring_sqe, len));
		expect_rejected(_metadata, &self->bench, sqe_cancel(OP | ALL, 0, 0, opcodes[i]),
				offsetof(struct io_ring_sqe, len));
	}
	finish_rest(_metadata, &self->bench, 0);
}

/* Every bit of every field that no criterion uses, for every set of criteria. */
TEST_F(choice, fields_that_no_criterion_uses)
{
	static const __u32 sets[] = {
		0, ANY, FD, OP, USERDATA, FD | OP, FD | USERDATA, OP | USERDATA,
		FD | OP | USERDATA,
	};

	submit_requests(_metadata, &self->bench);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(sets); i++) {
		const __u32 set = sets[i / 2];
		const __u32 flags = set | (i % 2 ? ALL : 0);
		const int fd = set & FD ? self->bench.pipes[PIPE_A][0] : 0;

		for (unsigned int bit = 0; bit < 32 && !(set & FD); bit++)
			expect_rejected(_metadata, &self->bench, sqe_cancel(flags, 0, 1U << bit, 0),
					offsetof(struct io_ring_sqe, fd));
		for (unsigned int bit = 0; bit < 64 && set && !(set & USERDATA); bit++)
			expect_rejected(_metadata, &self->bench,
					sqe_cancel(flags, 1ULL << bit, fd, 0),
					offsetof(struct io_ring_sqe, addr));
		for (unsigned int bit = 0; bit < 32 && !(set & OP); bit++)
			expect_rejected(_metadata, &self->bench,
					sqe_cancel(flags, 0, fd, 1U << bit),
					offsetof(struct io_ring_sqe, len));
	}
	finish_rest(_metadata, &self->bench, 0);
}

TEST_F(choice, descriptors_that_are_not_open)
{
	const int bad[] = { -1, -2, self->bench.other, 1 << 20, INT32_MAX, INT32_MIN };

	close(self->bench.other);
	submit_requests(_metadata, &self->bench);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct io_ring_sqe sqe = sqe_cancel(FD | ALL, 0, bad[i], 0);
		struct io_ring_cqe cqe;

		ASSERT_EQ(0, ring_run(&self->bench.ring, &sqe, &cqe));
		EXPECT_EQ(-EBADF, cqe.res) {
			TH_LOG("descriptor %d", bad[i]);
		}
	}
	finish_rest(_metadata, &self->bench, 0);
}

TEST_HARNESS_MAIN
