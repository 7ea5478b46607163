// SPDX-License-Identifier: GPL-2.0-only
/* A buffer is the pages it was registered with, whatever becomes of the address range. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "pinned.h"
#include "process.h"

#define PAGES 4
#define LEN (PAGES * PAGE)
#define HUGE (2UL << 20)
#define OLD 1
#define NEW 2

FIXTURE(pages)
{
	struct ring ring;
	unsigned char *memory;	/* buffer 0, with OLD in it */
	int file;		/* with NEW in it */
};

FIXTURE_SETUP(pages)
{
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->memory = new_pages(PAGES);
	ASSERT_NE(NULL, self->memory);
	pattern_fill(self->memory, LEN, OLD);
	self->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, LEN, NEW));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, LEN));
}

FIXTURE_TEARDOWN(pages)
{
	ring_close(&self->ring);
	close(self->file);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

/* Whether the ring sees that content in buffer 0, which was registered at an address. */
static bool ring_sees(const struct ring *ring, const void *addr, size_t len, unsigned int seed)
{
	unsigned char *content = malloc(len);
	int file = temp_file(TMPFS_DIR);
	bool same = content && file >= 0 &&
		run_fixed(ring, IO_RING_OP_WRITE_FIXED, file, addr, len, 0) == (int)len &&
		pread(file, content, len, 0) == (ssize_t)len &&
		pattern_mismatch(content, len, seed, 0) == len;

	close(file);
	free(content);
	return same;
}

TEST_F(pages, survive_munmap)
{
	ASSERT_EQ(0, munmap(self->memory, LEN));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, OLD));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, NEW));
	EXPECT_EQ(PAGES, pinned_here());
}

/* The address range is others' now. */
TEST_F(pages, are_not_those_mapped_later)
{
	ASSERT_EQ(self->memory, mmap(self->memory, LEN, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_TRUE(all_bytes(self->memory, LEN, 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, NEW));
}

TEST_F(pages, survive_madvise)
{
	ASSERT_EQ(0, madvise(self->memory, LEN, MADV_DONTNEED));
	EXPECT_TRUE(all_bytes(self->memory, LEN, 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, OLD));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_TRUE(all_bytes(self->memory, LEN, 0));
}

TEST_F(pages, survive_mprotect)
{
	ASSERT_EQ(0, mprotect(self->memory, LEN, PROT_READ));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_EQ(LEN, pattern_mismatch(self->memory, LEN, NEW, 0));
}

TEST_F(pages, move_with_the_mapping)
{
	unsigned char *other = new_pages(PAGES);
	unsigned char *moved = mremap(self->memory, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, other);

	ASSERT_EQ(other, moved);
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_EQ(LEN, pattern_mismatch(moved, LEN, NEW, 0));
	EXPECT_EQ(-EFAULT, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, moved, LEN,
				     0));
}

static int overwrites(void *arg)
{
	unsigned char *memory = arg;

	if (pattern_mismatch(memory, LEN, OLD, 0) != LEN)
		return 1;
	memset(memory, 0xee, LEN);
	return 0;
}

/* Parent and child share pages until one of them writes: those of the ring stay the parent's. */
TEST_F(pages, stay_with_the_parent)
{
	pid_t child;
	int go[2];

	EXPECT_EQ(0, in_child(overwrites, self->memory));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, OLD));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	child = fork();
	if (!child) {
		char byte;

		_exit(read(go[0], &byte, 1) == 1 ? overwrites(self->memory) : 9);
	}
	ASSERT_LT(0, child);
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	EXPECT_EQ(LEN, pattern_mismatch(self->memory, LEN, NEW, 0));
	pattern_fill(self->memory, LEN, 7);
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, LEN, 7));
	/* And the child has what was there when it was made. */
	ASSERT_EQ(1, write(go[1], "", 1));
	EXPECT_EQ(0, outcome_of(child));
	EXPECT_EQ(LEN, pattern_mismatch(self->memory, LEN, 7, 0));
	close(go[0]);
	close(go[1]);
}

/* Memory that was never touched, or is shared with nobody any more. */
TEST_F(pages, are_made_when_they_are_missing)
{
	unsigned char *fresh = new_pages(PAGES);

	ASSERT_NE(NULL, fresh);
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	/* Reading maps the page of zeros that all have. */
	EXPECT_TRUE(all_bytes(fresh, PAGE, 0));
	ASSERT_EQ(0, buffer_register(&self->ring, fresh, LEN));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, fresh, LEN, 0));
	EXPECT_EQ(LEN, pattern_mismatch(fresh, LEN, NEW, 0));
	munmap(fresh, LEN);
}

TEST_F(pages, of_a_private_file_mapping_are_copies)
{
	unsigned char *mapped = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->file, 0);
	unsigned char content[LEN];

	ASSERT_NE(MAP_FAILED, mapped);
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, buffer_register(&self->ring, mapped, LEN));
	EXPECT_TRUE(ring_sees(&self->ring, mapped, LEN, NEW));
	EXPECT_EQ(PAGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, mapped, PAGE,
				  PAGE));
	EXPECT_EQ(PAGE, pattern_mismatch(mapped, PAGE, NEW, PAGE));
	ASSERT_EQ(LEN, pread(self->file, content, LEN, 0));
	EXPECT_EQ(LEN, pattern_mismatch(content, LEN, NEW, 0));
	munmap(mapped, LEN);
}

/* Memory shared through a file in memory: who has it open sees the transfer. */
TEST_F(pages, survive_truncation_of_their_file)
{
	int shared = memfd_create("shared", MFD_CLOEXEC);
	unsigned char content[LEN];
	unsigned char *mapped;

	ASSERT_LE(0, shared);
	ASSERT_EQ(0, pattern_write(shared, LEN, OLD));
	mapped = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, buffer_register(&self->ring, mapped, LEN));
	EXPECT_EQ(PAGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, mapped, PAGE, 0));
	ASSERT_EQ(PAGE, pread(shared, content, PAGE, 0));
	EXPECT_EQ(PAGE, pattern_mismatch(content, PAGE, NEW, 0));
	ASSERT_EQ(0, ftruncate(shared, 0));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, mapped, LEN, 0));
	EXPECT_TRUE(ring_sees(&self->ring, mapped, LEN, NEW));
	/* The file has new pages, and nothing of that. */
	ASSERT_EQ(0, ftruncate(shared, LEN));
	ASSERT_EQ(LEN, pread(shared, content, LEN, 0));
	EXPECT_TRUE(all_bytes(content, LEN, 0));
	munmap(mapped, LEN);
	close(shared);
	EXPECT_EQ(PAGES, pinned_here());
}

/* A page that the kernel may drop, unless it was written to: it was, by the ring. */
TEST_F(pages, are_dirty_afterwards)
{
	ASSERT_EQ(0, madvise(self->memory, LEN, MADV_FREE));
	EXPECT_EQ(LEN, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory, LEN,
				 0));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, madvise(self->memory, LEN, MADV_PAGEOUT));
	EXPECT_EQ(LEN, pattern_mismatch(self->memory, LEN, NEW, 0));
}

/* The same without the ring: such a page is dropped. */
TEST(pages_that_nobody_wrote_to_are_dropped)
{
	unsigned char *memory = new_pages(1);

	ASSERT_NE(NULL, memory);
	memset(memory, 1, PAGE);
	ASSERT_EQ(0, madvise(memory, PAGE, MADV_FREE));
	ASSERT_EQ(0, madvise(memory, PAGE, MADV_PAGEOUT));
	EXPECT_TRUE(all_bytes(memory, PAGE, 0));
	munmap(memory, PAGE);
}

/* The ring's own memory is memory like other. */
TEST_F(pages, may_be_those_of_the_ring)
{
	struct ring other;

	ASSERT_EQ(0, ring_open(&other, 64, 0));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, buffer_register(&self->ring, other.region, PAGE));
	ring_close(&other);
	EXPECT_EQ(PAGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, other.region,
				  PAGE, 0));
	EXPECT_TRUE(ring_sees(&self->ring, other.region, PAGE, NEW));
}

/* How much of an address range is in large pages, in bytes. */
static unsigned long in_huge_pages(const void *addr)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kib = 0;
	bool here = false;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (uintptr_t)addr;
		if (here && sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			break;
	}
	if (maps)
		fclose(maps);
	return kib << 10;
}

#define POLICY "/sys/kernel/mm/transparent_hugepage/enabled"

/* Two large pages, with OLD in them, or as many small ones if the kernel has no large ones. */
FIXTURE(huge)
{
	struct ring ring;
	unsigned char *memory;
	bool is_huge;
	int file;
	char policy[64];
};

FIXTURE_SETUP(huge)
{
	void *room = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);

	ASSERT_NE(MAP_FAILED, room);
	self->memory = (void *)(((uintptr_t)room + HUGE - 1) & -HUGE);
	munmap(room, self->memory - (unsigned char *)room);
	munmap(self->memory + 2 * HUGE, (unsigned char *)room + HUGE - self->memory);
	/* Off where memory is scarce. */
	if (!text_read(POLICY, self->policy, sizeof(self->policy))) {
		ASSERT_EQ(0, text_write(POLICY, "madvise"));
		ASSERT_EQ(0, madvise(self->memory, 2 * HUGE, MADV_HUGEPAGE));
		pattern_fill(self->memory, 2 * HUGE, OLD);
		ASSERT_EQ(2 * HUGE, in_huge_pages(self->memory));
		self->is_huge = true;
	}
	pattern_fill(self->memory, 2 * HUGE, OLD);
	self->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, pattern_write(self->file, 2 * HUGE, NEW));
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
}

FIXTURE_TEARDOWN(huge)
{
	ring_close(&self->ring);
	close(self->file);
	munmap(self->memory, 2 * HUGE);
	EXPECT_EQ(0, pinned_here());
	if (strtok(self->policy, "["))
		text_write(POLICY, strtok(NULL, "]") ?: "always");
	EXPECT_EQ(0, pins_of_kernel());
}

TEST_F(huge, transfers_anywhere)
{
	static const size_t starts[] = { 0, 1, PAGE, HUGE - 1, HUGE, 2 * HUGE - PAGE - 7 };
	const size_t skip = 3 * PAGE + 5;

	ASSERT_EQ(0, buffer_register(&self->ring, self->memory + skip, 2 * HUGE - skip));
	EXPECT_EQ(2 * HUGE / PAGE - 3, pinned_here());
	if (self->is_huge)
		EXPECT_EQ(2, counter("pinned_segments"));
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		size_t at = starts[i] < skip ? starts[i] + skip : starts[i];
		size_t len = 2 * HUGE - at;

		memset(self->memory, 0, 2 * HUGE);
		EXPECT_EQ(len, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file,
					 self->memory + at, len, 0));
		EXPECT_EQ(len, pattern_mismatch(self->memory + at, len, NEW, 0));
		EXPECT_TRUE(all_bytes(self->memory, at, 0));
	}
}

/* Each page is counted, not the large page that it is a part of. */
TEST_F(huge, counts_pages)
{
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory + HUGE - PAGE, 2 * PAGE));
	EXPECT_EQ(2, pinned_here());
}

TEST_F(huge, survives_a_split)
{
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, 2 * HUGE));
	ASSERT_EQ(0, mprotect(self->memory + PAGE, PAGE, PROT_READ));
	ASSERT_EQ(0, munmap(self->memory + HUGE / 2, HUGE / 4));
	ASSERT_EQ(0, madvise(self->memory + HUGE + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, 2 * HUGE, OLD));
	EXPECT_EQ(2 * HUGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory,
				      2 * HUGE, 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, 2 * HUGE, NEW));
	EXPECT_EQ(HUGE / 2, pattern_mismatch(self->memory, HUGE / 2, NEW, 0));
	EXPECT_EQ(PAGE, pattern_mismatch(self->memory + HUGE, PAGE, NEW, HUGE));
	EXPECT_TRUE(all_bytes(self->memory + HUGE + PAGE, PAGE, 0));
}

/* Pages of which some were split off before. */
TEST_F(huge, mixed_with_small_ones)
{
	ASSERT_EQ(0, madvise(self->memory + HUGE + PAGE, 3 * PAGE, MADV_DONTNEED));
	memset(self->memory + HUGE + PAGE, 0xee, 3 * PAGE);
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, 2 * HUGE));
	EXPECT_EQ(2 * HUGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory,
				      2 * HUGE, 0));
	EXPECT_EQ(2 * HUGE, pattern_mismatch(self->memory, 2 * HUGE, NEW, 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, 2 * HUGE, NEW));
}

/* Neighbours that have the same place in two large pages as if they were in one. */
TEST_F(huge, made_of_halves)
{
	unsigned char *middle = self->memory + HUGE / 2;

	ASSERT_EQ(middle, mremap(self->memory + HUGE + HUGE / 2, HUGE / 2, HUGE / 2,
				 MREMAP_MAYMOVE | MREMAP_FIXED, middle));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, HUGE));
	if (self->is_huge)
		EXPECT_EQ(2, counter("pinned_segments"));
	EXPECT_EQ(HUGE, run_fixed(&self->ring, IO_RING_OP_READ_FIXED, self->file, self->memory,
				  HUGE, 0));
	EXPECT_EQ(HUGE, pattern_mismatch(self->memory, HUGE, NEW, 0));
	EXPECT_TRUE(ring_sees(&self->ring, self->memory, HUGE, NEW));
}

#define POOL "/proc/sys/vm/nr_hugepages"

/* Pages of hugetlbfs, if the kernel has some, or else small ones. */
TEST(pages_of_a_pool)
{
	const bool is_huge = !text_write(POOL, "2") && number_read(POOL) >= 2;
	const size_t skip = PAGE + 5, len = 2 * HUGE - 2 * skip;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (is_huge ? MAP_HUGETLB : 0);
	int file = temp_file(TMPFS_DIR);
	unsigned char *memory;
	struct ring ring;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, len, NEW));
	ASSERT_EQ(0, ring_open(&ring, 8, 0));
	memory = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	pattern_fill(memory, 2 * HUGE, OLD);
	ASSERT_EQ(0, buffer_register(&ring, memory + skip, len));
	EXPECT_EQ(2 * HUGE / PAGE - 2, pinned_here());
	if (is_huge)
		EXPECT_EQ(2, counter("pinned_segments"));
	EXPECT_EQ(len, run_fixed(&ring, IO_RING_OP_READ_FIXED, file, memory + skip, len, 0));
	EXPECT_EQ(len, pattern_mismatch(memory + skip, len, NEW, 0));
	EXPECT_EQ(skip, pattern_mismatch(memory, skip, OLD, 0));
	ASSERT_EQ(0, munmap(memory, 2 * HUGE));
	EXPECT_TRUE(ring_sees(&ring, memory + skip, len, NEW));
	ring_close(&ring);
	close(file);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pins_of_kernel());
	text_write(POOL, "0");
}

TEST_HARNESS_MAIN
