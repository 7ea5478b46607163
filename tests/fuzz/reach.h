/* SPDX-License-Identifier: GPL-2.0-only */
/* Which code of the module has been executed, if it was built to tell. */
#ifndef FUZZ_REACH_H
#define FUZZ_REACH_H

#include <stdbool.h>

#define REACH_PARTS 24
#define REACH_PART_BYTES 2000
#define REACH_BYTES (REACH_PARTS * REACH_PART_BYTES)

struct reach {
	unsigned char bits[REACH_BYTES];
};

/* Whether it tells. */
bool reach_open(void);

/* How many places have been reached since the module was loaded. */
long reach_count(void);

/* Add all that has been reached; the result is how many places were not known. */
unsigned int reach_add(struct reach *known);

/* How many there are. */
unsigned int reach_size(const struct reach *known);

/* All of it, for scripts/fuzz. */
void reach_print(const struct reach *known);

#endif
