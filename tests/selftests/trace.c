// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints: what is recorded while somebody listens, and nothing else. */
#include <errno.h>
#include <stdio.h>

#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "tracing.h"

#define ENTRIES 8
#define CQ_ENTRIES 8
#define LARGE 0xffffffff87654321ULL

static const char * const events[] = {
	"create", "destroy", "bind", "submit", "reject", "arm", "queue", "work", "cancel",
	"link", "drain", "complete", "park", "skip", "wait", "wait_end",
};

FIXTURE(trace)
{
	struct tracing *tracing;
	struct ring ring;
	long number;
	int pipe[2];
	char byte;
};

FIXTURE_SETUP(trace)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);

	wanted.cq_entries = CQ_ENTRIES;
	wanted.requests = 4 * CQ_ENTRIES;
	self->tracing = calloc(1, sizeof(*self->tracing));
	ASSERT_NE(NULL, self->tracing);
	ASSERT_EQ(0, tracing_begin(self->tracing));
	ASSERT_EQ(0, ring_open_as(&self->ring, &wanted));
	self->number = fdinfo_value(self->ring.fd, "ring");
	ASSERT_LT(0, self->number);
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(trace)
{
	ring_close(&self->ring);
	close(self->pipe[0]);
	close(self->pipe[1]);
	tracing_end(self->tracing);
	free(self->tracing);
}

/* There are so many lines like this. */
#define EXPECT_LINES(times, ...) do {							\
	EXPECT_EQ((unsigned int)(times), tracing_count(self->tracing, __VA_ARGS__)) {	\
		TH_LOG(__VA_ARGS__);							\
		TH_LOG("%s", self->tracing->text);					\
	}										\
} while (0)

/* Sooner or later there is a line like this. */
#define ASSERT_LINE(...) do {								\
	ASSERT_TRUE(tracing_await(self->tracing, __VA_ARGS__)) {			\
		TH_LOG(__VA_ARGS__);							\
		TH_LOG("%s", self->tracing->text);					\
	}										\
} while (0)

static int run(struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	struct io_ring_cqe cqe;
	int error;

	sqe.user_data = user_data;
	error = ring_run(ring, &sqe, &cqe);
	return error ?: cqe.res;
}

/* Submit one entry whose completion is not waited for. */
static int start(struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0);
}

static struct io_ring_sqe with_flags(struct io_ring_sqe sqe, __u8 flags)
{
	sqe.flags = flags;
	return sqe;
}

static int reap(const struct ring *ring, unsigned int count)
{
	struct io_ring_cqe cqe;
	int error = ring_enter(ring, 0, count);

	while (count-- && error >= 0)
		error = ring_pop(ring, &cqe) ? 0 : -ENODATA;
	return error;
}

TEST_F(trace, of_the_life_of_a_ring)
{
	struct ring ring;
	long number;

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_NO_SQARRAY));
	number = fdinfo_value(ring.fd, "ring");
	EXPECT_LT(self->number, number);
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "create: ring=%ld entries=%u cq_entries=%u requests=%u flags=0x%x", number,
		     ring.setup.entries, ring.setup.cq_entries, ring.setup.requests,
		     ring.setup.flags);
	EXPECT_LINES(1, "bind: ring=%ld again=0", number);
	EXPECT_LINES(0, "destroy: ring=%ld", number);
	ring_close(&ring);
	ASSERT_LINE("destroy: ring=%ld", number);
	EXPECT_LINES(1, "destroy: ring=%ld", number);
	EXPECT_LINES(0, "destroy: ring=%ld", self->number);
}

static int bind(void *arg)
{
	return ring_enter(arg, 1, 0) ? 1 : 0;
}

TEST_F(trace, of_one_process_after_another)
{
	struct ring ring;
	long number;

	ASSERT_EQ(0, tracing_enable(self->tracing, "bind", true));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, IO_RING_SETUP_REBIND));
	number = fdinfo_value(ring.fd, "ring");
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(0, "bind: ring=%ld again=0", number);
	ASSERT_EQ(0, in_child(bind, &ring));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "bind: ring=%ld again=0", number);
	ASSERT_EQ(0, bind(&ring));
	ASSERT_EQ(0, bind(&ring));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "bind: ring=%ld again=0", number);
	EXPECT_LINES(1, "bind: ring=%ld again=1", number);
	ring_close(&ring);
}

TEST_F(trace, of_requests_that_end_at_once)
{
	int fd = temp_file(TMPFS_DIR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pattern_write(fd, 10, 1));
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 0x11));
	ASSERT_EQ(1, run(&self->ring, sqe_rw(IO_RING_OP_READ, fd, &self->byte, 1, 0), LARGE));
	ASSERT_EQ(-ENOENT, run(&self->ring, sqe_cancel(0, 77, 0, 0), 0x13));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "submit: ring=%ld user_data=0x11 opcode=0 op=nop flags=0x0 fd=0",
		     self->number);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x11 res=0 flags=0x%x", self->number,
		     CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_LINES(1, "submit: ring=%ld user_data=0x%llx opcode=22 op=read flags=0x0 fd=%d",
		     self->number, LARGE, fd);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x%llx res=1 flags=0x%x", self->number,
		     LARGE, CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x13 res=%d flags=0x%x", self->number,
		     -ENOENT, CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_LINES(3, "submit: ring=%ld", self->number);
	EXPECT_LINES(3, "complete: ring=%ld", self->number);
	EXPECT_LINES(0, "reject: ring=%ld", self->number);
	close(fd);
}

TEST_F(trace, of_entries_that_are_rejected)
{
	struct io_ring_sqe unknown = { .opcode = 250 };
	struct io_ring_sqe wrong = sqe_nop(0);
	struct io_ring_timespec time = { .sec = 1000 };
	struct io_ring_sqe misplaced = sqe_timeout(&time, 0, 0);

	wrong.resv = 1;
	misplaced.opcode = IO_RING_OP_LINK_TIMEOUT;
	misplaced.op_flags = 0;
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(-EINVAL, run(&self->ring, wrong, 1));
	ASSERT_EQ(-EINVAL, run(&self->ring, unknown, 2));
	ASSERT_EQ(-EBADF, run(&self->ring, sqe_rw(IO_RING_OP_READ, -1, &self->byte, 1, 0), 3));
	ASSERT_EQ(-EINVAL, run(&self->ring, misplaced, 4));
	ASSERT_EQ(-EINVAL, run(&self->ring, with_flags(wrong, IO_RING_SQE_FORCE_ASYNC), 5));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x1 opcode=0 op=nop error=%d field=%zu",
		     self->number, -EINVAL, offsetof(struct io_ring_sqe, resv));
	EXPECT_LINES(1, "submit: ring=%ld user_data=0x2 opcode=250 op=? flags=0x0 fd=0",
		     self->number);
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x2 opcode=250 op=? error=%d field=0",
		     self->number, -EINVAL);
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x3 opcode=22 op=read error=%d field=%zu",
		     self->number, -EBADF, offsetof(struct io_ring_sqe, fd));
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x4 opcode=15 op=link_timeout error=%d field=0",
		     self->number, -EINVAL);
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x5 opcode=0 op=nop error=%d field=%zu",
		     self->number, -EINVAL, offsetof(struct io_ring_sqe, resv));
	EXPECT_LINES(5, "reject: ring=%ld", self->number);
}

TEST_F(trace, of_requests_that_wait_for_their_file)
{
	struct io_ring_sqe read = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, -1);

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(1, start(&self->ring, read, 1));
	ASSERT_EQ(1, start(&self->ring, sqe_poll(self->pipe[0], 1, 0), 2));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "arm: ring=%ld user_data=0x1 opcode=22 op=read", self->number);
	EXPECT_LINES(1, "arm: ring=%ld user_data=0x2 opcode=6 op=poll_add", self->number);
	EXPECT_LINES(0, "complete: ring=%ld", self->number);
	ASSERT_EQ(1, write(self->pipe[1], "xx", 1));
	ASSERT_EQ(0, reap(&self->ring, 1));
	ASSERT_EQ(1, write(self->pipe[1], "xx", 1));
	ASSERT_EQ(0, reap(&self->ring, 1));
	ASSERT_LINE("complete: ring=%ld user_data=0x1 res=1 flags=0x%x", self->number,
		    CQE_VIA(IO_RING_PATH_POLLED));
	ASSERT_LINE("complete: ring=%ld user_data=0x2 res=1 flags=0x%x", self->number,
		    CQE_VIA(IO_RING_PATH_POLLED));
	EXPECT_LT(0, tracing_count(self->tracing, "work: ring=%ld user_data=0x1 opcode=22 op=read",
				   self->number));
	EXPECT_LINES(0, "queue: ring=%ld", self->number);
	EXPECT_LINES(0, "cancel: ring=%ld", self->number);
}

TEST_F(trace, tells_who_did_it)
{
	struct io_ring_sqe read = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, -1);
	pid_t submitter = 0, worker = 0;
	char path[64];
	int keeps[2];

	/* The worker stays as long as something waits. */
	ASSERT_EQ(0, pipe(keeps));
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(1, start(&self->ring, sqe_poll(keeps[0], 1, 0), 1));
	ASSERT_EQ(1, start(&self->ring, read, 2));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, reap(&self->ring, 1));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_EQ(1U, tracing_lines(self->tracing, &submitter,
				    "submit: ring=%ld user_data=0x2", self->number));
	EXPECT_EQ(getpid(), submitter);
	EXPECT_NE(0U, tracing_lines(self->tracing, &worker,
				    "work: ring=%ld user_data=0x2", self->number));
	EXPECT_NE(getpid(), worker);
	snprintf(path, sizeof(path), "/proc/self/task/%d", worker);
	EXPECT_EQ(0, access(path, F_OK));
	close(keeps[0]);
	close(keeps[1]);
}

TEST_F(trace, of_requests_that_wait_for_a_worker)
{
	int fd = temp_file(EXT4_DIR);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(0, run(&self->ring, sqe_fsync(fd, 0, 0, 0), 9));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "queue: ring=%ld user_data=0x9 opcode=3 op=fsync", self->number);
	EXPECT_LINES(1, "work: ring=%ld user_data=0x9 opcode=3 op=fsync", self->number);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x9 res=0 flags=0x%x", self->number,
		     CQE_VIA(IO_RING_PATH_WORKER));
	EXPECT_LINES(0, "arm: ring=%ld", self->number);
	close(fd);
}

TEST_F(trace, of_requests_that_are_cancelled)
{
	struct io_ring_timespec time = { .sec = 1000 };

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(1, start(&self->ring, sqe_timeout(&time, 0, 0), 1));
	ASSERT_EQ(1, start(&self->ring, with_flags(sqe_poll(self->pipe[0], 1, 0),
						   IO_RING_SQE_LINK), 2));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "arm: ring=%ld user_data=0x1 opcode=11 op=timeout", self->number);
	EXPECT_LINES(0, "cancel: ring=%ld", self->number);
	ASSERT_EQ(0, ring_quiesce(&self->ring, 0, NULL));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "cancel: ring=%ld user_data=0x1 opcode=11 op=timeout", self->number);
	EXPECT_LINES(1, "cancel: ring=%ld user_data=0x2 opcode=6 op=poll_add", self->number);
	EXPECT_LINES(2, "cancel: ring=%ld", self->number);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x1 res=%d flags=0x%x", self->number,
		     -ECANCELED, CQE_VIA(IO_RING_PATH_POLLED));
}

TEST_F(trace, of_a_timeout_whose_time_has_come)
{
	struct io_ring_timespec time = { .nsec = 1 };

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(-ETIME, run(&self->ring, sqe_timeout(&time, 0, 0), 1));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "arm: ring=%ld user_data=0x1 opcode=11 op=timeout", self->number);
	EXPECT_LINES(0, "cancel: ring=%ld", self->number);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x1 res=%d", self->number, -ETIME);
}

TEST_F(trace, of_chains)
{
	struct io_ring_sqe sqes[] = {
		with_flags(sqe_poll(self->pipe[0], 1, 0), IO_RING_SQE_LINK),
		with_flags(sqe_nop(0), IO_RING_SQE_LINK | IO_RING_SQE_CQE_SKIP_SUCCESS),
		sqe_nop(0),
		with_flags(sqe_nop(0), IO_RING_SQE_DRAIN),
	};

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	for (unsigned int i = 0; i < 4; i++) {
		sqes[i].user_data = i + 1;
		ring_push(&self->ring, &sqes[i]);
	}
	ASSERT_EQ(4, ring_enter(&self->ring, 4, 0));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "link: ring=%ld user_data=0x1 members=3", self->number);
	EXPECT_LINES(1, "link: ring=%ld", self->number);
	EXPECT_LINES(1, "drain: ring=%ld user_data=0x4 members=1", self->number);
	EXPECT_LINES(1, "drain: ring=%ld", self->number);
	EXPECT_LINES(0, "complete: ring=%ld", self->number);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, reap(&self->ring, 3));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "skip: ring=%ld user_data=0x2 res=0", self->number);
	EXPECT_LINES(1, "skip: ring=%ld", self->number);
	EXPECT_LINES(0, "complete: ring=%ld user_data=0x2", self->number);
	EXPECT_LINES(3, "complete: ring=%ld", self->number);
}

TEST_F(trace, of_members_that_are_given_up)
{
	struct io_ring_sqe first = with_flags(sqe_nop(1), IO_RING_SQE_LINK);
	struct io_ring_sqe second = sqe_nop(2);

	/* Rejected: nothing of the chain is started. */
	second.resv = 1;
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ring_push(&self->ring, &first);
	ring_push(&self->ring, &second);
	ASSERT_EQ(2, ring_enter(&self->ring, 2, 2));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "cancel: ring=%ld user_data=0x1 opcode=0 op=nop", self->number);
	EXPECT_LINES(1, "reject: ring=%ld user_data=0x2 opcode=0 op=nop", self->number);
	EXPECT_LINES(1, "cancel: ring=%ld", self->number);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x1 res=%d", self->number, -ECANCELED);
}

TEST_F(trace, of_completions_that_wait_for_room)
{
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	for (unsigned int i = 0; i < 2; i++) {
		ring_push_nops(&self->ring, ENTRIES, 0x100 * (i + 1));
		ASSERT_EQ(ENTRIES, ring_enter(&self->ring, ENTRIES, 0));
	}
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(CQ_ENTRIES, "complete: ring=%ld", self->number);
	EXPECT_LINES(2 * ENTRIES - CQ_ENTRIES, "park: ring=%ld", self->number);
	EXPECT_LINES(1, "park: ring=%ld user_data=0x200 res=0 flags=0x%x", self->number,
		     CQE_VIA(IO_RING_PATH_INLINE));
	EXPECT_LINES(0, "complete: ring=%ld user_data=0x200", self->number);
	ASSERT_TRUE(ring_pop(&self->ring, &cqe));
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 0));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x200", self->number);
	EXPECT_LINES(CQ_ENTRIES + 1, "complete: ring=%ld", self->number);
}

static int wait_for_one(void *arg)
{
	return ring_enter(arg, 0, 1) ? 1 : 0;
}

TEST_F(trace, of_waits)
{
	struct io_ring_enter late = { .min_complete = 1, .timeout = 1 };
	struct io_ring_sqe read = sqe_rw(IO_RING_OP_READ, self->pipe[0], &self->byte, 1, -1);
	pid_t child;

	ASSERT_EQ(1, start(&self->ring, read, 1));
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(-ETIME, ring_enter_fd(self->ring.fd, &late));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "wait: ring=%ld wanted=1", self->number);
	EXPECT_LINES(1, "wait_end: ring=%ld error=%d", self->number, -ETIME);
	ASSERT_EQ(0, tracing_forget(self->tracing));
	child = spawn(wait_for_one, &self->ring);
	ASSERT_LINE("wait: ring=%ld wanted=1", self->number);
	EXPECT_LINES(0, "wait_end: ring=%ld", self->number);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, outcome_of(child));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "wait_end: ring=%ld error=0", self->number);
	/* What can be read already is not waited for. */
	ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "wait: ring=%ld", self->number);
	EXPECT_LINES(1, "wait_end: ring=%ld", self->number);
}

TEST_F(trace, has_only_what_is_enabled)
{
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 1));
	ASSERT_EQ(0, tracing_enable(self->tracing, "complete", true));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 2));
	ASSERT_EQ(0, tracing_enable(self->tracing, "complete", false));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 3));
	ASSERT_EQ(0, tracing_read(self->tracing));
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		EXPECT_LINES(!strcmp(events[i], "complete"), "%s", events[i]);
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x2", self->number);
}

TEST_F(trace, can_be_filtered_by_fields)
{
	ASSERT_EQ(0, tracing_set(self->tracing, "events/io_ring/io_ring_submit/filter",
				 "op == \"fsync\" || user_data == 7"));
	ASSERT_EQ(0, tracing_enable(self->tracing, "submit", true));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 6));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 7));
	ASSERT_EQ(-EINVAL, run(&self->ring, sqe_fsync(self->pipe[0], 0, 0, 0), 8));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "submit: ring=%ld user_data=0x7 opcode=0 op=nop", self->number);
	EXPECT_LINES(1, "submit: ring=%ld user_data=0x8 opcode=3 op=fsync", self->number);
	EXPECT_LINES(2, "submit: ring=%ld", self->number);
}

/* Rings come and go, and so does the module, while somebody listens. */
TEST_F(trace, does_not_keep_the_module)
{
	static const char all[] = "events/io_ring/enable";

	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 1));
	ASSERT_NE(0, module_unload());
	ring_close(&self->ring);
	ASSERT_STREQ("", counters_busy() ?: "");
	ASSERT_EQ(0, module_unload());
	EXPECT_EQ(-ENOENT, tracing_set(self->tracing, all, "1"));
	ASSERT_EQ(0, tracing_read(self->tracing));
	ASSERT_EQ(0, module_load());
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->number = fdinfo_value(self->ring.fd, "ring");
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 0x22));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(0, "complete: ring=%ld user_data=0x22", self->number);
	ASSERT_EQ(0, tracing_enable(self->tracing, NULL, true));
	ASSERT_EQ(0, run(&self->ring, sqe_nop(0), 0x33));
	ASSERT_EQ(0, tracing_read(self->tracing));
	EXPECT_LINES(1, "complete: ring=%ld user_data=0x33", self->number);
}

TEST_HARNESS_MAIN
