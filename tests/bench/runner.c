// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "runner.h"

static int open_file(const struct workload *workload)
{
	int flags = (workload->write ? O_WRONLY : O_RDONLY) | (workload->direct ? O_DIRECT : 0);
	int fd = open(workload->path, flags | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", workload->path, strerror(errno));
	return fd;
}

static void prepare(struct job *job)
{
	size_t size = (size_t)job->depth * job->block;

	if (!job->workload->path)
		return;
	job->fd = open_file(job->workload);
	job->buffers = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (job->buffers == MAP_FAILED)
		fail("no memory");
	memset(job->buffers, 1, size);
}

/* Orders come by standard input and results go to standard output, until there are no more. */
static void serve(const struct engine *engine, const struct workload *workload, unsigned int depth)
{
	struct job job = {
		.workload = workload,
		.depth = depth,
		.block = workload->block,
		.fd = -1,
	};
	unsigned int requests;
	uint64_t begin, spent;

	prepare(&job);
	engine->open(&job);
	while (must(read(STDIN_FILENO, &requests, sizeof(requests)))) {
		begin = clock_instructions();
		engine->run(job, requests);
		spent = clock_instructions() - begin;
		must(write(STDOUT_FILENO, &spent, sizeof(spent)));
	}
	exit(0);
}

void runner_start(struct runner *runner, const struct engine *engine,
		  const struct workload *workload, unsigned int depth)
{
	int orders[2], results[2];

	must(pipe2(orders, O_CLOEXEC));
	must(pipe2(results, O_CLOEXEC));
	runner->engine = engine;
	fflush(NULL);
	runner->pid = must(fork());
	if (!runner->pid) {
		must(dup2(orders[0], STDIN_FILENO));
		must(dup2(results[1], STDOUT_FILENO));
		/* Among others those of the runners before it, whose ends would not be seen. */
		must(close_range(STDERR_FILENO + 1, ~0U, 0));
		serve(engine, workload, depth);
	}
	close(orders[0]);
	close(results[1]);
	runner->orders = orders[1];
	runner->results = results[0];
}

uint64_t runner_slice(const struct runner *runner, unsigned int requests)
{
	uint64_t spent;

	must(write(runner->orders, &requests, sizeof(requests)));
	if (must(read(runner->results, &spent, sizeof(spent))) != sizeof(spent))
		fail("%s has ended", runner->engine->name);
	return spent;
}

void runner_stop(const struct runner *runner)
{
	int status;

	close(runner->orders);
	close(runner->results);
	must(waitpid(runner->pid, &status, 0));
	if (status)
		fail("%s ended with status %#x", runner->engine->name, status);
}
