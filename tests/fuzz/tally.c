// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "soak.h"
#include "tally.h"

struct tally *tally;

static const char *const call_names[CALLS] = {
	[CALL_SETUP] = "SETUP",
	[CALL_ENTER] = "ENTER",
	[CALL_REGISTER] = "REGISTER",
	[CALL_QUERY] = "QUERY",
	[CALL_MMAP] = "mmap",
};

int tally_map(void)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	return tally == MAP_FAILED ? -errno : 0;
}

static void count(unsigned long *row, long result)
{
	unsigned int error = result < 0 && result > -TALLY_ERRORS ? -result : 0;

	__atomic_fetch_add(&row[error], 1, __ATOMIC_RELAXED);
}

void tally_call(enum tally_call call, int result)
{
	count(tally->calls[call], result);
}

void tally_cqe(__s32 result)
{
	__atomic_fetch_add(&tally->cqes, 1, __ATOMIC_RELAXED);
	count(tally->by_error, result);
}

void tally_complain(const char *format, ...)
{
	va_list list;

	if (__atomic_exchange_n(&tally->has_complaint, 1, __ATOMIC_ACQ_REL))
		return;
	va_start(list, format);
	vsnprintf(tally->complaint, sizeof(tally->complaint), format, list);
	va_end(list);
}

static void print_row(const char *name, const unsigned long *row)
{
	char text[1024];
	int length = snprintf(text, sizeof(text), "%s: %lu succeeded", name, row[0]);

	for (int error = 1; error < TALLY_ERRORS; error++)
		if (row[error] && length < (int)sizeof(text) - 40)
			length += snprintf(text + length, sizeof(text) - length, ", %s %lu",
					   strerrorname_np(error) ?: "?", row[error]);
	soak_figure("  %s", text);
}

void tally_print(void)
{
	soak_figure("%lu programs, %lu SQEs, %lu CQEs read, %lu bits flipped", tally->programs,
		    tally->sqes, tally->cqes, tally->flips);
	print_row("CQEs", tally->by_error);
	for (int call = 0; call < CALLS; call++)
		print_row(call_names[call], tally->calls[call]);
}
