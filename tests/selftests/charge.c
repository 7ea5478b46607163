// SPDX-License-Identifier: GPL-2.0-only
/* Who is charged with the memory of a ring: the memory cgroup of who sets it up. */
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "harness.h"
#include "module.h"
#include "process.h"
#include "ring.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/io_ring-charge"
#define SLOT 200	/* bytes that a request has at least */

/* What a child has of its parent. */
struct pipes {
	int told[2];		/* it tells here how it went */
	int end[2];		/* closed when it may go */
};

/* Of two rings with as many requests, one of them with much more memory. */
struct news {
	int error;
	long bytes[2];
	long charged[2];
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

static long charged_now(void)
{
	return number_read(GROUP "/memory.current");
}

static struct news make_rings(void)
{
	static const __u32 entries[2] = { 1, IO_RING_MAX_ENTRIES };
	struct news news = { .error = text_write(GROUP "/cgroup.procs", "0") };

	for (unsigned int i = 0; !news.error && i < 2; i++) {
		struct io_ring_setup wanted = ring_wanted(entries[i], 0);
		long before = charged_now();
		int fd;

		wanted.requests = IO_RING_MAX_REQUESTS;
		fd = ring_setup(&wanted);
		if (fd < 0)
			news.error = fd;
		news.bytes[i] = fdinfo_value(fd, "bytes");
		news.charged[i] = charged_now() - before;
	}
	return news;
}

static int make_rings_and_wait(void *arg)
{
	struct pipes *pipes = arg;
	struct news news = make_rings();
	char byte;

	close(pipes->end[1]);
	if (write(pipes->told[1], &news, sizeof(news)) != sizeof(news))
		return 1;
	return read(pipes->end[0], &byte, 1) ? 2 : 0;
}

TEST_F(group, is_charged_until_the_ring_is_gone)
{
	pid_t child = spawn(make_rings_and_wait, &self->pipes);
	struct news news;

	ASSERT_LE(0, child);
	ASSERT_EQ(sizeof(news), read(self->pipes.told[0], &news, sizeof(news)));
	EXPECT_EQ(0, news.error);
	/* What is charged comes in portions: half of it is certain. */
	EXPECT_LE((long)IO_RING_MAX_REQUESTS * SLOT / 2, news.charged[0]);
	EXPECT_LE((news.bytes[1] - news.bytes[0]) / 2, news.charged[1] - news.charged[0]);
	EXPECT_LE(news.charged[0], charged_now());
	close(self->pipes.end[0]);
	close(self->pipes.end[1]);
	EXPECT_EQ(0, outcome_of(child));
	for (long end = now_ms() + patience(10 * SOON); now_ms() < end; sleep_ms(10))
		if (charged_now() < news.charged[0])
			break;
	EXPECT_GT(news.charged[0], charged_now());
}

TEST_HARNESS_MAIN
