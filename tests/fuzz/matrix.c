// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every opcode with each bit of the entry turned over, with values around which something changes
 * in each field, and with every kind of file: each gives a result, and the ring works afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

#include "await.h"
#include "clock.h"
#include "entry.h"
#include "module.h"
#include "soak.h"
#include "tally.h"
#include "world.h"

#define OPCODES 256
#define ENTRIES 64
#define SQE_BYTES sizeof(struct io_ring_sqe)
#define FILE_LIMIT 0x100000
#define HIDDEN 1000		/* what no descriptor of these becomes if a bit is turned over */
#define MARK 0x6d6172ULL

static const __u64 boundaries[] = {
	0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
	0x100000000, 0x7ffff000, 0x7fffffffffffffff, 0x8000000000000000, ~0ULL,
};

/* Start and size in bytes; not those of user_data, by which results are known. */
static const struct field {
	unsigned char start;
	unsigned char size;
} fields[] = {
	{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 4, 4 }, { 8, 8 }, { 16, 8 }, { 24, 4 }, { 28, 4 },
	{ 40, 2 }, { 42, 2 }, { 44, 4 }, { 48, 8 }, { 56, 8 },
};

FIXTURE(matrix)
{
	struct world world;
	struct ring ring;
	struct source source;
	struct program program;
	unsigned long submitted;
	unsigned long errors[TALLY_ERRORS];
};

/* Entries name any descriptor, but not that one. */
static int hide_output(void)
{
	int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, HIDDEN);
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	stdout = fdopen(output, "w");
	stderr = stdout;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return stdout ? 0 : -errno;
}

FIXTURE_SETUP(matrix)
{
	const struct rlimit limit = { FILE_LIMIT, FILE_LIMIT };

	ASSERT_EQ(0, hide_output());
	ASSERT_EQ(0, tally_map());
	ASSERT_EQ(0, world_disk_make());
	ASSERT_EQ(0, world_module_reload());
	ASSERT_EQ(0, world_make(&self->world));
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	self->world.fds[KIND_RING] = self->ring.fd;
	self->world.rings[0].fd = self->ring.fd;
	self->source = source_of(&self->program);
}

FIXTURE_TEARDOWN(matrix)
{
	ring_close(&self->ring);
	for (int i = 0; i < KIND_RING; i++)
		close(self->world.fds[i]);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, world_module_reload());
	world_disk_destroy();
}

static void drain(struct _test_data_matrix *self)
{
	struct io_ring_cqe cqe;

	while (ring_pop(&self->ring, &cqe)) {
		unsigned int error = cqe.res < 0 ? -cqe.res : 0;

		self->errors[error < TALLY_ERRORS ? error : 0]++;
	}
}

/* What has been submitted ends, whatever it waits for. */
static void settle(struct __test_metadata *_metadata, struct _test_data_matrix *self)
{
	__u32 left = 0;

	drain(self);
	ASSERT_EQ(0, ring_quiesce(&self->ring, patience(30 * SOON) * MS, &left)) {
		TH_LOG("%u requests are left", left);
	}
	drain(self);
}

static void try(struct __test_metadata *_metadata, struct _test_data_matrix *self,
		const struct io_ring_sqe *sqe)
{
	ring_push(&self->ring, sqe);
	ASSERT_EQ(1, ring_enter(&self->ring, 1, 0));
	if (++self->submitted % (ENTRIES / 2) == 0)
		settle(_metadata, self);
}

/* The ring does what it did before. */
static void expect_works(struct __test_metadata *_metadata, struct _test_data_matrix *self)
{
	struct io_ring_sqe nop = sqe_nop(MARK);
	struct io_ring_cqe cqe;

	settle(_metadata, self);
	ASSERT_EQ(0, ring_run(&self->ring, &nop, &cqe));
	EXPECT_EQ(MARK, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
	soak_figure("%lu entries: %lu succeeded, %lu EINVAL, %lu EBADF, %lu ECANCELED",
		    self->submitted, self->errors[0], self->errors[EINVAL], self->errors[EBADF],
		    self->errors[ECANCELED]);
}

static struct io_ring_sqe valid(struct _test_data_matrix *self, unsigned int opcode)
{
	return entry_valid(&self->world, &self->source, opcode);
}

TEST_F_TIMEOUT(matrix, each_bit_of_each_opcode, 3000)
{
	for (unsigned int opcode = 0; opcode < OPCODES; opcode++)
		for (unsigned int bit = 0; bit < 8 * SQE_BYTES; bit++) {
			struct io_ring_sqe sqe = valid(self, opcode);

			((unsigned char *)&sqe)[bit / 8] ^= 1 << bit % 8;
			try(_metadata, self, &sqe);
		}
	expect_works(_metadata, self);
}

TEST_F_TIMEOUT(matrix, boundaries_of_each_field, 3000)
{
	for (unsigned int opcode = 0; opcode < OPCODES; opcode++)
		for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++)
			for (unsigned int value = 0; value < ARRAY_SIZE(boundaries); value++) {
				struct io_ring_sqe sqe = valid(self, opcode);

				memcpy((unsigned char *)&sqe + fields[i].start, &boundaries[value],
				       fields[i].size);
				try(_metadata, self, &sqe);
			}
	expect_works(_metadata, self);
}

TEST_F_TIMEOUT(matrix, each_kind_of_file, 3000)
{
	for (unsigned int i = 0; i < entry_opcode_count; i++)
		for (unsigned int kind = 0; kind < KINDS; kind++)
			for (unsigned int flag = 0; flag < 7; flag++) {
				struct io_ring_sqe sqe = valid(self, entry_opcodes[i]);

				sqe.fd = self->world.fds[kind];
				sqe.flags = flag ? 1 << flag : 0;
				try(_metadata, self, &sqe);
			}
	expect_works(_metadata, self);
}

TEST_HARNESS_MAIN
