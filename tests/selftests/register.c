// SPDX-License-Identifier: GPL-2.0-only
/* IO_RING_REGISTER, which knows no opcode yet, and says so properly. */
#include <errno.h>
#include <sys/ioctl.h>

#include <kselftest_harness.h>

#include "files.h"
#include "ring.h"

FIXTURE(reg)
{
	struct ring ring;
	struct io_ring_register arg;
};

FIXTURE_SETUP(reg)
{
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
	self->arg.size = sizeof(self->arg);
}

FIXTURE_TEARDOWN(reg)
{
	ring_close(&self->ring);
}

static int register_at(const struct ring *ring, void *arg)
{
	return ioctl(ring->fd, IO_RING_REGISTER, arg) < 0 ? errno : 0;
}

TEST_F(reg, knows_no_opcode)
{
	for (__u64 opcode = 0; opcode <= 0x100000000ULL; opcode = opcode < 256 ? opcode + 1 :
								    opcode * 2) {
		struct io_ring_register arg = self->arg;

		arg.opcode = opcode;
		EXPECT_EQ(EINVAL, register_at(&self->ring, &arg)) {
			TH_LOG("opcode %llu", opcode);
		}
		EXPECT_EQ(offsetof(struct io_ring_register, opcode), arg.error_field) {
			TH_LOG("opcode %llu", opcode);
		}
	}
}

TEST_F(reg, blames_the_size)
{
	static const __u32 sizes[] = { 0, 1, 16, 31, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct io_ring_register arg = { .size = sizes[i] };
		int error = register_at(&self->ring, &arg);

		EXPECT_TRUE(error == EINVAL || (error == E2BIG && sizes[i] > sizeof(arg))) {
			TH_LOG("size %u: errno %d", sizes[i], error);
		}
		EXPECT_EQ(offsetof(struct io_ring_register, size), arg.error_field);
	}
}

/* The opcode is wrong in any case, so that one of the two is to blame. */
TEST_F(reg, refuses_fields_that_must_be_zero)
{
	static const unsigned int offsets[] = {
		offsetof(struct io_ring_register, flags),
		offsetof(struct io_ring_register, error_field),
		offsetof(struct io_ring_register, resv),
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct io_ring_register arg = self->arg;

			((__u32 *)&arg)[offsets[i] / sizeof(__u32)] = 1U << bit;
			EXPECT_EQ(EINVAL, register_at(&self->ring, &arg));
			EXPECT_TRUE(arg.error_field == offsets[i] ||
				    arg.error_field == offsetof(struct io_ring_register, opcode)) {
				TH_LOG("offset %u, bit %u: blames %u", offsets[i], bit,
				       arg.error_field);
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

TEST_HARNESS_MAIN
