// SPDX-License-Identifier: GPL-2.0-only
/* io_ring_sqe.ioprio takes what ioprio_set(2) takes. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "files.h"
#include "harness.h"
#include "process.h"
#include "ring.h"

#define CLASS_SHIFT 13
#define CLASSES 8
#define CLASS_RT 1
#define CLASS_BE 2
#define WHO_PROCESS 1

static const __u16 levels[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 31, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8191,
};

static const __u8 opcodes[] = {
	IO_RING_OP_READ, IO_RING_OP_WRITE, IO_RING_OP_READV, IO_RING_OP_WRITEV,
};

static int ring_says(const struct ring *ring, int file, __u8 opcode, __u16 ioprio,
		     struct io_ring_cqe *cqe)
{
	static unsigned char buffer[16];
	static const struct iovec iov = { buffer, sizeof(buffer) };
	bool is_vector = opcode == IO_RING_OP_READV || opcode == IO_RING_OP_WRITEV;
	struct io_ring_sqe sqe = sqe_rw(opcode, file, is_vector ? (void *)&iov : (void *)buffer,
					is_vector ? 1 : sizeof(buffer), 0);
	int error;

	sqe.ioprio = ioprio;
	error = ring_run(ring, &sqe, cqe);
	if (error)
		return error;
	return cqe->res < 0 ? cqe->res : 0;
}

static int system_says(__u16 ioprio)
{
	return syscall(SYS_ioprio_set, WHO_PROCESS, 0, ioprio) ? -errno : 0;
}

TEST(is_checked_as_ioprio_set_does)
{
	int file = temp_file(TMPFS_DIR);
	struct ring ring;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, 16, 0));
	ASSERT_EQ(0, ring_open(&ring, 4, 0));
	for (size_t o = 0; o < ARRAY_SIZE(opcodes); o++) {
		for (unsigned int class = 0; class < CLASSES; class++) {
			for (size_t l = 0; l < ARRAY_SIZE(levels); l++) {
				__u16 ioprio = class << CLASS_SHIFT | levels[l];
				struct io_ring_cqe cqe;

				EXPECT_EQ(system_says(ioprio),
					  ring_says(&ring, file, opcodes[o], ioprio, &cqe)) {
					TH_LOG("opcode %u, class %u, level %u", opcodes[o], class,
					       levels[l]);
				}
				if (cqe.res < 0)
					EXPECT_EQ((int)offsetof(struct io_ring_sqe, ioprio),
						  cqe_rejected_field(&cqe));
			}
		}
	}
	ring_close(&ring);
}

/* A ring of a user without privilege, on a control node that root opened. */
static int as_other(void *arg)
{
	struct io_ring_setup setup = ring_wanted(4, 0);
	int control = *(int *)arg;
	struct io_ring_cqe cqe;
	struct ring ring;
	int file = temp_file(TMPFS_DIR);

	if (file < 0 || pattern_write(file, 16, 0) || become_other())
		return 255;
	ring.fd = ioctl(control, IO_RING_SETUP, &setup);
	if (ring.fd < 0)
		return 254;
	ring.setup = setup;
	ring.region = mmap(NULL, setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	if (ring.region == MAP_FAILED)
		return 253;
	if (ring_says(&ring, file, IO_RING_OP_READ, CLASS_BE << CLASS_SHIFT, &cqe))
		return 252;
	return -ring_says(&ring, file, IO_RING_OP_READ, CLASS_RT << CLASS_SHIFT, &cqe);
}

TEST(real_time_needs_a_privilege)
{
	int control = control_open();

	ASSERT_LE(0, control);
	EXPECT_EQ(EPERM, in_child(as_other, &control));
	close(control);
}

TEST_HARNESS_MAIN
