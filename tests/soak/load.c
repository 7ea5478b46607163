// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "files.h"
#include "load.h"
#include "process.h"
#include "slow_disk.h"

#define DISK_DELAY (2 * MS)
#define FILE_CHUNKS 256
#define MOST_FILE_REQUESTS 40
#define FILE_REQUEST LOAD_PIPES	/* user_data of all that do not read a pipe */
#define BUSY_TURNS 20

static int open_file(struct load_file *file, int flags)
{
	int origin = temp_file(EXT4_DIR);
	int error;

	if (origin < 0)
		return origin;
	error = pattern_write(origin, FILE_CHUNKS * LOAD_CHUNK, 0);
	if (!error && fsync(origin))
		error = -errno;
	file->chunks = FILE_CHUNKS;
	file->fd = error ?: reopen(origin, flags);
	close(origin);
	return file->fd < 0 ? file->fd : 0;
}

static int open_disk(struct load_file *file)
{
	int error = slow_disk_make(DISK_DELAY, SLOW_DISK_FORGETS);

	if (error)
		return error;
	file->chunks = (SLOW_DISK_MB << 20) / LOAD_CHUNK;
	file->fd = open(SLOW_DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

struct load *load_new(unsigned int seed)
{
	const size_t memory = LOAD_ENTRIES * LOAD_CHUNK;
	struct load *load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error;

	if (load == MAP_FAILED)
		return NULL;
	load->random = seed;
	load->memory = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	error = load->memory == MAP_FAILED ? -errno : 0;
	error = error ?: open_file(&load->files[LOAD_BUFFERED], O_RDWR);
	error = error ?: open_file(&load->files[LOAD_DIRECT], O_RDWR | O_DIRECT);
	error = error ?: open_disk(&load->files[LOAD_DISK]);
	load->files[LOAD_BUFFERED].syncs = true;
	if (!error)
		return load;
	errno = -error;
	return NULL;
}

void load_free(struct load *load)
{
	for (unsigned int i = 0; i < LOAD_FILES; i++)
		close(load->files[i].fd);
	slow_disk_destroy();
	munmap(load->memory, LOAD_ENTRIES * LOAD_CHUNK);
	munmap(load, sizeof(*load));
}

static void push(struct load *load, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(&load->ring, &sqe);
}

static unsigned int push_pipe_reads(struct load *load)
{
	unsigned int pushed = 0;

	for (unsigned int i = 0; i < LOAD_PIPES; i++) {
		if (load->reading[i])
			continue;
		push(load, sqe_rw(IO_RING_OP_READ, load->pipes[i][0], &load->bytes[i], 1, 0), i);
		load->reading[i] = true;
		pushed++;
	}
	return pushed;
}

static struct io_ring_sqe transfer(struct load *load, const struct load_file *file)
{
	__u8 opcode = rand_r(&load->random) % 3 ? IO_RING_OP_READ : IO_RING_OP_WRITE;
	unsigned int buffer = rand_r(&load->random) % LOAD_ENTRIES;
	__u64 chunk = rand_r(&load->random) % file->chunks;

	return sqe_rw(opcode, file->fd, load->memory + buffer * LOAD_CHUNK, LOAD_CHUNK,
		      chunk * LOAD_CHUNK);
}

static unsigned int push_file_requests(struct load *load)
{
	unsigned int pushed = 0;

	for (unsigned int i = 0; i < LOAD_FILES; i++) {
		const struct load_file *file = &load->files[i];

		if (load->file_requests + pushed >= MOST_FILE_REQUESTS)
			break;
		push(load, transfer(load, file), FILE_REQUEST);
		push(load, transfer(load, file), FILE_REQUEST);
		pushed += 2;
		if (file->syncs && rand_r(&load->random) % 4 == 0) {
			push(load, sqe_fsync(file->fd, 0, 0, 0), FILE_REQUEST);
			pushed++;
		}
	}
	load->file_requests += pushed;
	return pushed;
}

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

/* Being frozen ends a wait as a signal does; what has not been taken stays in the queue. */
static bool submit(struct load *load, unsigned int pushed, unsigned int wanted)
{
	int taken;

	do
		taken = ring_enter(&load->ring, pushed, wanted);
	while (taken == -EINTR);
	return taken == (int)pushed;
}

int load_run(void *arg)
{
	struct load *load = arg;

	memset(load->reading, 0, sizeof(load->reading));
	load->file_requests = 0;
	if (ring_open(&load->ring, LOAD_ENTRIES, 0))
		return 1;
	for (unsigned int i = 0; i < LOAD_PIPES; i++)
		if (pipe2(load->pipes[i], O_CLOEXEC))
			return 2;
	for (;; load->turns++) {
		unsigned int pushed;

		posix_fadvise(load->files[LOAD_BUFFERED].fd, 0, 0, POSIX_FADV_DONTNEED);
		pushed = push_pipe_reads(load) + push_file_requests(load);
		if (!submit(load, pushed, rand_r(&load->random) % 3))
			return 3;
		if (!reap(load))
			return 4;
		if (write(load->pipes[rand_r(&load->random) % LOAD_PIPES][1], "x", 1) != 1)
			return 5;
	}
}

int load_start(struct load *load)
{
	long end = now_ms() + patience(10 * SOON);

	load->turns = 0;
	load->pid = spawn(load_run, load);
	if (load->pid < 0)
		return -errno;
	while (__atomic_load_n(&load->turns, __ATOMIC_ACQUIRE) < BUSY_TURNS) {
		if (now_ms() > end)
			return -ETIME;
		sleep_ms(1);
	}
	return 0;
}

int load_kill(const struct load *load)
{
	kill(load->pid, SIGKILL);
	return outcome_of(load->pid);
}

int load_feed(const struct load *load)
{
	for (unsigned int i = 0; i < LOAD_PIPES; i++) {
		char path[48];
		int error;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", load->pid, load->pipes[i][1]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		error = write(fd, "x", 1) == 1 ? 0 : -errno;
		close(fd);
		if (error)
			return error;
	}
	return 0;
}
