// SPDX-License-Identifier: GPL-2.0-only
/* The control node, and which calls work on which kind of descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "files.h"
#include "harness.h"
#include "process.h"
#include "ring.h"

#define MAGIC_COMMANDS 256

static const unsigned long commands[] = {
	IO_RING_QUERY, IO_RING_SETUP, IO_RING_ENTER, IO_RING_REGISTER,
};

/* Big enough for every command, and all 0: no command would succeed with size 0 but ENTER. */
static union {
	struct io_ring_query query;
	struct io_ring_setup setup;
	struct io_ring_enter enter;
	struct io_ring_register reg;
} argument;

static int ioctl_errno(int fd, unsigned long command)
{
	memset(&argument, 0, sizeof(argument));
	return ioctl(fd, command, &argument) < 0 ? errno : 0;
}

static int open_control(void *arg)
{
	(void)arg;
	if (become_other())
		return 255;
	return -control_open();
}

TEST(node_is_for_root_only)
{
	struct stat st;

	ASSERT_EQ(0, stat(CONTROL_NODE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
	EXPECT_EQ(EACCES, in_child(open_control, NULL));
}

TEST(access_mode_makes_no_difference)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct io_ring_setup setup = ring_wanted(1, 0);
		int fd = open(CONTROL_NODE, modes[i] | O_CLOEXEC);
		int ring = ioctl(fd, IO_RING_SETUP, &setup);
		void *region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				    ring, IO_RING_OFF_REGION);

		EXPECT_LE(0, ring);
		EXPECT_NE(MAP_FAILED, region);
		munmap(region, setup.region_size);
		close(ring);
		close(fd);
	}
}

TEST(control_node_knows_query_and_setup)
{
	int fd = control_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(EINVAL, ioctl_errno(fd, IO_RING_QUERY));
	EXPECT_EQ(EINVAL, ioctl_errno(fd, IO_RING_SETUP));
	EXPECT_EQ(ENOTTY, ioctl_errno(fd, IO_RING_ENTER));
	EXPECT_EQ(ENOTTY, ioctl_errno(fd, IO_RING_REGISTER));
	close(fd);
}

TEST(ring_knows_all_but_setup)
{
	struct ring ring;

	ASSERT_EQ(0, ring_open(&ring, 1, 0));
	EXPECT_EQ(EINVAL, ioctl_errno(ring.fd, IO_RING_QUERY));
	EXPECT_EQ(ENOTTY, ioctl_errno(ring.fd, IO_RING_SETUP));
	EXPECT_EQ(0, ioctl_errno(ring.fd, IO_RING_ENTER));
	EXPECT_EQ(EINVAL, ioctl_errno(ring.fd, IO_RING_REGISTER));
	ring_close(&ring);
}

static void expect_all_unknown(struct __test_metadata *_metadata, int fd, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, commands[i])) {
			TH_LOG("on %s: command %zu", what, i);
		}
	}
}

TEST(other_files_know_none)
{
	int file = temp_file(TMPFS_DIR);
	int null = open("/dev/null", O_RDWR);
	int sockets[2];
	int pipes[2];

	ASSERT_LE(0, file);
	ASSERT_LE(0, null);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	expect_all_unknown(_metadata, file, "a regular file");
	expect_all_unknown(_metadata, null, "/dev/null");
	expect_all_unknown(_metadata, pipes[0], "a pipe");
	expect_all_unknown(_metadata, sockets[0], "a socket");
}

static void expect_strangers_unknown(struct __test_metadata *_metadata, int fd, const char *what)
{
	for (unsigned int nr = ARRAY_SIZE(commands); nr < MAGIC_COMMANDS; nr++) {
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IO(IO_RING_IOC_MAGIC, nr))) {
			TH_LOG("on %s: command %u", what, nr);
		}
	}
	/* The same numbers with another direction, size or magic are other commands. */
	for (unsigned int nr = 0; nr < ARRAY_SIZE(commands); nr++) {
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IOR(IO_RING_IOC_MAGIC, nr, __u64)));
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IOW(IO_RING_IOC_MAGIC, nr, __u64)));
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IOWR(IO_RING_IOC_MAGIC, nr, __u64)));
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IO(IO_RING_IOC_MAGIC - 1, nr)));
		EXPECT_EQ(ENOTTY, ioctl_errno(fd, _IO(IO_RING_IOC_MAGIC + 1, nr)));
	}
}

TEST(unknown_commands)
{
	int control = control_open();
	struct ring ring;

	ASSERT_LE(0, control);
	ASSERT_EQ(0, ring_open(&ring, 1, 0));
	expect_strangers_unknown(_metadata, control, "the control node");
	expect_strangers_unknown(_metadata, ring.fd, "a ring");
	close(control);
	ring_close(&ring);
}

static void expect_no_stream(struct __test_metadata *_metadata, int fd, const char *what)
{
	char byte = 0;

	EXPECT_EQ(-1, read(fd, &byte, 1)) {
		TH_LOG("read from %s", what);
	}
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, &byte, 1)) {
		TH_LOG("write to %s", what);
	}
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pread(fd, &byte, 1, 0)) {
		TH_LOG("pread from %s", what);
	}
	EXPECT_EQ(-1, pwrite(fd, &byte, 1, 0)) {
		TH_LOG("pwrite to %s", what);
	}
}

TEST(neither_can_be_read_or_written)
{
	int control = control_open();
	struct ring ring;

	ASSERT_LE(0, control);
	ASSERT_EQ(0, ring_open(&ring, 1, 0));
	expect_no_stream(_metadata, control, "the control node");
	expect_no_stream(_metadata, ring.fd, "a ring");
	close(control);
	ring_close(&ring);
}

TEST(control_node_cannot_be_mapped)
{
	int fd = control_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
}

TEST_HARNESS_MAIN
