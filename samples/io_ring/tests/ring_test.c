// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* The library, over a device that lives in the process. Prints TAP. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_device.h"
#include "header.h"
#include "libio_ring.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static struct ioring ring;

/* Whether all was as expected in the test that runs. */
static bool good;

static void expect(bool holds, const char *condition, int line)
{
	if (!holds)
		printf("# line %d: expected %s\n", line, condition);
	good = good && holds;
}

#define EXPECT(condition)	expect(condition, #condition, __LINE__)

static bool queue_nop(uint64_t user_data)
{
	struct io_ring_sqe *sqe = ioring_get_sqe(&ring);

	if (!sqe)
		return false;
	ioring_prep_nop(sqe);
	sqe->user_data = user_data;
	return true;
}

/* Takes one completion; true if it is the one expected. */
static bool reap(uint64_t user_data)
{
	struct io_ring_cqe *cqe;
	bool expected;

	if (ioring_peek_cqe(&ring, &cqe))
		return false;
	expected = cqe->user_data == user_data && cqe->res == 0;
	ioring_cq_advance(&ring, 1);
	return expected;
}

static void indices_wrap(void)
{
	uint64_t sent = 0, reaped = 0;

	fake.start = UINT32_MAX - 1000;
	EXPECT(!ioring_init(&ring, 4));
	while (sent < 5000) {
		while (queue_nop(sent))
			sent++;
		EXPECT(ioring_submit_and_wait(&ring, 4) == 4);
		while (reaped < sent)
			EXPECT(reap(reaped++));
	}
	ioring_exit(&ring);
}

static void full_queue_gives_no_entry(void)
{
	EXPECT(!ioring_init(&ring, 3));
	EXPECT(ring.sq.entries == 4);
	EXPECT(queue_nop(0) && queue_nop(1) && queue_nop(2) && queue_nop(3));
	EXPECT(!ioring_get_sqe(&ring));
	EXPECT(ioring_submit(&ring) == 4);
	EXPECT(queue_nop(4));
	ioring_exit(&ring);
}

static void untaken_entries_are_offered_again(void)
{
	uint64_t i;

	EXPECT(!ioring_init(&ring, 8));
	for (i = 0; i < 8; i++)
		EXPECT(queue_nop(i));
	fake.take_limit = 3;
	EXPECT(ioring_submit_and_wait(&ring, 8) == 3);
	EXPECT(ioring_sq_pending(&ring) == 5);
	EXPECT(queue_nop(8));
	EXPECT(ioring_submit(&ring) == 3);
	EXPECT(ioring_submit(&ring) == 3);
	EXPECT(ioring_submit(&ring) == 0);
	for (i = 0; i < 9; i++)
		EXPECT(reap(i));
	EXPECT(ioring_cq_ready(&ring) == 0);
	ioring_exit(&ring);
}

static void busy_loses_nothing(void)
{
	EXPECT(!ioring_init(&ring, 2));
	EXPECT(queue_nop(1) && queue_nop(2));
	fake.enter_error = -EBUSY;
	EXPECT(ioring_submit(&ring) == -EBUSY);
	EXPECT(ioring_sq_pending(&ring) == 2);
	fake.enter_error = 0;
	EXPECT(ioring_submit(&ring) == 2);
	EXPECT(reap(1) && reap(2) && !reap(3));
	ioring_exit(&ring);
}

static void nothing_to_do_does_not_enter(void)
{
	struct io_ring_cqe *cqe;

	EXPECT(!ioring_init(&ring, 2));
	EXPECT(ioring_submit(&ring) == 0);
	EXPECT(ioring_peek_cqe(&ring, &cqe) == -EAGAIN);
	EXPECT(fake.enters == 0);
	EXPECT(queue_nop(1) && queue_nop(2) && ioring_submit(&ring) == 2);
	EXPECT(ioring_submit_and_wait(&ring, 2) == 0);
	EXPECT(!ioring_wait_cqe(&ring, &cqe) && cqe->user_data == 1);
	EXPECT(fake.enters == 1 && ring.enters == 1);
	ioring_exit(&ring);
}

static void overflow_is_fetched_in_order(void)
{
	struct io_ring_setup setup = {
		.entries = 4,
		.cq_entries = 4,
		.flags = IO_RING_SETUP_CQSIZE | IO_RING_SETUP_NO_SQARRAY,
	};
	uint64_t i;

	EXPECT(!ioring_setup(&ring, &setup));
	EXPECT(ring.cq.entries == 4);
	for (i = 0; i < 12; i++) {
		EXPECT(queue_nop(i));
		EXPECT(ioring_submit(&ring) == 1);
	}
	EXPECT(ioring_cq_has_overflow(&ring));
	EXPECT(*ring.cq.overflow == 8);
	for (i = 0; i < 12; i++)
		EXPECT(reap(i));
	EXPECT(!ioring_cq_has_overflow(&ring));
	EXPECT(!reap(12));
	ioring_exit(&ring);
}

static void timeout_ends_a_wait(void)
{
	struct io_ring_cqe *cqe;

	EXPECT(!ioring_init(&ring, 4));
	EXPECT(ioring_wait_cqes_timeout(&ring, &cqe, 1, 1000) == -ETIME && !cqe);
	EXPECT(queue_nop(1) && ioring_submit(&ring) == 1);
	EXPECT(ioring_wait_cqes_timeout(&ring, &cqe, 2, 1000) == -ETIME);
	EXPECT(cqe && cqe->user_data == 1);
	fake.interrupts = 1;
	EXPECT(ioring_wait_cqes_timeout(&ring, &cqe, 2, 1000) == -EINTR && cqe);
	EXPECT(queue_nop(2) && ioring_submit(&ring) == 1);
	EXPECT(!ioring_wait_cqes_timeout(&ring, &cqe, 2, 0) && cqe->user_data == 1);
	EXPECT(fake.enters == 5 && ring.enters == 5);
	ioring_exit(&ring);
}

static void signal_ends_a_wait(void)
{
	struct io_ring_cqe *cqe;

	EXPECT(!ioring_init(&ring, 4));
	fake.interrupts = 1;
	EXPECT(ioring_wait_cqe(&ring, &cqe) == -EINTR);
	fake.interrupts = 1;
	EXPECT(ioring_submit_and_wait(&ring, 1) == -EINTR);
	ioring_exit(&ring);
}

static void signal_after_submission_is_told_apart(void)
{
	EXPECT(!ioring_init(&ring, 4));
	EXPECT(queue_nop(7));
	fake.interrupts = 1;
	EXPECT(ioring_submit_and_wait(&ring, 2) == 1);
	EXPECT(ring.wait_error == -EINTR);
	EXPECT(ioring_sq_pending(&ring) == 0);
	EXPECT(ioring_submit_and_wait(&ring, 1) == 0);
	EXPECT(ring.wait_error == 0);
	EXPECT(reap(7));
	ioring_exit(&ring);
}

static void index_array_names_the_entries(void)
{
	struct io_ring_setup setup = { .entries = 4 };
	uint64_t i;

	fake.start = UINT32_MAX - 5;
	EXPECT(!ioring_setup(&ring, &setup));
	EXPECT(ring.sq.array);
	for (i = 0; i < 100; i++) {
		EXPECT(queue_nop(i) && ioring_submit(&ring) == 1);
		EXPECT(reap(i));
	}
	ioring_exit(&ring);
	EXPECT(!ioring_init(&ring, 4));
	EXPECT(!ring.sq.array);
	ioring_exit(&ring);
}

static void completions_can_be_walked(void)
{
	struct io_ring_cqe *cqe;
	uint32_t nr;

	EXPECT(!ioring_init(&ring, 4));
	EXPECT(queue_nop(0) && queue_nop(1) && queue_nop(2));
	EXPECT(ioring_submit_and_wait(&ring, 3) == 3);
	for (nr = 0; (cqe = ioring_cqe_at(&ring, nr)); nr++)
		EXPECT(cqe->user_data == nr);
	EXPECT(nr == 3);
	EXPECT(ioring_cqe_at(&ring, 2) && !ioring_cqe_at(&ring, 3));
	ioring_cq_advance(&ring, 2);
	EXPECT(reap(2) && !reap(3));
	ioring_exit(&ring);
}

static void failed_setup_leaves_nothing_open(void)
{
	fake.open_error = -ENOENT;
	EXPECT(ioring_init(&ring, 4) == -ENOENT);
	fake.open_error = 0;
	fake.setup_error = -ENOMEM;
	EXPECT(ioring_init(&ring, 4) == -ENOMEM);
	fake.setup_error = 0;
	fake.map_error = -EAGAIN;
	EXPECT(ioring_init(&ring, 4) == -EAGAIN);
}

static void refusals_have_a_text(void)
{
	static const struct {
		int			error;
		struct io_ring_setup	refusal;
		const char		*text;
	} cases[] = {
		{ -EINVAL,
		  { .error_field = offsetof(struct io_ring_setup, entries),
		    .error_limit = IO_RING_LIMIT_ENTRIES, .limit_need = 40000,
		    .limit_have = 32768 },
		  "entries: 40000 is above the limit 32768" },
		{ -EINVAL,
		  { .error_field = offsetof(struct io_ring_setup, max_workers),
		    .error_limit = IO_RING_LIMIT_WORKERS, .limit_need = 33, .limit_have = 32 },
		  "max_workers: 33 is above the limit 32" },
		{ -EINVAL, { .error_field = offsetof(struct io_ring_setup, max_workers) },
		  "max_workers: 1 (0x1): Invalid argument" },
		{ -EINVAL, { .error_field = offsetof(struct io_ring_setup, flags) },
		  "flags: 32 (0x20): Invalid argument" },
		{ -EPERM,
		  { .error_field = IO_RING_NO_FIELD, .error_limit = IO_RING_LIMIT_DISABLED },
		  "rings are switched off for this process (module parameter disabled)" },
		{ -ENOMEM,
		  { .error_field = IO_RING_NO_FIELD, .error_limit = IO_RING_LIMIT_MEMORY,
		    .limit_need = 8192 },
		  "not enough memory for a ring of 8192 bytes" },
		{ -EMFILE, { .error_field = IO_RING_NO_FIELD },
		  "/dev/io_ring: Too many open files" },
	};
	char text[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct io_ring_setup setup = {
			.entries = 40000, .flags = 1 << 5, .max_workers = 1,
		};

		fake.setup_error = cases[i].error;
		fake.refusal = cases[i].refusal;
		EXPECT(ioring_setup(&ring, &setup) == cases[i].error);
		ioring_setup_strerror(&setup, cases[i].error, text, sizeof(text));
		EXPECT(!strcmp(text, cases[i].text));
	}
}

static void refused_setup_can_be_tried_again(void)
{
	struct io_ring_setup setup = { .entries = 4, .flags = IO_RING_SETUP_NO_SQARRAY };

	fake.setup_error = -EINVAL;
	fake.refusal = (struct io_ring_setup){ .error_field = 8, .error_limit = 1,
					       .limit_need = 2, .limit_have = 1 };
	EXPECT(ioring_setup(&ring, &setup) == -EINVAL);
	fake.setup_error = 0;
	EXPECT(!ioring_setup(&ring, &setup));
	EXPECT(!setup.error_field && !setup.error_limit && !setup.limit_need && !setup.limit_have);
	ioring_exit(&ring);
}

static void rejected_field_is_named(void)
{
	struct io_ring_cqe cqe = { .res = -EINVAL };
	char text[100];

	EXPECT(!ioring_cqe_field(&cqe));
	EXPECT(!strcmp(ioring_cqe_strerror(&cqe, text, sizeof(text)), "Invalid argument"));
	cqe.flags = IO_RING_CQE_F_REJECTED |
		    offsetof(struct io_ring_sqe, op_flags) << IO_RING_CQE_FIELD_SHIFT;
	EXPECT(!strcmp(ioring_cqe_field(&cqe), "op_flags"));
	ioring_cqe_strerror(&cqe, text, sizeof(text));
	EXPECT(!strcmp(text, "op_flags: Invalid argument"));
	ioring_cqe_strerror(&cqe, text, 5);
	EXPECT(!strcmp(text, "op_f"));
}

static void every_byte_of_an_entry_has_a_name(void)
{
	size_t i;

	for (i = 0; i < sizeof(struct io_ring_sqe); i++)
		EXPECT(ioring_sqe_field_name(i));
	EXPECT(!ioring_sqe_field_name(i));
	EXPECT(!strcmp(ioring_sqe_field_name(0), "opcode"));
	EXPECT(!strcmp(ioring_sqe_field_name(63), "resv"));
	EXPECT(!strcmp(ioring_op_name(IO_RING_OP_WRITE), "WRITE") && !ioring_op_name(255));
	EXPECT(!strcmp(ioring_op_name(IO_RING_OP_CANCEL), "CANCEL"));
}

static void cancel_says_which(void)
{
	struct io_ring_sqe expected = { .opcode = IO_RING_OP_CANCEL };
	struct io_ring_sqe sqe;

	expected.addr = ~0ULL;
	expected.op_flags = IO_RING_CANCEL_USERDATA | IO_RING_CANCEL_ALL;
	ioring_prep_cancel(&sqe, ~0ULL, IO_RING_CANCEL_ALL);
	EXPECT(!memcmp(&sqe, &expected, sizeof(sqe)));

	expected = (struct io_ring_sqe){ .opcode = IO_RING_OP_CANCEL };
	expected.fd = 5;
	expected.op_flags = IO_RING_CANCEL_FD;
	ioring_prep_cancel_fd(&sqe, 5, 0);
	EXPECT(!memcmp(&sqe, &expected, sizeof(sqe)));
}

static void path_is_two_bits(void)
{
	struct io_ring_cqe cqe = { .flags = ~(3U << 9) };
	unsigned int path;

	EXPECT(ioring_cqe_path(&cqe) == IO_RING_PATH_INLINE);
	for (path = IO_RING_PATH_POLLED; path <= IO_RING_PATH_DEVICE; path++) {
		cqe.flags = path << 9;
		EXPECT(ioring_cqe_path(&cqe) == path);
	}
}

static void quiesce_counts_what_is_left(void)
{
	EXPECT(!ioring_init(&ring, 4));
	EXPECT(ioring_quiesce(&ring, 0) == 0);
	EXPECT(ioring_quiesce(&ring, UINT64_MAX) == -EINVAL);
	fake.left = 3;
	EXPECT(ioring_quiesce(&ring, 1000) == 3);
	fake.interrupts = 1;
	EXPECT(ioring_quiesce(&ring, 0) == 3);
	ioring_exit(&ring);
}

static void header_works_in_c11(void)
{
	EXPECT(header_c11() == 0);
}

static void header_works_in_cxx17(void)
{
	EXPECT(header_cxx17() == 0);
}

#define TEST(function)	{ #function, function }

static const struct {
	const char	*name;
	void		(*run)(void);
} tests[] = {
	TEST(indices_wrap),
	TEST(full_queue_gives_no_entry),
	TEST(untaken_entries_are_offered_again),
	TEST(busy_loses_nothing),
	TEST(nothing_to_do_does_not_enter),
	TEST(timeout_ends_a_wait),
	TEST(overflow_is_fetched_in_order),
	TEST(signal_ends_a_wait),
	TEST(signal_after_submission_is_told_apart),
	TEST(index_array_names_the_entries),
	TEST(completions_can_be_walked),
	TEST(failed_setup_leaves_nothing_open),
	TEST(refusals_have_a_text),
	TEST(refused_setup_can_be_tried_again),
	TEST(rejected_field_is_named),
	TEST(every_byte_of_an_entry_has_a_name),
	TEST(cancel_says_which),
	TEST(path_is_two_bits),
	TEST(quiesce_counts_what_is_left),
	TEST(header_works_in_c11),
	TEST(header_works_in_cxx17),
};

int main(void)
{
	bool all_good = true;
	size_t i;

	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		fake_reset();
		good = true;
		tests[i].run();
		EXPECT(fake.open_files == 0);
		EXPECT(fake.mappings == 0);
		printf("%sok %zu %s\n", good ? "" : "not ", i + 1, tests[i].name);
		all_good = all_good && good;
	}
	return all_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
