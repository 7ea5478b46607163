// SPDX-License-Identifier: GPL-2.0-only
/* Who is charged with the memory of a ring: the memory cgroup of who sets it up. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/io_ring-charge"
#define MB (1024 * 1024)

/* What a child has of its parent. */
struct pipes {
	int told[2];		/* it tells here how it went */
	int end[2];		/* closed when it may go */
};

struct news {
	int error;
	long bytes;		/* of the ring */
};

FIXTURE(group)
{
	struct pipes pipes;
};

FIXTURE_SETUP(group)
{
	ASSERT_EQ(0, text_write(ROOT "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0700));
	ASSERT_EQ(0, pipe(self->pipes.told));
	ASSERT_EQ(0, pipe(self->pipes.end));
}

FIXTURE_TEARDOWN(group)
{
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_STREQ("", counters_busy() ?: "");
}

static int make_ring(void *arg)
{
	struct pipes *pipes = arg;
	struct news news = { };
	struct ring ring;
	char byte;

	close(pipes->end[1]);
	news.error = text_write(GROUP "/cgroup.procs", "0");
	news.error = news.error ?: ring_open(&ring, IO_RING_MAX_ENTRIES, 0);
	if (!news.error)
		news.bytes = fdinfo_value(ring.fd, "bytes");
	if (write(pipes->told[1], &news, sizeof(news)) != sizeof(news))
		return 1;
	return read(pipes->end[0], &byte, 1) ? 2 : 0;
}

TEST_F(group, is_charged_until_the_ring_is_gone)
{
	pid_t child = spawn(make_ring, &self->pipes);
	struct news news;
	long charged;

	ASSERT_LE(0, child);
	ASSERT_EQ(sizeof(news), read(self->pipes.told[0], &news, sizeof(news)));
	EXPECT_EQ(0, news.error);
	EXPECT_LT(MB, news.bytes);
	charged = number_read(GROUP "/memory.current");
	EXPECT_LE(news.bytes, charged) {
		TH_LOG("%ld bytes, charged with %ld", news.bytes, charged);
	}
	close(self->pipes.end[0]);
	close(self->pipes.end[1]);
	EXPECT_EQ(0, outcome_of(child));
	for (long end = now_ms() + patience(10 * SOON); now_ms() < end; sleep_ms(10)) {
		charged = number_read(GROUP "/memory.current");
		if (charged < news.bytes)
			break;
	}
	EXPECT_GT(news.bytes, charged);
}

TEST_HARNESS_MAIN
