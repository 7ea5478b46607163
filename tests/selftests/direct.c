// SPDX-License-Identifier: GPL-2.0-only
/* O_DIRECT: requests that a device completes later, many at a time. */
#include <errno.h>
#include <fcntl.h>

#include "files.h"
#include "harness.h"
#include "ring.h"

#define MAX_DEPTH 64
#define BLOCK 4096
#define CHUNK (8 * BLOCK)
#define CONTENT (MAX_DEPTH * CHUNK)
#define TAIL 1000		/* what a regular file has beyond CONTENT */
#define SEED 5
#define STAIN 0xee

FIXTURE(direct)
{
	struct ring ring;
	unsigned char *buffers;
	int plain;
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
	ASSERT_EQ(0, pattern_write(self->plain, CONTENT + (variant->device ? 0 : TAIL), SEED));
	ASSERT_EQ(0, fsync(self->plain));
	self->direct = reopen(self->plain, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->direct);
	self->buffers = mmap(NULL, CONTENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	ASSERT_NE(MAP_FAILED, self->buffers);
	ASSERT_EQ(0, ring_open(&self->ring, MAX_DEPTH, 0));
}

FIXTURE_TEARDOWN(direct)
{
	ring_close(&self->ring);
	close(self->direct);
	close(self->plain);
}

/* Request number i works on chunk i, backwards, so that the device sees no order to merge. */
static void push_chunks(const struct ring *ring, __u8 opcode, int fd, unsigned char *buffers,
			unsigned int depth)
{
	for (unsigned int n = 0; n < depth; n++) {
		unsigned int i = depth - 1 - n;
		struct io_ring_sqe sqe = sqe_rw(opcode, fd, buffers + i * CHUNK, CHUNK,
						(__u64)i * CHUNK);

		sqe.user_data = i;
		ring_push(ring, &sqe);
	}
}

static void expect_chunks(struct __test_metadata *_metadata, const struct ring *ring,
			  __u8 opcode, unsigned int depth)
{
	__u64 seen = 0;

	ASSERT_EQ(0, ring_enter(ring, 0, depth));
	ASSERT_EQ(depth, ring_ready(ring));
	for (unsigned int n = 0; n < depth; n++) {
		struct io_ring_cqe cqe;

		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(CHUNK, cqe.res);
		/* A worker makes way for a write: cached pages, blocks to be allocated. */
		if (opcode == IO_RING_OP_READ || cqe.flags != CQE_VIA(IO_RING_PATH_WORKER))
			EXPECT_EQ(CQE_VIA(IO_RING_PATH_DEVICE), cqe.flags);
		ASSERT_LT(cqe.user_data, depth);
		EXPECT_EQ(0, seen & (1ULL << cqe.user_data));
		seen |= 1ULL << cqe.user_data;
	}
}

TEST_F(direct, reads_at_any_depth)
{
	for (unsigned int depth = 1; depth <= MAX_DEPTH; depth *= 2) {
		memset(self->buffers, 0, CONTENT);
		push_chunks(&self->ring, IO_RING_OP_READ, self->direct, self->buffers, depth);
		ASSERT_EQ(depth, ring_enter(&self->ring, depth, 0));
		expect_chunks(_metadata, &self->ring, IO_RING_OP_READ, depth);
		EXPECT_EQ(depth * CHUNK,
			  pattern_mismatch(self->buffers, depth * CHUNK, SEED, 0)) {
			TH_LOG("depth %u", depth);
		}
		EXPECT_TRUE(all_bytes(self->buffers + depth * CHUNK, CONTENT - depth * CHUNK, 0));
	}
}

TEST_F(direct, writes_at_any_depth)
{
	unsigned char *check = malloc(CONTENT);

	ASSERT_NE(NULL, check);
	for (unsigned int depth = 1; depth <= MAX_DEPTH; depth *= 2) {
		pattern_fill(self->buffers, CONTENT, SEED + depth);
		push_chunks(&self->ring, IO_RING_OP_WRITE, self->direct, self->buffers, depth);
		ASSERT_EQ(depth, ring_enter(&self->ring, depth, 0));
		expect_chunks(_metadata, &self->ring, IO_RING_OP_WRITE, depth);
		ASSERT_EQ(CONTENT, pread(self->plain, check, CONTENT, 0));
		EXPECT_EQ(depth * CHUNK, pattern_mismatch(check, depth * CHUNK, SEED + depth, 0)) {
			TH_LOG("depth %u", depth);
		}
	}
	free(check);
}

/* A queue that is kept full while completions are read one by one. */
TEST_F(direct, keeps_going)
{
	const unsigned int total = 2000;
	unsigned int sent = 0;
	unsigned int done = 0;

	while (done < total) {
		struct io_ring_cqe cqe;

		while (sent < total && sent - done < MAX_DEPTH / 2) {
			unsigned int i = sent % MAX_DEPTH;
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->direct,
							self->buffers + i * CHUNK, BLOCK,
							(__u64)i * CHUNK);

			sqe.user_data = sent++;
			ring_push(&self->ring, &sqe);
			ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
		}
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		ASSERT_EQ(BLOCK, cqe.res);
		unsigned int i = cqe.user_data % MAX_DEPTH;

		ASSERT_EQ(BLOCK, pattern_mismatch(self->buffers + i * CHUNK, BLOCK, SEED,
						  i * CHUNK));
		done++;
	}
}

static const struct {
	unsigned int shift;	/* of the buffer */
	unsigned int len;
	__u64 off;
} shapes[] = {
	{ 0, BLOCK, 0 }, { 0, 512, 0 }, { 0, BLOCK, 512 }, { 512, BLOCK, 0 }, { 0, 3 * 512, 512 },
	{ 1, BLOCK, 0 }, { 2, BLOCK, 0 }, { 4, BLOCK, 0 }, { 8, BLOCK, 0 }, { 256, BLOCK, 0 },
	{ 0, 1, 0 }, { 0, 511, 0 }, { 0, BLOCK - 1, 0 }, { 0, BLOCK + 1, 0 }, { 0, BLOCK, 1 },
	{ 0, BLOCK, 511 }, { 3, 100, 7 }, { 0, 0, 0 }, { 0, BLOCK, CONTENT },
	{ 0, BLOCK, CONTENT - BLOCK }, { 0, CHUNK, CONTENT - BLOCK }, { 0, BLOCK, 1ULL << 40 },
};

TEST_F(direct, alignment_is_judged_as_pread_does)
{
	unsigned char *second = self->buffers + 2 * CHUNK;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->direct,
						second + shapes[i].shift, shapes[i].len,
						shapes[i].off);
		struct io_ring_cqe cqe;
		ssize_t n;

		memset(self->buffers, STAIN, 4 * CHUNK);
		n = pread(self->direct, self->buffers + shapes[i].shift, shapes[i].len,
			  shapes[i].off);
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(n < 0 ? -errno : n, cqe.res) {
			TH_LOG("buffer + %u, %u bytes at %llu", shapes[i].shift, shapes[i].len,
			       shapes[i].off);
		}
		EXPECT_EQ(0, memcmp(self->buffers, second, 2 * CHUNK)) {
			TH_LOG("buffer + %u, %u bytes at %llu", shapes[i].shift, shapes[i].len,
			       shapes[i].off);
		}
	}
}

TEST_F(direct, inaccessible_buffers)
{
	unsigned char *pages = guarded_pages(2);
	const void *starts[] = { pages + 2 * BLOCK, pages + BLOCK, NULL, WILD_ADDRESS };

	ASSERT_NE(NULL, pages);
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->direct, starts[i],
						2 * BLOCK, 0);
		struct io_ring_cqe cqe;
		ssize_t n = pread(self->direct, (void *)starts[i], 2 * BLOCK, 0);

		n = n < 0 ? -errno : n;
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(n, cqe.res) {
			TH_LOG("buffer %p", starts[i]);
		}
	}
	guarded_free(pages, 2);
}

TEST_F(direct, moves_the_file_position)
{
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->direct, self->buffers, CHUNK, ~0ULL);
	struct io_ring_cqe cqe;

	ASSERT_EQ(CHUNK, lseek(self->direct, CHUNK, SEEK_SET));
	ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
	EXPECT_EQ(CHUNK, cqe.res);
	EXPECT_EQ(2 * CHUNK, lseek(self->direct, 0, SEEK_CUR));
	EXPECT_EQ(CHUNK, pattern_mismatch(self->buffers, CHUNK, SEED, CHUNK));
}

TEST_F(direct, file_closed_meanwhile)
{
	for (unsigned int round = 0; round < 10; round++) {
		memset(self->buffers, 0, CONTENT);
		push_chunks(&self->ring, IO_RING_OP_READ, self->direct, self->buffers, MAX_DEPTH);
		ASSERT_EQ(MAX_DEPTH, ring_enter(&self->ring, MAX_DEPTH, 0));
		close(self->direct);
		expect_chunks(_metadata, &self->ring, IO_RING_OP_READ, MAX_DEPTH);
		EXPECT_EQ(CONTENT, pattern_mismatch(self->buffers, CONTENT, SEED, 0));
		self->direct = reopen(self->plain, O_RDWR | O_DIRECT);
		ASSERT_LE(0, self->direct);
	}
}

/* When the last reference to the ring is gone, nothing writes to the program's memory. */
TEST_F(direct, ring_closed_meanwhile)
{
	for (unsigned int round = 0; round < 10; round++) {
		push_chunks(&self->ring, IO_RING_OP_READ, self->direct, self->buffers, MAX_DEPTH);
		ASSERT_EQ(MAX_DEPTH, ring_enter(&self->ring, MAX_DEPTH, 0));
		ring_close(&self->ring);
		memset(self->buffers, STAIN, CONTENT);
		usleep(20000);
		EXPECT_TRUE(all_bytes(self->buffers, CONTENT, STAIN));
		ASSERT_EQ(0, ring_open(&self->ring, MAX_DEPTH, 0));
	}
}

TEST_F(direct, ring_closed_while_writing)
{
	unsigned char *check = malloc(CONTENT);

	ASSERT_NE(NULL, check);
	pattern_fill(self->buffers, CONTENT, SEED + 1);
	push_chunks(&self->ring, IO_RING_OP_WRITE, self->direct, self->buffers, MAX_DEPTH);
	ASSERT_EQ(MAX_DEPTH, ring_enter(&self->ring, MAX_DEPTH, 0));
	ring_close(&self->ring);
	/* Had a write been under way still, it would have taken these bytes. */
	memset(self->buffers, STAIN, CONTENT);
	usleep(20000);
	ASSERT_EQ(CONTENT, pread(self->plain, check, CONTENT, 0));
	for (unsigned int i = 0; i < MAX_DEPTH; i++) {
		const unsigned char *chunk = check + i * CHUNK;

		EXPECT_TRUE(pattern_mismatch(chunk, CHUNK, SEED, i * CHUNK) == CHUNK ||
			    pattern_mismatch(chunk, CHUNK, SEED + 1, i * CHUNK) == CHUNK) {
			TH_LOG("chunk %u is neither old nor new", i);
		}
	}
	free(check);
	ASSERT_EQ(0, ring_open(&self->ring, MAX_DEPTH, 0));
}

TEST_HARNESS_MAIN
