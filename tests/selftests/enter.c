// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_ENTER: its argument, and how many entries it takes. */
#include <errno.h>
#include <sys/ioctl.h>

#include "files.h"
#include "harness.h"
#include "ring.h"

#define ENTRIES 8
#define AT(member) offsetof(struct io_ring_enter, member)

FIXTURE(enter)
{
	struct ring ring;
};

FIXTURE_VARIANT(enter)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(enter, index_array) { .flags = 0 };
FIXTURE_VARIANT_ADD(enter, in_order) { .flags = IO_RING_SETUP_NO_SQARRAY };

FIXTURE_SETUP(enter)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, variant->flags));
}

FIXTURE_TEARDOWN(enter)
{
	ring_close(&self->ring);
}

static __u32 sq_head(const struct ring *ring)
{
	return ring_load(ring, ring->setup.sq_off.head);
}

/* The next completions are those of NOPs first, first + 1, ... and there are no others. */
static void expect_nops(struct __test_metadata *_metadata, const struct ring *ring,
			unsigned int count, __u64 first)
{
	struct io_ring_cqe cqe;

	EXPECT_EQ(count, ring_ready(ring));
	for (unsigned int i = 0; i < count; i++) {
		ASSERT_TRUE(ring_pop(ring, &cqe));
		EXPECT_EQ(first + i, cqe.user_data);
		EXPECT_EQ(0, cqe.res);
		EXPECT_EQ(0, cqe.flags);
	}
	EXPECT_EQ(0, ring_ready(ring));
}

TEST_F(enter, nothing_to_do)
{
	EXPECT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(0, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(0, ring_enter(&self->ring, ~0U, 0));
	expect_nops(_metadata, &self->ring, 0, 0);
}

TEST_F(enter, takes_as_many_as_asked)
{
	ring_push_nops(&self->ring, ENTRIES, 100);
	EXPECT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(0, sq_head(&self->ring));
	EXPECT_EQ(3, ring_enter(&self->ring, 3, 3));
	EXPECT_EQ(3, sq_head(&self->ring));
	expect_nops(_metadata, &self->ring, 3, 100);
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 1));
	expect_nops(_metadata, &self->ring, 1, 103);
	EXPECT_EQ(4, ring_enter(&self->ring, 4, 4));
	EXPECT_EQ(ENTRIES, sq_head(&self->ring));
	expect_nops(_metadata, &self->ring, 4, 104);
}

TEST_F(enter, takes_what_is_there_and_does_not_wait)
{
	struct io_ring_enter arg = { .to_submit = 1, .min_complete = 1 };

	ring_push_nops(&self->ring, 2, 0);
	EXPECT_EQ(2, ring_enter(&self->ring, 5, 4));
	expect_nops(_metadata, &self->ring, 2, 0);
	EXPECT_EQ(0, ring_enter_fd(self->ring.fd, &arg));
	EXPECT_EQ(0, arg.wait_error);
	ring_push_nops(&self->ring, ENTRIES, 2);
	EXPECT_EQ(ENTRIES, ring_enter(&self->ring, ~0U, ~0U));
	expect_nops(_metadata, &self->ring, ENTRIES, 2);
}

TEST_F(enter, user_data_comes_back_untouched)
{
	static const __u64 values[] = { 0, 1, ~0ULL, 1ULL << 63, 0x0123456789abcdefULL };
	struct io_ring_cqe cqe;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct io_ring_sqe sqe = sqe_nop(values[i]);

		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(values[i], cqe.user_data);
	}
}

/* An entry may be overwritten as soon as the call that took it has returned. */
TEST_F(enter, entries_are_copied)
{
	ring_push_nops(&self->ring, ENTRIES, 50);
	EXPECT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
	memset(ring_sqe(&self->ring, 0), 0xff, ENTRIES * sizeof(struct io_ring_sqe));
	EXPECT_EQ(0, ring_enter(&self->ring, 0, ENTRIES));
	expect_nops(_metadata, &self->ring, ENTRIES, 50);
}

TEST_F(enter, rejected_entries_do_not_end_a_batch)
{
	struct io_ring_sqe bad = sqe_nop(1);
	struct io_ring_cqe cqe;

	bad.resv = 1;
	ring_push_nops(&self->ring, 1, 0);
	ring_push(&self->ring, &bad);
	ring_push_nops(&self->ring, 2, 2);
	EXPECT_EQ(4, ring_enter(&self->ring, 4, 4));
	for (__u64 i = 0; i < 4; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(i, cqe.user_data);
		EXPECT_EQ(i == 1 ? -EINVAL : 0, cqe.res);
		EXPECT_EQ(i == 1 ? (int)offsetof(struct io_ring_sqe, resv) : -1,
			  cqe_rejected_field(&cqe));
	}
}

/* Positions pass 2^16 several times over. */
TEST_F(enter, goes_round_and_round)
{
	const __u64 total = 3 << 16;
	struct io_ring_cqe cqe;
	__u64 next = 0;

	for (__u64 sent = 0; sent < total; sent += ENTRIES) {
		ring_push_nops(&self->ring, ENTRIES, sent);
		ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, ENTRIES));
		while (ring_pop(&self->ring, &cqe))
			ASSERT_EQ(next++, cqe.user_data);
	}
	EXPECT_EQ(total, next);
	EXPECT_EQ(total, sq_head(&self->ring));
	EXPECT_EQ(total, ring_load(&self->ring, self->ring.setup.cq_off.tail));
}

static int enter_errno(const struct ring *ring, void *arg)
{
	return ioctl(ring->fd, IO_RING_ENTER, arg) < 0 ? errno : 0;
}

TEST_F(enter, fields_that_must_be_zero_without_a_wait)
{
	static const struct {
		const char *name;
		unsigned int offset;
		unsigned int size;
	} fields[] = {
		{ "flags", AT(flags), 4 }, { "wait_error", AT(wait_error), 4 },
		{ "error_field", AT(error_field), 4 }, { "clock", AT(clock), 4 },
		{ "timeout", AT(timeout), 8 }, { "min_wait", AT(min_wait), 8 },
		{ "sigmask", AT(sigmask), 8 },
	};

	ring_push_nops(&self->ring, 1, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (unsigned int bit = 0; bit < 8 * fields[i].size; bit++) {
			struct io_ring_enter arg = { .to_submit = 1 };

			((unsigned char *)&arg)[fields[i].offset + bit / 8] = 1U << bit % 8;
			EXPECT_EQ(EINVAL, enter_errno(&self->ring, &arg)) {
				TH_LOG("bit %u of %s", bit, fields[i].name);
			}
			EXPECT_EQ(fields[i].offset, arg.error_field) {
				TH_LOG("bit %u of %s", bit, fields[i].name);
			}
		}
	}
	EXPECT_EQ(0, sq_head(&self->ring));
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 1));
}

TEST_F(enter, argument_is_only_written_on_errors)
{
	struct io_ring_enter arg = { .to_submit = 1, .min_complete = 1 };
	const struct io_ring_enter before = arg;

	ring_push_nops(&self->ring, 1, 0);
	EXPECT_EQ(1, ring_enter_fd(self->ring.fd, &arg));
	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
}

TEST_F(enter, argument_that_cannot_be_read)
{
	unsigned char *page = guarded_pages(1);
	unsigned char *guard = page + 4096;
	struct io_ring_enter arg = { .to_submit = 1 };

	ASSERT_NE(NULL, page);
	ring_push_nops(&self->ring, 1, 0);
	EXPECT_EQ(EFAULT, enter_errno(&self->ring, NULL));
	EXPECT_EQ(EFAULT, enter_errno(&self->ring, (void *)~0UL));
	EXPECT_EQ(EFAULT, enter_errno(&self->ring, WILD_ADDRESS));
	EXPECT_EQ(EFAULT, enter_errno(&self->ring, guard));
	memcpy(guard - 16, &arg, 16);
	EXPECT_EQ(EFAULT, enter_errno(&self->ring, guard - 16));
	EXPECT_EQ(0, sq_head(&self->ring));
	guarded_free(page, 1);
}

FIXTURE(stop)
{
	struct ring ring;
};

FIXTURE_SETUP(stop)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, IO_RING_SETUP_STOP_ON_REJECT));
}

FIXTURE_TEARDOWN(stop)
{
	ring_close(&self->ring);
}

TEST_F(stop, rejected_entry_is_the_last_one_taken)
{
	struct io_ring_sqe bad = sqe_nop(1);
	struct io_ring_cqe cqe;

	bad.flags = 1;
	ring_push_nops(&self->ring, 1, 0);
	ring_push(&self->ring, &bad);
	ring_push_nops(&self->ring, 2, 2);
	/* It takes fewer than it was asked for, so it does not wait for four either. */
	EXPECT_EQ(2, ring_enter(&self->ring, 4, 4));
	EXPECT_EQ(2, sq_head(&self->ring));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(0, cqe.res);
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(-EINVAL, cqe.res);
	EXPECT_EQ(1, cqe_rejected_field(&cqe));
	EXPECT_EQ(2, ring_enter(&self->ring, 2, 2));
	expect_nops(_metadata, &self->ring, 2, 2);
}

TEST_F(stop, error_of_a_request_is_no_rejection)
{
	struct io_ring_sqe fails;
	void *guard = guarded_pages(0);
	struct io_ring_cqe cqe;
	int file = temp_file(TMPFS_DIR);

	ASSERT_NE(NULL, guard);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, 16, 0));
	fails = sqe_rw(IO_RING_OP_READ, file, guard, 16, 0);
	ring_push(&self->ring, &fails);
	ring_push_nops(&self->ring, 1, 7);
	EXPECT_EQ(2, ring_enter(&self->ring, 2, 2));
	ASSERT_EQ(2, ring_ready(&self->ring));
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		EXPECT_EQ(cqe.user_data ? 0 : -EFAULT, cqe.res);
		EXPECT_EQ(0, cqe.flags);
	}
	guarded_free(guard, 0);
}

TEST_HARNESS_MAIN
