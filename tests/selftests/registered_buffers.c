// SPDX-License-Identifier: GPL-2.0-only
/* The table of registered buffers: what can be in it, and how it changes. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "files.h"
#include "harness.h"
#include "pinned.h"
#include "process.h"

#define AT(member) offsetof(struct io_ring_register, member)
#define PAGES 4
#define MAX_LEN IO_RING_MAX_BUFFER_LEN

FIXTURE(table)
{
	struct ring ring;
	unsigned char *memory;	/* PAGES, and one that cannot be accessed */
	struct buffers_call call;
};

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	self->memory = guarded_pages(PAGES);
	ASSERT_NE(NULL, self->memory);
}

FIXTURE_TEARDOWN(table)
{
	ring_close(&self->ring);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(0, pins_of_kernel());
}

TEST_F(table, pins_what_it_holds)
{
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, PAGES * PAGE));
	EXPECT_EQ(PAGES, pinned_here());
	EXPECT_EQ(PAGES, pinned_by_all());
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pinned_by_all());
}

TEST_F(table, there_is_one)
{
	EXPECT_EQ(-ENXIO, buffers_unregister(&self->ring));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, PAGE));
	EXPECT_EQ(-EBUSY, buffer_register(&self->ring, self->memory, PAGE));
	EXPECT_EQ(1, pinned_here());
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	EXPECT_EQ(-ENXIO, buffers_unregister(&self->ring));
}

static void expect_refused(struct __test_metadata *_metadata, const struct ring *ring,
			   struct buffers_call *call, int error, unsigned int field)
{
	EXPECT_EQ(-1, ioctl(ring->fd, IO_RING_REGISTER, &call->arg));
	EXPECT_EQ(error, errno);
	EXPECT_EQ(field, call->arg.error_field);
	EXPECT_EQ(0, pinned_here());
}

TEST_F(table, numbers_out_of_range)
{
	static const __u32 numbers[] = { 0, IO_RING_MAX_BUFFERS + 1, 1U << 31, ~0U };
	struct buffers_call call = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(-EINVAL, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS, NULL,
						numbers[i], NULL));
		EXPECT_EQ(AT(nr), call.arg.error_field);
	}
	EXPECT_EQ(0, buffers_register(&self->ring, NULL, IO_RING_MAX_BUFFERS, NULL));
	EXPECT_EQ(0, pinned_here());
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(-EINVAL, buffers_call(&self->ring, &call, IO_RING_UPDATE_BUFFERS, NULL,
						numbers[i], NULL));
		EXPECT_EQ(AT(nr), call.arg.error_field);
	}
}

TEST_F(table, members_that_must_be_zero)
{
	struct buffers_call call = { 0 };

	for (unsigned int bit = 0; bit < 32; bit++) {
		call.resources.first = 1U << bit;
		EXPECT_EQ(-EINVAL, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS, NULL,
						1, NULL));
		EXPECT_EQ(AT(addr), call.arg.error_field);
		call.resources.first = 0;
		for (__u32 op = 0; op <= IO_RING_UPDATE_BUFFERS; op += IO_RING_UPDATE_BUFFERS) {
			call.resources.resv = 1U << bit;
			EXPECT_EQ(-EINVAL, buffers_call(&self->ring, &call, op, NULL, 1, NULL));
			EXPECT_EQ(AT(addr), call.arg.error_field);
		}
		call.resources.resv = 0;
	}
	call.arg.opcode = IO_RING_UNREGISTER_BUFFERS;
	call.arg.error_field = 0;
	expect_refused(_metadata, &self->ring, &call, EINVAL, AT(addr));
	call.arg.addr = 0;
	call.arg.nr = 1;
	call.arg.error_field = 0;
	expect_refused(_metadata, &self->ring, &call, EINVAL, AT(nr));
}

TEST_F(table, addresses_that_cannot_be_read)
{
	unsigned char *guard = self->memory + PAGES * PAGE;
	const struct io_ring_buffer *cut = (void *)(guard - sizeof(*cut) - 8);
	struct buffers_call call = { 0 };
	__u64 *tag = (void *)(guard - 4);

	memset(guard - 64, 0, 64);
	EXPECT_EQ(-EFAULT, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS, cut, 2,
					NULL));
	EXPECT_EQ(AT(addr), call.arg.error_field);
	EXPECT_EQ(1, call.arg.error_index);
	EXPECT_EQ(-EFAULT, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS,
					(void *)guard, 2, NULL));
	EXPECT_EQ(0, call.arg.error_index);
	EXPECT_EQ(-EFAULT, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS, NULL, 1,
					tag));
	EXPECT_EQ(-EFAULT, buffers_call(&self->ring, &call, IO_RING_REGISTER_BUFFERS, NULL, 1,
					(void *)~7UL));
	call.arg.addr = (uintptr_t)guard;
	call.arg.error_field = 0;
	call.arg.error_index = 0;
	expect_refused(_metadata, &self->ring, &call, EFAULT, AT(addr));
}

/* The second of three: what is before it is not left pinned. */
static void expect_bad_element(struct __test_metadata *_metadata, const struct ring *ring,
			       const void *good, struct io_ring_buffer bad, __u64 tag, int error)
{
	const struct io_ring_buffer list[] = {
		buffer_at(good, PAGE), bad, buffer_at(good, PAGE),
	};
	const __u64 tags[] = { 0, tag, 0 };
	struct buffers_call call = { 0 };

	EXPECT_EQ(-error, buffers_call(ring, &call, IO_RING_REGISTER_BUFFERS, list, 3, tags)) {
		TH_LOG("address 0x%llx, length 0x%llx", bad.addr, bad.len);
	}
	EXPECT_EQ(AT(addr), call.arg.error_field);
	EXPECT_EQ(1, call.arg.error_index);
	EXPECT_EQ(0, pinned_here());
	EXPECT_EQ(0, pinned_by_all());
	EXPECT_EQ(-ENXIO, buffers_unregister(ring));
}

TEST_F(table, elements_that_make_no_sense)
{
	const struct {
		struct io_ring_buffer buffer;
		__u64 tag;
		int error;
	} bad[] = {
		{ { 1, 0 }, 0, EINVAL },
		{ { (uintptr_t)self->memory, 0 }, 0, EINVAL },
		{ { 0, 0 }, 1, EINVAL },
		{ { IO_RING_BUFFER_KEEP, 0 }, 1, EINVAL },
		{ { (uintptr_t)self->memory, MAX_LEN + 1ULL }, 0, E2BIG },
		{ { (uintptr_t)self->memory, 1ULL << 32 }, 0, E2BIG },
		{ { (uintptr_t)self->memory, ~0ULL }, 0, E2BIG },
		{ { 0, 1 }, 0, EFAULT },
		{ { ~0ULL, 1 }, 0, EFAULT },
		{ { ~0ULL, MAX_LEN }, 0, EFAULT },
		{ { 1ULL << 63, PAGE }, 0, EFAULT },
		{ { (uintptr_t)self->memory, (PAGES + 1) * PAGE }, 0, EFAULT },
		{ { (uintptr_t)self->memory + PAGES * PAGE - 1, 2 }, 0, EFAULT },
		{ { (uintptr_t)self->memory + PAGES * PAGE, 1 }, 0, EFAULT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_bad_element(_metadata, &self->ring, self->memory, bad[i].buffer, bad[i].tag,
				   bad[i].error);
}

/* Memory that has to be written through its mapping, or not at all. */
TEST_F(table, memory_that_cannot_be_pinned)
{
	int disk = temp_file(EXT4_DIR);
	unsigned char *shared, *constant;
	unsigned char byte;

	ASSERT_LE(0, disk);
	ASSERT_EQ(0, ftruncate(disk, PAGE));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, disk, 0);
	ASSERT_NE(MAP_FAILED, shared);
	constant = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, constant);
	for (int touched = 0; touched < 2; touched++) {
		expect_bad_element(_metadata, &self->ring, self->memory, buffer_at(shared, PAGE), 0,
				   EFAULT);
		expect_bad_element(_metadata, &self->ring, self->memory, buffer_at(constant, PAGE),
				   0, EFAULT);
		shared[0] = 1;
		byte = constant[0];
		EXPECT_EQ(0, byte);
	}
	munmap(shared, PAGE);
	munmap(constant, PAGE);
	close(disk);
}

TEST_F(table, can_have_holes)
{
	const struct io_ring_buffer list[] = {
		{ 0 }, buffer_at(self->memory, PAGE), { IO_RING_BUFFER_KEEP, 0 },
	};
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, buffers_register(&self->ring, list, 3, NULL));
	EXPECT_EQ(1, pinned_here());
	for (unsigned int i = 0; i < 4; i++) {
		const struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, -1, i,
							 self->memory, 1, 0);
		const int null = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		struct io_ring_sqe good = sqe;

		ASSERT_LE(0, null);
		good.fd = null;
		ASSERT_EQ(0, ring_run(&self->ring, &good, &cqe));
		EXPECT_EQ(i == 1 ? 1 : -EFAULT, cqe.res);
		EXPECT_EQ(i == 1 ? -1 : (int)offsetof(struct io_ring_sqe, buf_index),
			  cqe_rejected_field(&cqe));
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(-EBADF, cqe.res);
		close(null);
	}
}

TEST_F(table, updates_set_clear_and_keep)
{
	struct io_ring_buffer list[] = {
		buffer_at(self->memory, PAGE), buffer_at(self->memory, 2 * PAGE), { 0 },
	};
	int file = temp_file(TMPFS_DIR);
	struct io_ring_cqe cqe;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, PAGE, 1));
	ASSERT_EQ(0, buffers_register(&self->ring, list, 3, NULL));
	EXPECT_EQ(3, pinned_here());
	list[0] = (struct io_ring_buffer) { .addr = IO_RING_BUFFER_KEEP };
	list[1] = (struct io_ring_buffer) { 0 };
	list[2] = buffer_at(self->memory + PAGE, 3 * PAGE);
	ASSERT_EQ(0, buffers_update(&self->ring, 0, list, 3, NULL));
	EXPECT_EQ(4, pinned_here());
	for (unsigned int i = 0; i < 3; i++) {
		const struct io_ring_sqe sqe = sqe_buffer(IO_RING_OP_READ_FIXED, file, i,
							 self->memory + (i ? PAGE : 0), PAGE, 0);

		memset(self->memory, 0, PAGES * PAGE);
		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		EXPECT_EQ(i == 1 ? -EFAULT : PAGE, cqe.res);
		EXPECT_EQ(i == 1 ? 0 : PAGE,
			  pattern_mismatch(self->memory + (i ? PAGE : 0), PAGE, 1, 0));
	}
	ASSERT_EQ(0, buffers_update(&self->ring, 2, NULL, 1, NULL));
	EXPECT_EQ(1, pinned_here());
	close(file);
}

TEST_F(table, updates_all_or_nothing)
{
	const struct io_ring_buffer list[] = {
		{ 0 }, buffer_at(self->memory, PAGE), buffer_at(self->memory, (PAGES + 1) * PAGE),
	};
	static const __u32 beyond[] = { 1, 2, 3, 4, 1U << 31, ~0U - 2, ~0U };
	struct buffers_call call = { 0 };

	EXPECT_EQ(-ENXIO, buffers_update(&self->ring, 0, list, 2, NULL));
	EXPECT_EQ(0, pinned_here());
	ASSERT_EQ(0, buffers_register(&self->ring, list + 1, 1, NULL));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_EQ(0, buffers_register(&self->ring, NULL, 3, NULL));
	ASSERT_EQ(0, buffers_update(&self->ring, 0, list + 1, 1, NULL));
	EXPECT_EQ(-EFAULT, buffers_call(&self->ring, &call, IO_RING_UPDATE_BUFFERS, list, 3, NULL));
	EXPECT_EQ(2, call.arg.error_index);
	EXPECT_EQ(1, pinned_here());
	for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
		call.resources.first = beyond[i];
		EXPECT_EQ(-EINVAL, buffers_call(&self->ring, &call, IO_RING_UPDATE_BUFFERS, NULL, 3,
						NULL));
		EXPECT_EQ(AT(nr), call.arg.error_field);
		EXPECT_EQ(1, pinned_here());
	}
}

TEST_F(table, tags_come_back_once)
{
	struct io_ring_buffer list[2] = {
		buffer_at(self->memory, PAGE), buffer_at(self->memory, PAGE),
	};
	const __u64 tags[] = { 7, ~0ULL };
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, buffers_register(&self->ring, list, 2, tags));
	EXPECT_EQ(0, ring_ready(&self->ring));
	list[1] = (struct io_ring_buffer) { .addr = IO_RING_BUFFER_KEEP };
	ASSERT_EQ(0, buffers_update(&self->ring, 0, list, 2, NULL));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(7, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
	EXPECT_EQ(0, cqe.flags);
	EXPECT_EQ(0, ring_ready(&self->ring));
	ASSERT_EQ(0, buffers_unregister(&self->ring));
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	EXPECT_EQ(~0ULL, cqe.user_data);
	EXPECT_EQ(0, ring_ready(&self->ring));
}

TEST_F(table, tags_need_room)
{
	struct io_ring_buffer list[32];
	__u64 tags[32];

	for (unsigned int i = 0; i < 32; i++) {
		list[i] = buffer_at(self->memory, PAGE);
		tags[i] = i + 1;
	}
	ASSERT_EQ(0, buffers_register(&self->ring, list, 32, tags));
	EXPECT_EQ(-EBUSY, buffers_unregister(&self->ring));
	EXPECT_EQ(32, pinned_here());
	ASSERT_EQ(0, buffers_update(&self->ring, 0, NULL, 16, NULL));
	EXPECT_EQ(16, ring_ready(&self->ring));
	EXPECT_EQ(16, pinned_here());
}

static int registers(void *arg)
{
	const struct ring *ring = arg;
	unsigned char *memory = new_pages(1);
	const struct io_ring_buffer buffer = buffer_at(memory, PAGE);

	if (buffer_register(ring, memory, PAGE) != -EPERM)
		return 1;
	if (buffers_update(ring, 0, &buffer, 1, NULL) != -EPERM)
		return 2;
	if (buffers_unregister(ring) != -EPERM)
		return 3;
	return pinned_here();
}

TEST_F(table, belongs_to_the_process_of_the_ring)
{
	EXPECT_EQ(0, in_child(registers, &self->ring));
	ASSERT_EQ(0, buffer_register(&self->ring, self->memory, PAGE));
	EXPECT_EQ(0, in_child(registers, &self->ring));
	EXPECT_EQ(1, pinned_here());
}

TEST_HARNESS_MAIN
