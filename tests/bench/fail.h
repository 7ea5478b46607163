/* SPDX-License-Identifier: GPL-2.0-only */
/* A figure from a run in which anything failed is worth nothing: every failure ends it. */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define fail(...) \
	do { \
		fprintf(stderr, "bench: " __VA_ARGS__); \
		fputc('\n', stderr); \
		exit(1); \
	} while (0)

/* The result, which has to be 0 or more, of a call that reports by errno. */
#define must(call) \
	({ \
		__typeof__(call) result_ = (call); \
		if (result_ < 0) \
			fail("%s: %s", #call, strerror(errno)); \
		result_; \
	})

#endif
