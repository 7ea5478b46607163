/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* The two files of a copy. */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include <stdbool.h>
#include <stdint.h>

/* What O_DIRECT wants offsets, lengths and addresses to be multiples of. */
#define DIRECT_ALIGNMENT	4096U

/**
 * struct endpoints - an open source and target
 * @source_name: For messages.
 * @target_name: For messages.
 * @source: Descriptor to read from.
 * @target: Descriptor to write to, and to read from for a comparison.
 * @tail: As @target but always through the page cache, for a tail that is not
 *        a multiple of @alignment.
 * @size: Bytes that the source had when it was opened; 0 may mean not known.
 * @alignment: DIRECT_ALIGNMENT with O_DIRECT, else 1.
 */
struct endpoints {
	const char	*source_name;
	const char	*target_name;
	int		source;
	int		target;
	int		tail;
	uint64_t	size;
	uint32_t	alignment;
};

/*
 * Opens both; the target is made or emptied. Ends the program if that is not
 * possible or if the two are the same file or not files with offsets.
 */
void endpoints_open(struct endpoints *endpoints, const char *source, const char *target,
		    bool direct);

/* Returns 0 or -1; the reason has been printed. */
int endpoints_close(const struct endpoints *endpoints);

#endif /* ENDPOINTS_H */
