// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* io_ring-cp: copies a file with many requests under way at a time. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "copy.h"
#include "fdinfo.h"
#include "number.h"
#include "open_ring.h"
#include "request.h"
#include "status.h"
#include "verify.h"

#define MAX_SLOTS		4096
#define MIN_BLOCK_SIZE		512
#define MAX_BLOCK_SIZE		(64U << 20)

static const char help[] =
	"Usage: io_ring-cp [OPTION]... SOURCE TARGET\n"
	"Copies a regular file or block device through /dev/io_ring.\n"
	"\n"
	"  -d, --qd=N      keep N blocks under way (default 16)\n"
	"  -b, --bs=SIZE   block size, with K, M or G (default 128K)\n"
	"  -D, --direct    O_DIRECT on both sides; SIZE must be a multiple of 4096\n"
	"  -f, --fsync     make sure that the copy is on its device\n"
	"  -v, --verify    read both files again and compare them byte for byte\n"
	"  -s, --stats     print one line of key=value pairs at the end\n"
	"  -q, --quiet     no progress and no throughput\n"
	"  -h, --help      this text\n"
	"\n"
	"TARGET is overwritten. A copy that failed is left as it is.\n"
	"Exit status: 0 copied (and verified), 1 failed, 2 wrong usage.\n";

struct options {
	const char	*source;
	const char	*target;
	struct depth	depth;
	bool		direct;
	bool		fsync;
	bool		verify;
	bool		stats;
	bool		quiet;
};

/* The pieces that live from the first request to the last. */
struct session {
	struct ioring		ring;
	struct endpoints	endpoints;
	char			*buffers;
	struct copy_result	result;
	double			seconds;
	uint64_t		verified;
};

static void check_options(const struct options *options)
{
	if (options->direct && options->depth.block_size % DIRECT_ALIGNMENT)
		errx(STATUS_USAGE, "--bs %u: must be a multiple of %u with --direct",
		     options->depth.block_size, DIRECT_ALIGNMENT);
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "qd", required_argument, NULL, 'd' },
		{ "bs", required_argument, NULL, 'b' },
		{ "direct", no_argument, NULL, 'D' },
		{ "fsync", no_argument, NULL, 'f' },
		{ "verify", no_argument, NULL, 'v' },
		{ "stats", no_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "d:b:Dfvsqh", names, NULL)) != -1) {
		switch (option) {
		case 'd':
			options->depth.slots = (unsigned int)parse_number("qd", optarg, 1,
									  MAX_SLOTS);
			break;
		case 'b':
			options->depth.block_size = (uint32_t)parse_number("bs", optarg,
									   MIN_BLOCK_SIZE,
									   MAX_BLOCK_SIZE);
			break;
		case 'D':
			options->direct = true;
			break;
		case 'f':
			options->fsync = true;
			break;
		case 'v':
			options->verify = true;
			break;
		case 's':
			options->stats = true;
			break;
		case 'q':
			options->quiet = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(STATUS_OK);
		default:
			errx(STATUS_USAGE, "try --help");
		}
	}
	if (argc - optind != 2)
		errx(STATUS_USAGE, "SOURCE and TARGET are needed; try --help");
	options->source = argv[optind];
	options->target = argv[optind + 1];
	check_options(options);
}

static char *allocate_buffers(const struct options *options)
{
	size_t blocks = (size_t)options->depth.slots * (options->verify ? 2 : 1);
	void *buffers;
	int error;

	error = posix_memalign(&buffers, DIRECT_ALIGNMENT, blocks * options->depth.block_size);
	if (error) {
		errno = error;
		err(STATUS_FAILED, "%zu buffers of %u bytes (try less --qd or --bs)", blocks,
		    options->depth.block_size);
	}
	return buffers;
}

static int sync_target(struct session *session)
{
	struct io_ring_sqe request;
	struct io_ring_cqe cqe;
	char text[200];

	ioring_prep_fsync(&request, session->endpoints.tail, 0);
	cqe = request_run(&session->ring, &request);
	session->result.requests++;
	if (!cqe.res)
		return 0;
	warnx("%s: cannot sync: %s", session->endpoints.target_name,
	      ioring_cqe_strerror(&cqe, text, sizeof(text)));
	return -1;
}

static int copy(struct session *session, const struct options *options)
{
	struct progress progress;
	int error;

	progress_start(&progress, "copying", session->endpoints.size, options->quiet);
	error = copy_run(&session->ring, &session->endpoints, &options->depth, session->buffers,
			 &progress, &session->result);
	if (!error && options->fsync)
		error = sync_target(session);
	session->seconds = progress_stop(&progress);
	return error;
}

static int verify(struct session *session, const struct options *options)
{
	struct progress progress;
	int error;

	progress_start(&progress, "verifying", session->result.bytes, options->quiet);
	error = verify_run(&session->ring, &session->endpoints, &options->depth, session->buffers,
			   session->result.bytes, &progress, &session->result.requests);
	progress_stop(&progress);
	if (!error)
		session->verified = session->result.bytes;
	return error;
}

static double megabytes_per_second(const struct session *session)
{
	return session->seconds > 0 ? (double)session->result.bytes / 1e6 / session->seconds : 0;
}

static int print_stats(const struct session *session)
{
	const struct copy_result *result = &session->result;
	int count;

	printf("bytes=%llu seconds=%.3f mb_per_s=%.1f verified=%llu sqes=%llu enters=%llu",
	       (unsigned long long)result->bytes, session->seconds, megabytes_per_second(session),
	       (unsigned long long)session->verified, (unsigned long long)result->requests,
	       (unsigned long long)session->ring.enters);
	printf(" short_reads=%llu short_writes=%llu", (unsigned long long)result->short_reads,
	       (unsigned long long)result->short_writes);
	count = fdinfo_print(session->ring.fd);
	putchar('\n');
	if (count < 0) {
		errno = -count;
		warn("/proc/self/fdinfo");
		return -1;
	}
	return 0;
}

static int run(struct session *session, const struct options *options)
{
	if (copy(session, options))
		return -1;
	if (options->verify && verify(session, options))
		return -1;
	if (!options->quiet)
		fprintf(stderr, "%llu bytes%s in %.2f s, %.1f MB/s\n",
			(unsigned long long)session->result.bytes,
			options->verify ? " (verified)" : "", session->seconds,
			megabytes_per_second(session));
	return options->stats ? print_stats(session) : 0;
}

int main(int argc, char **argv)
{
	struct options options = { .depth = { .slots = 16, .block_size = 128U << 10 } };
	struct session session = { 0 };
	int error;

	parse_options(argc, argv, &options);
	open_ring(&session.ring, options.depth.slots);
	endpoints_open(&session.endpoints, options.source, options.target, options.direct);
	session.buffers = allocate_buffers(&options);

	error = run(&session, &options);
	ioring_exit(&session.ring);
	free(session.buffers);
	if (endpoints_close(&session.endpoints))
		error = -1;
	return error ? STATUS_FAILED : STATUS_OK;
}
