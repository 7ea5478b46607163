// SPDX-License-Identifier: GPL-2.0-only
/* Who submits, who executes and who merely holds a ring, while credentials change all the time. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "await.h"
#include "chain.h"
#include "files.h"
#include "module.h"
#include "process.h"
#include "registered.h"
#include "ring.h"
#include "soak.h"

#define ROUNDS 10000
#define LIMIT_S 7200
#define ENTRIES 8
#define SET_USER_ID 04755

/* On some machines the call without a number is older, and takes 16 bits. */
#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#else
#define SETRESUID SYS_setresuid
#endif

FIXTURE(credentials)
{
	struct ring ring;
	int file;
};

FIXTURE_SETUP(credentials)
{
	ASSERT_EQ(0, ring_open(&self->ring, ENTRIES, 0));
	self->file = temp_file(EXT4_DIR);
	ASSERT_LE(0, self->file);
}

FIXTURE_TEARDOWN(credentials)
{
	ring_close(&self->ring);
	close(self->file);
	EXPECT_STREQ("", counters_busy() ?: "");
}

/* The calling thread alone; the real user stays, so that there is a way back. */
static bool become(uid_t user)
{
	return !syscall(SETRESUID, -1, user, 0);
}

/* A program of root, as long as nobody else writes to it. */
static bool is_as_root_wrote_it(int file)
{
	struct stat stat;

	return !fstat(file, &stat) && stat.st_mode & S_ISUID;
}

struct toggler {
	const struct ring *ring;
	unsigned int rounds;
	unsigned int wrong;
};

/* Submits as another user, who may not, and as the owner, who may. */
static void *toggle(void *arg)
{
	struct toggler *toggler = arg;

	for (unsigned int i = 0; i < toggler->rounds; i++) {
		if (!become(OTHER_ID) || ring_enter(toggler->ring, 1, 0) != -EPERM)
			toggler->wrong++;
		if (!become(0) || ring_enter(toggler->ring, 1, 0) < 0)
			toggler->wrong++;
	}
	return NULL;
}

/* Two threads: the credentials of one say nothing about what the other one may do. */
TEST_F_TIMEOUT(credentials, change_between_setup_and_submit, LIMIT_S)
{
	struct toggler toggler = { .ring = &self->ring, .rounds = soak_scaled(ROUNDS) };
	unsigned int written = 0;
	struct io_ring_cqe cqe;
	pthread_t thread;

	ASSERT_EQ(0, fchmod(self->file, SET_USER_ID));
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle, &toggler));
	for (unsigned int i = 0; i < toggler.rounds; i++) {
		struct io_ring_sqe sqe = sqe_rw(IO_RING_OP_WRITE, self->file, "x", 1, 0);

		ring_push(&self->ring, &sqe);
		/* Either thread takes it; who has not taken it does not wait in the same call. */
		ASSERT_LE(0, ring_enter(&self->ring, 1, 0));
		ASSERT_EQ(0, ring_enter(&self->ring, 0, 1));
		ASSERT_TRUE(ring_pop(&self->ring, &cqe));
		ASSERT_EQ(1, cqe.res);
		written++;
		soak_progress(i, toggler.rounds);
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, toggler.wrong);
	EXPECT_TRUE(is_as_root_wrote_it(self->file));
	soak_figure("%u times refused to another user, %u requests of the owner done meanwhile",
		    toggler.rounds, written);
}

/* As whom the ring is opened and the entry submitted, and what the thread is then. */
static void write_as(struct __test_metadata *_metadata, int file, uid_t submitter, uid_t later)
{
	struct io_ring_cqe cqe;
	struct ring ring;

	ASSERT_EQ(0, fchmod(file, SET_USER_ID));
	ASSERT_TRUE(become(submitter));
	ASSERT_EQ(0, ring_open(&ring, ENTRIES, 0));
	chain_push(&ring, sqe_rw(IO_RING_OP_WRITE, file, "x", 1, 0), IO_RING_SQE_FORCE_ASYNC);
	ASSERT_EQ(1, ring_enter(&ring, 1, 0));
	ASSERT_TRUE(become(later));
	ASSERT_EQ(0, ring_enter(&ring, 0, 1));
	ASSERT_TRUE(ring_pop(&ring, &cqe));
	ASSERT_EQ(1, cqe.res);
	ASSERT_TRUE(become(0));
	ASSERT_EQ(submitter == 0, is_as_root_wrote_it(file)) {
		TH_LOG("submitted by %d, later %d", submitter, later);
	}
	ring_close(&ring);
}

TEST_F_TIMEOUT(credentials, change_between_submit_and_execution, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);

	ASSERT_EQ(0, chmod(CONTROL_NODE, 0666));
	for (unsigned int i = 0; i < rounds; i++) {
		write_as(_metadata, self->file, 0, OTHER_ID);
		write_as(_metadata, self->file, OTHER_ID, 0);
		soak_progress(i, rounds);
	}
	ASSERT_EQ(0, chmod(CONTROL_NODE, 0600));
	soak_figure("%u requests done as the user who submitted them", 2 * rounds);
}

/* Another user, who was given the descriptor. */
struct stranger {
	int socket;
	unsigned long tries;
};

static int try_everything(void *arg)
{
	struct stranger *stranger = arg;
	struct ring ring = { .fd = recv_fd(stranger->socket) };
	const int fds[] = { 0 };

	if (ring.fd < 0 || become_other())
		return 1;
	for (;; stranger->tries++) {
		struct io_ring_enter args = { .to_submit = 1 };
		int error;

		if (ring_enter_fd(ring.fd, &args) != -EPERM)
			return 2;
		error = files_register(&ring, fds, NULL, 1);
		if (error != -EPERM)
			return 3;
		if (ring_quiesce(&ring, 0, NULL) != -EPERM)
			return 4;
		close(dup(ring.fd));
	}
}

TEST_F_TIMEOUT(credentials, of_who_was_given_the_descriptor, LIMIT_S)
{
	const unsigned int rounds = soak_scaled(ROUNDS);
	struct stranger *stranger = mmap(NULL, sizeof(*stranger), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct io_ring_cqe cqe;
	int sockets[2];
	pid_t pid;

	ASSERT_NE(MAP_FAILED, stranger);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	stranger->socket = sockets[1];
	pid = spawn(try_everything, stranger);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, send_fd(sockets[0], self->ring.fd));
	for (unsigned int i = 0; i < rounds || !stranger->tries; i++) {
		struct io_ring_sqe sqe = sqe_fsync(self->file, 0, 0, 0);

		ASSERT_EQ(0, ring_run(&self->ring, &sqe, &cqe));
		ASSERT_EQ(0, cqe.res);
		soak_progress(i, rounds);
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, outcome_of(pid));
	soak_figure("%lu times refused to who has the descriptor, %u requests of the owner done",
		    3 * stranger->tries, rounds);
}

TEST_HARNESS_MAIN
