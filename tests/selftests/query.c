// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_QUERY: its argument, and what it says of the ABI as a whole. */
#include <errno.h>
#include <sys/ioctl.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define OPS_MAX (IO_RING_OP_COPY_FILE_RANGE + 1)
#define MAX_OPS 256

static int query_at(int fd, void *arg)
{
	return ioctl(fd, IO_RING_QUERY, arg) < 0 ? errno : 0;
}

FIXTURE(query)
{
	int control;
	struct io_ring_query q;
};

FIXTURE_SETUP(query)
{
	self->control = control_open();
	ASSERT_LE(0, self->control);
	self->q.size = sizeof(self->q);
}

FIXTURE_TEARDOWN(query)
{
	close(self->control);
}

static void expect_this_abi(struct __test_metadata *_metadata, const struct io_ring_query *q)
{
	const __u32 setup_flags = IO_RING_SETUP_IOPOLL | IO_RING_SETUP_SQPOLL |
				  IO_RING_SETUP_SQ_AFF | IO_RING_SETUP_CQSIZE |
				  IO_RING_SETUP_CLAMP | IO_RING_SETUP_SUBMIT_ALL |
				  IO_RING_SETUP_NO_SQARRAY | IO_RING_SETUP_REBIND |
				  IO_RING_SETUP_FORK_SHARED | IO_RING_SETUP_STOP_ON_REJECT;
	const __u32 enter_flags = IO_RING_ENTER_ABS_TIMER | IO_RING_ENTER_NO_STALL |
				  IO_RING_ENTER_SQ_WAKEUP | IO_RING_ENTER_SQ_WAIT;
	const __u64 features = IO_RING_FEAT_SINGLE_MMAP | IO_RING_FEAT_NODROP |
			       IO_RING_FEAT_SUBMIT_STABLE | IO_RING_FEAT_RW_CUR_POS;

	EXPECT_EQ(64, q->size);
	EXPECT_EQ(IO_RING_ABI_VERSION, q->abi_version);
	EXPECT_EQ(OPS_MAX, q->ops_max);
	EXPECT_EQ(features, q->features);
	EXPECT_EQ(setup_flags, q->setup_flags);
	EXPECT_EQ(enter_flags, q->enter_flags);
	EXPECT_EQ(IO_RING_MAX_ENTRIES, q->max_entries);
	EXPECT_EQ(IO_RING_MAX_CQ_ENTRIES, q->max_cq_entries);
	EXPECT_EQ(IO_RING_MAX_REQUESTS, q->max_requests);
	EXPECT_EQ(0, q->disabled);
	EXPECT_EQ(number_read(PARAM_MAX_WORKERS), q->max_workers);
}

TEST_F(query, describes_this_abi)
{
	ASSERT_EQ(0, query_at(self->control, &self->q));
	expect_this_abi(_metadata, &self->q);
}

TEST_F(query, is_the_same_on_a_ring)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 1, 0));
	EXPECT_EQ(0, query_at(ring.fd, &self->q));
	expect_this_abi(_metadata, &self->q);
	ring_close(&ring);
}

#define OUTPUT(member) { #member, offsetof(struct io_ring_query, member) }

static const struct {
	const char *name;
	unsigned int offset;
} must_be_zero[] = {
	OUTPUT(abi_version), OUTPUT(ops_max), OUTPUT(features), OUTPUT(setup_flags),
	OUTPUT(enter_flags), OUTPUT(max_entries), OUTPUT(max_cq_entries), OUTPUT(max_requests),
	OUTPUT(disabled), OUTPUT(error_field), OUTPUT(max_workers),
};

TEST_F(query, blames_outputs_that_are_not_zero)
{
	for (size_t i = 0; i < ARRAY_SIZE(must_be_zero); i++) {
		for (unsigned int byte = 0; byte < 4; byte++) {
			struct io_ring_query q = { .size = sizeof(q) };

			((unsigned char *)&q)[must_be_zero[i].offset + byte] = 0x80;
			EXPECT_EQ(EINVAL, query_at(self->control, &q)) {
				TH_LOG("byte %u of %s", byte, must_be_zero[i].name);
			}
			EXPECT_EQ(must_be_zero[i].offset, q.error_field) {
				TH_LOG("byte %u of %s", byte, must_be_zero[i].name);
			}
		}
	}
}

TEST_F(query, size_below_the_smallest)
{
	static const __u32 sizes[] = { 0, 1, 4, 60, 63 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_ring_query q = { .size = sizes[i] };

		EXPECT_EQ(EINVAL, query_at(self->control, &q)) {
			TH_LOG("size %u", sizes[i]);
		}
		EXPECT_EQ(0, q.error_field);
		EXPECT_EQ(0, q.abi_version);
	}
}

TEST_F(query, size_above_the_known)
{
	static const unsigned int extra[] = { 1, 8, 100, 4032 };
	unsigned char *page = guarded_pages(1);
	struct io_ring_query *q = (void *)page;

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
		__u32 size = sizeof(*q) + extra[i];

		memset(page, 0, 4096);
		q->size = size;
		EXPECT_EQ(0, query_at(self->control, q)) {
			TH_LOG("%u bytes more, all 0", extra[i]);
		}
		EXPECT_EQ(IO_RING_ABI_VERSION, q->abi_version);
		EXPECT_TRUE(all_bytes(page + sizeof(*q), 4096 - sizeof(*q), 0));

		memset(page, 0, 4096);
		q->size = size;
		page[size - 1] = 1;
		EXPECT_EQ(E2BIG, query_at(self->control, q)) {
			TH_LOG("%u bytes more, the last is 1", extra[i]);
		}
		EXPECT_EQ(0, q->abi_version);
	}
	guarded_free(page, 1);
}

/* The limit is a page: the size alone is refused, before the rest is looked at. */
TEST_F(query, sizes_beyond_a_page)
{
	static const __u32 sizes[] = { 4097, 8192, 1U << 20, 1U << 31, ~0U };
	unsigned char *page = guarded_pages(1);
	struct io_ring_query *q = (void *)page;

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(page, 0, 4096);
		q->size = sizes[i];
		EXPECT_EQ(E2BIG, query_at(self->control, q)) {
			TH_LOG("size %u", sizes[i]);
		}
	}
	guarded_free(page, 1);
}

TEST_F(query, argument_that_cannot_be_accessed)
{
	unsigned char *page = guarded_pages(1);
	struct io_ring_query *q = (void *)page;
	unsigned char *guard = page + 4096;

	ASSERT_NE(NULL, page);
	EXPECT_EQ(EFAULT, query_at(self->control, NULL));
	EXPECT_EQ(EFAULT, query_at(self->control, (void *)~0UL));
	EXPECT_EQ(EFAULT, query_at(self->control, WILD_ADDRESS));
	EXPECT_EQ(EFAULT, query_at(self->control, guard));
	memcpy(guard - 32, &self->q, 32);
	EXPECT_EQ(EFAULT, query_at(self->control, guard - 32));
	*q = self->q;
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(EFAULT, query_at(self->control, q));
	guarded_free(page, 1);
}

/* Ask for len operations at the end of an accessible page. */
static void expect_ops(struct __test_metadata *_metadata, int control, __u32 len, __u32 room)
{
	const __u32 max = OPS_MAX;
	unsigned char *page = guarded_pages(2);
	struct io_ring_op_info *ops = (void *)(page + 8192 - room * sizeof(*ops));
	struct io_ring_query q = { .size = sizeof(q), .ops = (uintptr_t)ops, .ops_len = len };
	__u32 written = len < max ? len : max;

	ASSERT_NE(NULL, page);
	memset(page, 0xa5, 8192);
	EXPECT_EQ(0, query_at(control, &q)) {
		TH_LOG("ops_len %u, room for %u", len, room);
	}
	EXPECT_EQ(written, q.ops_len);
	EXPECT_EQ(max, q.ops_max);
	for (__u32 i = 0; i < written; i++)
		EXPECT_EQ(i, ops[i].opcode);
	EXPECT_TRUE(all_bytes(ops + written, (room - written) * sizeof(*ops), 0xa5));
	EXPECT_TRUE(all_bytes(page, (unsigned char *)ops - page, 0xa5));
	guarded_free(page, 2);
}

TEST_F(query, ops_array_of_any_length)
{
	expect_ops(_metadata, self->control, 0, 0);
	expect_ops(_metadata, self->control, 1, 1);
	expect_ops(_metadata, self->control, 5, 8);
	expect_ops(_metadata, self->control, OPS_MAX - 1, OPS_MAX - 1);
	expect_ops(_metadata, self->control, OPS_MAX, OPS_MAX);
	expect_ops(_metadata, self->control, MAX_OPS, MAX_OPS);
	expect_ops(_metadata, self->control, ~0U, OPS_MAX);
}

TEST_F(query, ops_array_that_is_not_wanted)
{
	self->q.ops_len = 5;
	EXPECT_EQ(0, query_at(self->control, &self->q));
	EXPECT_EQ(0, self->q.ops_len);
	EXPECT_EQ(OPS_MAX, self->q.ops_max);
}

TEST_F(query, ops_array_that_cannot_be_written)
{
	unsigned char *page = guarded_pages(1);
	unsigned char *guard = page + 4096;
	const uintptr_t bad[] = { 1, (uintptr_t)guard, (uintptr_t)guard - 24, ~0UL,
				  (uintptr_t)WILD_ADDRESS };

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct io_ring_query q = { .size = sizeof(q), .ops = bad[i], .ops_len = MAX_OPS };

		EXPECT_EQ(EFAULT, query_at(self->control, &q)) {
			TH_LOG("ops at %#lx", bad[i]);
		}
	}
	guarded_free(page, 1);
}

TEST_HARNESS_MAIN
