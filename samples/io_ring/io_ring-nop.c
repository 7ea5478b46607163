// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* io_ring-nop: how many requests a second the ring itself can carry. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"
#include "open_ring.h"
#include "request.h"
#include "status.h"
#include "stopwatch.h"

static const char help[] =
	"Usage: io_ring-nop [OPTION]...\n"
	"Measures the rate of NOP requests through /dev/io_ring.\n"
	"\n"
	"  -d, --qd=N         N requests for each entry into the kernel (default 32)\n"
	"  -n, --count=N      stop after N requests\n"
	"  -t, --seconds=N    stop after N seconds (default 3)\n"
	"  -h, --help         this text\n"
	"\n"
	"Exit status: 0 measured, 1 failed, 2 wrong usage.\n";

struct options {
	unsigned int	depth;
	uint64_t	count;
	double		seconds;	/* 0: no limit */
};

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "qd", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "d:n:t:h", names, NULL)) != -1) {
		switch (option) {
		case 'd':
			options->depth = (unsigned int)parse_number("qd", optarg, 1,
								    IO_RING_MAX_ENTRIES);
			break;
		case 'n':
			options->count = parse_number("count", optarg, 1, UINT64_MAX);
			break;
		case 't':
			options->seconds = (double)parse_number("seconds", optarg, 1, 1U << 20);
			break;
		case 'h':
			fputs(help, stdout);
			exit(STATUS_OK);
		default:
			errx(STATUS_USAGE, "try --help");
		}
	}
	if (optind != argc)
		errx(STATUS_USAGE, "%s: unexpected; try --help", argv[optind]);
	if (options->count == UINT64_MAX && options->seconds == 0)
		options->seconds = 3;
}

/* Returns which of the @batch requests from @first on the completion belongs to. */
static uint64_t check(const struct io_ring_cqe *cqe, uint64_t first, uint32_t batch)
{
	char text[200];

	if (cqe->res)
		errx(STATUS_FAILED, "NOP: %s", ioring_cqe_strerror(cqe, text, sizeof(text)));
	if (cqe->user_data - first >= batch)
		errx(STATUS_FAILED, "NOP: completion of request %llu, which was not made",
		     (unsigned long long)cqe->user_data);
	return cqe->user_data - first;
}

/* Sends @batch NOPs that carry the numbers from @first on, and takes their completions. */
static void run_batch(struct ioring *ring, uint64_t first, uint32_t batch)
{
	struct io_ring_cqe *cqe;
	struct io_ring_sqe nop;
	uint32_t i, nr, done = 0;
	uint64_t sum = 0;
	int ret;

	ioring_prep_nop(&nop);
	for (i = 0; i < batch; i++)
		request_queue(ring, &nop, first + i);
	while (done < batch) {
		ret = ioring_submit_and_wait(ring, batch - done);
		if (ret < 0 && ret != -EINTR) {
			errno = -ret;
			err(STATUS_FAILED, "cannot enter the ring");
		}
		for (nr = 0; (cqe = ioring_cqe_at(ring, nr)); nr++)
			sum += check(cqe, first, batch);
		ioring_cq_advance(ring, nr);
		done += nr;
	}
	if (done != batch || sum != (uint64_t)batch * (batch - 1) / 2)
		errx(STATUS_FAILED, "NOP: not one completion for each request");
}

int main(int argc, char **argv)
{
	struct options options = { .depth = 32, .count = UINT64_MAX };
	double started, seconds = 0;
	struct ioring ring;
	uint64_t done = 0;
	uint32_t batch;

	parse_options(argc, argv, &options);
	open_ring(&ring, options.depth);
	started = stopwatch_now();
	while (done < options.count && (options.seconds == 0 || seconds < options.seconds)) {
		batch = options.depth;
		if (options.count - done < batch)
			batch = (uint32_t)(options.count - done);
		run_batch(&ring, done, batch);
		done += batch;
		seconds = stopwatch_now() - started;
	}
	printf("%llu requests in %.3f s at depth %u: %.0f per second, %.0f ns each, %llu enters\n",
	       (unsigned long long)done, seconds, options.depth, (double)done / seconds,
	       seconds * 1e9 / (double)done, (unsigned long long)ring.enters);
	ioring_exit(&ring);
	return STATUS_OK;
}
