// SPDX-License-Identifier: GPL-2.0-only
/* A ring is driven by the process that made it, with the credentials it had then. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "harness.h"
#include "process.h"
#include "ring.h"

#define TICK_US 20000

/* On some machines the call without a number is older, and takes 16 bits. */
#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#else
#define SETRESUID SYS_setresuid
#endif

FIXTURE(owner)
{
	struct ring ring;
};

FIXTURE_SETUP(owner)
{
	ASSERT_EQ(0, ring_open(&self->ring, 4, 0));
}

FIXTURE_TEARDOWN(owner)
{
	ring_close(&self->ring);
}

static int child_submits(void *arg)
{
	return -ring_enter(arg, 1, 0);
}

static int child_submits_and_waits(void *arg)
{
	return -ring_enter(arg, 1, 1);
}

TEST_F(owner, child_may_not_submit)
{
	ring_push_nops(&self->ring, 1, 3);
	EXPECT_EQ(EPERM, in_child(child_submits, &self->ring));
	EXPECT_EQ(EPERM, in_child(child_submits_and_waits, &self->ring));
	EXPECT_EQ(0, ring_load(&self->ring, self->ring.setup.sq_off.head));
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 1));
}

/* What every holder of the descriptor may do while a completion can be read. */
static int holder_looks(int fd)
{
	struct io_ring_query query = { .size = sizeof(query) };
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct io_ring_enter nothing = { 0 };
	struct io_ring_enter wait = { .min_complete = 1 };

	if (ioctl(fd, IO_RING_QUERY, &query))
		return 1;
	if (poll(&pollfd, 1, 0) != 1 || pollfd.revents != POLLIN)
		return 2;
	if (ring_enter_fd(fd, &nothing))
		return 3;
	if (ring_enter_fd(fd, &wait))
		return 4;
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, IO_RING_OFF_REGION) == MAP_FAILED)
		return 5;
	return close(fd) ? 6 : 0;
}

static int child_looks(void *arg)
{
	return holder_looks(((struct ring *)arg)->fd);
}

TEST_F(owner, child_may_wait_poll_and_close)
{
	ring_push_nops(&self->ring, 1, 3);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 1));
	EXPECT_EQ(0, in_child(child_looks, &self->ring));
	EXPECT_EQ(1, ring_ready(&self->ring));
	ring_push_nops(&self->ring, 1, 4);
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 2));
}

static int child_waits(void *arg)
{
	return -ring_enter(arg, 0, 1);
}

TEST_F(owner, child_waits_for_what_the_owner_submits)
{
	pid_t child = spawn(child_waits, &self->ring);

	ASSERT_LT(0, child);
	usleep(TICK_US);
	EXPECT_EQ(0, waitpid(child, NULL, WNOHANG));
	ring_push_nops(&self->ring, 1, 0);
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 0));
	EXPECT_EQ(0, outcome_of(child));
}

/* Of another process, which never shared anything with the owner but a socket. */
static int stranger(void *arg)
{
	struct io_ring_enter submit = { .to_submit = 1 };
	int fd = recv_fd(*(int *)arg);

	if (fd < 0)
		return 100;
	if (ring_enter_fd(fd, &submit) != -EPERM)
		return 101;
	return holder_looks(fd);
}

TEST(descriptor_passed_on)
{
	struct ring ring;
	int sockets[2];
	pid_t other;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	other = spawn(stranger, &sockets[1]);
	ASSERT_LT(0, other);
	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	ring_push_nops(&ring, 2, 0);
	ASSERT_EQ(1, ring_enter(&ring, 1, 1));
	ASSERT_EQ(0, send_fd(sockets[0], ring.fd));
	EXPECT_EQ(0, outcome_of(other));
	EXPECT_EQ(1, ring_load(&ring, ring.setup.sq_off.head));
	EXPECT_EQ(1, ring_enter(&ring, 1, 2));
	ring_close(&ring);
}

static int drop_user(void)
{
	return setresuid(OTHER_ID, OTHER_ID, OTHER_ID);
}

static int drop_effective_user(void)
{
	return seteuid(OTHER_ID);
}

static int drop_group(void)
{
	return setresgid(OTHER_ID, OTHER_ID, OTHER_ID);
}

static int drop_effective_group(void)
{
	return setegid(OTHER_ID);
}

static int join_group(void)
{
	gid_t group = OTHER_ID;

	return setgroups(1, &group);
}

/* Takes the capability out of the effective ones, and perhaps out of those that may be again. */
static int drop_from(bool permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	data[0].effective &= ~(1U << CAP_DAC_OVERRIDE);
	if (permitted)
		data[0].permitted &= ~(1U << CAP_DAC_OVERRIDE);
	return syscall(SYS_capset, &header, data);
}

static int lay_down_capability(void)
{
	return drop_from(false);
}

static int drop_capability(void)
{
	return drop_from(true);
}

static const struct change {
	const char *name;
	int (*make)(void);
	int (*before)(void);	/* the ring is set up */
} changes[] = {
	{ .name = "user", .make = drop_user },
	{ .name = "effective user", .make = drop_effective_user },
	{ .name = "group", .make = drop_group },
	{ .name = "effective group", .make = drop_effective_group },
	{ .name = "supplementary groups", .make = join_group },
	{ .name = "capabilities", .make = drop_capability },
	{ .name = "effective capabilities", .make = lay_down_capability },
	{
		.name = "permitted capabilities",
		.before = lay_down_capability,
		.make = drop_capability,
	},
};

/* The errno of submitting after the change, in a process that submitted well before it. */
static int submit_around(void *arg)
{
	const struct change *change = arg;
	struct ring ring;
	int error;

	if (change->before && change->before())
		return 99;
	if (ring_open(&ring, 4, 0))
		return 100;
	ring_push_nops(&ring, 2, 0);
	if (ring_enter(&ring, 1, 1) != 1)
		return 101;
	if (change->make())
		return 102;
	error = ring_enter(&ring, 1, 1);
	if (ring_load(&ring, ring.setup.sq_off.head) != (error < 0 ? 1 : 2))
		return 103;
	if (ring_enter(&ring, 0, 1))
		return 104;
	return error < 0 ? -error : 0;
}

TEST(changed_credentials_may_not_submit)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		EXPECT_EQ(EPERM, in_child(submit_around, (void *)&changes[i])) {
			TH_LOG("changed %s", changes[i].name);
		}
	}
}

static int keep_user(void)
{
	return setresuid(0, 0, 0);
}

static int change_and_restore_user(void)
{
	return seteuid(OTHER_ID) || seteuid(0);
}

TEST(same_credentials_may_submit)
{
	const struct change same[] = {
		{ .name = "nothing", .make = keep_user },
		{ .name = "user and back", .make = change_and_restore_user },
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		EXPECT_EQ(0, in_child(submit_around, (void *)&same[i])) {
			TH_LOG("changed %s", same[i].name);
		}
	}
}

static void *thread_submits(void *arg)
{
	return (void *)(long)ring_enter(arg, 1, 1);
}

TEST_F(owner, other_threads_may_submit)
{
	pthread_t thread;
	void *taken;

	ring_push_nops(&self->ring, 1, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_submits, &self->ring));
	ASSERT_EQ(0, pthread_join(thread, &taken));
	EXPECT_EQ(1, (long)taken);
}

/* The bare system call changes the credentials of the calling thread alone. */
static void *changed_thread_submits(void *arg)
{
	if (syscall(SETRESUID, OTHER_ID, OTHER_ID, OTHER_ID))
		return NULL;
	return thread_submits(arg);
}

TEST_F(owner, thread_with_other_credentials_may_not)
{
	pthread_t thread;
	void *taken;

	ring_push_nops(&self->ring, 1, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, changed_thread_submits, &self->ring));
	ASSERT_EQ(0, pthread_join(thread, &taken));
	EXPECT_EQ(-EPERM, (long)taken);
	EXPECT_EQ(1, ring_enter(&self->ring, 1, 1));
}

static int becomes_another_program(void *arg)
{
	char test[64];

	snprintf(test, sizeof(test), "test -e /proc/self/fd/0 && test ! -e /proc/self/fd/%d",
		 ((struct ring *)arg)->fd);
	dup2(((struct ring *)arg)->fd, 0);
	execl("/bin/sh", "sh", "-c", test, NULL);
	return 100;
}

/* Descriptor 0 is a copy that stays open, so that the test sees what an open one looks like. */
TEST_F(owner, exec_closes_it)
{
	EXPECT_EQ(0, in_child(becomes_another_program, &self->ring));
}

TEST_HARNESS_MAIN
