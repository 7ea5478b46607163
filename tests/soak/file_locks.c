// SPDX-License-Identifier: GPL-2.0-only
/* When the close of a ring has returned, the files of its requests are closed, too. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"
#include "soak.h"

#define ROUNDS 20000
#define LIMIT_S 7200
#define REQUESTS 4
#define CHUNK 4096
#define CHUNKS 256
#define DISK_DELAY (5 * MS)
#define REGULAR_FILE EXT4_DIR "/file_locks"
#define FIFO TMPFS_DIR "/file_locks.fifo"

/* Shared with the other process, which takes the lock as soon as "go" is the round. */
struct game {
	unsigned int go;
	__u64 begin;
	__u64 worst;
};

FIXTURE(locks)
{
	struct game *game;
	int sockets[2];
	pid_t other;
	void *memory;
	unsigned int random;
	bool disk;
};

FIXTURE_VARIANT(locks)
{
	const char *path;
	int flags;
	/*
	 * In so many of 100 rounds, at least, reads are under way when the ring is closed;
	 * 0 where it is up to the disk, which may be faster than the close.
	 */
	unsigned int under_way;
};

FIXTURE_VARIANT_ADD(locks, ext4_buffered)
{
	.path = REGULAR_FILE,
	.flags = O_RDONLY,
	.under_way = 1,
};

FIXTURE_VARIANT_ADD(locks, ext4_direct)
{
	.path = REGULAR_FILE,
	.flags = O_RDONLY | O_DIRECT,
};

FIXTURE_VARIANT_ADD(locks, null_blk_direct)
{
	.path = NULL_BLK,
	.flags = O_RDONLY | O_DIRECT,
};

FIXTURE_VARIANT_ADD(locks, timer_direct)
{
	.path = SLOW_DISK,
	.flags = O_RDONLY | O_DIRECT,
	.under_way = 20,
};

FIXTURE_VARIANT_ADD(locks, fifo)
{
	.path = FIFO,
	.flags = O_RDWR,
	.under_way = 100,
};

/* The result is whether it took more than one attempt, or -errno. */
static int lock_now(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int result = fd < 0 ? -errno : 0;
	long end = now_ms() + patience(SOON);

	while (result >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		result = errno == EWOULDBLOCK && now_ms() < end ? 1 : -errno;
	if (fd >= 0)
		close(fd);
	return result;
}

/* The other process: takes the lock once in every round, until the socket is closed. */
static int take_locks(struct game *game, int socket, const char *path)
{
	unsigned int round;

	while (read(socket, &round, sizeof(round)) == sizeof(round)) {
		int retried;

		/* Nothing delays the attempt once the ring is closed. */
		while (__atomic_load_n(&game->go, __ATOMIC_ACQUIRE) != round)
			;
		retried = lock_now(path);
		keep_worst(&game->worst, game->begin);
		if (write(socket, &retried, sizeof(retried)) != sizeof(retried))
			return 1;
	}
	return 0;
}

/* On different processors the two do not keep each other from running. */
static int stay_on(unsigned int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

FIXTURE_SETUP(locks)
{
	int fd = open(REGULAR_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pattern_write(fd, CHUNKS * CHUNK, 0));
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, close(fd));
	if (mkfifo(FIFO, 0600))
		ASSERT_EQ(EEXIST, errno);
	ASSERT_EQ(0, slow_disk_make(DISK_DELAY, SLOW_DISK_FORGETS));
	ASSERT_EQ(0, posix_memalign(&self->memory, CHUNK, REQUESTS * CHUNK));
	self->game = mmap(NULL, sizeof(*self->game), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->game);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->sockets));
	self->other = fork();
	ASSERT_LE(0, self->other);
	if (!self->other) {
		close(self->sockets[0]);
		if (stay_on(1))
			_exit(1);
		_exit(take_locks(self->game, self->sockets[1], variant->path));
	}
	close(self->sockets[1]);
	ASSERT_EQ(0, stay_on(0));
}

FIXTURE_TEARDOWN(locks)
{
	close(self->sockets[0]);
	EXPECT_EQ(0, outcome_of(self->other));
	slow_disk_destroy();
	unlink(REGULAR_FILE);
	unlink(FIFO);
	free(self->memory);
}

/* A ring with reads of a file that it alone holds, and that is locked. */
static int read_locked(const char *path, int flags, void *memory, unsigned int random,
		       struct ring *ring)
{
	int fd = open(path, flags | O_CLOEXEC);
	int error;

	if (fd < 0)
		return -errno;
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	error = flock(fd, LOCK_EX) ? -errno : ring_open(ring, REQUESTS, 0);
	if (!error) {
		for (unsigned int i = 0; i < REQUESTS; i++) {
			__u64 chunk = rand_r(&random) % CHUNKS;
			struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, fd, memory + i * CHUNK,
							CHUNK, chunk * CHUNK);

			ring_push(ring, &sqe);
		}
		error = ring_enter(ring, REQUESTS, 0) == REQUESTS ? 0 : -EPROTO;
	}
	close(fd);
	return error;
}

TEST_F_TIMEOUT(locks, are_free_after_close, LIMIT_S)
{
	unsigned int rounds = soak_scaled(ROUNDS);
	unsigned int under_way = 0, retries = 0;	/* in how many rounds */
	__u64 worst_close = 0;

	for (unsigned int round = 1; round <= rounds; round++) {
		struct ring ring;
		unsigned int done;
		int retried;
		__u64 begin;

		ASSERT_EQ(0, read_locked(variant->path, variant->flags, self->memory, round,
					 &ring));
		ASSERT_EQ(sizeof(round), write(self->sockets[0], &round, sizeof(round)));
		done = ring_ready(&ring);
		begin = clock_now(CLOCK_MONOTONIC);
		ring_close(&ring);
		keep_worst(&worst_close, begin);
		self->game->begin = clock_now(CLOCK_MONOTONIC);
		__atomic_store_n(&self->game->go, round, __ATOMIC_RELEASE);
		ASSERT_EQ(sizeof(retried), read(self->sockets[0], &retried, sizeof(retried)));
		ASSERT_LE(0, retried);
		retries += retried;
		under_way += done < REQUESTS;
		soak_progress(round, rounds);
	}
	soak_figure("%s%s: %u closes, %u with reads under way, %u retries of flock",
		    variant->path, variant->flags & O_DIRECT ? " (O_DIRECT)" : "", rounds,
		    under_way, retries);
	soak_figure("  worst close %.1f ms, from there to the lock %.1f ms", in_ms(worst_close),
		    in_ms(self->game->worst));
	EXPECT_EQ(0, retries);
	EXPECT_LE(rounds / 100 * variant->under_way, under_way);
}

TEST_HARNESS_MAIN
