// SPDX-License-Identifier: GPL-2.0-only
/* Many threads submit to one ring, and reap: every request completes once. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "ring.h"
#include "soak.h"

#define SPAN_S 60
#define LIMIT_S 300
#define THREADS 8
#define ENTRIES 256
#define MOST_IN_FLIGHT 256
#define MOST_IN_BATCH 8
#define MOST_REQUESTS (1U << 25)
#define RECENT 64
#define PIPES 4
#define MOST_PIPE_READS 64
#define MOST_PIPE_BYTES 1000	/* less than a pipe holds: writes do not block */
#define CHUNK 4096
#define CHUNKS 64
#define WAIT (20 * MS)

enum kind {
	NOTHING,
	NOP,
	PIPE_READ,
	PIPE_WRITE,
	FILE_READ,
	FILE_WRITE,
	FILE_FSYNC,
	CANCEL,
	KINDS,
};

static const char * const kind_names[KINDS] = {
	"unknown", "NOP", "pipe reads", "pipe writes", "file reads", "file writes", "FSYNC",
	"CANCEL",
};

/* What all threads share. */
struct crowd {
	struct ring ring;
	pthread_mutex_t submission;
	pthread_mutex_t completion;
	__u64 end;
	int pipes[PIPES][2];
	int file;
	int direct;
	unsigned char *memory;
	/* By user_data. */
	unsigned char *kinds;
	unsigned char *completions;
	unsigned int issued;
	unsigned int completed;
	unsigned int issued_kinds[KINDS];
	unsigned int completed_kinds[KINDS];
	unsigned int cancelled;
	unsigned int bytes_read;
	/* The latest reads of pipes, to be cancelled. */
	__u64 recent[RECENT];
	unsigned int wrong;
	enum kind wrong_kind;
	__s32 wrong_result;
	__u64 worst_enter;
};

FIXTURE(crowd)
{
	struct crowd *crowd;
};

static void *zeroes(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

FIXTURE_SETUP(crowd)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, IO_RING_SETUP_CQSIZE);
	struct crowd *crowd = zeroes(sizeof(*crowd));

	ASSERT_NE(NULL, crowd);
	self->crowd = crowd;
	wanted.cq_entries = MOST_IN_FLIGHT;
	ASSERT_EQ(0, ring_open_as(&crowd->ring, &wanted));
	pthread_mutex_init(&crowd->submission, NULL);
	pthread_mutex_init(&crowd->completion, NULL);
	for (unsigned int i = 0; i < PIPES; i++)
		ASSERT_EQ(0, pipe2(crowd->pipes[i], O_CLOEXEC));
	crowd->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, crowd->file);
	ASSERT_EQ(0, pattern_write(crowd->file, CHUNKS * CHUNK, 0));
	ASSERT_EQ(0, fsync(crowd->file));
	crowd->direct = reopen(crowd->file, O_RDWR | O_DIRECT);
	ASSERT_LE(0, crowd->direct);
	crowd->memory = zeroes(CHUNKS * CHUNK);
	crowd->kinds = zeroes(MOST_REQUESTS);
	crowd->completions = zeroes(MOST_REQUESTS);
	ASSERT_NE(NULL, crowd->memory);
	ASSERT_NE(NULL, crowd->kinds);
	ASSERT_NE(NULL, crowd->completions);
}

FIXTURE_TEARDOWN(crowd)
{
	ring_close(&self->crowd->ring);
	close(self->crowd->file);
	close(self->crowd->direct);
}

static unsigned int get(const unsigned int *number)
{
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static void count(unsigned int *number)
{
	__atomic_add_fetch(number, 1, __ATOMIC_ACQ_REL);
}

static enum kind choose(const struct crowd *crowd, unsigned int *random)
{
	enum kind kind = NOP + rand_r(random) % (KINDS - NOP);
	unsigned int reads = crowd->issued_kinds[PIPE_READ] -
			     get(&crowd->completed_kinds[PIPE_READ]);
	unsigned int bytes = crowd->issued_kinds[PIPE_WRITE] - get(&crowd->bytes_read);

	/* One FSYNC takes as long as many of the others. */
	if ((kind == PIPE_READ && reads >= MOST_PIPE_READS) ||
	    (kind == PIPE_WRITE && bytes >= MOST_PIPE_BYTES) ||
	    (kind == FILE_FSYNC && rand_r(random) % 8))
		return NOP;
	return kind;
}

static struct io_ring_sqe make(const struct crowd *crowd, enum kind kind, unsigned int *random)
{
	unsigned int chunk = rand_r(random) % CHUNKS;
	unsigned char *memory = crowd->memory + chunk * CHUNK;
	const int *pipe = crowd->pipes[rand_r(random) % PIPES];
	struct io_ring_sqe sqe = sqe_nop(0);

	switch (kind) {
	case PIPE_READ:
		return sqe_rw(IO_RING_OP_READ, pipe[0], memory, 1, 0);
	case PIPE_WRITE:
		return sqe_rw(IO_RING_OP_WRITE, pipe[1], memory, 1, 0);
	case FILE_READ:
		return sqe_rw(IO_RING_OP_READ, chunk % 2 ? crowd->file : crowd->direct, memory,
			      CHUNK, chunk * CHUNK);
	case FILE_WRITE:
		return sqe_rw(IO_RING_OP_WRITE, chunk % 2 ? crowd->file : crowd->direct, memory,
			      CHUNK, chunk * CHUNK);
	case FILE_FSYNC:
		return sqe_fsync(crowd->file, 0, 0, 0);
	case CANCEL:
		sqe.opcode = IO_RING_OP_CANCEL;
		sqe.addr = crowd->recent[rand_r(random) % RECENT];
		return sqe;
	default:
		return sqe;
	}
}

/* Puts a few requests into the queue, while there is room for what they complete with. */
static unsigned int push_batch(struct crowd *crowd, unsigned int *random)
{
	unsigned int want = 1 + rand_r(random) % MOST_IN_BATCH;
	unsigned int pushed = 0;

	pthread_mutex_lock(&crowd->submission);
	while (pushed < want && crowd->issued < MOST_REQUESTS - 1 &&
	       crowd->issued - get(&crowd->completed) < MOST_IN_FLIGHT) {
		enum kind kind = choose(crowd, random);
		struct io_ring_sqe sqe = make(crowd, kind, random);

		/* 0 is nobody's, and may be cancelled. */
		sqe.user_data = crowd->issued + 1;
		if (kind == PIPE_READ)
			crowd->recent[rand_r(random) % RECENT] = sqe.user_data;
		crowd->kinds[sqe.user_data] = kind;
		crowd->issued_kinds[kind]++;
		crowd->issued++;
		ring_push(&crowd->ring, &sqe);
		pushed++;
	}
	pthread_mutex_unlock(&crowd->submission);
	return pushed;
}

static bool is_right(enum kind kind, __s32 res)
{
	switch (kind) {
	case NOP:
	case FILE_FSYNC:
		return res == 0;
	case PIPE_READ:
		return res == 1 || res == -ECANCELED;
	case PIPE_WRITE:
		return res == 1;
	case FILE_READ:
	case FILE_WRITE:
		return res == CHUNK;
	case CANCEL:
		return res == 0 || res == -ENOENT || res == -EALREADY;
	default:
		return false;
	}
}

static void judge(struct crowd *crowd, const struct io_ring_cqe *cqe)
{
	enum kind kind = cqe->user_data < MOST_REQUESTS ? crowd->kinds[cqe->user_data] : NOTHING;

	if (!is_right(kind, cqe->res)) {
		crowd->wrong++;
		crowd->wrong_kind = kind;
		crowd->wrong_result = cqe->res;
	}
	if (kind == NOTHING)
		return;
	crowd->completions[cqe->user_data]++;
	crowd->cancelled += cqe->res == -ECANCELED;
	if (kind == PIPE_READ && cqe->res == 1)
		count(&crowd->bytes_read);
	count(&crowd->completed_kinds[kind]);
	count(&crowd->completed);
}

static void reap(struct crowd *crowd)
{
	struct io_ring_cqe cqe;

	pthread_mutex_lock(&crowd->completion);
	while (ring_pop(&crowd->ring, &cqe))
		judge(crowd, &cqe);
	pthread_mutex_unlock(&crowd->completion);
}

/* The result is 0 or -errno; a wait that takes too long is none. */
static int enter(struct crowd *crowd, unsigned int pushed, unsigned int min_complete)
{
	struct io_ring_enter args = {
		.to_submit = pushed,
		.min_complete = min_complete,
		.timeout = min_complete ? WAIT : 0,
		.clock = min_complete ? CLOCK_MONOTONIC : 0,
	};
	int taken = ring_enter_fd(crowd->ring.fd, &args);

	if (taken == -ETIME)
		return 0;
	if (taken < 0)
		return taken;
	return taken == (int)pushed ? 0 : -EPROTO;
}

static void *be_busy(void *arg)
{
	struct crowd *crowd = arg;
	unsigned int random = crowd->end ^ pthread_self();
	__u64 worst = 0;
	int error = 0;

	while (!error && clock_now(CLOCK_MONOTONIC) < crowd->end) {
		unsigned int pushed = push_batch(crowd, &random);
		__u64 begin = clock_now(CLOCK_MONOTONIC);

		error = enter(crowd, pushed, 0);
		keep_worst(&worst, begin);
		if (!error && (!pushed || rand_r(&random) % 4 == 0))
			error = enter(crowd, 0, 1);
		reap(crowd);
	}
	pthread_mutex_lock(&crowd->completion);
	if (worst > crowd->worst_enter)
		crowd->worst_enter = worst;
	pthread_mutex_unlock(&crowd->completion);
	return (void *)(long)error;
}

/* Reads that wait get something to read, and everything else finishes by itself. */
static bool finish(struct crowd *crowd)
{
	static const char bytes[MOST_PIPE_READS];
	long end = now_ms() + patience(10 * SOON);

	for (unsigned int i = 0; i < PIPES; i++)
		if (write(crowd->pipes[i][1], bytes, sizeof(bytes)) != sizeof(bytes))
			return false;
	while (crowd->completed < crowd->issued) {
		if (now_ms() > end || enter(crowd, 0, 1))
			return false;
		reap(crowd);
	}
	return true;
}

static void report(const struct crowd *crowd, unsigned int lost, unsigned int twice)
{
	soak_figure("%u requests of %d threads: %u lost, %u twice, %u wrong results",
		    crowd->issued, THREADS, lost, twice, crowd->wrong);
	soak_figure("  worst ENTER that does not wait: %.1f ms", in_ms(crowd->worst_enter));
	for (enum kind kind = NOP; kind < KINDS; kind++)
		soak_figure("  %s: %u", kind_names[kind], crowd->issued_kinds[kind]);
	soak_figure("  of them cancelled: %u", crowd->cancelled);
}

TEST_F_TIMEOUT(crowd, completes_everything_once, LIMIT_S)
{
	struct crowd *crowd = self->crowd;
	pthread_t threads[THREADS];
	unsigned int lost = 0, twice = 0;

	crowd->end = clock_now(CLOCK_MONOTONIC) + soak_scaled(SPAN_S) * SECOND;
	for (unsigned int i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, be_busy, crowd));
	for (unsigned int i = 0; i < THREADS; i++) {
		void *error;

		ASSERT_EQ(0, pthread_join(threads[i], &error));
		EXPECT_EQ(NULL, error);
	}
	EXPECT_TRUE(finish(crowd));
	for (unsigned int i = 1; i <= crowd->issued; i++) {
		lost += crowd->completions[i] == 0;
		twice += crowd->completions[i] > 1;
	}
	report(crowd, lost, twice);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, twice);
	EXPECT_EQ(0, crowd->wrong) {
		TH_LOG("the last: %d of a request (%s)", crowd->wrong_result,
		       kind_names[crowd->wrong_kind]);
	}
	for (enum kind kind = NOP; kind < KINDS; kind++)
		EXPECT_LT(0, crowd->issued_kinds[kind]);
}

TEST_HARNESS_MAIN
