// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "number.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static bool unit_shift(const char *unit, unsigned int *shift)
{
	static const char units[] = "KMG";
	const char *found;

	*shift = 0;
	if (!unit[0])
		return true;
	found = strchr(units, toupper((unsigned char)unit[0]));
	if (!found || unit[1])
		return false;
	*shift = 10 * (unsigned int)(found - units + 1);
	return true;
}

uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	unsigned long long value;
	unsigned int shift;
	char *unit;

	errno = 0;
	value = strtoull(text, &unit, 10);
	if (!isdigit((unsigned char)text[0]) || !unit_shift(unit, &shift))
		errx(STATUS_USAGE, "--%s %s: not a number", option, text);
	if (errno || value > max >> shift || value << shift < min)
		errx(STATUS_USAGE, "--%s %s: must be from %llu to %llu", option, text,
		     (unsigned long long)min, (unsigned long long)max);
	return value << shift;
}
