// SPDX-License-Identifier: GPL-2.0-only
/* An eventfd that is told of completions: which ones, when, and for how long. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "actor.h"
#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"
#include "stuck.h"
#include "way.h"

#define ENTRIES 8
#define DELAY (20 * MS)
#define TAG 77

#define AT(member) offsetof(struct io_ring_register, member)

static int eventfd_register(const struct ring *ring, __u32 opcode, int eventfd)
{
	struct io_ring_register args = register_args(opcode, &eventfd, 1);

	return ring_register(ring, &args);
}

static int eventfd_unregister(const struct ring *ring)
{
	struct io_ring_register args = register_args(IO_RING_UNREGISTER_EVENTFD, NULL, 0);

	return ring_register(ring, &args);
}

/* How often an eventfd that does not block has been signalled since the last time. */
static __u64 signals(int eventfd)
{
	__u64 count;

	return read(eventfd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void reap(const struct ring *ring)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe))
		;
}

FIXTURE(args)
{
	struct ring ring;
	int eventfd;
	struct io_ring_register arg;
};

FIXTURE_VARIANT(args)
{
	__u32 opcode;
};

FIXTURE_VARIANT_ADD(args, all) { .opcode = IO_RING_REGISTER_EVENTFD };
FIXTURE_VARIANT_ADD(args, async) { .opcode = IO_RING_REGISTER_EVENTFD_ASYNC };

FIXTURE_SETUP(args)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->eventfd);
	self->arg = register_args(variant->opcode, &self->eventfd, 1);
}

FIXTURE_TEARDOWN(args)
{
	ring_close(&self->ring);
	close(self->eventfd);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static void expect_refused(struct __test_metadata *_metadata, const struct ring *ring,
			   struct io_ring_register arg, int error, __u32 field)
{
	EXPECT_EQ(-error, ring_register(ring, &arg));
	EXPECT_EQ(field, arg.error_field);
	EXPECT_EQ(0, arg.error_index);
}

TEST_F(args, one_at_a_time)
{
	struct io_ring_register other = self->arg;

	ASSERT_EQ(0, ring_register(&self->ring, &self->arg));
	expect_refused(_metadata, &self->ring, self->arg, EBUSY, IO_RING_NO_FIELD);
	other.opcode = IO_RING_REGISTER_EVENTFD + IO_RING_REGISTER_EVENTFD_ASYNC - variant->opcode;
	expect_refused(_metadata, &self->ring, other, EBUSY, IO_RING_NO_FIELD);
	EXPECT_EQ(0, eventfd_unregister(&self->ring));
	EXPECT_EQ(0, ring_register(&self->ring, &other));
}

TEST_F(args, number_other_than_one)
{
	static const __u32 numbers[] = { 0, 2, 1U << 31, ~0U };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		self->arg.nr = numbers[i];
		expect_refused(_metadata, &self->ring, self->arg, EINVAL, AT(nr));
	}
	EXPECT_EQ(-ENXIO, eventfd_unregister(&self->ring));
}

TEST_F(args, address_that_cannot_be_read)
{
	unsigned char *guard = guarded_pages(1);
	const __u64 wild[] = {
		0, 8, (uintptr_t)guard + 4096, (uintptr_t)guard + 4096 - 3, 1ULL << 63, ~0ULL,
	};

	ASSERT_NE(NULL, guard);
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		self->arg.addr = wild[i];
		expect_refused(_metadata, &self->ring, self->arg, EFAULT, AT(addr));
	}
	guarded_free(guard, 1);
}

TEST_F(args, what_is_no_eventfd)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int path = open("/", O_PATH | O_CLOEXEC);
	const struct {
		int fd;
		int error;
	} others[] = {
		{ null, EINVAL }, { self->ring.fd, EINVAL }, { path, EBADF }, { -1, EBADF },
		{ 12345, EBADF },
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		self->arg.addr = (uintptr_t)&others[i].fd;
		expect_refused(_metadata, &self->ring, self->arg, others[i].error, AT(addr));
	}
	EXPECT_EQ(-ENXIO, eventfd_unregister(&self->ring));
	close(null);
	close(path);
}

TEST_F(args, unregister)
{
	struct io_ring_register arg = register_args(IO_RING_UNREGISTER_EVENTFD, NULL, 0);

	expect_refused(_metadata, &self->ring, arg, ENXIO, IO_RING_NO_FIELD);
	ASSERT_EQ(0, ring_register(&self->ring, &self->arg));
	for (unsigned int bit = 0; bit < 32; bit++) {
		arg.nr = 1U << bit;
		expect_refused(_metadata, &self->ring, arg, EINVAL, AT(nr));
	}
	arg.nr = 0;
	for (unsigned int bit = 0; bit < 64; bit++) {
		arg.addr = 1ULL << bit;
		expect_refused(_metadata, &self->ring, arg, EINVAL, AT(addr));
	}
	EXPECT_EQ(0, eventfd_unregister(&self->ring));
	EXPECT_EQ(-ENXIO, eventfd_unregister(&self->ring));
}

static int try_all(void *arg)
{
	const struct ring *ring = arg;
	int fd = eventfd(0, EFD_CLOEXEC);

	if (eventfd_register(ring, IO_RING_REGISTER_EVENTFD, fd) != -EPERM)
		return 1;
	if (eventfd_register(ring, IO_RING_REGISTER_EVENTFD_ASYNC, -1) != -EPERM)
		return 2;
	return eventfd_unregister(ring) == -EPERM ? 0 : 3;
}

TEST_F(args, other_process)
{
	ASSERT_EQ(0, ring_register(&self->ring, &self->arg));
	EXPECT_EQ(0, in_child(try_all, &self->ring));
	EXPECT_EQ(0, eventfd_unregister(&self->ring));
}

/* A ring with an eventfd, and requests of all kinds. */
FIXTURE(told)
{
	struct ring ring;
	int eventfd;
	struct ways ways;
};

FIXTURE_SETUP(told)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->eventfd);
	ASSERT_TRUE(ways_open(&self->ways, DELAY));
}

FIXTURE_TEARDOWN(told)
{
	ring_close(&self->ring);
	close(self->eventfd);
	ways_close(&self->ways);
	EXPECT_STREQ("", counters_busy() ?: "");
}

static bool await_signal(int eventfd)
{
	struct pollfd pollfd = { .fd = eventfd, .events = POLLIN };

	return poll(&pollfd, 1, patience(SOON)) == 1;
}

static void expect_told(struct __test_metadata *_metadata, const struct ring *ring, int eventfd,
			const struct ways *ways, enum io_ring_path way)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(1, way_begin(ways, ring, way));
	ASSERT_TRUE(way_end(ways, way));
	EXPECT_TRUE(await_signal(eventfd)) {
		TH_LOG("%s", way_names[way]);
	}
	/* Who has been told finds it. */
	ASSERT_TRUE(ring_pop(ring, &cqe));
	EXPECT_TRUE(way_is(&cqe, way));
	EXPECT_EQ(1, signals(eventfd));
}

TEST_F(told, whatever_way_it_comes)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	EXPECT_EQ(0, signals(self->eventfd));
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int way = 0; way < WAYS; way++)
			expect_told(_metadata, &self->ring, self->eventfd, &self->ways, way);
	}
}

TEST_F(told, async_of_what_comes_later)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD_ASYNC,
				      self->eventfd));
	for (unsigned int way = 1; way < WAYS; way++) {
		ring_push_nops(&self->ring, 2, 0);
		ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
		EXPECT_EQ(0, signals(self->eventfd));
		reap(&self->ring);
		expect_told(_metadata, &self->ring, self->eventfd, &self->ways, way);
	}
}

/* Once for all that is handed over together, and not at all for what is not there. */
TEST_F(told, once_for_a_batch)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	ring_push_nops(&self->ring, ENTRIES, 0);
	ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
	EXPECT_EQ(1, signals(self->eventfd));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	ASSERT_EQ(0, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(0, signals(self->eventfd));
	ASSERT_EQ(1, way_begin(&self->ways, &self->ring, IO_RING_PATH_POLLED));
	EXPECT_EQ(0, signals(self->eventfd));
}

/* Once for each that is not. */
TEST_F(told, each_time)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	for (unsigned int i = 0; i < ENTRIES; i++) {
		ring_push_nops(&self->ring, 1, i);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	}
	EXPECT_EQ(ENTRIES, signals(self->eventfd));
}

TEST_F(told, not_of_what_was_there_before)
{
	ring_push_nops(&self->ring, 2, 0);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 0));
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	EXPECT_EQ(0, signals(self->eventfd));
}

TEST_F(told, not_after_the_end)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	ASSERT_EQ(1, way_begin(&self->ways, &self->ring, IO_RING_PATH_POLLED));
	ASSERT_EQ(0, eventfd_unregister(&self->ring));
	ASSERT_TRUE(way_end(&self->ways, IO_RING_PATH_POLLED));
	ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
	EXPECT_EQ(0, signals(self->eventfd));
}

TEST_F(told, of_rejected_entries)
{
	struct io_ring_sqe sqe = { .opcode = 255 };

	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(1, signals(self->eventfd));
}

/* CANCEL and QUIESCE complete what somebody else may wait for. */
TEST_F(told, async_of_what_is_cancelled)
{
	struct io_ring_sqe sqe = sqe_cancel(IO_RING_CANCEL_ANY, 0, 0, 0);

	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD_ASYNC,
				      self->eventfd));
	ASSERT_EQ(1, way_begin(&self->ways, &self->ring, IO_RING_PATH_POLLED));
	ring_push(&self->ring, &sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(1, signals(self->eventfd));
	ASSERT_EQ(1, way_begin(&self->ways, &self->ring, IO_RING_PATH_POLLED));
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	EXPECT_EQ(1, signals(self->eventfd));
}

TEST_F(told, async_of_tags)
{
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD_ASYNC,
				      self->eventfd));
	ASSERT_EQ(0, files_register(&self->ring, NULL, NULL, 1));
	ASSERT_EQ(0, file_replace(&self->ring, 0, self->ways.file, TAG));
	EXPECT_EQ(0, signals(self->eventfd));
	ASSERT_EQ(0, file_replace(&self->ring, 0, -1, 0));
	EXPECT_EQ(1, ring_ready(&self->ring));
	EXPECT_EQ(1, signals(self->eventfd));
}

TEST_F(told, not_while_it_is_switched_off)
{
	const __u32 flags = self->ring.setup.cq_off.flags;

	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	EXPECT_EQ(0, ring_load(&self->ring, flags));
	ring_store(&self->ring, flags, IO_RING_CQ_EVENTFD_DISABLED);
	for (unsigned int way = 0; way < WAYS; way++) {
		ASSERT_EQ(1, way_begin(&self->ways, &self->ring, way));
		ASSERT_TRUE(way_end(&self->ways, way));
		ASSERT_TRUE(await_completions(&self->ring, way + 1, SOON));
	}
	EXPECT_EQ(0, signals(self->eventfd));
	EXPECT_EQ(IO_RING_CQ_EVENTFD_DISABLED, ring_load(&self->ring, flags));
	reap(&self->ring);

	/* What has come meanwhile is not made up for; other bits mean nothing. */
	ring_store(&self->ring, flags, ~IO_RING_CQ_EVENTFD_DISABLED);
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 0));
	EXPECT_EQ(0, signals(self->eventfd));
	for (unsigned int way = 0; way < WAYS; way++)
		expect_told(_metadata, &self->ring, self->eventfd, &self->ways, way);
	ring_store(&self->ring, flags, ~0U);
	ring_push_nops(&self->ring, 1, 0);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(0, signals(self->eventfd));
}

/* What waits for room is told of when it can be read. */
TEST_F(told, of_what_has_waited_for_room)
{
	static const __u32 opcodes[] = { IO_RING_REGISTER_EVENTFD, IO_RING_REGISTER_EVENTFD_ASYNC };

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		struct io_ring_setup wanted = ring_wanted(2, IO_RING_SETUP_CQSIZE);
		struct ring ring;

		wanted.cq_entries = 2;
		wanted.requests = 8;
		ASSERT_EQ(0, ring_open_as(&ring, &wanted));
		ring_push_nops(&ring, 2, 0);
		ASSERT_EQ(2, ring_enter(&ring, 2, 0));
		ASSERT_EQ(0, eventfd_register(&ring, opcodes[i], self->eventfd));
		ring_push_nops(&ring, 2, 2);
		ASSERT_EQ(2, ring_enter(&ring, 2, 0));
		EXPECT_EQ(2, fdinfo_value(ring.fd, "parked"));
		EXPECT_EQ(0, signals(self->eventfd));
		reap(&ring);
		EXPECT_EQ(0, signals(self->eventfd));
		ASSERT_EQ(0, ring_enter(&ring, 0, 0));
		EXPECT_EQ(2, ring_ready(&ring));
		EXPECT_EQ(1, signals(self->eventfd));
		ring_close(&ring);
	}
}

static void *enter_one(void *arg)
{
	return (void *)(long)ring_enter(arg, 1, 0);
}

/*
 * A read that ends at once, but not before its memory is there: meanwhile there
 * is room for what has been parked, and it becomes readable along with the read.
 */
TEST(async_of_what_gets_room_while_entries_are_taken)
{
	struct io_ring_setup wanted = ring_wanted(2, IO_RING_SETUP_CQSIZE);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int file = temp_file(TMPFS_DIR);
	struct io_ring_sqe sqe;
	struct stuck stuck;
	pthread_t thread;
	struct ring ring;
	void *taken;

	wanted.cq_entries = 2;
	wanted.requests = 8;
	ASSERT_EQ(0, stuck_open(&stuck));
	ASSERT_EQ(STUCK_PAGE, write(file, stuck.memory, STUCK_PAGE));
	ASSERT_EQ(0, ring_open_as(&ring, &wanted));
	for (unsigned int i = 0; i < 3; i++) {
		ring_push_nops(&ring, 1, i);
		ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	}
	EXPECT_EQ(1, fdinfo_value(ring.fd, "parked"));
	ASSERT_EQ(0, eventfd_register(&ring, IO_RING_REGISTER_EVENTFD_ASYNC, fd));
	sqe = sqe_rw(IO_RING_OP_READ, file, stuck.memory + STUCK_PAGE, STUCK_PAGE, 0);
	ring_push(&ring, &sqe);
	ASSERT_EQ(0, pthread_create(&thread, NULL, enter_one, &ring));
	sleep_ms(A_WHILE);
	reap(&ring);
	stuck_let_go(&stuck);
	ASSERT_EQ(0, pthread_join(thread, &taken));
	EXPECT_EQ(1, (long)taken);
	EXPECT_EQ(2, ring_ready(&ring));
	EXPECT_EQ(1, signals(fd));
	ring_close(&ring);
	stuck_close(&stuck);
	close(file);
	close(fd);
}

TEST_F(told, descriptor_is_not_needed)
{
	int same = dup(self->eventfd);

	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, same));
	close(same);
	expect_told(_metadata, &self->ring, self->eventfd, &self->ways, IO_RING_PATH_DEVICE);
	close(self->eventfd);
	self->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_EQ(1, way_begin(&self->ways, &self->ring, IO_RING_PATH_DEVICE));
	ASSERT_TRUE(await_completions(&self->ring, 1, SOON));
	EXPECT_EQ(0, signals(self->eventfd));
}

/* A counter that is full makes nobody wait. */
TEST_F(told, full_counter)
{
	const __u64 most = ~0ULL - 1;

	ASSERT_EQ(sizeof(most), write(self->eventfd, &most, sizeof(most)));
	ASSERT_EQ(0, eventfd_register(&self->ring, IO_RING_REGISTER_EVENTFD, self->eventfd));
	for (unsigned int i = 0; i < 3; i++) {
		ring_push_nops(&self->ring, 1, i);
		ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	}
	EXPECT_EQ(~0ULL, signals(self->eventfd));
}

TEST_HARNESS_MAIN
