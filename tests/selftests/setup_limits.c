// SPDX-License-Identifier: GPL-2.0-only
/* Ring sizes: what is made of each wish, what is refused and why, and how a ring is laid out. */
#include <errno.h>

#include "files.h"
#include "harness.h"
#include "ring.h"

#define AT(member) offsetof(struct io_ring_setup, member)

static const __u32 entry_wishes[] = {
	1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097,
	16383, 16384, 16385, IO_RING_MAX_ENTRIES - 1, IO_RING_MAX_ENTRIES,
	IO_RING_MAX_ENTRIES + 1, IO_RING_MAX_CQ_ENTRIES, IO_RING_MAX_CQ_ENTRIES + 1,
	1U << 31, ~0U,
};

static __u32 power_of_two(__u32 n)
{
	__u32 power = 1;

	while (power < n)
		power *= 2;
	return power;
}

static void expect_made(struct __test_metadata *_metadata, const struct io_ring_setup *wanted,
			__u32 entries, __u32 cq_entries, __u32 requests)
{
	struct io_ring_setup s = *wanted;
	int fd = ring_setup(&s);

	EXPECT_LE(0, fd) {
		TH_LOG("entries %u, cq_entries %u, requests %u, flags %#x: blames %u, limit %u",
		       wanted->entries, wanted->cq_entries, wanted->requests, wanted->flags,
		       s.error_field, s.error_limit);
	}
	if (fd < 0)
		return;
	EXPECT_EQ(entries, s.entries);
	EXPECT_EQ(cq_entries, s.cq_entries);
	EXPECT_EQ(requests, s.requests);
	close(fd);
}

static void expect_limit(struct __test_metadata *_metadata, const struct io_ring_setup *wanted,
			 unsigned int field, enum io_ring_limit limit, __u32 need, __u32 have)
{
	struct io_ring_setup s = *wanted;

	EXPECT_EQ(-EINVAL, ring_setup(&s)) {
		TH_LOG("entries %u, cq_entries %u, requests %u, flags %#x",
		       wanted->entries, wanted->cq_entries, wanted->requests, wanted->flags);
	}
	EXPECT_EQ(field, s.error_field);
	EXPECT_EQ(limit, s.error_limit);
	EXPECT_EQ(need, s.limit_need);
	EXPECT_EQ(have, s.limit_have);
}

TEST(entries)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_wishes); i++) {
		__u32 wish = entry_wishes[i];
		struct io_ring_setup s = ring_wanted(wish, 0);

		if (wish <= IO_RING_MAX_ENTRIES) {
			__u32 made = power_of_two(wish);

			expect_made(_metadata, &s, made, 2 * made, 2 * made);
		} else {
			expect_limit(_metadata, &s, AT(entries), IO_RING_LIMIT_ENTRIES, wish,
				     IO_RING_MAX_ENTRIES);
		}
	}
}

TEST(entries_clamped)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_wishes); i++) {
		__u32 wish = entry_wishes[i];
		__u32 made = wish < IO_RING_MAX_ENTRIES ? power_of_two(wish) : IO_RING_MAX_ENTRIES;
		struct io_ring_setup s = ring_wanted(wish, IO_RING_SETUP_CLAMP);

		expect_made(_metadata, &s, made, 2 * made, 2 * made);
	}
}

TEST(cq_entries)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_wishes); i++) {
		__u32 wish = entry_wishes[i];
		struct io_ring_setup s = ring_wanted(1, IO_RING_SETUP_CQSIZE);

		s.cq_entries = wish;
		if (wish <= IO_RING_MAX_CQ_ENTRIES)
			expect_made(_metadata, &s, 1, power_of_two(wish), power_of_two(wish));
		else
			expect_limit(_metadata, &s, AT(cq_entries), IO_RING_LIMIT_CQ_ENTRIES, wish,
				     IO_RING_MAX_CQ_ENTRIES);
	}
}

/* Both sizes are rounded up before they are compared. */
TEST(cq_entries_and_entries)
{
	for (__u32 cq_entries = 5; cq_entries <= 8; cq_entries++) {
		struct io_ring_setup s = ring_wanted(5, IO_RING_SETUP_CQSIZE);

		s.cq_entries = cq_entries;
		expect_made(_metadata, &s, 8, 8, 8);
	}
}

TEST(cq_entries_clamped)
{
	for (size_t i = 0; i < ARRAY_SIZE(entry_wishes); i++) {
		__u32 wish = entry_wishes[i];
		__u32 made = wish < IO_RING_MAX_CQ_ENTRIES ? power_of_two(wish) :
							     IO_RING_MAX_CQ_ENTRIES;
		struct io_ring_setup s = ring_wanted(1, IO_RING_SETUP_CQSIZE | IO_RING_SETUP_CLAMP);

		s.cq_entries = wish;
		expect_made(_metadata, &s, 1, made, made);
	}
}

TEST(requests)
{
	static const __u32 good[] = { 8, 16, 64, 1024, IO_RING_MAX_REQUESTS };
	static const __u32 many[] = { IO_RING_MAX_REQUESTS + 1, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct io_ring_setup s = ring_wanted(4, 0);

		s.requests = good[i];
		expect_made(_metadata, &s, 4, 8, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		struct io_ring_setup s = ring_wanted(4, 0);

		s.requests = many[i];
		expect_limit(_metadata, &s, AT(requests), IO_RING_LIMIT_REQUESTS, many[i],
			     IO_RING_MAX_REQUESTS);
		s.flags = IO_RING_SETUP_CLAMP;
		expect_made(_metadata, &s, 4, 8, IO_RING_MAX_REQUESTS);
	}
}

TEST(largest_ring_works)
{
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, IO_RING_MAX_ENTRIES, 0));
	ring_push_nops(&ring, IO_RING_MAX_ENTRIES, 0);
	EXPECT_EQ(IO_RING_MAX_ENTRIES, ring_enter(&ring, ~0U, 0));
	EXPECT_EQ(IO_RING_MAX_ENTRIES, ring_ready(&ring));
	for (__u32 i = 0; i < IO_RING_MAX_ENTRIES; i++) {
		ASSERT_TRUE(ring_pop(&ring, &cqe));
		ASSERT_EQ(i, cqe.user_data);
	}
	ring_close(&ring);
}

struct part {
	const char *name;
	__u64 start;
	__u64 size;
	unsigned int align;
};

#define WORD(member) { #member, AT(member) }

static const struct {
	const char *name;
	unsigned int offset;	/* of the word's offset, in struct io_ring_setup */
} words[] = {
	WORD(sq_off.head), WORD(sq_off.tail), WORD(sq_off.ring_mask), WORD(sq_off.ring_entries),
	WORD(sq_off.flags), WORD(sq_off.dropped), WORD(sq_off.dropped_at), WORD(cq_off.head),
	WORD(cq_off.tail), WORD(cq_off.ring_mask), WORD(cq_off.ring_entries), WORD(cq_off.overflow),
};

#define MAX_PARTS (ARRAY_SIZE(words) + 3)

/* All parts of a region; the index array comes last, and only where there is one. */
static unsigned int parts_of(const struct io_ring_setup *s, struct part *parts)
{
	unsigned int count = 0;

	for (; count < ARRAY_SIZE(words); count++) {
		const __u32 *offset = (const void *)s + words[count].offset;

		parts[count] = (struct part) { words[count].name, *offset, 4, 4 };
	}
	parts[count++] = (struct part) { "cqes", s->cq_off.cqes, 16ULL * s->cq_entries, 8 };
	parts[count++] = (struct part) { "sqes", s->sqes_offset, 64ULL * s->entries, 4096 };
	if (!(s->flags & IO_RING_SETUP_NO_SQARRAY))
		parts[count++] = (struct part) { "array", s->sq_off.array, 4ULL * s->entries, 4 };
	return count;
}

static void expect_laid_out(struct __test_metadata *_metadata, const struct io_ring_setup *s)
{
	struct part parts[MAX_PARTS];
	unsigned int count = parts_of(s, parts);

	EXPECT_EQ(0, s->region_size % 4096);
	EXPECT_LE(64ULL * s->entries, s->sqes_size);
	EXPECT_LE(s->sqes_offset + (__u64)s->sqes_size, s->region_size);
	if (s->flags & IO_RING_SETUP_NO_SQARRAY)
		EXPECT_EQ(0, s->sq_off.array);
	for (unsigned int i = 0; i < count; i++) {
		EXPECT_EQ(0, parts[i].start % parts[i].align) {
			TH_LOG("%s is not aligned", parts[i].name);
		}
		EXPECT_LE(parts[i].start + parts[i].size, s->region_size) {
			TH_LOG("%s is outside", parts[i].name);
		}
		for (unsigned int j = 0; j < i; j++) {
			EXPECT_TRUE(parts[i].start + parts[i].size <= parts[j].start ||
				    parts[j].start + parts[j].size <= parts[i].start) {
				TH_LOG("%s and %s overlap", parts[i].name, parts[j].name);
			}
		}
	}
}

/* Constants are right and can be blanked out: everything else is 0 in a fresh region. */
static void expect_fresh(struct __test_metadata *_metadata, const struct ring *ring)
{
	const struct io_ring_setup *s = &ring->setup;

	EXPECT_EQ(s->entries, ring_load(ring, s->sq_off.ring_entries));
	EXPECT_EQ(s->entries - 1, ring_load(ring, s->sq_off.ring_mask));
	EXPECT_EQ(s->cq_entries, ring_load(ring, s->cq_off.ring_entries));
	EXPECT_EQ(s->cq_entries - 1, ring_load(ring, s->cq_off.ring_mask));
	ring_store(ring, s->sq_off.ring_entries, 0);
	ring_store(ring, s->sq_off.ring_mask, 0);
	ring_store(ring, s->cq_off.ring_entries, 0);
	ring_store(ring, s->cq_off.ring_mask, 0);
	EXPECT_TRUE(all_bytes(ring->region, s->region_size, 0));
}

/* The program's view of the constants is not what the kernel goes by. */
static void expect_working(struct __test_metadata *_metadata, const struct ring *ring)
{
	struct io_ring_sqe sqe = sqe_nop(7);
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(7, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
	EXPECT_EQ(0, cqe.flags);
}

TEST(layout)
{
	static const __u32 flags[] = {
		0, IO_RING_SETUP_NO_SQARRAY, IO_RING_SETUP_FORK_SHARED, IO_RING_SETUP_CQSIZE,
		IO_RING_SETUP_CQSIZE | IO_RING_SETUP_NO_SQARRAY,
	};

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		for (__u32 entries = 1; entries <= IO_RING_MAX_ENTRIES; entries *= 2) {
			struct io_ring_setup wanted = ring_wanted(entries, flags[f]);
			struct ring ring;

			if (flags[f] & IO_RING_SETUP_CQSIZE)
				wanted.cq_entries = IO_RING_MAX_CQ_ENTRIES / entries < entries ?
						    entries : IO_RING_MAX_CQ_ENTRIES / entries;
			ASSERT_EQ(0, ring_open_as(&ring, &wanted));
			expect_laid_out(_metadata, &ring.setup);
			expect_fresh(_metadata, &ring);
			expect_working(_metadata, &ring);
			ring_close(&ring);
		}
	}
}

TEST_HARNESS_MAIN
