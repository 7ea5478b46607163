// SPDX-License-Identifier: GPL-2.0-only
/* Mappings of a ring. */
#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "harness.h"
#include "process.h"
#include "ring.h"

#define PAGE 4096ULL

/* A ring of several pages in each part, known through its descriptor alone. */
FIXTURE(mapping)
{
	struct io_ring_setup s;
	int fd;
};

FIXTURE_SETUP(mapping)
{
	self->s = ring_wanted(256, 0);
	self->fd = ring_setup(&self->s);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(mapping)
{
	close(self->fd);
}

/* The errno, or 0 and no mapping is kept. */
static int map_errno(int fd, __u64 offset, __u64 len, int flags, int prot)
{
	void *addr = mmap(NULL, len, prot, flags, fd, offset);

	if (addr == MAP_FAILED)
		return errno;
	munmap(addr, len);
	return 0;
}

static int map_shared_errno(int fd, __u64 offset, __u64 len)
{
	return map_errno(fd, offset, len, MAP_SHARED, PROT_READ | PROT_WRITE);
}

static unsigned char *map_at(int fd, __u64 offset, __u64 len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

static __u64 sqes_pages(const struct io_ring_setup *s)
{
	return (s->sqes_size + PAGE - 1) / PAGE;
}

struct window {
	const char *name;
	__u64 offset;
	__u64 pages;
};

static void windows_of(const struct io_ring_setup *s, struct window windows[3])
{
	const __u64 pages = s->region_size / PAGE;

	windows[0] = (struct window) { "region", IO_RING_OFF_REGION, pages };
	windows[1] = (struct window) { "second region", IO_RING_OFF_CQ_REGION, pages };
	windows[2] = (struct window) { "entries", IO_RING_OFF_SQES, sqes_pages(s) };
}

TEST_F(mapping, every_part_of_every_window)
{
	struct window windows[3];

	windows_of(&self->s, windows);
	for (size_t w = 0; w < ARRAY_SIZE(windows); w++) {
		for (__u64 page = 0; page < windows[w].pages; page++) {
			__u64 offset = windows[w].offset + page * PAGE;
			__u64 rest = (windows[w].pages - page) * PAGE;
			const __u64 good[] = { 1, 64, PAGE - 1, PAGE, rest - 1, rest };
			const __u64 bad[] = { rest + 1, rest + PAGE, 1ULL << 30 };

			for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
				EXPECT_EQ(0, map_shared_errno(self->fd, offset, good[i])) {
					TH_LOG("%s, page %llu, %llu bytes", windows[w].name, page,
					       good[i]);
				}
			}
			for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
				EXPECT_EQ(EINVAL, map_shared_errno(self->fd, offset, bad[i])) {
					TH_LOG("%s, page %llu, %llu bytes", windows[w].name, page,
					       bad[i]);
				}
			}
		}
	}
}

TEST_F(mapping, offsets_outside_every_window)
{
	const __u64 wild[] = {
		self->s.region_size, self->s.region_size + PAGE,
		IO_RING_OFF_CQ_REGION - PAGE, IO_RING_OFF_CQ_REGION + self->s.region_size,
		IO_RING_OFF_SQES - PAGE, IO_RING_OFF_SQES + sqes_pages(&self->s) * PAGE,
		2 * IO_RING_OFF_SQES, 1ULL << 32, 1ULL << 40, (1ULL << 63) - PAGE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		int error = map_shared_errno(self->fd, wild[i], PAGE);

		/* mmap(2) itself answers EOVERFLOW where no file could have such an offset. */
		EXPECT_TRUE(error == EINVAL || (error == EOVERFLOW &&
						(wild[i] > ULONG_MAX || wild[i] >= 1ULL << 40))) {
			TH_LOG("offset %#llx: errno %d", wild[i], error);
		}
	}
}

TEST_F(mapping, is_shared_and_never_executable)
{
	unsigned char *region;

	EXPECT_EQ(EINVAL, map_errno(self->fd, 0, PAGE, MAP_PRIVATE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EINVAL, map_errno(self->fd, 0, PAGE, MAP_PRIVATE, PROT_READ));
	EXPECT_EQ(0, map_errno(self->fd, 0, PAGE, MAP_SHARED, PROT_READ));
	EXPECT_EQ(EPERM, map_errno(self->fd, 0, PAGE, MAP_SHARED, PROT_READ | PROT_EXEC));
	region = map_at(self->fd, 0, PAGE);
	ASSERT_NE(MAP_FAILED, region);
	EXPECT_EQ(-1, mprotect(region, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	munmap(region, PAGE);
}

TEST_F(mapping, does_not_grow)
{
	unsigned char *region = map_at(self->fd, 0, PAGE);

	ASSERT_NE(MAP_FAILED, region);
	EXPECT_EQ(MAP_FAILED, mremap(region, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(region, PAGE, self->s.region_size, MREMAP_MAYMOVE));
	munmap(region, PAGE);
}

TEST_F(mapping, can_move_and_shrink)
{
	unsigned char *region = map_at(self->fd, 0, self->s.region_size);
	unsigned char *place = mmap(NULL, self->s.region_size, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ring ring = { .fd = self->fd, .setup = self->s, .region = place };
	struct io_ring_sqe sqe = sqe_nop(3);
	struct io_ring_cqe cqe;

	ASSERT_NE(MAP_FAILED, region);
	ASSERT_NE(MAP_FAILED, place);
	ASSERT_EQ(place, mremap(region, self->s.region_size, self->s.region_size,
				MREMAP_MAYMOVE | MREMAP_FIXED, place));
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(3, cqe.user_data);
	EXPECT_EQ(place, mremap(place, self->s.region_size, PAGE, 0));
	EXPECT_EQ(256, ring_load(&ring, self->s.sq_off.ring_entries));
	munmap(place, PAGE);
}

TEST_F(mapping, windows_show_the_same_bytes)
{
	unsigned char *one = map_at(self->fd, IO_RING_OFF_REGION, self->s.region_size);
	unsigned char *two = map_at(self->fd, IO_RING_OFF_CQ_REGION, self->s.region_size);
	unsigned char *sqes = map_at(self->fd, IO_RING_OFF_SQES, self->s.sqes_size);

	ASSERT_NE(MAP_FAILED, one);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_NE(MAP_FAILED, sqes);
	for (__u64 i = 0; i < self->s.region_size; i += 8)
		*(__u64 *)(one + i) = i * 0x9e3779b97f4a7c15ULL;
	EXPECT_EQ(0, memcmp(one, two, self->s.region_size));
	EXPECT_EQ(0, memcmp(one + self->s.sqes_offset, sqes, self->s.sqes_size));
	memset(two, 0x3c, self->s.region_size);
	EXPECT_EQ(0, memcmp(one, two, self->s.region_size));
	EXPECT_EQ(0, memcmp(one + self->s.sqes_offset, sqes, self->s.sqes_size));
	munmap(one, self->s.region_size);
	munmap(two, self->s.region_size);
	munmap(sqes, self->s.sqes_size);
}

/* Page by page at their own offsets, the pieces make up the region. */
TEST_F(mapping, pages_mapped_alone)
{
	unsigned char *whole = map_at(self->fd, IO_RING_OFF_REGION, self->s.region_size);

	ASSERT_NE(MAP_FAILED, whole);
	for (__u64 offset = 0; offset < self->s.region_size; offset += PAGE) {
		unsigned char *page = map_at(self->fd, IO_RING_OFF_CQ_REGION + offset, PAGE);

		ASSERT_NE(MAP_FAILED, page);
		memset(page, 1 + offset / PAGE, PAGE);
		munmap(page, PAGE);
	}
	for (__u64 offset = 0; offset < self->s.region_size; offset++)
		ASSERT_EQ((1 + offset / PAGE) & 0xff, whole[offset]);
	munmap(whole, self->s.region_size);
}

TEST(outlives_the_descriptor)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 256, 0));
	ring_push_nops(&ring, 1, 42);
	ASSERT_EQ(1, ring_enter(&ring, 1, 1));
	close(ring.fd);
	EXPECT_EQ(1, ring_ready(&ring));
	EXPECT_EQ(42, ring_cqe(&ring, 0)->user_data);
	memset(ring.region, 0x77, ring.setup.region_size);
	EXPECT_EQ(0x77, ring.region[ring.setup.region_size - 1]);
	ring_unmap(&ring);
}

TEST(unmap_then_map_again)
{
	struct io_ring_sqe sqe = sqe_nop(9);
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	ring_unmap(&ring);
	EXPECT_EQ(0, ring_enter(&ring, 0, 0));
	ring.region = map_at(ring.fd, 0, ring.setup.region_size);
	ASSERT_NE(MAP_FAILED, ring.region);
	EXPECT_EQ(1, ring_load(&ring, ring.setup.sq_off.head));
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(9, cqe.user_data);
	ring_close(&ring);
}

/* What a child sees of its parent's mapping: the tail of the completion queue. */
static int child_reaps(void *arg)
{
	struct ring *ring = arg;
	struct io_ring_cqe cqe;

	return ring_pop(ring, &cqe) ? cqe.user_data : 0;
}

TEST(child_does_not_inherit_it)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	ring_push_nops(&ring, 1, 5);
	ASSERT_EQ(1, ring_enter(&ring, 1, 1));
	EXPECT_EQ(-SIGSEGV, in_child(child_reaps, &ring));
	EXPECT_EQ(1, ring_ready(&ring));
	ring_close(&ring);
}

TEST(child_inherits_it_if_wanted)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, IO_RING_SETUP_FORK_SHARED));
	ring_push_nops(&ring, 2, 5);
	ASSERT_EQ(2, ring_enter(&ring, 2, 2));
	EXPECT_EQ(5, in_child(child_reaps, &ring));
	EXPECT_EQ(1, ring_ready(&ring));
	EXPECT_EQ(6, in_child(child_reaps, &ring));
	EXPECT_EQ(0, ring_ready(&ring));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
