// SPDX-License-Identifier: GPL-2.0-only
/* As whom a request is done that waits while its process becomes somebody or something else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "await.h"
#include "files.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"
#include "stuck.h"

#define ENTRIES 8
#define WORKERS 2		/* of which one may block */
#define PROGRAM EXT4_DIR "/io_ring-sleep"
#define SET_USER_ID 04755
#define STACK 65536
#define STUCK 0			/* user_data */
#define WRITE 1
#define READ 2

/* What only one who may do everything can write to without a trace. */
static int program_file(void)
{
	int file = temp_file(EXT4_DIR);

	if (file < 0 || pwrite(file, "old", 3, 0) != 3 || fchmod(file, SET_USER_ID))
		return -1;
	return file;
}

static bool is_set_user_id(int file)
{
	struct stat stat;

	return !fstat(file, &stat) && (stat.st_mode & S_ISUID);
}

static bool submit(const struct ring *ring, struct io_ring_sqe sqe, __u64 user_data)
{
	sqe.user_data = user_data;
	ring_push(ring, &sqe);
	return ring_enter(ring, 1, 0) == 1;
}

static int open_ring(struct ring *ring)
{
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);

	wanted.max_workers = WORKERS;
	return ring_open_as(ring, &wanted);
}

/* As whom the WRITE is submitted, and what the process is when it is done. */
struct users {
	uid_t submitter;
	uid_t later;
};

/* The real user stays what it was, so that there is a way back. */
static bool become(uid_t user)
{
	return !setresuid(-1, user, 0);
}

/* The result is whether the file is a set-user-ID program still, or more than 1. */
static int write_later(void *arg)
{
	const struct users *users = arg;
	struct io_ring_cqe cqe;
	int file = program_file();
	struct stuck stuck;
	struct ring ring;

	if (file < 0 || stuck_open(&stuck))
		return 2;
	if (chmod(CONTROL_NODE, 0666) || !become(users->submitter) || open_ring(&ring))
		return 3;
	if (!submit(&ring, stuck_read(&stuck, 0), STUCK))
		return 4;
	sleep_ms(A_WHILE);
	if (!submit(&ring, sqe_rw(IO_RING_OP_WRITE, file, "new", 3, 0), WRITE))
		return 5;
	sleep_ms(A_WHILE);
	if (ring_ready(&ring) || !become(users->later))
		return 6;
	stuck_let_go(&stuck);
	if (!await_completions(&ring, 2, SOON))
		return 7;
	while (ring_pop(&ring, &cqe))
		if (cqe.user_data == WRITE && cqe.res != 3)
			return 8;
	become(0);
	stuck_close(&stuck);
	return is_set_user_id(file);
}

/* What write(2) does to such a file tells who wrote. */
TEST(worker_is_who_submitted)
{
	static const struct users all[] = {
		{ 0, 0 }, { OTHER_ID, OTHER_ID }, { 0, OTHER_ID }, { OTHER_ID, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		EXPECT_EQ(all[i].submitter == 0, in_child(write_later, (void *)&all[i])) {
			TH_LOG("submitted by %d, later %d", all[i].submitter, all[i].later);
		}
	}
	ASSERT_EQ(0, chmod(CONTROL_NODE, 0600));
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* A process of OTHER_ID that executes a set-user-ID program with requests under way. */
struct program {
	int socket;
	int socket_of_process;
	int pipe[2];
	int file;
	struct stuck stuck;
	struct ring ring;
};

FIXTURE(program)
{
	struct program program;
};

static bool install_program(void)
{
	static const char * const lines[] = {
		"cp /bin/busybox " PROGRAM, "chmod 4755 " PROGRAM, NULL
	};

	for (const char * const *line = lines; *line; line++)
		if (system(*line))
			return false;
	return true;
}

FIXTURE_SETUP(program)
{
	struct program *program = &self->program;
	int sockets[2];

	ASSERT_TRUE(install_program());
	ASSERT_EQ(0, chmod(CONTROL_NODE, 0666));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	program->socket = sockets[0];
	program->socket_of_process = sockets[1];
	/* The new program has all the descriptors. */
	ASSERT_EQ(0, pipe(program->pipe));
	program->file = program_file();
	ASSERT_LE(0, program->file);
	ASSERT_EQ(0, fcntl(program->file, F_SETFD, 0));
}

FIXTURE_TEARDOWN(program)
{
	EXPECT_EQ(0, chmod(CONTROL_NODE, 0600));
	EXPECT_EQ(0, unlink(PROGRAM));
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int become_program(struct program *program)
{
	static char byte;

	if (stuck_open(&program->stuck) || become_other() || open_ring(&program->ring))
		return 1;
	if (!submit(&program->ring, stuck_read(&program->stuck, 0), STUCK))
		return 2;
	sleep_ms(A_WHILE);
	if (!submit(&program->ring, sqe_rw(IO_RING_OP_WRITE, program->file, "new", 3, 0), WRITE) ||
	    !submit(&program->ring, sqe_rw(IO_RING_OP_READ, program->pipe[0], &byte, 1, 0), READ))
		return 3;
	sleep_ms(A_WHILE);
	if (ring_ready(&program->ring) || fcntl(program->ring.fd, F_SETFD, 0))
		return 4;
	if (send_fd(program->socket_of_process, program->ring.fd))
		return 5;
	return execl(PROGRAM, "sleep", "100", NULL);
}

static bool await_program(pid_t pid)
{
	long end = now_ms() + patience(SOON);
	char path[32], name[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	while (text_read(path, name, sizeof(name)) || strcmp(name, "io_ring-sleep\n")) {
		if (now_ms() > end)
			return false;
		sleep_ms(1);
	}
	return true;
}

/* The holder of the ring that is left sees how the requests ended. */
static void expect_cancelled(struct __test_metadata *_metadata, int fd)
{
	struct io_ring_setup as = ring_wanted(ENTRIES, 0);
	struct io_ring_cqe cqe;
	struct ring ring;

	/* A ring of the same size tells where things are. */
	ASSERT_EQ(0, ring_open_as(&ring, &as));
	ring_close(&ring);
	ring.fd = fd;
	ring.region = mmap(NULL, ring.setup.region_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   IO_RING_OFF_REGION);
	ASSERT_NE(MAP_FAILED, ring.region);
	ASSERT_TRUE(await_completions(&ring, 3, SOON));
	while (ring_pop(&ring, &cqe)) {
		/* One whose turn came just before was done by whoever submitted it. */
		EXPECT_TRUE(cqe.res == -ECANCELED || (cqe.user_data == WRITE && cqe.res == 3) ||
			    (cqe.user_data == STUCK && cqe.res == -EFAULT)) {
			TH_LOG("request %llu: %d", cqe.user_data, cqe.res);
		}
	}
	EXPECT_EQ(0, fdinfo_value(fd, "in_flight"));
	ring_close(&ring);
}

TEST_F(program, does_nothing_that_was_submitted_before)
{
	struct program *program = &self->program;
	char content[3], byte = 0;
	pid_t process = fork();
	int fd;

	if (!process)
		_exit(become_program(program));
	ASSERT_LT(0, process);
	fd = recv_fd(program->socket);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(await_program(process));
	EXPECT_TRUE(await_workers(process, 0, SOON));
	expect_cancelled(_metadata, fd);
	ASSERT_EQ(1, write(program->pipe[1], "x", 1));
	EXPECT_EQ(1, read(program->pipe[0], &byte, 1));
	EXPECT_EQ(3, pread(program->file, content, sizeof(content), 0));
	if (memcmp(content, "old", sizeof(content))) {
		EXPECT_EQ(0, memcmp(content, "new", sizeof(content)));
		EXPECT_FALSE(is_set_user_id(program->file));
	}
	ASSERT_EQ(0, kill(process, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(process));
}

/* A ring, and what a process that shares its memory does to it. */
struct relative {
	struct ring ring;
	int pipe[2];
	char byte;
	int result;
};

static int submit_and_leave(void *arg)
{
	struct relative *relative = arg;
	struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_READ, relative->pipe[0], &relative->byte, 1, 0);

	ring_push(&relative->ring, &sqe);
	relative->result = ring_enter(&relative->ring, 1, 0);
	_exit(0);
}

/* vfork(2) makes such processes. They have other files, signals and maybe rights. */
TEST(process_with_the_same_memory_is_another_one)
{
	static __u64 stack[STACK / sizeof(__u64)];
	static struct relative relative;
	struct io_ring_cqe cqe;

	ASSERT_EQ(0, pipe2(relative.pipe, O_CLOEXEC));
	ASSERT_EQ(0, open_ring(&relative.ring));
	ASSERT_EQ(0, outcome_of(clone(submit_and_leave, stack + ARRAY_SIZE(stack),
				      CLONE_VM | CLONE_VFORK | SIGCHLD, &relative)));
	EXPECT_EQ(-EPERM, relative.result);
	/* The entry is there still, and the process of the ring can do everything. */
	if (relative.result < 0)
		ASSERT_EQ(1, ring_enter(&relative.ring, 1, 0));
	EXPECT_EQ(0, ring_ready(&relative.ring));
	ASSERT_EQ(1, write(relative.pipe[1], "x", 1));
	ASSERT_TRUE(await_completions(&relative.ring, 1, SOON));
	ASSERT_TRUE(ring_pop(&relative.ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	ring_close(&relative.ring);
}

TEST_HARNESS_MAIN
