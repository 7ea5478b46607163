// SPDX-License-Identifier: GPL-2.0-only
/* Requests on registered files take no references to them: calls of fget() and fput(). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include <kselftest_harness.h>

#include "files.h"
#include "module.h"
#include "registered.h"
#include "ring.h"
#include "soak.h"

#define TRACING "/sys/kernel/tracing"
#define READS 1000000
#define BY_DESCRIPTOR 10000	/* reads, to see that the counters count */
#define LIMIT_S 3600
#define ENTRIES 128
#define LEN 64
#define SEED 9

/* The two functions that take a reference by descriptor, and give one back. */
static const char * const functions[] = { "fget", "fput" };

#define FUNCTIONS ARRAY_SIZE(functions)

/* A count of the calls that this thread makes of a function, while it is switched on. */
struct probe {
	char name[16];
	int enable;	/* open beforehand: opening and closing calls the functions, too */
};

static bool probe_set(const struct probe *probe, const char *file, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), TRACING "/events/kprobes/%s/%s", probe->name, file);
	return text_write(path, text) == 0;
}

static bool probe_open(struct probe *probe, const char *function)
{
	char text[96];
	int events = open(TRACING "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	snprintf(probe->name, sizeof(probe->name), "count_%s", function);
	snprintf(text, sizeof(text), "p:%s %s\n", probe->name, function);
	if (events < 0 || write(events, text, strlen(text)) < 0)
		return false;
	close(events);
	snprintf(text, sizeof(text), "hist:keys=common_pid if common_pid == %d", gettid());
	if (!probe_set(probe, "trigger", text))
		return false;
	snprintf(text, sizeof(text), TRACING "/events/kprobes/%s/enable", probe->name);
	probe->enable = open(text, O_WRONLY | O_CLOEXEC);
	return probe->enable >= 0;
}

static void probe_close(struct probe *probe)
{
	char text[32];
	int events = open(TRACING "/kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	close(probe->enable);
	probe_set(probe, "trigger", "!hist:keys=common_pid");
	snprintf(text, sizeof(text), "-:%s\n", probe->name);
	if (write(events, text, strlen(text)) < 0)
		perror(probe->name);
	close(events);
}

static bool probe_switch(const struct probe *probe, const char *state)
{
	return pwrite(probe->enable, state, 1, 0) == 1;
}

/* The calls so far, or -1. */
static long probe_hits(const struct probe *probe)
{
	static const char label[] = "Hits: ";
	static char text[16384];
	char path[96];
	const char *line;

	snprintf(path, sizeof(path), TRACING "/events/kprobes/%s/hist", probe->name);
	if (text_read(path, text, sizeof(text)))
		return -1;
	line = strstr(text, label);
	return line ? atol(line + strlen(label)) : -1;
}

struct bench {
	struct ring ring;
	struct probe probes[FUNCTIONS];
	int file;
	unsigned char *memory;
	long before[FUNCTIONS];
};

FIXTURE(counts)
{
	struct bench bench;
};

FIXTURE_SETUP(counts)
{
	if (mount("tracefs", TRACING, "tracefs", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	for (size_t i = 0; i < FUNCTIONS; i++)
		ASSERT_TRUE(probe_open(&self->bench.probes[i], functions[i]));
	self->bench.memory = malloc(LEN);
	ASSERT_NE(NULL, self->bench.memory);
	memset(self->bench.memory, 0, LEN);
	self->bench.file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, self->bench.file);
	ASSERT_EQ(0, pattern_write(self->bench.file, LEN, SEED));
	ASSERT_EQ(0, ring_open(&self->bench.ring, ENTRIES, 0));
	ASSERT_EQ(0, files_register(&self->bench.ring, &self->bench.file, NULL, 1));
}

FIXTURE_TEARDOWN(counts)
{
	for (size_t i = 0; i < FUNCTIONS; i++)
		probe_close(&self->bench.probes[i]);
	ring_close(&self->bench.ring);
	close(self->bench.file);
	free(self->bench.memory);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* So many reads, in batches; answers how many have not gone as they should. */
static unsigned int read_often(struct bench *bench, struct io_ring_sqe sqe,
			       unsigned int reads)
{
	unsigned int wrong = 0;

	for (unsigned int done = 0; done < reads; ) {
		unsigned int batch = reads - done < ENTRIES ? reads - done : ENTRIES;
		struct io_ring_cqe cqe;

		for (unsigned int i = 0; i < batch; i++)
			ring_push(&bench->ring, &sqe);
		if (ring_enter(&bench->ring, batch, batch) != (int)batch)
			return reads;
		for (unsigned int i = 0; i < batch; i++)
			wrong += !ring_pop(&bench->ring, &cqe) || cqe.res != LEN;
		done += batch;
	}
	return wrong;
}

/* Carries them out while calls are counted. */
static void read_counted(struct __test_metadata *_metadata, struct bench *bench,
			 struct io_ring_sqe sqe, unsigned int reads, long *calls)
{
	bool switched = true;
	unsigned int wrong;

	for (size_t i = 0; i < FUNCTIONS; i++)
		bench->before[i] = probe_hits(&bench->probes[i]);
	for (size_t i = 0; i < FUNCTIONS; i++)
		switched = switched && probe_switch(&bench->probes[i], "1");
	wrong = read_often(bench, sqe, reads);
	for (size_t i = 0; i < FUNCTIONS; i++)
		switched = probe_switch(&bench->probes[i], "0") && switched;
	ASSERT_TRUE(switched);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(LEN, pattern_mismatch(bench->memory, LEN, SEED, 0));
	for (size_t i = 0; i < FUNCTIONS; i++) {
		long hits = probe_hits(&bench->probes[i]);

		ASSERT_LE(0, bench->before[i]);
		ASSERT_LE(0, hits);
		calls[i] = hits - bench->before[i];
		soak_figure("%u reads by %s: %ld calls of %s", reads,
			    sqe.flags & IO_RING_SQE_FIXED_FILE ? "number" : "descriptor", calls[i],
			    functions[i]);
	}
}

TEST_F_TIMEOUT(counts, of_reads_by_number_and_by_descriptor, LIMIT_S)
{
	unsigned int reads = soak_scaled(READS);
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, self->bench.file, self->bench.memory,
					LEN, 0);
	long calls[FUNCTIONS];

	read_counted(_metadata, &self->bench, sqe_fixed(sqe, 0), reads, calls);
	for (size_t i = 0; i < FUNCTIONS; i++)
		EXPECT_EQ(0, calls[i]);
	/* A process with one thread has nobody to count for. */
	read_counted(_metadata, &self->bench, sqe, BY_DESCRIPTOR, calls);
	for (size_t i = 0; i < FUNCTIONS; i++)
		EXPECT_EQ(0, calls[i]);
	/* What is not done at once is counted: the probes work. */
	sqe = sqe_rw(IO_RING_OP_READV, self->bench.file, &(struct iovec) {
			     self->bench.memory, LEN }, 1, 0);
	read_counted(_metadata, &self->bench, sqe, BY_DESCRIPTOR, calls);
	for (size_t i = 0; i < FUNCTIONS; i++)
		EXPECT_EQ(BY_DESCRIPTOR, calls[i]);
}

TEST_HARNESS_MAIN
