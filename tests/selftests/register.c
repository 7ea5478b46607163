// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_REGISTER: its argument and that of its opcode, and what it does not know. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define AT(member) offsetof(struct io_ring_register, member)

/* A call that is right. */
FIXTURE(reg)
{
	struct ring ring;
	struct io_ring_quiesce quiesce;
	struct io_ring_register arg;
};

FIXTURE_SETUP(reg)
{
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
	self->arg = (struct io_ring_register) {
		.size = sizeof(self->arg),
		.opcode = IO_RING_REGISTER_QUIESCE,
		.addr = (uintptr_t)&self->quiesce,
		.nr = 1,
	};
}

FIXTURE_TEARDOWN(reg)
{
	ring_close(&self->ring);
}

static int register_at(const struct ring *ring, void *arg)
{
	return ioctl(ring->fd, IO_RING_REGISTER, arg) < 0 ? errno : 0;
}

TEST_F(reg, accepts_what_is_right)
{
	const struct io_ring_register before = self->arg;

	EXPECT_EQ(0, register_at(&self->ring, &self->arg));
	EXPECT_EQ(0, memcmp(&before, &self->arg, sizeof(before)));
}

static bool is_known(__u32 opcode)
{
	switch (opcode) {
	case IO_RING_REGISTER_BUFFERS:
	case IO_RING_UNREGISTER_BUFFERS:
	case IO_RING_REGISTER_EVENTFD:
	case IO_RING_UNREGISTER_EVENTFD:
	case IO_RING_REGISTER_EVENTFD_ASYNC:
	case IO_RING_UNREGISTER_FILES:
	case IO_RING_REGISTER_FILES:
	case IO_RING_UPDATE_FILES:
	case IO_RING_UPDATE_BUFFERS:
	case IO_RING_REGISTER_QUIESCE:
		return true;
	default:
		return false;
	}
}

TEST_F(reg, opcodes_that_are_unknown)
{
	for (__u64 opcode = 0; opcode <= 0x100000000ULL; opcode = opcode < 256 ? opcode + 1 :
								    opcode * 2) {
		struct io_ring_register arg = self->arg;

		arg.opcode = opcode;
		if (is_known(opcode))
			continue;
		EXPECT_EQ(EINVAL, register_at(&self->ring, &arg)) {
			TH_LOG("opcode %llu", opcode);
		}
		EXPECT_EQ(AT(opcode), arg.error_field) {
			TH_LOG("opcode %llu", opcode);
		}
	}
}

TEST_F(reg, blames_the_size)
{
	static const __u32 sizes[] = { 0, 1, 16, 31, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_ring_register arg = self->arg;
		int error;

		arg.size = sizes[i];
		error = register_at(&self->ring, &arg);
		EXPECT_TRUE(error == EINVAL || (error == E2BIG && sizes[i] > sizeof(arg))) {
			TH_LOG("size %u: errno %d", sizes[i], error);
		}
		EXPECT_EQ(AT(size), arg.error_field);
	}
}

TEST_F(reg, larger_sizes_have_to_end_in_zeros)
{
	static const unsigned int extra[] = { 1, 8, 64, 4096 - sizeof(struct io_ring_register) };
	unsigned char *page = guarded_pages(1);
	struct io_ring_register *arg = (void *)page;

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
		__u32 size = sizeof(*arg) + extra[i];

		memset(page, 0, 4096);
		*arg = self->arg;
		arg->size = size;
		EXPECT_EQ(0, register_at(&self->ring, arg)) {
			TH_LOG("%u bytes more, all 0", extra[i]);
		}
		page[size - 1] = 1;
		EXPECT_EQ(E2BIG, register_at(&self->ring, arg)) {
			TH_LOG("%u bytes more, the last is 1", extra[i]);
		}
	}
	guarded_free(page, 1);
}

TEST_F(reg, fields_that_must_be_zero)
{
	static const unsigned int offsets[] = { AT(flags), AT(error_field),
						 AT(error_index) };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct io_ring_register arg = self->arg;

			((__u32 *)&arg)[offsets[i] / sizeof(__u32)] = 1U << bit;
			EXPECT_EQ(EINVAL, register_at(&self->ring, &arg));
			EXPECT_EQ(offsets[i], arg.error_field) {
				TH_LOG("offset %u, bit %u", offsets[i], bit);
			}
		}
	}
}

TEST_F(reg, argument_that_cannot_be_accessed)
{
	unsigned char *page = guarded_pages(1);
	unsigned char *guard = page + 4096;

	ASSERT_NE(NULL, page);
	EXPECT_EQ(EFAULT, register_at(&self->ring, NULL));
	EXPECT_EQ(EFAULT, register_at(&self->ring, (void *)~0UL));
	EXPECT_EQ(EFAULT, register_at(&self->ring, guard));
	memcpy(guard - 16, &self->arg, 16);
	EXPECT_EQ(EFAULT, register_at(&self->ring, guard - 16));
	guarded_free(page, 1);
}

/* A QUIESCE that is wrong cancels nothing. */
FIXTURE(quiesce)
{
	struct ring ring;
	int ends[2];
	char byte;
	struct io_ring_quiesce quiesce;
	struct io_ring_register args;
};

FIXTURE_SETUP(quiesce)
{
	struct io_ring_sqe sqe;

	ASSERT_EQ(0, pipe2(self->ends, O_CLOEXEC));
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
	sqe = sqe_rw(IO_RING_OP_READ, self->ends[0], &self->byte, 1, 0);
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	self->args = (struct io_ring_register) {
		.size = sizeof(self->args),
		.opcode = IO_RING_REGISTER_QUIESCE,
		.addr = (uintptr_t)&self->quiesce,
		.nr = 1,
	};
}

FIXTURE_TEARDOWN(quiesce)
{
	EXPECT_EQ(0, ring_ready(&self->ring));
	EXPECT_EQ(1, fdinfo_value(self->ring.fd, "in_flight"));
	ring_close(&self->ring);
}

static void expect_error(struct __test_metadata *_metadata, const struct ring *ring,
			 struct io_ring_register args, int error, unsigned int field)
{
	EXPECT_EQ(-1, ioctl(ring->fd, IO_RING_REGISTER, &args));
	EXPECT_EQ(error, errno);
	EXPECT_EQ(field, args.error_field);
}

TEST_F(quiesce, number_other_than_one)
{
	static const __u32 numbers[] = { 0, 2, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		self->args.nr = numbers[i];
		expect_error(_metadata, &self->ring, self->args, EINVAL, AT(nr));
	}
}

TEST_F(quiesce, bad_address)
{
	unsigned char *page = guarded_pages(1);
	const __u64 addresses[] = {
		0, 8, (uintptr_t)page + 4096, (uintptr_t)page + 4096 - 8, 1ULL << 63, ~0ULL,
	};

	ASSERT_NE(NULL, page);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		self->args.addr = addresses[i];
		expect_error(_metadata, &self->ring, self->args, EFAULT, AT(addr));
	}
	guarded_free(page, 1);
}

TEST_F(quiesce, members_out_of_range)
{
	const unsigned int field = AT(addr);

	self->quiesce.timeout = 1ULL << 63;
	expect_error(_metadata, &self->ring, self->args, EINVAL, field);
	self->quiesce.timeout = ~0ULL;
	expect_error(_metadata, &self->ring, self->args, EINVAL, field);
	for (unsigned int bit = 0; bit < 32; bit++) {
		self->quiesce = (struct io_ring_quiesce) { .left = 1U << bit };
		expect_error(_metadata, &self->ring, self->args, EINVAL, field);
		self->quiesce = (struct io_ring_quiesce) { .resv = 1U << bit };
		expect_error(_metadata, &self->ring, self->args, EINVAL, field);
	}
}

TEST(quiesce_for_the_longest_time)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	EXPECT_EQ(0, ring_quiesce(&ring, (1ULL << 63) - 1, NULL));
	ring_close(&ring);
}

TEST_HARNESS_MAIN
