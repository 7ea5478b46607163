// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Compiled as C and as C++: every function of the header must be usable from both. */
#include <libio_ring.h>

#include "header.h"

#define NR_PREPS	8

static uint32_t queue_one_of_each(struct ioring *ring)
{
	static char data[1];
	static struct iovec iov = { data, sizeof(data) };
	struct io_ring_sqe *sqe;
	uint32_t nr;

	for (nr = 0; nr < NR_PREPS && (sqe = ioring_get_sqe(ring)); nr++) {
		switch (nr) {
		case 0:
			ioring_prep_nop(sqe);
			break;
		case 1:
			ioring_prep_read(sqe, -1, data, sizeof(data), IORING_FILE_POSITION);
			break;
		case 2:
			ioring_prep_write(sqe, -1, data, sizeof(data), 1ULL << 40);
			break;
		case 3:
			ioring_prep_readv(sqe, -1, &iov, 1, 0);
			break;
		case 4:
			ioring_prep_writev(sqe, -1, &iov, 1, 0);
			break;
		case 5:
			ioring_prep_fsync(sqe, -1, IO_RING_FSYNC_DATASYNC);
			break;
		case 6:
			ioring_prep_cancel(sqe, 1ULL << 40, IO_RING_CANCEL_ALL);
			break;
		case 7:
			ioring_prep_cancel_fd(sqe, -1, 0);
			break;
		}
	}
	return nr;
}

/* Each function returns 0, or the line where something was not as expected. */
static int use_a_ring(void)
{
	struct io_ring_cqe *cqe;
	struct ioring ring;
	char text[100];
	uint32_t nr;

	if (ioring_init(&ring, 8))
		return __LINE__;
	if (queue_one_of_each(&ring) != NR_PREPS || ioring_sq_pending(&ring) != NR_PREPS)
		return __LINE__;
	if (ioring_submit(&ring) != NR_PREPS)
		return __LINE__;
	if (ioring_cq_ready(&ring) != NR_PREPS || ioring_cq_has_overflow(&ring))
		return __LINE__;
	if (ioring_wait_cqe(&ring, &cqe) || ioring_peek_cqe(&ring, &cqe))
		return __LINE__;
	if (ioring_wait_cqes_timeout(&ring, &cqe, NR_PREPS, 1))
		return __LINE__;
	if (!ioring_cqe_strerror(cqe, text, sizeof(text)) || ioring_cqe_field(cqe))
		return __LINE__;
	if (ioring_cqe_path(cqe) != IO_RING_PATH_INLINE)
		return __LINE__;
	for (nr = 0; (cqe = ioring_cqe_at(&ring, nr)); nr++)
		if (cqe != ioring_cqe_at(&ring, nr))
			return __LINE__;
	ioring_cq_advance(&ring, nr);
	if (nr != NR_PREPS || ioring_submit_and_wait(&ring, 0) || ioring_enter(&ring, 0, 0))
		return __LINE__;
	if (ioring_quiesce(&ring, 0))
		return __LINE__;
	ioring_exit(&ring);
	return 0;
}

static int ask(void)
{
	struct io_ring_op_info op;
	struct io_ring_setup setup;
	struct io_ring_query query;
	struct ioring ring;
	char text[100];

	memset(&setup, 0, sizeof(setup));
	setup.entries = 1;
	if (ioring_setup(&ring, &setup))
		return __LINE__;
	ioring_exit(&ring);
	if (!ioring_setup_strerror(&setup, -1, text, sizeof(text)) ||
	    !ioring_device_strerror(-1, text, sizeof(text)))
		return __LINE__;

	memset(&query, 0, sizeof(query));
	query.ops = (uintptr_t)&op;
	query.ops_len = 1;
	if (ioring_query(&query) || !ioring_op_name(op.opcode) || !ioring_sqe_field_name(0))
		return __LINE__;
	return 0;
}

int HEADER_TEST(void)
{
	int line = use_a_ring();

	return line ? line : ask();
}
