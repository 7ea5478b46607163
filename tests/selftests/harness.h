/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's test harness, with patience for machines that are emulated and busy. */
#ifndef SELFTESTS_HARNESS_H
#define SELFTESTS_HARNESS_H

#include <kselftest_harness.h>

/* Seconds: only what hangs takes so long. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 400

#endif
