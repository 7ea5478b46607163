/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_ARRAY_H
#define BENCH_ARRAY_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
