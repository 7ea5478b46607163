// SPDX-License-Identifier: GPL-2.0-only
/* Rings and processes that go away while their requests complete. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"

#define ENTRIES 64
#define PIPES 8
#define PAGE 4096
#define STAIN 0xee
#define ROUNDS 150
#define SPIN 40000
#define SEED 5

static void spin(unsigned int *random)
{
	for (int left = rand_r(random) % SPIN; left; left--)
		__asm__ volatile("");
}

static void push(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
}

/* Another thread does something at the same time, once a round. */
struct race {
	struct ring ring;
	int pipes[PIPES][2];
	unsigned char bytes[PIPES];
	int file;
	pthread_barrier_t turn;
	pthread_t thread;
	unsigned int random;
	unsigned int random_of_thread;
	int last_error;
	unsigned int read;
	unsigned int left;
};

FIXTURE(race)
{
	struct race race;
};

FIXTURE_SETUP(race)
{
	struct race *race = &self->race;

	for (unsigned int i = 0; i < PIPES; i++)
		ASSERT_EQ(0, pipe2(race->pipes[i], O_CLOEXEC));
	race->file = temp_file(TMPFS_DIR);
	ASSERT_LE(0, race->file);
	ASSERT_EQ(0, pthread_barrier_init(&race->turn, NULL, 2));
	race->random = SEED;
	race->random_of_thread = SEED + 1;
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_TRUE(await_workers(getpid(), 0, SOON));
}

static void *feed(void *arg)
{
	struct race *race = arg;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&race->turn);
		spin(&race->random_of_thread);
		for (unsigned int i = 0; i < PIPES; i++)
			if (write(race->pipes[i][1], &i, 1) != 1)
				return (void *)1;
		pthread_barrier_wait(&race->turn);
	}
	return NULL;
}

/* Each byte is where it was read to, or where it was. */
static void expect_each_byte_once(struct __test_metadata *_metadata, struct race *race)
{
	for (unsigned int i = 0; i < PIPES; i++) {
		struct pollfd pollfd = { .fd = race->pipes[i][0], .events = POLLIN };
		unsigned char byte = STAIN;
		bool was_left = poll(&pollfd, 1, 0);

		if (was_left)
			ASSERT_EQ(1, read(race->pipes[i][0], &byte, 1));
		ASSERT_EQ(was_left ? i : STAIN, byte);
		ASSERT_EQ(was_left ? STAIN : i, race->bytes[i]);
		*(was_left ? &race->left : &race->read) += 1;
	}
}

TEST_F(race, close_while_requests_complete)
{
	struct race *race = &self->race;
	unsigned char bytes[PIPES];
	void *failed;

	ASSERT_EQ(0, pthread_create(&race->thread, NULL, feed, race));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		memset(race->bytes, STAIN, PIPES);
		ASSERT_EQ(0, ring_open(&race->ring, ENTRIES, 0));
		for (unsigned int i = 0; i < PIPES; i++)
			push(&race->ring, sqe_rw(IO_RING_OP_READ, race->pipes[i][0],
						 &race->bytes[i], 1, 0), i);
		ASSERT_EQ(PIPES, ring_enter(&race->ring, PIPES, 0));
		pthread_barrier_wait(&race->turn);
		/* Now and then only when something has been read; else chance decides. */
		ASSERT_TRUE(round % 10 || await_completions(&race->ring, 1, SOON));
		spin(&race->random);
		ring_close(&race->ring);
		memcpy(bytes, race->bytes, PIPES);
		pthread_barrier_wait(&race->turn);
		/* Nothing was written after the close. */
		ASSERT_EQ(0, memcmp(bytes, race->bytes, PIPES));
		expect_each_byte_once(_metadata, race);
	}
	ASSERT_EQ(0, pthread_join(race->thread, &failed));
	EXPECT_EQ(NULL, failed);
	EXPECT_LT(0, race->read);
	TH_LOG("%u of %u bytes were left", race->left, ROUNDS * PIPES);
}

static void *enter(void *arg)
{
	struct race *race = arg;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		int fd, taken;

		pthread_barrier_wait(&race->turn);
		fd = race->ring.fd;
		do {
			struct io_ring_enter args = { .to_submit = 1 };

			taken = ring_enter_fd(fd, &args);
		} while (taken == 1);
		race->last_error = taken;
		pthread_barrier_wait(&race->turn);
	}
	return NULL;
}

/* The last descriptor and the mapping go while a thread submits. */
TEST_F(race, close_while_another_thread_submits)
{
	struct race *race = &self->race;
	unsigned int closed = 0;

	ASSERT_EQ(0, pthread_create(&race->thread, NULL, enter, race));
	for (unsigned int round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, ring_open(&race->ring, ENTRIES, 0));
		for (unsigned int i = 0; i < ENTRIES; i++)
			push(&race->ring, i % 4 == 0 ? sqe_fsync(race->file, 0, 0, 0) :
			     sqe_rw(IO_RING_OP_READ, race->pipes[i % PIPES][0], race->bytes, 1, 0),
			     i);
		pthread_barrier_wait(&race->turn);
		spin(&race->random);
		ring_close(&race->ring);
		pthread_barrier_wait(&race->turn);
		/* It came too late, or had taken everything. */
		ASSERT_TRUE(race->last_error == -EBADF || race->last_error == 0) {
			TH_LOG("error %d", race->last_error);
		}
		closed += race->last_error == -EBADF;
	}
	ASSERT_EQ(0, pthread_join(race->thread, NULL));
	TH_LOG("%u of %u times too late", closed, ROUNDS);
}

/* A READ whose buffer is where the entries of the ring are. */
static bool submit_read_of_entries(const struct ring *ring, int direct)
{
	push(ring, sqe_rw(IO_RING_OP_READ, direct, ring->region + ring->setup.sqes_offset, PAGE, 0),
	     0);
	return ring_enter(ring, 1, 0) == 1;
}

/* Pages of the ring are what a disk writes to, and the ring is gone. */
TEST(ring_as_a_buffer)
{
	int file = temp_file(EXT4_DIR), direct;
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_LE(0, file);
	ASSERT_EQ(0, pattern_write(file, PAGE, 0));
	ASSERT_EQ(0, fsync(file));
	direct = reopen(file, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, direct);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
		ASSERT_TRUE(submit_read_of_entries(&ring, direct));
		if (round == 0) {
			ASSERT_TRUE(await_completions(&ring, 1, SOON));
			ASSERT_TRUE(ring_pop(&ring, &cqe));
			EXPECT_EQ(PAGE, cqe.res);
			EXPECT_EQ(PAGE, pattern_mismatch(ring_sqe(&ring, 0), PAGE, 0, 0));
		}
		if (round % 2)
			close(ring.fd);
		ring_unmap(&ring);
		if (round % 2 == 0)
			close(ring.fd);
	}
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* A process whose requests a device has. */
struct reader {
	int disk;
	int socket;
	int socket_of_process;
	struct ring ring;
	pid_t pid;
};

FIXTURE(device)
{
	struct reader reader;
};

#define DELAY (500 * MS)
#define DEVICE_READS 8

static int read_from_device(void *arg)
{
	struct reader *reader = arg;
	unsigned char *memory = mmap(NULL, DEVICE_READS * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || ring_open(&reader->ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < DEVICE_READS; i++)
		push(&reader->ring, sqe_rw(IO_RING_OP_READ, reader->disk, memory + i * PAGE, PAGE,
					   0), i);
	if (ring_enter(&reader->ring, DEVICE_READS, 0) != DEVICE_READS)
		return 2;
	if (send_fd(reader->socket_of_process, reader->ring.fd) ||
	    write(reader->socket_of_process, &reader->ring.setup, sizeof(reader->ring.setup)) < 0)
		return 3;
	for (;;)
		pause();
}

FIXTURE_SETUP(device)
{
	struct reader *reader = &self->reader;
	int sockets[2];

	reader->disk = slow_disk_open(DELAY);
	ASSERT_LE(0, reader->disk);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	reader->socket = sockets[0];
	reader->socket_of_process = sockets[1];
	reader->pid = spawn(read_from_device, reader);
	ASSERT_LT(0, reader->pid);
	reader->ring.fd = recv_fd(reader->socket);
	ASSERT_LE(0, reader->ring.fd);
	ASSERT_EQ(sizeof(reader->ring.setup),
		  read(reader->socket, &reader->ring.setup, sizeof(reader->ring.setup)));
	reader->ring.region = mmap(NULL, reader->ring.setup.region_size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, reader->ring.fd, IO_RING_OFF_REGION);
	ASSERT_NE(MAP_FAILED, reader->ring.region);
	ASSERT_EQ(0, ring_ready(&reader->ring));
}

FIXTURE_TEARDOWN(device)
{
	slow_disk_close(self->reader.disk);
	EXPECT_STREQ("", counters_busy() ?: "");
	EXPECT_EQ(0, module_unload());
	EXPECT_EQ(0, module_load());
}

/* The memory that the device writes to belongs to nobody any more. */
TEST_F(device, finishes_for_a_process_that_is_gone)
{
	struct reader *reader = &self->reader;
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, kill(reader->pid, SIGKILL));
	ASSERT_TRUE(await_exit(reader->pid, SOON));
	EXPECT_EQ(-SIGKILL, outcome_of(reader->pid));
	EXPECT_EQ(DEVICE_READS, fdinfo_value(reader->ring.fd, "in_flight"));
	ASSERT_TRUE(await_completions(&reader->ring, DEVICE_READS, 2 * SOON));
	while (ring_pop(&reader->ring, &cqe))
		EXPECT_EQ(PAGE, cqe.res);
	EXPECT_EQ(0, fdinfo_value(reader->ring.fd, "in_flight"));
	ring_close(&reader->ring);
}

/* The process is the last who has the ring: it waits for the device, but not for long. */
TEST_F(device, finishes_for_a_ring_that_is_gone)
{
	struct reader *reader = &self->reader;

	ring_close(&reader->ring);
	ASSERT_EQ(0, kill(reader->pid, SIGKILL));
	ASSERT_TRUE(await_exit(reader->pid, 2 * SOON));
	EXPECT_EQ(-SIGKILL, outcome_of(reader->pid));
}

#define VICTIMS 20
#define LIFE_MS 20
#define RING_FD 100

/* Makes threads and lets them go, and requests, for ever. */
static int come_and_go(void *arg)
{
	int file = *(int *)arg;
	struct ring ring;
	char byte;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) || ring_open(&ring, ENTRIES, 0))
		return 1;
	if (dup2(ring.fd, RING_FD) != RING_FD)
		return 3;
	for (;;) {
		struct io_ring_cqe cqe;

		push(&ring, sqe_rw(IO_RING_OP_READ, ends[0], &byte, 1, 0), 0);
		push(&ring, sqe_fsync(file, 0, 0, 0), 0);
		if (ring_enter(&ring, 2, 1) != 2 || ring_quiesce(&ring, 0, NULL))
			return 2;
		while (ring_pop(&ring, &cqe))
			;
	}
}

/* Reads what /proc says of the descriptor of another process, until that is gone. */
static unsigned int read_fdinfo(pid_t pid, long end)
{
	char path[48], text[4096];
	unsigned int count = 0;
	int error;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, RING_FD);
	do {
		error = text_read(path, text, sizeof(text));
		if (!error && strstr(text, "io_ring-workers:"))
			count++;
	} while (now_ms() < end || !error);
	return count;
}

static void *kill_soon(void *arg)
{
	sleep_ms(patience(LIFE_MS));
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

TEST(fdinfo_of_a_ring_that_goes_away)
{
	int file = temp_file(TMPFS_DIR);
	unsigned int seen = 0;
	pthread_t killer;

	ASSERT_LE(0, file);
	for (unsigned int i = 0; i < VICTIMS; i++) {
		pid_t pid = spawn(come_and_go, &file);

		ASSERT_LT(0, pid);
		ASSERT_EQ(0, pthread_create(&killer, NULL, kill_soon, &pid));
		seen += read_fdinfo(pid, now_ms() + patience(LIFE_MS)) > 0;
		ASSERT_EQ(0, pthread_join(killer, NULL));
		EXPECT_EQ(-SIGKILL, outcome_of(pid));
	}
	EXPECT_LT(0, seen);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* Leaves its memory to a file, if the kernel does that. */
static int crash(void *arg)
{
	const struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	int *pipe = arg;
	struct ring ring;
	char bytes[2];

	if (chdir(TMPFS_DIR) || setrlimit(RLIMIT_CORE, &any) || ring_open(&ring, ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < 2; i++)
		push(&ring, sqe_rw(IO_RING_OP_READ, pipe[0], &bytes[i], 1, 0), i);
	if (ring_enter(&ring, 2, 0) != 2)
		return 2;
	sleep_ms(A_WHILE);
	__builtin_trap();
}

TEST(core_dump)
{
	bool can_dump = !access("/proc/sys/kernel/core_pattern", F_OK);
	int status, ends[2];
	char byte = 0;
	pid_t pid;

	if (can_dump)
		ASSERT_EQ(0, text_write("/proc/sys/kernel/core_pattern", "core"));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	pid = spawn(crash, ends);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(await_exit(pid, 5 * SOON));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGILL, WTERMSIG(status));
	EXPECT_EQ(can_dump, !!WCOREDUMP(status));
	unlink(TMPFS_DIR "/core");
	ASSERT_EQ(1, write(ends[1], "x", 1));
	EXPECT_EQ(1, read(ends[0], &byte, 1));
	EXPECT_STREQ("", counters_busy() ?: "");
}

TEST_HARNESS_MAIN
