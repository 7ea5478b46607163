// SPDX-License-Identifier: GPL-2.0-only
/* Every call on the device and on rings, while an allocation or a copy in it fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing.h"
#include "files.h"
#include "pinned.h"
#include "registered.h"

#define FILES 3
#define TAG 77

static long answer_of(int result)
{
	return result < 0 ? -errno : result;
}

static long call_open(struct world *world)
{
	int fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);

	(void)world;
	return fd < 0 ? -errno : close(fd);
}

/* The descriptor is closed again: what is left of it would be seen. */
static long setup(const struct world *world, struct io_ring_setup wanted)
{
	int fd = ioctl(world->control, IO_RING_SETUP, &wanted);

	return fd < 0 ? -errno : close(fd);
}

static long call_setup(struct world *world)
{
	return setup(world, ring_wanted(ENTRIES, 0));
}

static long call_setup_full(struct world *world)
{
	static const __u8 ops[] = { IO_RING_OP_NOP, IO_RING_OP_READ };
	__s32 files[FILES] = { world->ends[0], -1, world->file };
	struct io_ring_setup wanted = ring_wanted(ENTRIES, 0);

	wanted.files = (uintptr_t)files;
	wanted.nr_files = FILES;
	wanted.ops = (uintptr_t)ops;
	wanted.nr_ops = sizeof(ops);
	return setup(world, wanted);
}

static long call_setup_sqpoll(struct world *world)
{
	return setup(world, ring_wanted(ENTRIES, IO_RING_SETUP_SQPOLL));
}

static long call_query(struct world *world)
{
	struct io_ring_op_info ops[4] = { };
	struct io_ring_query query = {
		.size = sizeof(query),
		.ops = (uintptr_t)ops,
		.ops_len = 4,
	};

	return answer_of(ioctl(world->control, IO_RING_QUERY, &query));
}

static long call_mmap(struct world *world)
{
	size_t size = world->ring.setup.region_size;
	void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			    world->ring.fd, 0);

	return region == MAP_FAILED ? -errno : munmap(region, size);
}

FIXTURE_VARIANT_ADD(failing, open)
{
	.trial = { "open", NULL, call_open },
};

FIXTURE_VARIANT_ADD(failing, setup)
{
	.trial = { "SETUP", NULL, call_setup },
};

FIXTURE_VARIANT_ADD(failing, setup_full)
{
	.trial = { "SETUP with files and operations", NULL, call_setup_full },
};

FIXTURE_VARIANT_ADD(failing, setup_sqpoll)
{
	.trial = { "SETUP with a submission thread", NULL, call_setup_sqpoll },
};

FIXTURE_VARIANT_ADD(failing, query)
{
	.trial = { "QUERY", NULL, call_query },
};

FIXTURE_VARIANT_ADD(failing, mmap)
{
	.trial = { "mmap", NULL, call_mmap },
};

static const __u64 tags[FILES] = { TAG, TAG + 1, TAG + 2 };

static long call_register_files(struct world *world)
{
	int files[FILES] = { world->ends[0], world->ends[1], world->file };

	return files_register(&world->ring, files, tags, FILES);
}

static bool has_files(struct world *world)
{
	return !call_register_files(world);
}

static long call_update_files(struct world *world)
{
	int files[FILES] = { world->file, -1, world->ends[0] };

	return files_update(&world->ring, 0, files, NULL, FILES);
}

static long call_unregister_files(struct world *world)
{
	return files_unregister(&world->ring);
}

FIXTURE_VARIANT_ADD(failing, register_files)
{
	.trial = { "REGISTER_FILES", NULL, call_register_files },
};

FIXTURE_VARIANT_ADD(failing, update_files)
{
	.trial = { "UPDATE_FILES", has_files, call_update_files },
};

FIXTURE_VARIANT_ADD(failing, unregister_files)
{
	.trial = { "UNREGISTER_FILES", has_files, call_unregister_files },
};

static long call_register_buffers(struct world *world)
{
	struct io_ring_buffer buffers[2] = {
		buffer_at(world->memory, PAGE + 1),
		buffer_at(world->memory + 2 * PAGE, PAGE),
	};

	return buffers_register(&world->ring, buffers, 2, tags);
}

static bool has_buffers(struct world *world)
{
	return !call_register_buffers(world);
}

static long call_update_buffers(struct world *world)
{
	struct io_ring_buffer buffers[2] = {
		buffer_at(world->memory + PAGE, 2 * PAGE),
		buffer_at(NULL, 0),
	};

	return buffers_update(&world->ring, 0, buffers, 2, NULL);
}

static long call_unregister_buffers(struct world *world)
{
	return buffers_unregister(&world->ring);
}

FIXTURE_VARIANT_ADD(failing, register_buffers)
{
	.trial = { "REGISTER_BUFFERS", NULL, call_register_buffers },
};

FIXTURE_VARIANT_ADD(failing, update_buffers)
{
	.trial = { "UPDATE_BUFFERS", has_buffers, call_update_buffers },
};

FIXTURE_VARIANT_ADD(failing, unregister_buffers)
{
	.trial = { "UNREGISTER_BUFFERS", has_buffers, call_unregister_buffers },
};

static long call_register_eventfd(struct world *world)
{
	struct io_ring_register args = register_args(IO_RING_REGISTER_EVENTFD, &world->event, 1);

	return ring_register(&world->ring, &args);
}

FIXTURE_VARIANT_ADD(failing, register_eventfd)
{
	.trial = { "REGISTER_EVENTFD", NULL, call_register_eventfd },
};

/* Something of each kind is under way: for readiness, for a time, and in a worker. */
static bool has_requests(struct world *world)
{
	struct io_ring_timespec time = { .sec = 1000 };
	struct io_ring_sqe sqes[] = {
		sqe_poll(world->ends[0], POLLIN, IO_RING_POLL_ADD_MULTI),
		sqe_rw(IO_RING_OP_READ, world->ends[0], world->memory, 1, 0),
		sqe_timeout(&time, 0, 0),
	};

	for (unsigned int i = 0; i < 3; i++)
		ring_push(&world->ring, &sqes[i]);
	return ring_enter(&world->ring, 3, 0) == 3;
}

static long call_quiesce(struct world *world)
{
	return ring_quiesce(&world->ring, 0, NULL);
}

static bool is_quiet(struct world *world)
{
	struct io_ring_cqe cqe;

	for (unsigned int i = 0; i < 3; i++)
		if (!ring_pop(&world->ring, &cqe) || cqe.res != -ECANCELED)
			return false;
	return !ring_ready(&world->ring);
}

FIXTURE_VARIANT_ADD(failing, quiesce)
{
	.trial = { "QUIESCE", has_requests, call_quiesce, is_quiet },
};

/* With everything that a wait can have, and nothing that would end it but its time. */
static long call_wait(struct world *world)
{
	sigset_t mask;
	struct io_ring_enter args = {
		.min_complete = 1,
		.timeout = 1000000,
		.sigmask = (uintptr_t)&mask,
	};

	sigfillset(&mask);
	return ring_enter_fd(world->ring.fd, &args);
}

FIXTURE_VARIANT_ADD(failing, wait)
{
	.trial = { "ENTER that waits", NULL, call_wait, .answer = -ETIME },
};

static long call_poll(struct world *world)
{
	struct pollfd pollfd = { .fd = world->ring.fd, .events = POLLOUT | POLLIN };

	return answer_of(poll(&pollfd, 1, 0));
}

static long call_epoll(struct world *world)
{
	struct epoll_event event = { .events = EPOLLIN };
	int group = epoll_create1(EPOLL_CLOEXEC);
	long added;

	if (group < 0)
		return -errno;
	added = answer_of(epoll_ctl(group, EPOLL_CTL_ADD, world->ring.fd, &event));
	close(group);
	return added;
}

FIXTURE_VARIANT_ADD(failing, poll)
{
	.trial = { "poll", NULL, call_poll, .answer = 1 },
};

FIXTURE_VARIANT_ADD(failing, epoll)
{
	.trial = { "epoll_ctl", NULL, call_epoll },
};

static long call_fdinfo(struct world *world)
{
	char path[40];
	char text[2000];
	long answer;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", world->ring.fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	answer = answer_of(read(fd, text, sizeof(text)));
	close(fd);
	return answer < 0 ? answer : 0;
}

FIXTURE_VARIANT_ADD(failing, fdinfo)
{
	.trial = { "fdinfo", NULL, call_fdinfo },
};

/* Whatever fails meanwhile, nothing is left of the ring. */
static long call_close(struct world *world)
{
	long answer;

	ring_unmap(&world->ring);
	answer = answer_of(close(world->ring.fd));
	world->ring.fd = -1;
	return answer;
}

static bool is_shared(struct world *world)
{
	ring_close(&world->ring);
	return !ring_open(&world->ring, ENTRIES, IO_RING_SETUP_FORK_SHARED);
}

/* The child has the ring mapped, or it is not made. */
static long call_fork(struct world *world)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(ring_load(&world->ring, world->ring.setup.cq_off.tail));
	if (child < 0)
		return -errno;
	return waitpid(child, &status, 0) == child ? status : -errno;
}

FIXTURE_VARIANT_ADD(failing, close)
{
	.trial = { "close", has_requests, call_close, .is_final = true },
};

FIXTURE_VARIANT_ADD(failing, fork)
{
	.trial = { "fork", is_shared, call_fork },
};

TEST_HARNESS_MAIN
