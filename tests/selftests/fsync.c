// SPDX-License-Identifier: GPL-2.0-only
/* FSYNC: of whole files, of ranges, and of what cannot be synchronised. */
#include <errno.h>
#include <fcntl.h>

#include "files.h"
#include "harness.h"
#include "ring.h"
#include "target.h"

#define PAGE 4096
#define SECTORS_PER_PAGE 8
#define FAR 0x100000U
#define LAST_OFFSET ((1ULL << 63) - 1)

FIXTURE(fsync)
{
	struct ring ring;
};

FIXTURE_SETUP(fsync)
{
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
}

FIXTURE_TEARDOWN(fsync)
{
	ring_close(&self->ring);
}

static int ring_fsync(const struct ring *ring, int fd, __u64 off, __u32 len, __u32 flags)
{
	struct io_ring_sqe sqe = sqe_fsync(fd, off, len, flags);
	struct io_ring_cqe cqe;
	int error = ring_run(ring, &sqe, &cqe);

	if (error)
		fprintf(stderr, "# the ring did not run it: %s\n", strerror(-error));
	return error ? INT32_MIN : cqe.res;
}

static void expect_like_fsync(struct __test_metadata *_metadata, const struct ring *ring, int fd,
			      const char *what)
{
	int whole = fsync(fd) ? -errno : 0;
	int data = fdatasync(fd) ? -errno : 0;

	EXPECT_EQ(whole, ring_fsync(ring, fd, 0, 0, 0)) {
		TH_LOG("%s", what);
	}
	EXPECT_EQ(data, ring_fsync(ring, fd, 0, 0, IO_RING_FSYNC_DATASYNC)) {
		TH_LOG("%s, data only", what);
	}
}

TEST_F(fsync, results_are_those_of_the_system_calls)
{
	static const int modes[] = { O_RDONLY, O_WRONLY };

	for (unsigned int target = 0; target < TWIN_TARGETS; target++) {
		for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
			struct endpoint e = { -1, -1, -1 };

			ASSERT_TRUE(targets[target].open(&e, modes[m]));
			expect_like_fsync(_metadata, &self->ring, e.fd, targets[target].name);
			endpoint_close(&e);
		}
	}
}

TEST_F(fsync, results_are_known)
{
	int ends[2];
	int dir = open(EXT4_DIR, O_RDONLY | O_DIRECTORY);
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, dir);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, pattern_write(file, 3 * PAGE, 0));
	EXPECT_EQ(0, ring_fsync(&self->ring, file, 0, 0, 0));
	EXPECT_EQ(0, ring_fsync(&self->ring, dir, 0, 0, 0));
	EXPECT_EQ(-EINVAL, ring_fsync(&self->ring, ends[0], 0, 0, 0));
	EXPECT_EQ(-EINVAL, ring_fsync(&self->ring, ends[1], 0, 0, 0));
	EXPECT_EQ(-EINVAL, ring_fsync(&self->ring, self->ring.fd, 0, 0, 0));
}

static const struct {
	__u64 off;
	__u32 len;
	int res;
} ranges[] = {
	{ 0, 1, 0 }, { 0, PAGE, 0 }, { 1, 1, 0 }, { PAGE, PAGE, 0 }, { 100, 0, 0 },
	{ 1ULL << 40, 100, 0 }, { 0, ~0U, 0 }, { LAST_OFFSET, 0, 0 }, { LAST_OFFSET, 1, 0 },
	{ LAST_OFFSET - 99, 100, 0 }, { LAST_OFFSET - 98, 100, -EINVAL },
	{ LAST_OFFSET, 2, -EINVAL }, { LAST_OFFSET, ~0U, -EINVAL }, { 1ULL << 63, 0, -EINVAL },
	{ 1ULL << 63, 1, -EINVAL }, { ~0ULL, 0, -EINVAL }, { ~0ULL, 1, -EINVAL },
	{ ~0ULL, ~0U, -EINVAL },
};

/* A range is right if all of its bytes have offsets that a file can have. */
TEST_F(fsync, ranges)
{
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, 3 * PAGE, 0));
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		EXPECT_EQ(ranges[i].res,
			  ring_fsync(&self->ring, file, ranges[i].off, ranges[i].len, 0)) {
			TH_LOG("%u bytes at %#llx", ranges[i].len, ranges[i].off);
		}
	}
}

/* How many sectors have been written to the device so far, or -1. */
static long sectors_written(void)
{
	FILE *stat = fopen("/sys/block/nullb0/stat", "r");
	long sectors = -1;

	if (!stat)
		return -1;
	if (fscanf(stat, "%*u %*u %*u %*u %*u %*u %ld", &sectors) != 1)
		sectors = -1;
	fclose(stat);
	return sectors;
}

static void expect_written(struct __test_metadata *_metadata, long *before, long pages)
{
	long now = sectors_written();

	EXPECT_EQ(pages * SECTORS_PER_PAGE, now - *before);
	*before = now;
}

/* Pages in a device's cache reach the device by FSYNC, those of the range alone. */
TEST_F(fsync, writes_what_is_dirty)
{
	static const __u32 flags[] = { 0, IO_RING_FSYNC_DATASYNC };
	unsigned char page[PAGE];
	int device = open(NULL_BLK, O_RDWR);

	ASSERT_LE(0, device);
	ASSERT_EQ(0, fsync(device));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		long before = sectors_written();

		ASSERT_LE(0, before);
		pattern_fill(page, PAGE, i);
		for (unsigned int n = 0; n < 4; n++)
			ASSERT_EQ(PAGE, pwrite(device, page, PAGE, (off_t)n * FAR));
		EXPECT_EQ(0, ring_fsync(&self->ring, device, FAR, PAGE, flags[i]));
		expect_written(_metadata, &before, 1);
		EXPECT_EQ(0, ring_fsync(&self->ring, device, PAGE, FAR, flags[i]));
		expect_written(_metadata, &before, 0);
		EXPECT_EQ(0, ring_fsync(&self->ring, device, FAR + PAGE, 0, flags[i]));
		expect_written(_metadata, &before, 2);
		EXPECT_EQ(0, ring_fsync(&self->ring, device, 0, 0, flags[i]));
		expect_written(_metadata, &before, 1);
	}
	close(device);
}

TEST_F(fsync, leaves_content_and_position_alone)
{
	unsigned char content[2 * PAGE];
	int file = temp_file(EXT4_DIR);

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, sizeof(content), 9));
	ASSERT_EQ(100, lseek(file, 100, SEEK_SET));
	EXPECT_EQ(0, ring_fsync(&self->ring, file, 0, 0, 0));
	EXPECT_EQ(0, ring_fsync(&self->ring, file, 1U << 20, 1U << 20, 0));
	EXPECT_EQ(100, lseek(file, 0, SEEK_CUR));
	EXPECT_EQ(sizeof(content), lseek(file, 0, SEEK_END));
	ASSERT_EQ(sizeof(content), pread(file, content, sizeof(content), 0));
	EXPECT_EQ(sizeof(content), pattern_mismatch(content, sizeof(content), 9, 0));
}

TEST_HARNESS_MAIN
