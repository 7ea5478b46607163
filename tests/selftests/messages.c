// SPDX-License-Identifier: GPL-2.0-only
/* SENDMSG and RECVMSG. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define LEN 1000
#define LONG 100000
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))

static struct io_ring_sqe sqe_socket(__u8 opcode, int fd, const void *addr, __u32 len, __u32 flags)
{
	return (struct io_ring_sqe) {
		.opcode = opcode, .fd = fd, .addr = (uintptr_t)addr, .len = len, .op_flags = flags,
		.user_data = opcode,
	};
}

FIXTURE(messages)
{
	struct ring ring;
	int near;
	int far;
	unsigned char *data;
	unsigned char *room;
};

FIXTURE_VARIANT(messages)
{
	int type;
};

FIXTURE_VARIANT_ADD(messages, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(messages, datagram) { .type = SOCK_DGRAM };
FIXTURE_VARIANT_ADD(messages, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(messages)
{
	int fds[2];

	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&self->ring, 8, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, variant->type, 0, fds));
	self->near = fds[0];
	self->far = fds[1];
	self->data = malloc(LONG);
	self->room = malloc(LONG);
	ASSERT_NE(NULL, self->data);
	ASSERT_NE(NULL, self->room);
	pattern_fill(self->data, LONG, 1);
	memset(self->room, 0, LONG);
}

FIXTURE_TEARDOWN(messages)
{
	ring_close(&self->ring);
	close(self->near);
	close(self->far);
	free(self->data);
	free(self->room);
}

static int run(struct __test_metadata *_metadata, const struct ring *ring, struct io_ring_sqe sqe,
	       __u32 flags)
{
	struct io_ring_cqe cqe = { 0 };

	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(flags, cqe.flags) {
		TH_LOG("opcode %u: result %d", sqe.opcode, cqe.res);
	}
	return cqe.res;
}

static void expect_rejected(struct __test_metadata *_metadata, const struct ring *ring,
			    struct io_ring_sqe sqe, int error, int field)
{
	struct io_ring_cqe cqe = { 0 };

	EXPECT_EQ(0, ring_run(ring, &sqe, &cqe));
	EXPECT_EQ(error, cqe.res);
	EXPECT_EQ(field, cqe_rejected_field(&cqe)) {
		TH_LOG("opcode %u, op_flags %#x", sqe.opcode, sqe.op_flags);
	}
}

static void submit(struct __test_metadata *_metadata, const struct ring *ring,
		   struct io_ring_sqe sqe)
{
	ring_push(ring, &sqe);
	ASSERT_EQ(1, ring_enter(ring, 1, 0));
	EXPECT_EQ(0, ring_ready(ring));
}

static struct io_ring_cqe reap(struct __test_metadata *_metadata, const struct ring *ring)
{
	struct io_ring_cqe cqe = { .res = INT32_MIN };

	EXPECT_EQ(0, ring_enter(ring, 0, 1));
	EXPECT_TRUE(ring_pop(ring, &cqe));
	return cqe;
}

TEST_F(messages, come_as_they_went)
{
	struct iovec out[] = { { self->data, 300 }, { self->data + 300, 0 },
			       { self->data + 300, LEN - 300 } };
	struct iovec in[] = { { self->room, 10 }, { self->room + 10, LONG - 10 } };
	struct sockaddr_un name;
	struct msghdr to = { .msg_iov = out, .msg_iovlen = 3, .msg_flags = -1 };
	struct msghdr from = { .msg_iov = in, .msg_iovlen = 2, .msg_name = &name,
			       .msg_namelen = sizeof(name), .msg_flags = -1 };

	EXPECT_EQ(LEN, run(_metadata, &self->ring,
			   sqe_socket(IO_RING_OP_SENDMSG, self->near, &to, 1, 0), 0));
	EXPECT_EQ(LEN, run(_metadata, &self->ring,
			   sqe_socket(IO_RING_OP_RECVMSG, self->far, &from, 1, 0), 0));
	EXPECT_EQ(LEN, pattern_mismatch(self->room, LEN, 1, 0));
	EXPECT_EQ(variant->type == SOCK_SEQPACKET ? MSG_EOR & from.msg_flags : 0, from.msg_flags);
	EXPECT_EQ(-1, to.msg_flags);
}

/* All that describes a message may be reused when it has been taken, but the buffers. */
TEST_F(messages, are_described_once)
{
	unsigned char *page = guarded_pages(1);
	struct msghdr *msg = (void *)page;
	struct iovec *iov = (void *)(page + 256);
	struct io_ring_cqe cqe;

	ASSERT_NE(NULL, page);
	*iov = (struct iovec) { self->room, LONG };
	*msg = (struct msghdr) { .msg_iov = iov, .msg_iovlen = 1 };
	submit(_metadata, &self->ring, sqe_socket(IO_RING_OP_RECVMSG, self->far, msg, 1, 0));
	*iov = (struct iovec) { NULL, 1 };
	memset(msg, 0xff, sizeof(*msg));
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(LEN, pattern_mismatch(self->room, LEN, 1, 0));
	EXPECT_EQ(0, msg->msg_flags & ~MSG_EOR);
	/* Where the flags go has to be there still. */
	*iov = (struct iovec) { self->room, LONG };
	*msg = (struct msghdr) { .msg_iov = iov, .msg_iovlen = 1 };
	submit(_metadata, &self->ring, sqe_socket(IO_RING_OP_RECVMSG, self->far, msg, 1, 0));
	guarded_free(page, 1);
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	EXPECT_EQ(-EFAULT, reap(_metadata, &self->ring).res);
}

TEST_F(messages, are_cancelled)
{
	struct io_ring_sqe cancel = sqe_cancel(IO_RING_CANCEL_OP, 0, 0, IO_RING_OP_RECVMSG);
	struct iovec iov = { self->room, LONG };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	submit(_metadata, &self->ring, sqe_socket(IO_RING_OP_RECVMSG, self->far, &msg, 1, 0));
	ring_push(&self->ring, &cancel);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 2));
	EXPECT_EQ(-ECANCELED, reap(_metadata, &self->ring).res);
	EXPECT_EQ(0, reap(_metadata, &self->ring).res);
}

TEST_F(messages, that_make_no_sense_are_rejected)
{
	static const __u8 both[] = { IO_RING_OP_SENDMSG, IO_RING_OP_RECVMSG };
	int file = temp_file(TMPFS_DIR);
	char text[64];
	struct iovec iov = { self->room, LEN };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct msghdr controlled = { .msg_control = text, .msg_controllen = sizeof(text) };
	struct msghdr many = { .msg_iov = &iov, .msg_iovlen = 1025 };
	struct msghdr negative = { .msg_name = text, .msg_namelen = -1 };
	struct msghdr nowhere = { .msg_iov = WILD_ADDRESS, .msg_iovlen = 2 };

	ASSERT_LE(0, file);
	for (size_t i = 0; i < sizeof(both); i++) {
		const __u8 op = both[i];
		const struct {
			struct io_ring_sqe sqe;
			int error;
			int field;
		} bad[] = {
			{ sqe_socket(op, file, &msg, 1, 0), -ENOTSOCK, AT(fd) },
			{ sqe_socket(op, -1, &msg, 1, 0), -EBADF, AT(fd) },
			{ sqe_socket(op, self->near, &msg, 1, 1U << 31), -EINVAL, AT(op_flags) },
			{ sqe_socket(op, self->near, &msg, 0, 0), -EINVAL, AT(len) },
			{ sqe_socket(op, self->near, &msg, 2, 0), -EINVAL, AT(len) },
			{ sqe_socket(op, self->near, WILD_ADDRESS, 1, 0), -EFAULT, AT(addr) },
			{ sqe_socket(op, self->near, &controlled, 1, 0), -EOPNOTSUPP, AT(addr) },
			{ sqe_socket(op, self->near, &many, 1, 0), -EMSGSIZE, AT(addr) },
			{ sqe_socket(op, self->near, &negative, 1, 0), -EINVAL, AT(addr) },
			{ sqe_socket(op, self->near, &nowhere, 1, 0), -EFAULT, AT(addr) },
		};

		for (size_t b = 0; b < ARRAY_SIZE(bad); b++)
			expect_rejected(_metadata, &self->ring, bad[b].sqe, bad[b].error,
					bad[b].field);
	}
	close(file);
}

/* Names: to whom, and from whom. */
TEST(messages_have_names)
{
	struct sockaddr_un names[2];
	socklen_t len[2];
	struct io_ring_cqe cqe;
	struct ring ring;
	char room[16];
	int fds[2];
	struct sockaddr_un from;
	struct iovec iov = { "hello", 5 };
	struct iovec in = { room, sizeof(room) };
	struct msghdr to = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &names[1] };
	struct msghdr got = { .msg_iov = &in, .msg_iovlen = 1, .msg_name = &from,
			      .msg_namelen = sizeof(from) };
	struct io_ring_sqe sqe;

	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&ring, 8, 0));
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
		ASSERT_LE(0, fds[i]);
		len[i] = sizeof(names[i]);
		names[i] = (struct sockaddr_un) { .sun_family = AF_UNIX };
		/* A name of the kernel's choice. */
		ASSERT_EQ(0, bind(fds[i], (void *)&names[i], sizeof(sa_family_t)));
		ASSERT_EQ(0, getsockname(fds[i], (void *)&names[i], &len[i]));
	}
	to.msg_namelen = len[1];
	sqe = sqe_socket(IO_RING_OP_SENDMSG, fds[0], &to, 1, 0);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(5, cqe.res);
	memset(&from, 0x5a, sizeof(from));
	sqe = sqe_socket(IO_RING_OP_RECVMSG, fds[1], &got, 1, 0);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(5, cqe.res);
	EXPECT_EQ(0, memcmp(room, "hello", 5));
	EXPECT_EQ(len[0], got.msg_namelen);
	EXPECT_EQ(0, memcmp(&from, &names[0], len[0]));
	EXPECT_EQ(0, got.msg_flags);

	/* Room for less than the name: as much as fits, and the length it has. */
	ASSERT_EQ(5, sendto(fds[0], "hello", 5, 0, (void *)&names[1], len[1]));
	memset(&from, 0x5a, sizeof(from));
	got.msg_namelen = 3;
	in.iov_len = 2;
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(2, cqe.res);
	EXPECT_EQ(len[0], got.msg_namelen);
	EXPECT_EQ(0, memcmp(&from, &names[0], 3));
	EXPECT_EQ(0x5a, ((unsigned char *)&from)[3]);
	EXPECT_EQ(MSG_TRUNC, got.msg_flags);

	/* Without a name it is not connected. */
	to.msg_name = NULL;
	sqe = sqe_socket(IO_RING_OP_SENDMSG, fds[0], &to, 1, 0);
	ASSERT_EQ(0, ring_run(&ring, &sqe, &cqe));
	EXPECT_EQ(-ENOTCONN, cqe.res);
	ring_close(&ring);
	close(fds[0]);
	close(fds[1]);
}

/* Descriptors that come along are closed, as with recvmsg(2) without room for them. */
TEST(messages_bring_no_descriptors)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	char room;
	struct iovec in = { &room, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct msghdr got = { .msg_iov = &in, .msg_iovlen = 1 };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct io_ring_cqe cqe;
	struct ring ring;
	int pipe_fds[2];
	int pair[2];

	ASSERT_EQ(0, module_reload_with("ops=all"));
	ASSERT_EQ(0, ring_open(&ring, 8, 0));
	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	*cmsg = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				   .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(cmsg), &pipe_fds[1], sizeof(int));
	submit(_metadata, &ring, sqe_socket(IO_RING_OP_RECVMSG, pair[0], &got, 1, 0));
	ASSERT_EQ(1, sendmsg(pair[1], &msg, 0));
	close(pipe_fds[1]);
	cqe = reap(_metadata, &ring);
	EXPECT_EQ(1, cqe.res);
	EXPECT_EQ(MSG_CTRUNC, got.msg_flags);
	EXPECT_EQ(0, read(pipe_fds[0], &room, 1));
	ring_close(&ring);
	close(pipe_fds[0]);
	close(pair[0]);
	close(pair[1]);
}

TEST_HARNESS_MAIN
