// SPDX-License-Identifier: GPL-2.0-only
/* READ and WRITE do what read(2), pread(2), write(2) and pwrite(2) do, on every kind of file. */
#include <fcntl.h>
#include <signal.h>

#include "harness.h"
#include "twin.h"

#define CURRENT (~0ULL)
#define LAST_OFFSET ((1ULL << 63) - 1)

FIXTURE(rw)
{
	struct ring ring;
};

FIXTURE_VARIANT(rw)
{
	enum twin_target target;
};

FIXTURE_VARIANT_ADD(rw, ext4) { .target = TWIN_EXT4 };
FIXTURE_VARIANT_ADD(rw, tmpfs) { .target = TWIN_TMPFS };
FIXTURE_VARIANT_ADD(rw, null_blk) { .target = TWIN_NULL_BLK };
FIXTURE_VARIANT_ADD(rw, pipe) { .target = TWIN_PIPE };
FIXTURE_VARIANT_ADD(rw, socket) { .target = TWIN_SOCKET };
FIXTURE_VARIANT_ADD(rw, terminal) { .target = TWIN_TERMINAL };
FIXTURE_VARIANT_ADD(rw, zero) { .target = TWIN_ZERO };
FIXTURE_VARIANT_ADD(rw, null) { .target = TWIN_NULL };
FIXTURE_VARIANT_ADD(rw, comm) { .target = TWIN_COMM };

FIXTURE_SETUP(rw)
{
	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
}

FIXTURE_TEARDOWN(rw)
{
	ring_close(&self->ring);
}

/* Opcode and mode are those of the test; the file holds TWIN_CONTENT bytes where it can. */
static const struct twin_transfer transfers[] = {
	{ "aligned", .len = 8192 },
	{ "one byte", .len = 1, .off = 5 },
	{ "odd length and offset", .buffer = TWIN_AT_ODD, .len = 777, .off = 333 },
	{ "offset leaves the position", .len = 100, .off = 2000, .start = 1000 },
	{ "at the position", .len = 500, .off = CURRENT, .start = 1000 },
	{ "at the position, all", .len = 8192, .off = CURRENT },
	{ "at the position, at the end", .len = 10, .off = CURRENT, .start = TWIN_CONTENT },
	{ "no bytes", .len = 0 },
	{ "no bytes at the position", .len = 0, .off = CURRENT, .start = 10 },
	{ "no bytes, inaccessible buffer", .buffer = TWIN_AT_GUARD, .len = 0 },
	{ "no bytes, null buffer", .buffer = TWIN_AT_NULL, .len = 0 },
	{ "no bytes, wild buffer", .buffer = TWIN_AT_WILD, .len = 0 },
	{ "across the end", .len = 500, .off = TWIN_CONTENT - 100 },
	{ "at the end", .len = 500, .off = TWIN_CONTENT },
	{ "beyond the end", .len = 500, .off = TWIN_CONTENT + 10000 },
	{ "far beyond the end", .len = 500, .off = 1ULL << 40 },
	{ "partly inaccessible buffer", .buffer = TWIN_AT_TAIL, .len = 200 },
	{ "inaccessible buffer", .buffer = TWIN_AT_GUARD, .len = 100 },
	{ "null buffer", .buffer = TWIN_AT_NULL, .len = 100 },
	{ "wild buffer", .buffer = TWIN_AT_WILD, .len = 100 },
	{ "inaccessible buffer at the position", .buffer = TWIN_AT_GUARD, .len = 100,
	  .off = CURRENT, .start = 50 },
	{ "most negative offset", .len = 100, .off = 1ULL << 63 },
	{ "offset -2", .len = 100, .off = CURRENT - 1 },
	{ "last offset", .len = 1, .off = LAST_OFFSET },
	{ "across the last offset", .len = 500, .off = LAST_OFFSET - 100 },
	{ "2 GiB", .len = 1U << 31 },
	{ "2 GiB at the position", .len = 1U << 31, .off = CURRENT, .start = 100 },
	{ "longest", .len = ~0U },
};

static void expect_agreement(struct __test_metadata *_metadata, const struct ring *ring,
			     enum twin_target target, __u8 opcode, int mode)
{
	for (size_t i = 0; i < ARRAY_SIZE(transfers); i++) {
		struct twin_transfer transfer = transfers[i];

		transfer.opcode = opcode;
		transfer.mode = mode;
		EXPECT_TRUE(twin_agree(ring, target, &transfer)) {
			TH_LOG("%s on %s", transfer.name, twin_name(target));
		}
	}
}

TEST_F(rw, read_from_a_reader)
{
	expect_agreement(_metadata, &self->ring, variant->target, IO_RING_OP_READ, O_RDONLY);
}

TEST_F(rw, write_to_a_writer)
{
	expect_agreement(_metadata, &self->ring, variant->target, IO_RING_OP_WRITE, O_WRONLY);
}

/* What is written with O_APPEND goes to the end, wherever the offset says. */
TEST_F(rw, append)
{
	expect_agreement(_metadata, &self->ring, variant->target, IO_RING_OP_WRITE,
			 O_WRONLY | O_APPEND);
}

/* Whether the oracle is awake: the outcome of a right transfer is known for these two. */
TEST(outcomes_are_real)
{
	static struct twin_outcome s;
	static struct twin_outcome r;
	const struct twin_transfer transfer = {
		"known", .opcode = IO_RING_OP_WRITE, .len = 100, .off = CURRENT,
		.start = TWIN_CONTENT, .mode = O_WRONLY,
	};
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	ASSERT_TRUE(twin_run(&ring, TWIN_TMPFS, &transfer, &s, &r, &cqe));
	EXPECT_EQ(100, r.res);
	EXPECT_EQ(TWIN_CONTENT + 100, r.size);
	EXPECT_EQ(TWIN_CONTENT + 100, r.position);
	EXPECT_EQ(TWIN_CONTENT + 100, r.arrived);
	EXPECT_EQ(0, memcmp(r.content + TWIN_CONTENT, r.memory, 100));

	ASSERT_TRUE(twin_run(&ring, TWIN_TERMINAL, &transfer, &s, &r, &cqe));
	EXPECT_EQ(100, r.res);
	EXPECT_EQ(100, r.arrived);
	EXPECT_EQ(0, memcmp(r.content, r.memory, 100));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
