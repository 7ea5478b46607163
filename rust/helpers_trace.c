// SPDX-License-Identifier: GPL-2.0
/* The tracepoints themselves, and what Rust calls when somebody listens to one. */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "trace_io_ring.h"
