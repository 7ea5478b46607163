/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Numbers on the command line. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

/*
 * Reads the value of @option: a whole number from @min to @max, with K, M or G
 * after it for 2^10, 2^20 or 2^30. Ends the program if @text is anything else.
 */
uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max);

#endif /* NUMBER_H */
