// SPDX-License-Identifier: GPL-2.0
/*
 * Which code of the module has been executed, in whatever task or interrupt: for fuzzing.
 * Built with IO_RING_REACH=y, the compilers call this at each edge between blocks.
 *
 * The module parameter "reached" is how many such places there have been, "reached_0" and so on
 * are the places: bit n of all of them together is the one that calls from 4 * n bytes behind the
 * begin of the module's text.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/hex.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "helpers.h"

#define PARTS 24
#define PART_BYTES 2000
#define GRAIN 4			/* bytes: no two calls are closer */

static unsigned long reached[BITS_TO_LONGS(PARTS * PART_BYTES * BITS_PER_BYTE)];
static atomic_t count;

void notrace __sanitizer_cov_trace_pc(void)
{
	unsigned long text = (unsigned long)THIS_MODULE->mem[MOD_TEXT].base;
	unsigned long place = ((unsigned long)__builtin_return_address(0) - text) / GRAIN;

	/* What runs when the module is loaded lies elsewhere. */
	if (place >= PARTS * PART_BYTES * BITS_PER_BYTE || test_bit(place, reached))
		return;
	if (!test_and_set_bit(place, reached))
		atomic_inc(&count);
}

static int get_count(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(&count));
}

static const struct kernel_param_ops count_ops = { .get = get_count };

module_param_cb(reached, &count_ops, NULL, 0400);

/* In hexadecimal digits, without bytes of 0 at the end. */
static int get_part(char *buffer, const struct kernel_param *param)
{
	const u8 *bytes = (const u8 *)reached + PART_BYTES * (unsigned long)param->arg;
	size_t length = PART_BYTES;

	while (length && !bytes[length - 1])
		length--;
	*bin2hex(buffer, bytes, length) = '\n';
	return 2 * length + 1;
}

static const struct kernel_param_ops part_ops = { .get = get_part };

#define PART(n) module_param_cb(reached_##n, &part_ops, (void *)(n##UL), 0400)

PART(0);
PART(1);
PART(2);
PART(3);
PART(4);
PART(5);
PART(6);
PART(7);
PART(8);
PART(9);
PART(10);
PART(11);
PART(12);
PART(13);
PART(14);
PART(15);
PART(16);
PART(17);
PART(18);
PART(19);
PART(20);
PART(21);
PART(22);
PART(23);
