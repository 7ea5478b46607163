// SPDX-License-Identifier: GPL-2.0-only
/* O_DIRECT with registered buffers: devices get the pages as they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"

#define MAX_DEPTH 32
#define BLOCK 4096
#define CHUNK (8 * BLOCK)
#define CONTENT (MAX_DEPTH * CHUNK)
#define SEED 5
#define STAIN 0xee
#define DMA_ALIGNMENT "/sys/block/nullb0/queue/dma_alignment"

FIXTURE(direct)
{
	struct ring ring;
	unsigned char *memory;	/* buffer 0 */
	int plain;	/* with CONTENT, and CACHED_TAIL more */
	int direct;
};

FIXTURE_VARIANT(direct)
{
	const char *device;
	const char *dir;
};

FIXTURE_VARIANT_ADD(direct, ext4) { .dir = EXT4_DIR };
FIXTURE_VARIANT_ADD(direct, null_blk) { .device = NULL_BLK };

FIXTURE_SETUP(direct)
{
	self->plain = variant->device ? open(variant->device, O_RDWR) : temp_file(variant->dir);
	ASSERT_LE(0, self->plain);
	ASSERT_EQ(0, pattern_write(self->plain, CONTENT + CACHED_TAIL, SEED));
	ASSERT_EQ(0, fsync(self->plain));
	self->direct = reopen(self->plain, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->direct);
	self->memory = new_pages(CONTENT / PAGE);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0, ring_open(&self->ring, MAX_DEPTH, 0));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, CONTENT));
}

FIXTURE_TEARDOWN(direct)
{
	ring_close(&self->ring);
	close(self->direct);
	close(self->plain);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pins_of_kernel());
}

/* All chunks at the same time, backwards, so that the device sees no order to merge. */
static void run_chunks(struct __test_metadata *_metadata, const struct ring *ring, __u8 opcode,
		       int fd, unsigned char *memory, struct iovec *iovs)
{
	__u64 seen = 0;

	for (unsigned int n = 0; n < MAX_DEPTH; n++) {
		unsigned int i = MAX_DEPTH - 1 - n;
		unsigned char *chunk = memory + i * CHUNK;
		struct iovec *iov = iovs + 2 * i;
		struct io_ring_sqe sqe = iovs ?
			sqe_buffer(opcode, fd, 0, iov, 2, (__u64)i * CHUNK) :
			sqe_buffer(opcode, fd, 0, chunk, CHUNK, (__u64)i * CHUNK);

		if (iovs) {
			iov[0] = (struct iovec) { chunk, BLOCK };
			iov[1] = (struct iovec) { chunk + BLOCK, CHUNK - BLOCK };
		}
		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
	ASSERT_EQ(MAX_DEPTH, ring_enter(ring, MAX_DEPTH, MAX_DEPTH));
	for (unsigned int n = 0; n < MAX_DEPTH; n++) {
		struct io_ring_cqe cqe;

		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(CHUNK, cqe.res);
		ASSERT_LT(cqe.user_data, MAX_DEPTH);
		seen |= 1ULL << cqe.user_data;
	}
	EXPECT_EQ((1ULL << MAX_DEPTH) - 1, seen);
}

TEST_F(direct, many_at_a_time)
{
	unsigned char *check = malloc(CONTENT);
	struct iovec iovs[2 * MAX_DEPTH];

	ASSERT_NE(NULL, check);
	for (unsigned int vectored = 0; vectored < 2; vectored++) {
		struct iovec *list = vectored ? iovs : NULL;
		const unsigned int seed = SEED + 1 + vectored;

		memset(self->memory, 0, CONTENT);
		run_chunks(_metadata, &self->ring,
			   vectored ? IO_RING_OP_READV_FIXED : IO_RING_OP_READ_FIXED,
			   self->direct, self->memory, list);
		EXPECT_EQ(CONTENT, pattern_mismatch(self->memory, CONTENT, seed - 1, 0));
		pattern_fill(self->memory, CONTENT, seed);
		run_chunks(_metadata, &self->ring,
			   vectored ? IO_RING_OP_WRITEV_FIXED : IO_RING_OP_WRITE_FIXED,
			   self->direct, self->memory, list);
		ASSERT_EQ(CONTENT, pread(self->plain, check, CONTENT, 0));
		EXPECT_EQ(CONTENT, pattern_mismatch(check, CONTENT, seed, 0));
	}
	free(check);
}

/* What a device cannot do because of where memory is or ends is refused, and nothing is done. */
static const struct {
	unsigned int shift;	/* of the memory */
	unsigned int len;
	__u64 off;
} shapes[] = {
	{ 0, BLOCK, 0 }, { 0, 512, 0 }, { 0, BLOCK, 512 }, { 512, BLOCK, 0 },
	{ 0, 3 * 512, 512 }, { 1, BLOCK, 0 }, { 2, BLOCK, 0 }, { 3, BLOCK, 0 }, { 4, BLOCK, 0 },
	{ 8, BLOCK, 0 }, { 16, BLOCK, 0 }, { 64, BLOCK, 0 }, { 128, BLOCK, 0 },
	{ 256, BLOCK, 0 }, { 511, BLOCK, 0 }, { BLOCK - 1, CHUNK, 0 }, { BLOCK + 1, CHUNK, 0 },
	{ BLOCK + 512, CHUNK, 0 }, { 0, 1, 0 }, { 0, 511, 0 }, { 0, BLOCK - 1, 0 },
	{ 0, BLOCK + 1, 0 }, { 0, BLOCK, 1 }, { 0, BLOCK, 511 }, { 3, 100, 7 }, { 0, 0, 0 },
	{ 0, BLOCK, CONTENT - BLOCK }, { 0, CHUNK, 1ULL << 40 },
};

static unsigned int dma_mask(void)
{
	char text[16];

	return text_read(DMA_ALIGNMENT, text, sizeof(text)) ? 0 : strtoul(text, NULL, 10);
}

TEST_F(direct, alignment_is_judged_as_pread_does)
{
	const unsigned int mask = variant->device ? dma_mask() : 0;
	unsigned char *second = self->memory + 2 * CHUNK;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const unsigned int shift = shapes[i].shift, len = shapes[i].len;
		const struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, self->direct, 0,
							  second + shift, len, shapes[i].off);
		struct io_ring_cqe cqe;
		ssize_t n;

		memset(self->memory, STAIN, 4 * CHUNK);
		n = pread(self->direct, self->memory + shift, len, shapes[i].off);
		n = n < 0 ? -errno : n;
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(n, cqe.res) {
			TH_LOG("memory + %u, %u bytes at %llu", shift, len, shapes[i].off);
		}
		EXPECT_EQ(0, memcmp(self->memory, second, 2 * CHUNK)) {
			TH_LOG("memory + %u, %u bytes at %llu", shift, len, shapes[i].off);
		}
		if (shift & mask)
			EXPECT_EQ(offsetof(struct io_ring_sqe, addr), cqe_rejected_field(&cqe));
	}
}

TEST_F(direct, alignment_of_parts_is_judged_as_preadv_does)
{
	static const struct {
		unsigned int at[3];
		unsigned int len[3];
	} lists[] = {
		{ { 0, BLOCK, 3 * BLOCK }, { BLOCK, BLOCK, BLOCK } },
		{ { 512, 8 * 512, BLOCK }, { 512, 512, 3 * 512 } },
		{ { 0, BLOCK + 1, 3 * BLOCK }, { BLOCK, BLOCK, BLOCK } },
		{ { 0, BLOCK, 3 * BLOCK + 2 }, { BLOCK, BLOCK, BLOCK } },
		{ { 0, BLOCK, 3 * BLOCK }, { BLOCK - 1, BLOCK + 1, BLOCK } },
		{ { 0, BLOCK, 3 * BLOCK }, { BLOCK, BLOCK - 2, BLOCK + 2 } },
		{ { 0, BLOCK, 3 * BLOCK }, { BLOCK, BLOCK, BLOCK - 1 } },
		{ { 1, BLOCK, 3 * BLOCK }, { BLOCK, BLOCK, BLOCK } },
	};
	unsigned char *second = self->memory + 2 * CHUNK;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct iovec first_list[3], second_list[3];
		struct io_ring_cqe cqe;
		ssize_t n;

		for (unsigned int k = 0; k < 3; k++) {
			first_list[k] = (struct iovec) {
				self->memory + lists[i].at[k], lists[i].len[k],
			};
			second_list[k] = (struct iovec) {
				second + lists[i].at[k], lists[i].len[k],
			};
		}
		memset(self->memory, STAIN, 4 * CHUNK);
		n = preadv(self->direct, first_list, 3, 0);
		n = n < 0 ? -errno : n;
		const struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READV_FIXED, self->direct, 0,
							  second_list, 3, 0);

		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(n, cqe.res) {
			TH_LOG("list %zu", i);
		}
		EXPECT_EQ(0, memcmp(self->memory, second, 2 * CHUNK)) {
			TH_LOG("list %zu", i);
		}
	}
}

TEST_HARNESS_MAIN
