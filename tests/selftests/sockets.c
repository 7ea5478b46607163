// SPDX-License-Identifier: GPL-2.0-only
/* SEND and RECV. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define LEN 1000
#define LONG 1000000	/* more than a socket takes at once */
#define AT(member) ((int)offsetof(struct io_ring_sqe, member))
#define POLLED CQE_VIA(IO_RING_PATH_POLLED)

static struct io_ring_sqe sqe_socket(__u8 opcode, int fd, const void *addr, __u32 len, __u32 flags)
{
	return (struct io_ring_sqe) {
		.opcode = opcode, .fd = fd, .addr = (uintptr_t)addr, .len = len, .op_flags = flags,
		.user_data = opcode,
	};
}

FIXTURE(sockets)
{
	struct ring ring;
	int near;
	int far;
	unsigned char *data;
	unsigned char *room;
};

FIXTURE_VARIANT(sockets)
{
	int type;
	bool is_stream;
};

FIXTURE_VARIANT_ADD(sockets, stream) { .type = SOCK_STREAM, .is_stream = true };
FIXTURE_VARIANT_ADD(sockets, datagram) { .type = SOCK_DGRAM };
FIXTURE_VARIANT_ADD(sockets, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(sockets, nonblocking) {
	.type = SOCK_STREAM | SOCK_NONBLOCK, .is_stream = true
};

FIXTURE_SETUP(sockets)
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

FIXTURE_TEARDOWN(sockets)
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

TEST_F(sockets, send_and_receive)
{
	EXPECT_EQ(LEN, run(_metadata, &self->ring,
			   sqe_socket(IO_RING_OP_SEND, self->near, self->data, LEN, 0), 0));
	EXPECT_EQ(LEN, run(_metadata, &self->ring,
			   sqe_socket(IO_RING_OP_RECV, self->far, self->room, LONG, 0), 0));
	EXPECT_EQ(LEN, pattern_mismatch(self->room, LEN, 1, 0));
}

TEST_F(sockets, wait_until_there_is_something)
{
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring,
	       sqe_socket(IO_RING_OP_RECV, self->far, self->room, LONG, 0));
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(POLLED, cqe.flags);
	EXPECT_EQ(LEN, pattern_mismatch(self->room, LEN, 1, 0));
}

/* Fill the socket; how much it took. */
static size_t fill(int fd, const void *data, size_t step)
{
	size_t done = 0;
	ssize_t n;

	while ((n = send(fd, data, step, MSG_DONTWAIT)) > 0)
		done += n;
	return done;
}

static size_t drain(int fd, void *room)
{
	size_t done = 0;
	ssize_t n;

	while ((n = recv(fd, room, LONG, MSG_DONTWAIT)) > 0)
		done += n;
	return done;
}

TEST_F(sockets, wait_until_there_is_room)
{
	size_t before = fill(self->near, self->data, LEN);
	struct io_ring_cqe cqe;
	size_t arrived;

	ASSERT_LT(0, before);
	submit(_metadata, &self->ring,
	       sqe_socket(IO_RING_OP_SEND, self->near, self->data, LEN, 0));
	arrived = drain(self->far, self->room);
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(LEN, cqe.res);
	EXPECT_EQ(POLLED, cqe.flags);
	EXPECT_EQ(before + LEN, arrived + drain(self->far, self->room));
}

TEST_F(sockets, do_not_wait)
{
	struct io_ring_sqe recv = sqe_socket(IO_RING_OP_RECV, self->far, self->room, LEN,
					     MSG_DONTWAIT);
	struct io_ring_sqe send = sqe_socket(IO_RING_OP_SEND, self->near, self->data, LEN,
					     MSG_DONTWAIT);

	EXPECT_EQ(-EAGAIN, run(_metadata, &self->ring, recv, 0));
	ASSERT_LT(0, fill(self->near, self->data, LEN));
	EXPECT_EQ(-EAGAIN, run(_metadata, &self->ring, send, 0));
}

/* A stream goes on with both until all is there; what has borders does not. */
TEST_F(sockets, wait_for_all)
{
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring,
	       sqe_socket(IO_RING_OP_RECV, self->far, self->room, 3 * LEN, MSG_WAITALL));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(LEN, send(self->near, self->data + i * LEN, LEN, 0));
		if (!variant->is_stream)
			break;
		if (i < 2) {
			usleep(20000);
			EXPECT_EQ(0, ring_ready(&self->ring));
		}
	}
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(variant->is_stream ? 3 * LEN : LEN, cqe.res);
	EXPECT_EQ(cqe.res, pattern_mismatch(self->room, cqe.res, 1, 0));
}

TEST_F(sockets, wait_for_all_until_the_end)
{
	struct io_ring_cqe cqe;

	submit(_metadata, &self->ring,
	       sqe_socket(IO_RING_OP_RECV, self->far, self->room, 3 * LEN, MSG_WAITALL));
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	ASSERT_EQ(0, shutdown(self->near, SHUT_WR));
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(LEN, cqe.res);
}

TEST_F(sockets, send_all)
{
	struct io_ring_sqe sqe = sqe_socket(IO_RING_OP_SEND, self->near, self->data, LONG, 0);
	struct io_ring_cqe cqe;
	size_t done = 0;

	if (!variant->is_stream) {
		EXPECT_EQ(-EMSGSIZE, run(_metadata, &self->ring, sqe, 0));
		return;
	}
	submit(_metadata, &self->ring, sqe);
	while (done < LONG) {
		ssize_t n = recv(self->far, self->room + done, LONG - done, 0);

		if (n < 0 && errno == EAGAIN)
			continue;
		ASSERT_LT(0, n);
		done += n;
	}
	cqe = reap(_metadata, &self->ring);
	EXPECT_EQ(LONG, cqe.res);
	EXPECT_EQ(LONG, pattern_mismatch(self->room, LONG, 1, 0));
}

TEST_F(sockets, look_without_taking)
{
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(LEN, run(_metadata, &self->ring,
				   sqe_socket(IO_RING_OP_RECV, self->far, self->room, LONG,
					      MSG_PEEK), 0));
	EXPECT_EQ(LEN, drain(self->far, self->room));
}

TEST_F(sockets, tell_the_whole_length)
{
	ASSERT_EQ(LEN, send(self->near, self->data, LEN, 0));
	EXPECT_EQ(variant->is_stream ? 10 : LEN,
		  run(_metadata, &self->ring,
		      sqe_socket(IO_RING_OP_RECV, self->far, self->room, 10, MSG_TRUNC), 0));
}

/* Nobody gets a signal, with or without the flag. */
TEST_F(sockets, send_to_nobody)
{
	close(self->far);
	self->far = -1;
	for (int i = 0; i < 2; i++) {
		/* The first attempt ends the connection of a datagram socket. */
		int refused = i ? -ENOTCONN : -ECONNREFUSED;
		int expected = variant->type == SOCK_DGRAM ? refused : -EPIPE;

		EXPECT_EQ(expected, run(_metadata, &self->ring,
					sqe_socket(IO_RING_OP_SEND, self->near, self->data, LEN,
						   i ? MSG_NOSIGNAL : 0), 0));
	}
}

TEST_F(sockets, are_cancelled)
{
	struct io_ring_sqe cancel = sqe_cancel(IO_RING_CANCEL_FD | IO_RING_CANCEL_ALL, 0,
					       self->far, 0);
	struct io_ring_sqe sqe = sqe_socket(IO_RING_OP_RECV, self->far, self->room, LONG, 0);

	submit(_metadata, &self->ring, sqe);
	submit(_metadata, &self->ring, sqe);
	ring_push(&self->ring, &cancel);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 3));
	EXPECT_EQ(-ECANCELED, reap(_metadata, &self->ring).res);
	EXPECT_EQ(-ECANCELED, reap(_metadata, &self->ring).res);
	EXPECT_EQ(2, reap(_metadata, &self->ring).res);
}

TEST_F(sockets, that_are_registered)
{
	struct io_ring_register args;
	struct io_ring_resources files;
	__s32 fds[1];
	int listener = socket(AF_NETLINK, SOCK_RAW, 0);
	struct io_ring_sqe sqe = sqe_socket(IO_RING_OP_RECV, 0, self->room, LONG, MSG_DONTWAIT);

	/* Not those of AF_UNIX, which could hold the ring. */
	ASSERT_LE(0, listener);
	fds[0] = listener;
	files = (struct io_ring_resources) { .data = (uintptr_t)fds };
	args = (struct io_ring_register) {
		.size = sizeof(args), .opcode = IO_RING_REGISTER_FILES, .nr = 1,
		.addr = (uintptr_t)&files,
	};
	ASSERT_EQ(0, ioctl(self->ring.fd, IO_RING_REGISTER, &args));
	sqe.flags = IO_RING_SQE_FIXED_FILE;
	EXPECT_EQ(-EAGAIN, run(_metadata, &self->ring, sqe, 0));
	sqe.fd = 1;
	expect_rejected(_metadata, &self->ring, sqe, -EBADF, AT(fd));
	close(listener);
}

TEST_F(sockets, that_make_no_sense_are_rejected)
{
	static const __u8 both[] = { IO_RING_OP_SEND, IO_RING_OP_RECV };
	int file = temp_file(TMPFS_DIR);

	ASSERT_LE(0, file);
	for (size_t i = 0; i < sizeof(both); i++) {
		const struct {
			struct io_ring_sqe sqe;
			int error;
			int field;
		} bad[] = {
			{ sqe_socket(both[i], file, self->room, 1, 0), -ENOTSOCK, AT(fd) },
			{ sqe_socket(both[i], self->ring.fd, self->room, 1, 0), -ENOTSOCK, AT(fd) },
			{ sqe_socket(both[i], -1, self->room, 1, 0), -EBADF, AT(fd) },
			{ sqe_socket(both[i], self->near, self->room, 1, 1U << 31), -EINVAL,
			  AT(op_flags) },
			{ sqe_socket(both[i], self->near, self->room, 1, MSG_PEEK | MSG_WAITALL),
			  -EINVAL, AT(op_flags) },
		};

		for (size_t b = 0; b < ARRAY_SIZE(bad); b++)
			expect_rejected(_metadata, &self->ring, bad[b].sqe, bad[b].error,
					bad[b].field);
	}
	close(file);
}

TEST_HARNESS_MAIN
