/* SPDX-License-Identifier: GPL-2.0-only */
/* What all processes have done together, in shared memory. */
#ifndef FUZZ_TALLY_H
#define FUZZ_TALLY_H

#include <kselftest.h>
#include <linux/types.h>

#include "source.h"

#define TALLY_ERRORS 160	/* errno numbers are less */
#define TALLY_FOUND 256
#define TALLY_WORKERS 4
#define COMPLAINT 160

enum tally_call { CALL_SETUP, CALL_ENTER, CALL_REGISTER, CALL_QUERY, CALL_MMAP, CALLS };

struct tally {
	unsigned long programs;
	unsigned long sqes;		/* taken, as ENTER has told */
	unsigned long cqes;
	unsigned long flips;		/* bits of shared memory that were flipped */
	unsigned long by_error[TALLY_ERRORS];	/* completions; [0] is success */
	unsigned long calls[CALLS][TALLY_ERRORS];

	/* What each worker is at. */
	struct program running[TALLY_WORKERS];

	/* Programs that have reached something new; more are forgotten. */
	unsigned int found;
	struct program programs_found[TALLY_FOUND];

	/* The first thing that was wrong; has_complaint is set before it is written. */
	int has_complaint;
	char complaint[COMPLAINT];
};

extern struct tally *tally;

int tally_map(void);

/* The result of a call: 0 or more, or -errno. */
void tally_call(enum tally_call call, int result);
void tally_cqe(__s32 result);

void __printf(1, 2) tally_complain(const char *format, ...);

void tally_print(void);

#endif
