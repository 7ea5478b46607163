// SPDX-License-Identifier: GPL-2.0-only
/* Random batches of entries with random flags, and what a model says becomes of them. */
#include <errno.h>
#include <sys/uio.h>

#include "await.h"
#include "chain.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "ring.h"

#define BATCH 64
#define ROUNDS 100
#define RANDOM_SEED 1
#define FILE_SIZE 8

#define DRAIN IO_RING_SQE_DRAIN
#define LINK IO_RING_SQE_LINK
#define HARDLINK IO_RING_SQE_HARDLINK
#define FORCED IO_RING_SQE_FORCE_ASYNC
#define QUIET IO_RING_SQE_CQE_SKIP_SUCCESS

struct kind {
	struct io_ring_sqe sqe;
	__s32 res;
	bool is_success;
	bool is_rejected;
	bool needs_feed;	/* it waits for a byte from the pipe */
};

/* At most as many as there are operations and ways to fail. */
#define KINDS 12

FIXTURE(batch)
{
	struct ring ring;
	int pipe[2];
	int file;
	char buffer[FILE_SIZE];
	struct iovec iovec;
	struct kind kinds[KINDS];
	unsigned int random;
};

FIXTURE_SETUP(batch)
{
	struct io_ring_sqe bad = sqe_nop(0);
	char *const buffer = self->buffer;

	ASSERT_EQ(0, ring_open(&self->ring, BATCH, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	self->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(FILE_SIZE, pwrite(self->file, "12345678", FILE_SIZE, 0));
	self->random = RANDOM_SEED;
	self->iovec = (struct iovec){ .iov_base = buffer, .iov_len = 2 };
	bad.len = 1;

	self->kinds[0] = (struct kind){ sqe_nop(0), 0, .is_success = true };
	self->kinds[1] = (struct kind){ sqe_rw(IO_RING_OP_READ, self->file, buffer, 4, 0), 4,
					.is_success = true };
	self->kinds[2] = (struct kind){ sqe_rw(IO_RING_OP_READ, self->file, buffer, 4, 6), 2,
					.is_success = false };
	self->kinds[3] = (struct kind){ sqe_rw(IO_RING_OP_READ, self->pipe[0], buffer, 1, 0), 1,
					.is_success = true, .needs_feed = true };
	self->kinds[4] = (struct kind){ sqe_rw(IO_RING_OP_READ, self->pipe[0], buffer, 0, 0), 0,
					.is_success = true };
	self->kinds[5] = (struct kind){ sqe_rw(IO_RING_OP_WRITE, self->file, "1", 1, 0), 1,
					.is_success = true };
	self->kinds[6] = (struct kind){ sqe_rw(IO_RING_OP_READV, self->file, &self->iovec, 1, 0),
					2, .is_success = true };
	self->kinds[7] = (struct kind){ sqe_rw(IO_RING_OP_WRITEV, self->file, &self->iovec, 1, 0),
					2, .is_success = true };
	self->kinds[8] = (struct kind){ sqe_fsync(self->file, 0, 0, 0), 0, .is_success = true };
	self->kinds[9] = (struct kind){ sqe_fsync(self->pipe[0], 0, 0, 0), -EINVAL,
					.is_success = false };
	self->kinds[10] = (struct kind){ sqe_cancel(0, 12345, 0, 0), -ENOENT,
					 .is_success = false };
	self->kinds[11] = (struct kind){ bad, -EINVAL, .is_rejected = true };
}

FIXTURE_TEARDOWN(batch)
{
	ring_close(&self->ring);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->file);
	EXPECT_STREQ("", counters_busy() ?: "");
}

struct entry {
	const struct kind *kind;
	__u8 flags;
	__s32 res;		/* expected, unless is_silent */
	bool is_silent;
	bool runs;
	bool has_completed;
	/* Which of those before it have to complete first: so many of the batch. */
	unsigned int waits_for;
};

static bool ends_chain(const struct entry *entry)
{
	return !(entry->flags & (LINK | HARDLINK));
}

/* Whether a chain waits for nobody. */
static bool goes_past(const struct entry *first, const struct entry *after)
{
	for (const struct entry *entry = first; entry < after; entry++)
		if (entry->kind->is_rejected)
			return true;
	return first + 1 == after && first->kind->sqe.opcode == IO_RING_OP_CANCEL &&
	       !(first->flags & DRAIN);
}

/* Which of @entries one chain waits for, if those behind the last with DRAIN wait for @drained. */
static void judge_order(struct entry *entries, struct entry *first, struct entry *after,
			unsigned int *drained)
{
	unsigned int waits_for = *drained;
	bool drains = false;

	if (goes_past(first, after))
		return;
	for (struct entry *entry = first; entry < after; entry++)
		drains |= entry->flags & DRAIN;
	if (drains) {
		waits_for = first - entries;
		*drained = after - entries;
	}
	for (struct entry *entry = first; entry < after; entry++)
		entry->waits_for = waits_for;
}

/* What becomes of one chain; the entry behind it. */
static struct entry *judge(struct entry *first, const struct entry *end)
{
	bool is_broken = false;
	bool is_bad = false;
	struct entry *after = first;

	do {
		is_bad |= after->kind->is_rejected;
	} while (!ends_chain(after++) && after < end);
	for (struct entry *entry = first; entry < after; entry++) {
		const struct kind *kind = entry->kind;

		entry->runs = !is_bad && !is_broken;
		entry->res = entry->runs || kind->is_rejected ? kind->res : -ECANCELED;
		entry->is_silent = entry->runs && kind->is_success && entry->flags & QUIET;
		if (entry->runs && !kind->is_success && !(entry->flags & HARDLINK))
			is_broken = true;
	}
	return after;
}

static void invent(struct entry *entries, const struct kind *kinds, unsigned int *random)
{
	unsigned int drained = 0;

	for (unsigned int i = 0; i < BATCH; i++) {
		struct entry *entry = &entries[i];
		const unsigned int r = rand_r(random) >> 4;

		*entry = (struct entry){ .kind = &kinds[rand_r(random) % (KINDS - 1)] };
		/* Few that are bad, or else hardly anything happens. */
		if (r % 50 == 0)
			entry->kind = &kinds[KINDS - 1];
		entry->flags = r / 64 % 4 ? (r / 256 % 2 ? LINK : HARDLINK) : 0;
		entry->flags |= r / 512 % 4 ? 0 : FORCED;
		entry->flags |= r / 2048 % 2 ? QUIET : 0;
		entry->flags |= r / 4096 % 16 ? 0 : DRAIN;
	}
	for (struct entry *entry = entries; entry < entries + BATCH;) {
		struct entry *after = judge(entry, entries + BATCH);

		judge_order(entries, entry, after, &drained);
		entry = after;
	}
}

/* Those that it has to wait for have completed, unless they say nothing. */
static bool is_in_order(const struct entry *entries, unsigned int i)
{
	for (unsigned int n = 0; n < entries[i].waits_for; n++)
		if (!entries[n].is_silent && !entries[n].has_completed)
			return false;
	while (i-- && !ends_chain(&entries[i]))
		if (!entries[i].is_silent && !entries[i].has_completed)
			return false;
	return true;
}

static void check(struct __test_metadata *_metadata, const struct ring *ring,
		  struct entry *entries)
{
	struct io_ring_cqe cqe;

	while (ring_pop(ring, &cqe)) {
		struct entry *entry = &entries[cqe.user_data];

		ASSERT_GT(BATCH, cqe.user_data);
		EXPECT_FALSE(entry->is_silent);
		EXPECT_FALSE(entry->has_completed);
		EXPECT_EQ(entry->res, cqe.res) {
			TH_LOG("entry %llu: kind of opcode %u, flags %#x",
			       (unsigned long long)cqe.user_data, entry->kind->sqe.opcode,
			       entry->flags);
		}
		EXPECT_TRUE(is_in_order(entries, cqe.user_data));
		entry->has_completed = true;
	}
	for (unsigned int i = 0; i < BATCH; i++)
		EXPECT_EQ(!entries[i].is_silent, entries[i].has_completed);
}

TEST_F(batch, goes_as_the_model_says)
{
	struct entry entries[BATCH];
	unsigned int silent = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		long end = now_ms() + patience(10 * SOON);

		invent(entries, self->kinds, &self->random);
		for (unsigned int i = 0; i < BATCH; i++) {
			chain_push(&self->ring, chain_tagged(entries[i].kind->sqe, i),
				   entries[i].flags);
			silent += entries[i].is_silent;
		}
		ASSERT_EQ(BATCH, ring_enter(&self->ring, BATCH, 0));
		for (unsigned int i = 0; i < BATCH; i++)
			if (entries[i].runs && entries[i].kind->needs_feed)
				ASSERT_EQ(1, write(self->pipe[1], "a", 1));
		while (fdinfo_value(self->ring.fd, "in_flight") && now_ms() < end)
			sleep_ms(1);
		ASSERT_EQ(0, fdinfo_value(self->ring.fd, "in_flight"));
		ASSERT_EQ(0, fdinfo_value(self->ring.fd, "in_line"));
		EXPECT_EQ(silent, fdinfo_value(self->ring.fd, "skipped"));
		check(_metadata, &self->ring, entries);
	}
	EXPECT_LT(0, silent);
}

TEST_HARNESS_MAIN
