/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef OPEN_RING_H
#define OPEN_RING_H

#include "libio_ring.h"

/* Makes a ring of at least @entries entries, or ends the program and says why. */
void open_ring(struct ioring *ring, unsigned int entries);

#endif /* OPEN_RING_H */
