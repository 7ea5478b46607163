// SPDX-License-Identifier: GPL-2.0-only
/* READV and WRITEV do what preadv2(2) and pwritev2(2) do with the same array. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "twin.h"

#define CURRENT (~0ULL)
#define MAX_VECTORS 1024
#define VECTORS (MAX_VECTORS + 1)
#define ALL (8 * 4096)

FIXTURE(iovec)
{
	struct ring ring;
	unsigned char *memory;
	struct iovec *vectors;	/* VECTORS of them, up to the end of accessible memory */
};

FIXTURE_VARIANT(iovec)
{
	enum twin_target target;
};

FIXTURE_VARIANT_ADD(iovec, ext4) { .target = TWIN_EXT4 };
FIXTURE_VARIANT_ADD(iovec, tmpfs) { .target = TWIN_TMPFS };
FIXTURE_VARIANT_ADD(iovec, null_blk) { .target = TWIN_NULL_BLK };
FIXTURE_VARIANT_ADD(iovec, pipe) { .target = TWIN_PIPE };
FIXTURE_VARIANT_ADD(iovec, socket) { .target = TWIN_SOCKET };
FIXTURE_VARIANT_ADD(iovec, terminal) { .target = TWIN_TERMINAL };
FIXTURE_VARIANT_ADD(iovec, zero) { .target = TWIN_ZERO };
FIXTURE_VARIANT_ADD(iovec, null) { .target = TWIN_NULL };
FIXTURE_VARIANT_ADD(iovec, comm) { .target = TWIN_COMM };

FIXTURE_SETUP(iovec)
{
	unsigned char *pages = guarded_pages(5);

	ASSERT_NE(NULL, pages);
	self->vectors = (void *)(pages + 5 * 4096 - VECTORS * sizeof(struct iovec));
	self->memory = twin_memory();
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
}

FIXTURE_TEARDOWN(iovec)
{
	ring_close(&self->ring);
}

/* The same transfer for reading and for writing, with and without an offset. */
static void expect_agreement(struct __test_metadata *_metadata, const struct ring *ring,
			     enum twin_target target, const void *vectors, __u32 count,
			     const char *name)
{
	static const __u64 offsets[] = { 100, TWIN_CONTENT - 48, CURRENT };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct twin_transfer transfer = {
			.name = name,
			.opcode = IO_RING_OP_READV,
			.buffer = TWIN_AT_GIVEN,
			.addr = vectors,
			.len = count,
			.off = offsets[i],
			.start = 1000,
			.mode = O_RDONLY,
		};

		EXPECT_TRUE(twin_agree(ring, target, &transfer)) {
			TH_LOG("READV, %s, offset %lld", name, (long long)offsets[i]);
		}
		transfer.opcode = IO_RING_OP_WRITEV;
		transfer.mode = O_WRONLY;
		EXPECT_TRUE(twin_agree(ring, target, &transfer)) {
			TH_LOG("WRITEV, %s, offset %lld", name, (long long)offsets[i]);
		}
	}
}

TEST_F(iovec, counts)
{
	static const __u32 counts[] = {
		0, 1, 2, 7, 8, 9, 64, MAX_VECTORS - 1, MAX_VECTORS, MAX_VECTORS + 1, 1U << 20,
		1U << 31, ~0U,
	};

	for (unsigned int i = 0; i < VECTORS; i++)
		self->vectors[i] = (struct iovec) { self->memory + 7 * i, 5 };
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%u elements", counts[i]);
		expect_agreement(_metadata, &self->ring, variant->target, self->vectors, counts[i],
				 name);
	}
}

TEST_F(iovec, elements_without_length)
{
	for (unsigned int i = 0; i < 9; i++)
		self->vectors[i] = (struct iovec) { self->memory + 100 * i, i % 2 ? 0 : 10 };
	self->vectors[3].iov_base = NULL;
	self->vectors[5].iov_base = self->memory + TWIN_MEMORY;
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 9, "some empty");
	for (unsigned int i = 0; i < 9; i++)
		self->vectors[i].iov_len = 0;
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 9, "all empty");
}

TEST_F(iovec, elements_that_overlap)
{
	self->vectors[0] = (struct iovec) { self->memory, 300 };
	self->vectors[1] = (struct iovec) { self->memory + 100, 300 };
	self->vectors[2] = (struct iovec) { self->memory, 50 };
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 3, "overlapping");
}

TEST_F(iovec, elements_that_cannot_be_accessed)
{
	unsigned char *guard = self->memory + TWIN_MEMORY;

	self->vectors[0] = (struct iovec) { self->memory, 100 };
	self->vectors[1] = (struct iovec) { guard, 100 };
	self->vectors[2] = (struct iovec) { self->memory + 100, 100 };
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 3,
			 "second inaccessible");
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors + 1, 2,
			 "first inaccessible");
	self->vectors[1] = (struct iovec) { guard - ACCESSIBLE_TAIL, 150 };
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 3,
			 "second partly inaccessible");
	self->vectors[1] = (struct iovec) { NULL, 100 };
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 3,
			 "second is null");
	self->vectors[1].iov_base = WILD_ADDRESS;
	expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 3,
			 "second is wild");
}

TEST_F(iovec, lengths_out_of_range)
{
	static const size_t lengths[] = {
		SSIZE_MAX, (size_t)SSIZE_MAX + 1, ~0UL, 1UL << 31,
		(size_t)(1ULL << 32), (size_t)(1ULL << 40),
	};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char name[48];

		self->vectors[0] = (struct iovec) { self->memory, 100 };
		self->vectors[1] = (struct iovec) { self->memory + 100, lengths[i] };
		snprintf(name, sizeof(name), "second of %zu bytes", lengths[i]);
		expect_agreement(_metadata, &self->ring, variant->target, self->vectors, 2, name);
		snprintf(name, sizeof(name), "first of %zu bytes", lengths[i]);
		expect_agreement(_metadata, &self->ring, variant->target, self->vectors + 1, 1,
				 name);
	}
}

TEST_F(iovec, array_that_cannot_be_read)
{
	struct iovec *end = self->vectors + VECTORS;

	self->vectors[VECTORS - 1] = (struct iovec) { self->memory, 100 };
	expect_agreement(_metadata, &self->ring, variant->target, NULL, 1, "null array");
	expect_agreement(_metadata, &self->ring, variant->target, end, 1, "inaccessible array");
	expect_agreement(_metadata, &self->ring, variant->target, end - 1, 2,
			 "partly inaccessible array");
	expect_agreement(_metadata, &self->ring, variant->target, (void *)end - 4, 1,
			 "cut element");
	expect_agreement(_metadata, &self->ring, variant->target, WILD_ADDRESS, 1,
			 "wild array");
	expect_agreement(_metadata, &self->ring, variant->target, NULL, 0, "null array of none");
}

/* The array may be overwritten as soon as the call that took the entry has returned. */
TEST(array_is_copied)
{
	unsigned char (*buffers)[4096] = guarded_pages(8);
	struct iovec vectors[8];
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct ring ring;
	int file = temp_file(EXT4_DIR);
	int direct;

	ASSERT_LE(0, file);
	ASSERT_NE(NULL, buffers);
	ASSERT_EQ(0, pattern_write(file, ALL, 3));
	ASSERT_EQ(0, fsync(file));
	direct = reopen(file, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	for (unsigned int i = 0; i < 8; i++)
		vectors[i] = (struct iovec) { buffers[i], sizeof(buffers[i]) };
	sqe = sqe_rw(IO_RING_OP_READV, direct, vectors, 8, 0);
	ring_push(&ring, &sqe);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	memset(vectors, 0xff, sizeof(vectors));
	ASSERT_EQ(0, ring_enter(&ring, 0, 1));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	EXPECT_EQ(ALL, cqe.res);
	EXPECT_EQ(ALL, pattern_mismatch(buffers, ALL, 3, 0));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
