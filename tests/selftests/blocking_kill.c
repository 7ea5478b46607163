// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are killed at random moments, with requests of every kind under way. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define VICTIMS 200
#define LONGEST_LIFE_US 25000
#define ENTRIES 64
#define PIPES 8
#define CHUNK 16384
#define CONTENT (ENTRIES * CHUNK)
#define MOST_FILE_REQUESTS 24
#define FILE_REQUEST PIPES	/* user_data of all that do not read a pipe */
#define RANDOM_SEED 1

struct load {
	struct ring ring;
	int file;
	int pipes[PIPES][2];
	bool reading[PIPES];
	unsigned int file_requests;
	unsigned int random;
	char bytes[PIPES];
	unsigned char memory[ENTRIES][CHUNK];
};

static void push(struct load *load, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(&load->ring, &sqe);
}

static unsigned int push_pipe_reads(struct load *load)
{
	unsigned int pushed = 0;

	for (unsigned int i = 0; i < PIPES; i++) {
		if (load->reading[i])
			continue;
		push(load, sqe_rw(IO_RING_OP_READ, load->pipes[i][0], &load->bytes[i], 1, 0), i);
		load->reading[i] = true;
		pushed++;
	}
	return pushed;
}

static unsigned int push_file_requests(struct load *load)
{
	static const __u8 opcodes[] = { IO_RING_OP_READ, IO_RING_OP_WRITE, IO_RING_OP_READ };
	unsigned int pushed = 0;

	if (load->file_requests > MOST_FILE_REQUESTS)
		return 0;
	for (; pushed < ARRAY_SIZE(opcodes); pushed++) {
		unsigned int chunk = rand_r(&load->random) % ENTRIES;

		push(load, sqe_rw(opcodes[pushed], load->file, load->memory[chunk], CHUNK,
				  chunk * CHUNK), FILE_REQUEST);
	}
	push(load, sqe_fsync(load->file, 0, 0, 0), FILE_REQUEST);
	load->file_requests += ++pushed;
	return pushed;
}

/* False if a request went wrong. */
static bool reap(struct load *load)
{
	struct io_ring_cqe cqe;

	while (ring_pop(&load->ring, &cqe)) {
		if (cqe.res < 0)
			return false;
		if (cqe.user_data == FILE_REQUEST)
			load->file_requests--;
		else
			load->reading[cqe.user_data] = false;
	}
	return true;
}

/* Never returns unless something goes wrong. */
static int be_busy(void *arg)
{
	struct load *load = arg;

	if (ring_open(&load->ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < PIPES; i++)
		if (pipe2(load->pipes[i], O_CLOEXEC))
			return 2;
	for (;;) {
		unsigned int pushed;
		int taken;

		posix_fadvise(load->file, 0, 0, POSIX_FADV_DONTNEED);
		pushed = push_pipe_reads(load) + push_file_requests(load);
		taken = ring_enter(&load->ring, pushed, rand_r(&load->random) % 3);
		if (taken != (int)pushed)
			return 3;
		if (!reap(load))
			return 4;
		if (write(load->pipes[rand_r(&load->random) % PIPES][1], "x", 1) != 1)
			return 5;
	}
}

FIXTURE(victims)
{
	struct load *load;
};

FIXTURE_SETUP(victims)
{
	self->load = calloc(1, sizeof(*self->load));
	ASSERT_NE(NULL, self->load);
	self->load->random = RANDOM_SEED;
	self->load->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->load->file);
	ASSERT_EQ(0, pattern_write(self->load->file, CONTENT, 0));
}

FIXTURE_TEARDOWN(victims)
{
	close(self->load->file);
	free(self->load);
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_F(victims, die_at_once)
{
	for (unsigned int i = 0; i < VICTIMS; i++) {
		pid_t victim = spawn(be_busy, self->load);

		ASSERT_LT(0, victim);
		usleep(rand_r(&self->load->random) % patience(LONGEST_LIFE_US));
		ASSERT_EQ(0, kill(victim, SIGKILL));
		ASSERT_TRUE(await_exit(victim, SOON)) {
			TH_LOG("victim %u of %u", i, VICTIMS);
		}
		ASSERT_EQ(-SIGKILL, outcome_of(victim));
	}
}

TEST_HARNESS_MAIN
