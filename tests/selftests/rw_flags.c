// SPDX-License-Identifier: GPL-2.0-only
/* The RWF_* flags of preadv2(2) and pwritev2(2), in io_ring_sqe.op_flags. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "twin.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20	/* Linux 6.9 */
#endif

static struct iovec iov;

FIXTURE(flags)
{
	struct ring ring;
	struct io_ring_op_info info[IO_RING_OP_WRITE + 1];
};

FIXTURE_VARIANT(flags)
{
	enum twin_target target;
};

FIXTURE_VARIANT_ADD(flags, ext4) { .target = TWIN_EXT4 };
FIXTURE_VARIANT_ADD(flags, tmpfs) { .target = TWIN_TMPFS };
FIXTURE_VARIANT_ADD(flags, null_blk) { .target = TWIN_NULL_BLK };
FIXTURE_VARIANT_ADD(flags, pipe) { .target = TWIN_PIPE };
FIXTURE_VARIANT_ADD(flags, socket) { .target = TWIN_SOCKET };
FIXTURE_VARIANT_ADD(flags, terminal) { .target = TWIN_TERMINAL };
FIXTURE_VARIANT_ADD(flags, zero) { .target = TWIN_ZERO };
FIXTURE_VARIANT_ADD(flags, null) { .target = TWIN_NULL };
FIXTURE_VARIANT_ADD(flags, comm) { .target = TWIN_COMM };

FIXTURE_SETUP(flags)
{
	struct io_ring_query q = {
		.size = sizeof(q),
		.ops = (uintptr_t)self->info,
		.ops_len = ARRAY_SIZE(self->info),
	};

	ASSERT_NE(NULL, twin_memory());
	iov = (struct iovec) { twin_memory(), 4096 };
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
	ASSERT_EQ(0, ioctl(self->ring.fd, IO_RING_QUERY, &q));
}

FIXTURE_TEARDOWN(flags)
{
	ring_close(&self->ring);
}

static const __u8 opcodes[] = {
	IO_RING_OP_READ, IO_RING_OP_WRITE, IO_RING_OP_READV, IO_RING_OP_WRITEV,
};

static struct twin_transfer transfer_of(__u8 opcode, __u32 flags)
{
	bool is_vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV;

	return (struct twin_transfer) {
		.name = "flags",
		.opcode = opcode,
		.buffer = is_vector ? TWIN_AT_GIVEN : TWIN_AT_START,
		.addr = &iov,
		.len = is_vector ? 1 : 4096,
		.off = 4096,
		.mode = twin_is_write(opcode) ? O_WRONLY : O_RDONLY,
		.op_flags = flags,
	};
}

/*
 * Whether a request can be done at once depends on what the file system happens to do: with
 * RWF_NOWAIT either side may say EAGAIN, and has then done nothing.
 */
static bool agrees(const struct ring *ring, enum twin_target target,
		   const struct twin_transfer *transfer)
{
	static struct twin_outcome s;
	static struct twin_outcome r;
	struct io_ring_cqe cqe;

	if (twin_agree(ring, target, transfer))
		return true;
	if (!(transfer->op_flags & RWF_NOWAIT) ||
	    !twin_run(ring, target, transfer, &s, &r, &cqe))
		return false;
	if (r.res == -EAGAIN)
		return r.position == 0 && (twin_is_write(transfer->opcode) ||
					   pattern_mismatch(r.memory, TWIN_MEMORY, TWIN_SEED, 0) ==
					   TWIN_MEMORY);
	return s.res == -EAGAIN && r.res == 4096;
}

TEST_F(flags, each_does_what_the_system_call_does)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			__u32 flag = 1U << bit;
			struct twin_transfer transfer = transfer_of(opcodes[i], flag);

			if (!(self->info[opcodes[i]].op_flags & flag))
				continue;
			EXPECT_TRUE(agrees(&self->ring, variant->target, &transfer)) {
				TH_LOG("opcode %u, flag %#x", opcodes[i], flag);
			}
		}
	}
}

TEST_F(flags, combine)
{
	const __u32 both = RWF_APPEND | RWF_NOAPPEND;

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		for (__u32 flags = 0; flags < 0x40; flags++) {
			struct twin_transfer transfer = transfer_of(opcodes[i], flags);

			if (flags & ~self->info[opcodes[i]].op_flags)
				continue;
			/* Such a file knows no flags: which of two mistakes is told is open. */
			if ((flags & both) == both && variant->target == TWIN_COMM)
				continue;
			EXPECT_TRUE(agrees(&self->ring, variant->target, &transfer)) {
				TH_LOG("opcode %u, flags %#x", opcodes[i], flags);
			}
		}
	}
}

TEST_F(flags, unknown_ones_have_no_effect)
{
	static struct twin_outcome s;
	static struct twin_outcome r;

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		__u32 unknown = ~self->info[opcodes[i]].op_flags;
		struct twin_transfer transfer = transfer_of(opcodes[i], unknown);
		struct io_ring_cqe cqe;

		ASSERT_TRUE(twin_run(&self->ring, variant->target, &transfer, &s, &r, &cqe));
		EXPECT_TRUE(r.res == -EOPNOTSUPP || r.res == -EINVAL);
		EXPECT_EQ(offsetof(struct io_ring_sqe, op_flags), (size_t)cqe_rejected_field(&cqe));
		EXPECT_EQ(TWIN_MEMORY, pattern_mismatch(r.memory, TWIN_MEMORY, TWIN_SEED, 0));
		EXPECT_EQ(0, r.position);
	}
}

/* Terminals and files of /proc are among those that do not know RWF_NOWAIT. */
TEST_F(flags, blame_op_flags_if_the_file_does_not_know_them)
{
	const bool is_ignorant = variant->target == TWIN_TERMINAL || variant->target == TWIN_COMM;
	static struct twin_outcome s;
	static struct twin_outcome r;

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct twin_transfer transfer = transfer_of(opcodes[i], RWF_NOWAIT);
		struct io_ring_cqe cqe;
		int field;

		ASSERT_TRUE(twin_run(&self->ring, variant->target, &transfer, &s, &r, &cqe));
		EXPECT_EQ(s.res == -EOPNOTSUPP, cqe.res == -EOPNOTSUPP);
		field = cqe_rejected_field(&cqe);
		/* Others may only find out when they are asked to write. */
		if (!is_ignorant && field == -1)
			continue;
		EXPECT_EQ(offsetof(struct io_ring_sqe, op_flags), (size_t)field);
		EXPECT_EQ(-EOPNOTSUPP, cqe.res);
	}
}

TEST_F(flags, do_not_include_polled_completion)
{
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		EXPECT_EQ(0, self->info[opcodes[i]].op_flags & RWF_HIPRI);
}

/* The synchronous and appending ones, at least, have always been there. */
TEST_F(flags, include_the_old_ones)
{
	const __u32 reading = RWF_NOWAIT;
	const __u32 writing = RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOWAIT;

	EXPECT_EQ(reading, self->info[IO_RING_OP_READ].op_flags & reading);
	EXPECT_EQ(reading, self->info[IO_RING_OP_READV].op_flags & reading);
	EXPECT_EQ(writing, self->info[IO_RING_OP_WRITE].op_flags & writing);
	EXPECT_EQ(writing, self->info[IO_RING_OP_WRITEV].op_flags & writing);
}

TEST_HARNESS_MAIN
