/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * A device that lives in the process, linked in place of lib/device.c. It
 * carries out what it takes at once, and can be told to behave badly.
 */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/io_ring.h>

/**
 * struct fake_device - what the device is to do, and what it saw
 * @open_error: Opening fails with this.
 * @map_error: Mapping fails with this.
 * @setup_error: SETUP fails with this and with @refusal's error members.
 * @refusal: See @setup_error.
 * @start: Position at which the indices of a new ring start.
 * @take_limit: Takes at most so many entries at a time.
 * @enter_error: Taking an entry fails with this.
 * @interrupts: So many waits are ended by a signal.
 * @left: So many requests do not end when the ring is quiesced.
 * @reverse: What is taken together completes in reverse order.
 * @max_transfer: Cuts reads and writes to so many bytes; 0 does not.
 * @corrupt: Writes turn over the first bit of what they write.
 * @extend: Writes make their file 1 MiB long.
 * @open_files: Descriptors that are open.
 * @mappings: Mappings that exist.
 * @enters: Calls of ENTER.
 */
struct fake_device {
	int			open_error;
	int			map_error;
	int			setup_error;
	struct io_ring_setup	refusal;
	uint32_t		start;
	uint32_t		take_limit;
	int			enter_error;
	unsigned int		interrupts;
	uint32_t		left;
	bool			reverse;
	uint32_t		max_transfer;
	bool			corrupt;
	bool			extend;
	int			open_files;
	int			mappings;
	unsigned int		enters;
};

extern struct fake_device fake;

/*
 * Makes the device well-behaved but for what the environment asks: FAKE_REVERSE,
 * FAKE_MAX_TRANSFER, FAKE_CORRUPT, FAKE_EXTEND.
 */
void fake_reset(void);

#endif /* FAKE_DEVICE_H */
