// SPDX-License-Identifier: GPL-2.0-only
/* Which operations are allowed: by the administrator, on a node, and in a ring. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define OPCODES 256
#define REFUSED (IO_RING_CQE_F_REJECTED | \
		 offsetof(struct io_ring_sqe, opcode) << IO_RING_CQE_FIELD_SHIFT)

/* A set of operations, one element for each. */
struct ops {
	bool has[OPCODES];
};

static struct ops ops_of(const __u8 *list, size_t len)
{
	struct ops ops = { 0 };

	for (size_t i = 0; i < len; i++)
		ops.has[list[i]] = true;
	return ops;
}

#define OPS(...) ops_of((const __u8[]){ __VA_ARGS__ }, sizeof((const __u8[]){ __VA_ARGS__ }))

/* Operations that have to be allowed by the administrator. */
static const __u8 beyond[] = {
	IO_RING_OP_FALLOCATE, IO_RING_OP_FTRUNCATE, IO_RING_OP_GETDENTS,
	IO_RING_OP_COPY_FILE_RANGE, IO_RING_OP_SEND, IO_RING_OP_RECV, IO_RING_OP_SENDMSG,
	IO_RING_OP_RECVMSG,
};

/* What QUERY says is there. */
static int ops_told(int fd, struct ops *ops)
{
	struct io_ring_op_info info[OPCODES];
	struct io_ring_query q = {
		.size = sizeof(q),
		.ops = (uintptr_t)info,
		.ops_len = OPCODES,
	};

	*ops = (struct ops) { 0 };
	if (ioctl(fd, IO_RING_QUERY, &q))
		return -errno;
	for (__u32 i = 0; i < q.ops_len; i++) {
		ops->has[i] = info[i].flags & IO_RING_OP_SUPPORTED;
		if (!ops->has[i] && (info[i].fields || info[i].op_flags || info[i].sqe_flags))
			return -EPROTO;
	}
	return 0;
}

/* What is not refused; nothing that is done has an effect, as all are about no file. */
static int ops_done(const struct ring *ring, const struct ops *exist, struct ops *ops)
{
	*ops = (struct ops) { 0 };
	for (unsigned int opcode = 0; opcode < OPCODES; opcode++) {
		struct io_ring_sqe sqe = { .opcode = opcode, .user_data = opcode, .resv = 1 };
		struct io_ring_cqe cqe;
		int error = ring_run(ring, &sqe, &cqe);
		int refusal = exist->has[opcode] ? -EACCES : -EINVAL;

		if (error)
			return error;
		ops->has[opcode] = cqe.flags != REFUSED;
		if (!ops->has[opcode] && cqe.res != refusal)
			return -EPROTO;
	}
	return 0;
}

static void expect_same(struct __test_metadata *_metadata, const struct ops *wanted,
			const struct ops *ops, const char *what)
{
	for (unsigned int opcode = 0; opcode < OPCODES; opcode++) {
		EXPECT_EQ(wanted->has[opcode], ops->has[opcode]) {
			TH_LOG("%s: opcode %u", what, opcode);
		}
	}
}

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A ring of a node, which may do what is listed. */
static int ring_of(const char *path, struct ring *ring, const __u8 *list, size_t len)
{
	struct io_ring_setup *s = &ring->setup;
	int node = open_node(path);

	if (node < 0)
		return node;
	*s = ring_wanted(8, IO_RING_SETUP_REBIND);
	s->ops = (uintptr_t)list;
	s->nr_ops = len;
	ring->fd = ioctl(node, IO_RING_SETUP, s);
	if (ring->fd < 0)
		ring->fd = -errno;
	close(node);
	if (ring->fd < 0)
		return ring->fd;
	ring->region = mmap(NULL, s->region_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	return ring->region == MAP_FAILED ? -errno : 0;
}

/* QUERY on the node, QUERY on a ring of it, and what the ring does are the same. */
static void expect_allowed(struct __test_metadata *_metadata, const char *path,
			   const struct ops *exist, const struct ops *wanted)
{
	struct ring ring;
	struct ops ops;
	int node = open_node(path);

	ASSERT_LE(0, node);
	ASSERT_EQ(0, ops_told(node, &ops));
	expect_same(_metadata, wanted, &ops, "node");
	close(node);
	ASSERT_EQ(0, ring_of(path, &ring, NULL, 0));
	ASSERT_EQ(0, ops_told(ring.fd, &ops));
	expect_same(_metadata, wanted, &ops, "ring");
	ASSERT_EQ(0, ops_done(&ring, exist, &ops));
	expect_same(_metadata, wanted, &ops, "requests");
	ring_close(&ring);
}

FIXTURE(policy)
{
	struct ops exist;
	struct ops floor;
};

FIXTURE_SETUP(policy)
{
	int node;

	ASSERT_EQ(0, module_reload_with("ops=all"));
	node = control_open();
	ASSERT_LE(0, node);
	ASSERT_EQ(0, ops_told(node, &self->exist));
	close(node);
	self->floor = self->exist;
	for (size_t i = 0; i < sizeof(beyond); i++) {
		EXPECT_TRUE(self->exist.has[beyond[i]]);
		self->floor.has[beyond[i]] = false;
	}
}

FIXTURE_TEARDOWN(policy)
{
}

TEST_F(policy, without_parameters_is_the_floor_set)
{
	ASSERT_EQ(0, module_reload_with(""));
	expect_allowed(_metadata, CONTROL_NODE, &self->exist, &self->floor);
}

TEST_F(policy, of_the_node_is_a_parameter)
{
	const struct ops few = OPS(IO_RING_OP_NOP, IO_RING_OP_FALLOCATE);
	struct ops more = self->floor;

	more.has[IO_RING_OP_GETDENTS] = true;
	expect_allowed(_metadata, CONTROL_NODE, &self->exist, &self->exist);
	ASSERT_EQ(0, module_reload_with("ops=nop,fallocate"));
	expect_allowed(_metadata, CONTROL_NODE, &self->exist, &few);
	ASSERT_EQ(0, module_reload_with("ops=getdents,floor"));
	expect_allowed(_metadata, CONTROL_NODE, &self->exist, &more);
}

TEST_F(policy, of_further_nodes)
{
	const struct ops readers = OPS(IO_RING_OP_NOP, IO_RING_OP_READ, IO_RING_OP_READV);
	struct stat st;

	ASSERT_EQ(0, module_reload_with("nodes=io_ring-ro:ops=read,readv,nop:mode=0666;"
					"io_ring-all:mode=0640:ops=all;io_ring-plain"));
	expect_allowed(_metadata, CONTROL_NODE, &self->exist, &self->floor);
	expect_allowed(_metadata, "/dev/io_ring-ro", &self->exist, &readers);
	expect_allowed(_metadata, "/dev/io_ring-all", &self->exist, &self->exist);
	expect_allowed(_metadata, "/dev/io_ring-plain", &self->exist, &self->floor);
	ASSERT_EQ(0, stat("/dev/io_ring-ro", &st));
	EXPECT_EQ(S_IFCHR | 0666, st.st_mode);
	ASSERT_EQ(0, stat("/dev/io_ring-all", &st));
	EXPECT_EQ(S_IFCHR | 0640, st.st_mode);
	ASSERT_EQ(0, stat("/dev/io_ring-plain", &st));
	EXPECT_EQ(S_IFCHR | 0600, st.st_mode);
	ASSERT_EQ(0, module_reload_with(""));
	EXPECT_EQ(-1, stat("/dev/io_ring-ro", &st));
}

TEST_F(policy, of_all_nodes_ends_with_disabled)
{
	struct ring ring;

	ASSERT_EQ(0, module_reload_with("nodes=io_ring-all:ops=all disabled=2"));
	EXPECT_EQ(-EPERM, ring_of("/dev/io_ring-all", &ring, NULL, 0));
	EXPECT_EQ(IO_RING_LIMIT_DISABLED, ring.setup.error_limit);
}

TEST_F(policy, that_makes_no_sense_is_refused)
{
	static const char * const bad[] = {
		"ops=", "ops=none_such", "ops=read,", "ops=,read", "ops=Read", "ops=0",
		"ops=read;write", "nodes=;", "nodes=a;", "nodes=:ops=read", "nodes=.hidden",
		"nodes=a/b", "nodes=a,b", "nodes=a:ops=", "nodes=a:ops=none_such",
		"nodes=a:ops=read:ops=write", "nodes=a:", "nodes=a:mode=", "nodes=a:mode=8",
		"nodes=a:mode=0777", "nodes=a:mode=00600", "nodes=a:mode=0600:mode=0600",
		"nodes=a:owner=0", "nodes=io_ring", "nodes=a;a",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, module_reload_with(bad[i])) {
			TH_LOG("%s", bad[i]);
		}
		EXPECT_EQ(-ENOENT, control_open());
		EXPECT_EQ(-ENOENT, open_node("/dev/a"));
		ASSERT_EQ(0, module_load());
	}
}

TEST_F(policy, of_a_ring)
{
	static const __u8 list[] = { IO_RING_OP_READ, IO_RING_OP_NOP, IO_RING_OP_READ };
	const struct ops wanted = OPS(IO_RING_OP_READ, IO_RING_OP_NOP);
	struct ring ring;
	struct ops ops;

	ASSERT_EQ(0, ring_of(CONTROL_NODE, &ring, list, sizeof(list)));
	ASSERT_EQ(0, ops_told(ring.fd, &ops));
	expect_same(_metadata, &wanted, &ops, "ring");
	ASSERT_EQ(0, ops_done(&ring, &self->exist, &ops));
	expect_same(_metadata, &wanted, &ops, "requests");
	ring_close(&ring);
}

TEST_F(policy, of_a_ring_is_within_that_of_its_node)
{
	static const __u8 list[] = { IO_RING_OP_READ, IO_RING_OP_WRITE };
	struct ring ring;

	ASSERT_EQ(0, module_reload_with("nodes=io_ring-ro:ops=read,readv,nop"));
	EXPECT_EQ(-EACCES, ring_of("/dev/io_ring-ro", &ring, list, 2));
	EXPECT_EQ(offsetof(struct io_ring_setup, ops), ring.setup.error_field);
	EXPECT_EQ(1, ring.setup.limit_need);
	ASSERT_EQ(0, ring_of("/dev/io_ring-ro", &ring, list, 1));
	ring_close(&ring);
}

TEST_F(policy, of_a_ring_that_makes_no_sense_is_refused)
{
	unsigned char *page = guarded_pages(1);
	__u8 all[OPCODES + 1] = { 0 };
	const struct {
		const void *list;
		size_t len;
		int error;
		size_t field;
		__u64 need;
	} bad[] = {
		{ NULL, 1, -EINVAL, offsetof(struct io_ring_setup, nr_ops), 0 },
		{ all, 0, -EINVAL, offsetof(struct io_ring_setup, nr_ops), 0 },
		{ all, OPCODES + 1, -EINVAL, offsetof(struct io_ring_setup, nr_ops), 0 },
		{ "\0\15", 2, -EINVAL, offsetof(struct io_ring_setup, ops), 1 },
		{ "\377", 1, -EINVAL, offsetof(struct io_ring_setup, ops), 0 },
		{ WILD_ADDRESS, 1, -EFAULT, offsetof(struct io_ring_setup, ops), 0 },
		{ page + 4095, 2, -EFAULT, offsetof(struct io_ring_setup, ops), 1 },
	};
	struct ring ring;

	ASSERT_NE(NULL, page);
	memset(page, 0, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(bad[i].error, ring_of(CONTROL_NODE, &ring, bad[i].list, bad[i].len)) {
			TH_LOG("case %zu", i);
		}
		EXPECT_EQ(bad[i].field, ring.setup.error_field) {
			TH_LOG("case %zu", i);
		}
		EXPECT_EQ(bad[i].need, ring.setup.limit_need) {
			TH_LOG("case %zu", i);
		}
	}
	ASSERT_EQ(0, ring_of(CONTROL_NODE, &ring, all, OPCODES));
	ring_close(&ring);
	guarded_free(page, 1);
}

/* Who gets the descriptor, and becomes the ring's process, may do no more. */
TEST_F(policy, goes_along_with_the_descriptor)
{
	static const __u8 list[] = { IO_RING_OP_NOP };
	const struct ops wanted = OPS(IO_RING_OP_NOP);
	struct ring ring;
	int status;
	pid_t pid;

	ASSERT_EQ(0, ring_of(CONTROL_NODE, &ring, list, sizeof(list)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct ops ops;

		ring.region = mmap(NULL, ring.setup.region_size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, ring.fd, 0);
		if (ring.region == MAP_FAILED || ops_done(&ring, &self->exist, &ops))
			_exit(1);
		_exit(memcmp(&ops, &wanted, sizeof(ops)) ? 2 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ring_close(&ring);
}

/* What is refused has no effect, even if it would be right otherwise. */
TEST_F(policy, that_refuses_has_no_effect)
{
	static const __u8 list[] = { IO_RING_OP_READ };
	struct io_ring_sqe sqe;
	struct io_ring_cqe cqe;
	struct ring ring;
	int fd = temp_file(TMPFS_DIR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pattern_write(fd, 100, 1));
	ASSERT_EQ(0, ring_of(CONTROL_NODE, &ring, list, sizeof(list)));
	sqe = sqe_rw(IO_RING_OP_WRITE, fd, "x", 1, 100);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(-EACCES, cqe.res);
	EXPECT_EQ(REFUSED, cqe.flags);
	EXPECT_EQ(100, lseek(fd, 0, SEEK_END));
	sqe = sqe_nop(1);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(-EACCES, cqe.res);
	EXPECT_EQ(REFUSED, cqe.flags);
	ring_close(&ring);
	close(fd);
}

TEST_HARNESS_MAIN
