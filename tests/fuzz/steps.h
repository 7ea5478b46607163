/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program consists of. */
#ifndef FUZZ_STEPS_H
#define FUZZ_STEPS_H

#include "world.h"

/* One step of a program. */
void step(struct world *world, struct source *source);

/* A ring with these flags in the current place, or none if they are refused. */
void step_setup(struct world *world, struct source *source, __u32 flags);
/* Offer entries, submit them and read completions. */
void step_submit(struct world *world, struct source *source);
void step_reap(struct world *world, struct source *source);
void step_register(struct world *world, struct source *source);

/* Other processes: steps_process.c. */
void step_fork(struct world *world, struct source *source);
void step_exec(struct world *world, struct source *source);
void step_pass(struct world *world, struct source *source);

#endif
