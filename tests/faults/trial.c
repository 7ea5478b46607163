// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "await.h"
#include "fault.h"
#include "files.h"
#include "module.h"
#include "trial.h"

#define MOST 5000	/* attempts: no call is that long */
#define MOST_DESCRIPTORS 64

static bool world_open(struct world *world)
{
	*world = (struct world) { .ring.fd = -1 };
	world->control = control_open();
	world->file = temp_file(EXT4_DIR);
	world->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world->memory = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return world->control >= 0 && world->file >= 0 && world->event >= 0 &&
	       world->memory != MAP_FAILED && pattern_write(world->file, ROOM, CONTENT) == 0 &&
	       !pipe2(world->ends, O_CLOEXEC) &&
	       !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, world->sockets) &&
	       !ring_open(&world->ring, ENTRIES, 0);
}

static void world_close(struct world *world)
{
	if (world->ring.fd >= 0)
		ring_close(&world->ring);
	munmap(world->memory, ROOM);
	for (unsigned int i = 0; i < 2; i++) {
		close(world->ends[i]);
		close(world->sockets[i]);
	}
	close(world->control);
	close(world->file);
	close(world->event);
}

static unsigned int open_descriptors(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Whether the ring does what it always does, whatever else has completed. */
static bool is_usable(const struct ring *ring)
{
	struct io_ring_sqe sqe = sqe_nop(~0ULL);
	struct io_ring_cqe cqe;

	ring_push(ring, &sqe);
	if (ring_enter(ring, 1, 1) != 1)
		return false;
	while (ring_pop(ring, &cqe))
		if (cqe.user_data == ~0ULL)
			return !cqe.res;
	return false;
}

static bool is_failure(long answer)
{
	return answer == -ENOMEM || answer == -EFAULT || answer == -ENOBUFS || answer == -EAGAIN;
}

/* What is wrong with the answer, or NULL. */
static const char *judge(const struct trial *trial, struct world *world, long answer, bool came)
{
	bool is_short = trial->may_be_short && answer > 0 && answer < trial->answer;

	if (answer == trial->answer || (came && is_short))
		return !trial->holds || trial->holds(world) ? NULL : "it did not do what it says";
	if (!came)
		return "it failed though nothing did";
	if (trial->is_final)
		return "it failed";
	return is_failure(answer) ? NULL : "it failed for another reason";
}

static const char *attempt(const struct trial *trial, unsigned int n, struct outcome *outcome)
{
	const char *wrong, *busy;
	struct world world;
	unsigned int before = open_descriptors();
	bool came;

	if (!world_open(&world) || (trial->prepare && !trial->prepare(&world)))
		return "cannot prepare it";
	if (!fault_plan(n))
		return "cannot plan a failure";
	outcome->answer = trial->call(&world);
	came = fault_came();
	outcome->faults += came;
	outcome->failed += came && outcome->answer != trial->answer;
	wrong = judge(trial, &world, outcome->answer, came);
	if (!wrong && world.ring.fd >= 0 && !is_usable(&world.ring))
		wrong = "the ring cannot be used any more";
	world_close(&world);
	busy = counters_busy();
	if (!wrong && busy)
		wrong = busy;
	if (!wrong && open_descriptors() != before)
		wrong = "a descriptor was left";
	outcome->at = came ? n : 0;
	return wrong;
}

struct outcome trial_run(const struct trial *trial)
{
	struct outcome outcome = { };

	for (unsigned int n = 1; n <= MOST; n++) {
		outcome.wrong = attempt(trial, n, &outcome);
		if (outcome.wrong || !outcome.at)
			return outcome;
	}
	outcome.wrong = "it does not come to an end";
	return outcome;
}

long call_request(struct world *world)
{
	const struct ring *ring = &world->ring;
	struct io_ring_cqe cqe;
	int taken;

	ring_push(ring, &world->sqe);
	taken = ring_enter(ring, 1, 1);
	if (taken < 0) {
		/* Nothing was taken: take it back. */
		ring_store(ring, ring->setup.sq_off.tail,
			   ring_load(ring, ring->setup.sq_off.tail) - 1);
		return taken;
	}
	while (taken == 1 && ring_pop(ring, &cqe))
		if (cqe.user_data == world->sqe.user_data)
			return cqe.res;
	return -EPROTO;
}
