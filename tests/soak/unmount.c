// SPDX-License-Identifier: GPL-2.0-only
/* When a ring or its process has gone, its requests no longer keep a file system busy. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "process.h"
#include "ring.h"
#include "slow_disk.h"
#include "soak.h"

#define ROUNDS 500
#define LIMIT_S 3600
#define DISK_DELAY (3 * MS)
#define IMAGE "/images/ext4"
#define MOUNT_POINT "/mnt/soak"
#define FILE_NAME MOUNT_POINT "/file"
#define REQUESTS 8
#define CHUNK 4096
#define CONTENT (REQUESTS * CHUNK * 4)

struct job {
	struct ring ring;
	int fd;
	int ready;		/* pipe that tells when all has been submitted */
	unsigned char *memory;
	const struct job_kind *kind;
	const struct job_way *way;
};

/* How the job ends: how much was under way then, or -errno. */
struct job_way {
	const char *name;
	int (*run)(struct job *job);
};

struct job_kind {
	const char *name;
	int flags;
	bool (*push)(struct job *job);
};

static bool push_transfers(struct job *job)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct io_ring_sqe sqe = sqe_rw(i % 2 ? IO_RING_OP_READ : IO_RING_OP_WRITE, job->fd,
						job->memory + i * CHUNK, CHUNK, 4ULL * i * CHUNK);

		ring_push(&job->ring, &sqe);
	}
	return true;
}

static bool push_cold_transfers(struct job *job)
{
	return !fsync(job->fd) && !posix_fadvise(job->fd, 0, 0, POSIX_FADV_RANDOM) &&
	       !posix_fadvise(job->fd, 0, 0, POSIX_FADV_DONTNEED) && push_transfers(job);
}

static bool push_fsyncs(struct job *job)
{
	if (pwrite(job->fd, job->memory, CHUNK, 0) != CHUNK)
		return false;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct io_ring_sqe sqe = sqe_fsync(job->fd, 0, 0, 0);

		ring_push(&job->ring, &sqe);
	}
	return true;
}

static const struct job_kind direct = { "direct", O_RDWR | O_DIRECT, push_transfers };
static const struct job_kind buffered = { "buffered", O_RDWR, push_cold_transfers };
static const struct job_kind syncing = { "fsync", O_RDWR, push_fsyncs };

/* Submits I/O on the file system, to a ring that alone holds the file: how much is under way. */
static int begin_job(struct job *job)
{
	int taken = ring_open(&job->ring, REQUESTS, 0);

	if (taken)
		return taken;
	job->fd = open(FILE_NAME, job->kind->flags | O_CLOEXEC);
	if (job->fd < 0)
		return -errno;
	if (!job->kind->push(job))
		return -errno;
	taken = ring_enter(&job->ring, REQUESTS, 0);
	close(job->fd);
	if (taken != REQUESTS)
		return taken < 0 ? taken : -EPROTO;
	return REQUESTS - ring_ready(&job->ring);
}

static int wait_to_be_killed(void *arg)
{
	struct job *job = arg;
	int under_way = begin_job(job);

	if (write(job->ready, &under_way, sizeof(under_way)) != sizeof(under_way))
		return 1;
	for (;;)
		pause();
}

static int run_and_close(struct job *job)
{
	int under_way = begin_job(job);

	if (under_way >= 0)
		ring_close(&job->ring);
	return under_way;
}

static int run_and_kill(struct job *job)
{
	int ready[2];
	int under_way = -EPROTO;
	pid_t victim;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	job->ready = ready[1];
	victim = spawn(wait_to_be_killed, job);
	close(ready[1]);
	if (read(ready[0], &under_way, sizeof(under_way)) != sizeof(under_way))
		under_way = -EPROTO;
	close(ready[0]);
	if (kill(victim, SIGKILL) || outcome_of(victim) != -SIGKILL)
		return -ESRCH;
	return under_way;
}

static const struct job_way closing = { "close", run_and_close };
static const struct job_way killing = { "kill", run_and_kill };

static int unmount(void)
{
	return umount2(MOUNT_POINT, 0) ? -errno : 0;
}

static int mount_again(void)
{
	return mount(SLOW_DISK, MOUNT_POINT, "ext4", 0, "") ? -errno : 0;
}

static int remount_read_only(void)
{
	return mount(NULL, MOUNT_POINT, NULL, MS_REMOUNT | MS_RDONLY, NULL) ? -errno : 0;
}

static int remount_writable(void)
{
	return mount(NULL, MOUNT_POINT, NULL, MS_REMOUNT, NULL) ? -errno : 0;
}

static int write_image(void)
{
	const size_t size = SLOW_DISK_MB << 20;
	char *bytes = malloc(size);
	int from = open(IMAGE, O_RDONLY | O_CLOEXEC);
	int to = open(SLOW_DISK, O_RDWR | O_CLOEXEC);
	ssize_t n = bytes && from >= 0 && to >= 0 ? read(from, bytes, size) : -1;
	int error = n > 0 && pwrite(to, bytes, n, 0) == n && !fsync(to) ? 0 : -EIO;

	close(from);
	close(to);
	free(bytes);
	return error;
}

static int make_file(void)
{
	int fd = open(FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : pattern_write(fd, CONTENT, 0);

	if (!error && fsync(fd))
		error = -errno;
	close(fd);
	return error;
}

FIXTURE(busy)
{
	struct job job;
};

FIXTURE_VARIANT(busy)
{
	const struct job_kind *kind;
	const struct job_way *way;
};

FIXTURE_VARIANT_ADD(busy, direct_close)
{
	.kind = &direct,
	.way = &closing,
};

FIXTURE_VARIANT_ADD(busy, direct_kill)
{
	.kind = &direct,
	.way = &killing,
};

FIXTURE_VARIANT_ADD(busy, buffered_close)
{
	.kind = &buffered,
	.way = &closing,
};

FIXTURE_VARIANT_ADD(busy, buffered_kill)
{
	.kind = &buffered,
	.way = &killing,
};

FIXTURE_VARIANT_ADD(busy, fsync_close)
{
	.kind = &syncing,
	.way = &closing,
};

FIXTURE_VARIANT_ADD(busy, fsync_kill)
{
	.kind = &syncing,
	.way = &killing,
};

FIXTURE_SETUP(busy)
{
	void *memory;

	ASSERT_EQ(0, posix_memalign(&memory, CHUNK, REQUESTS * CHUNK));
	self->job.memory = memory;
	self->job.kind = variant->kind;
	self->job.way = variant->way;
	pattern_fill(memory, REQUESTS * CHUNK, 0);
	ASSERT_EQ(0, slow_disk_make(DISK_DELAY, SLOW_DISK_STORES));
	ASSERT_EQ(0, write_image());
	if (mkdir(MOUNT_POINT, 0700))
		ASSERT_EQ(EEXIST, errno);
	ASSERT_EQ(0, mount_again());
	ASSERT_EQ(0, make_file());
}

FIXTURE_TEARDOWN(busy)
{
	umount2(MOUNT_POINT, MNT_DETACH);
	slow_disk_destroy();
	free(self->job.memory);
}

/* Attempts until it works; how many were in vain, or -errno. */
static int attempt(int (*operation)(void))
{
	long end = now_ms() + patience(SOON);
	int in_vain = 0;
	int error;

	while ((error = operation()) == -EBUSY && now_ms() < end)
		in_vain++;
	return error ?: in_vain;
}

struct operation {
	const char *name;
	int (*attempt)(void);
	int (*undo)(void);
};

static void prove(struct __test_metadata *_metadata, struct job *job,
		  const struct operation *operation)
{
	unsigned int rounds = soak_scaled(ROUNDS);
	unsigned int with_io = 0, busy = 0;
	__u64 worst = 0;

	for (unsigned int round = 1; round <= rounds; round++) {
		int under_way = job->way->run(job);
		__u64 begin = clock_now(CLOCK_MONOTONIC);
		int in_vain;

		ASSERT_LE(0, under_way);
		in_vain = attempt(operation->attempt);
		keep_worst(&worst, begin);
		ASSERT_LE(0, in_vain);
		busy += in_vain > 0;
		with_io += under_way > 0;
		ASSERT_EQ(0, operation->undo());
		soak_progress(round, rounds);
	}
	soak_figure("%s after %s, %s: %u times, %u with I/O under way, %u EBUSY, worst %.1f ms",
		    operation->name, job->way->name, job->kind->name, rounds, with_io, busy,
		    in_ms(worst));
	EXPECT_EQ(0, busy);
	EXPECT_LT(rounds / 4, with_io);
}

TEST_F_TIMEOUT(busy, umount, LIMIT_S)
{
	static const struct operation operation = { "umount", unmount, mount_again };

	prove(_metadata, &self->job, &operation);
}

TEST_F_TIMEOUT(busy, remount_read_only, LIMIT_S)
{
	static const struct operation operation = {
		"remount ro", remount_read_only, remount_writable
	};

	prove(_metadata, &self->job, &operation);
}

TEST_HARNESS_MAIN
