// SPDX-License-Identifier: GPL-2.0-only
/* Records in the audit log, as who follows it reads them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define RECORD_SIZE 2048
#define END "end of what a test looks at"

/* Who follows the log; -1 if this kernel has none. */
static int follow(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int group = AUDIT_NLGRP_READLOG;
	int log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (log < 0)
		return errno == EPROTONOSUPPORT ? -1 : -errno;
	if (bind(log, (const void *)&address, sizeof(address)) ||
	    setsockopt(log, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return log;
}

/* Ask the log for something, and wait for the answer. */
static int ask(int type, const void *data, size_t len)
{
	struct {
		struct nlmsghdr header;
		char data[128];
	} message = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(len),
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	int error = 0;

	if (log < 0)
		return -errno;
	memcpy(message.data, data, len);
	if (send(log, &message, message.header.nlmsg_len, 0) < 0 ||
	    recv(log, &answer, sizeof(answer), 0) < 0)
		error = -errno;
	else if (answer.header.nlmsg_type == NLMSG_ERROR)
		error = answer.error.error;
	close(log);
	return error;
}

static int enable(bool enabled)
{
	const struct audit_status status = {
		.mask = AUDIT_STATUS_ENABLED,
		.enabled = enabled,
	};

	return ask(AUDIT_SET, &status, sizeof(status));
}

FIXTURE(audit)
{
	struct ring ring;
	int log;
	char text[RECORD_SIZE];	/* the last record */
};

FIXTURE_SETUP(audit)
{
	self->log = follow();
	ASSERT_LE(-1, self->log);
	if (self->log >= 0)
		ASSERT_EQ(0, enable(true));
}

FIXTURE_TEARDOWN(audit)
{
	if (self->log >= 0) {
		EXPECT_EQ(0, enable(false));
		close(self->log);
	}
}

/* Read the next record that is the module's, or the one that a test has written to end with. */
static int next(struct _test_data_audit *self)
{
	struct {
		struct nlmsghdr header;
		char data[RECORD_SIZE];
	} message;
	struct pollfd ready = { .fd = self->log, .events = POLLIN };

	for (;;) {
		ssize_t n;

		if (poll(&ready, 1, patience(20 * SOON)) != 1)
			return -ETIMEDOUT;
		n = recv(self->log, &message, sizeof(message) - 1, 0);
		if (n < (ssize_t)sizeof(message.header))
			return n < 0 ? -errno : -EPROTO;
		((char *)&message)[n] = '\0';
		snprintf(self->text, sizeof(self->text), "%s", message.data);
		if (message.header.nlmsg_type == AUDIT_KERNEL_OTHER ||
		    strstr(self->text, END))
			return message.header.nlmsg_type;
	}
}

/* Whether a record has a field and a value, which are between blanks. */
static bool has_field(const char *record, const char *format, ...)
{
	char field[512] = " ";
	const char *found;
	va_list args;

	va_start(args, format);
	vsnprintf(field + 1, sizeof(field) - 1, format, args);
	va_end(args);
	found = strstr(record, field);
	return found && (found[strlen(field)] == ' ' || !found[strlen(field)]);
}

#define EXPECT_FIELD(...) do {								\
	if (self->log >= 0) {								\
		EXPECT_TRUE(has_field(self->text, __VA_ARGS__)) {			\
			TH_LOG(__VA_ARGS__);						\
			TH_LOG("%s", self->text);					\
		}									\
	}										\
} while (0)

/* The next record, if this kernel writes any, is about this. */
#define ASSERT_RECORD(operation) do {							\
	if (self->log >= 0) {								\
		ASSERT_EQ(AUDIT_KERNEL_OTHER, next(self));				\
		EXPECT_FIELD("op=%s", operation);					\
	}										\
} while (0)

/* There are no more records. */
#define ASSERT_NO_RECORD() do {								\
	if (self->log >= 0) {								\
		ASSERT_EQ(0, ask(AUDIT_USER, END, sizeof(END)));			\
		ASSERT_EQ(AUDIT_USER, next(self)) {					\
			TH_LOG("%s", self->text);					\
		}									\
	}										\
} while (0)

/* A ring that may do what is listed, of a node. */
static int ring_of(struct ring *ring, const __u8 *ops, size_t len, __u32 flags)
{
	struct io_ring_setup wanted = ring_wanted(4, flags);

	wanted.ops = (uintptr_t)ops;
	wanted.nr_ops = len;
	return ring_open_as(ring, &wanted);
}

static int run(struct ring *ring, struct io_ring_sqe sqe)
{
	struct io_ring_cqe cqe;
	int error = ring_run(ring, &sqe, &cqe);

	return error ?: cqe.res;
}

TEST_F(audit, knows_who_made_a_ring)
{
	static const __u8 ops[] = { IO_RING_OP_READ, IO_RING_OP_NOP };

	ASSERT_EQ(0, ring_of(&self->ring, ops, sizeof(ops), 0));
	ASSERT_RECORD("io_ring_setup");
	EXPECT_FIELD("node=io_ring");
	EXPECT_FIELD("ring=%ld", fdinfo_value(self->ring.fd, "ring"));
	EXPECT_FIELD("operations=nop,read");
	EXPECT_FIELD("pid=%d", getpid());
	EXPECT_FIELD("uid=%d", getuid());
	EXPECT_FIELD("comm=\"audit\"");
	EXPECT_FIELD("res=1");
	EXPECT_EQ(0, run(&self->ring, sqe_nop(1)));
	ring_close(&self->ring);
	ASSERT_NO_RECORD();
}

TEST_F(audit, knows_the_node)
{
	struct io_ring_setup wanted = ring_wanted(4, 0);
	int node, fd;

	ASSERT_EQ(0, module_reload_with("nodes=io_ring-ro:ops=nop,readv"));
	node = open("/dev/io_ring-ro", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, node);
	fd = ioctl(node, IO_RING_SETUP, &wanted);
	ASSERT_LE(0, fd);
	ASSERT_RECORD("io_ring_setup");
	EXPECT_FIELD("node=io_ring-ro");
	EXPECT_FIELD("operations=nop,readv");
	close(fd);
	close(node);
	ASSERT_EQ(0, module_reload_with(""));
	ASSERT_NO_RECORD();
}

TEST_F(audit, knows_who_may_not_make_rings)
{
	ASSERT_EQ(0, text_write(PARAM_DISABLED, "2"));
	EXPECT_EQ(-EPERM, ring_open(&self->ring, 4, 0));
	ASSERT_EQ(0, text_write(PARAM_DISABLED, "0"));
	ASSERT_RECORD("io_ring_setup");
	EXPECT_FIELD("node=io_ring");
	EXPECT_FIELD("cause=disabled");
	EXPECT_FIELD("pid=%d", getpid());
	EXPECT_FIELD("res=0");
	ASSERT_NO_RECORD();
}

TEST_F(audit, knows_what_a_ring_was_to_do)
{
	static const __u8 ops[] = { IO_RING_OP_READ, IO_RING_OP_FALLOCATE };
	static const __u8 none[] = { 250 };

	EXPECT_EQ(-EACCES, ring_of(&self->ring, ops, sizeof(ops), 0));
	ASSERT_RECORD("io_ring_setup");
	EXPECT_FIELD("node=io_ring");
	EXPECT_FIELD("operation=fallocate");
	EXPECT_FIELD("res=0");
	/* What makes no sense is no matter of policy. */
	EXPECT_EQ(-EINVAL, ring_of(&self->ring, none, sizeof(none), 0));
	EXPECT_EQ(-EINVAL, ring_open(&self->ring, 0, 0));
	ASSERT_NO_RECORD();
}

TEST_F(audit, knows_once_what_a_ring_may_not_do)
{
	static const __u8 ops[] = { IO_RING_OP_NOP };
	struct io_ring_sqe linked = sqe_rw(IO_RING_OP_READV, 0, NULL, 0, 0);
	struct io_ring_sqe unknown = { .opcode = 250 };
	struct io_ring_sqe wrong = sqe_nop(1);

	linked.flags = IO_RING_SQE_FORCE_ASYNC;
	wrong.resv = 1;
	ASSERT_EQ(0, ring_of(&self->ring, ops, sizeof(ops), 0));
	ASSERT_RECORD("io_ring_setup");
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(-EACCES, run(&self->ring, sqe_rw(IO_RING_OP_READ, 0, NULL, 0, 0)));
		EXPECT_EQ(-EACCES, run(&self->ring, sqe_fsync(0, 0, 0, 0)));
		EXPECT_EQ(-EACCES, run(&self->ring, linked));
		EXPECT_EQ(-EINVAL, run(&self->ring, unknown));
		EXPECT_EQ(-EINVAL, run(&self->ring, wrong));
		EXPECT_EQ(0, run(&self->ring, sqe_nop(1)));
	}
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("ring=%ld", fdinfo_value(self->ring.fd, "ring"));
	EXPECT_FIELD("operation=read");
	EXPECT_FIELD("pid=%d", getpid());
	EXPECT_FIELD("res=0");
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("operation=fsync");
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("operation=readv");
	ASSERT_NO_RECORD();
	ring_close(&self->ring);
}

static int be_refused(void *arg)
{
	struct ring ring = *(const struct ring *)arg;

	ring.region = mmap(NULL, ring.setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   ring.fd, IO_RING_OFF_REGION);
	if (ring.region == MAP_FAILED)
		return 1;
	return run(&ring, sqe_rw(IO_RING_OP_READ, 0, NULL, 0, 0)) == -EACCES ? 0 : 2;
}

TEST_F(audit, knows_who_takes_over_a_ring)
{
	static const __u8 ops[] = { IO_RING_OP_NOP };
	long number;

	ASSERT_EQ(0, ring_of(&self->ring, ops, sizeof(ops), IO_RING_SETUP_REBIND));
	number = fdinfo_value(self->ring.fd, "ring");
	ASSERT_RECORD("io_ring_setup");
	/* The first process takes it from nobody. */
	ASSERT_EQ(0, in_child(be_refused, &self->ring));
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("ring=%ld", number);
	EXPECT_EQ(-EACCES, run(&self->ring, sqe_rw(IO_RING_OP_READ, 0, NULL, 0, 0)));
	ASSERT_RECORD("io_ring_bind");
	EXPECT_FIELD("ring=%ld", number);
	EXPECT_FIELD("pid=%d", getpid());
	EXPECT_FIELD("res=1");
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("ring=%ld", number);
	EXPECT_FIELD("pid=%d", getpid());
	ASSERT_NO_RECORD();
	ring_close(&self->ring);
}

TEST_F(audit, is_silent_when_it_is_off)
{
	static const __u8 ops[] = { IO_RING_OP_NOP };

	if (self->log >= 0)
		ASSERT_EQ(0, enable(false));
	ASSERT_EQ(0, ring_of(&self->ring, ops, sizeof(ops), 0));
	EXPECT_EQ(-EACCES, run(&self->ring, sqe_rw(IO_RING_OP_READ, 0, NULL, 0, 0)));
	if (self->log >= 0)
		ASSERT_EQ(0, enable(true));
	ASSERT_NO_RECORD();
	/* What nobody knows of is not known. */
	EXPECT_EQ(-EACCES, run(&self->ring, sqe_rw(IO_RING_OP_READ, 0, NULL, 0, 0)));
	ASSERT_RECORD("io_ring_submit");
	EXPECT_FIELD("operation=read");
	ring_close(&self->ring);
}

TEST_HARNESS_MAIN
