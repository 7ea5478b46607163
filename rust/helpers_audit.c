// SPDX-License-Identifier: GPL-2.0
/*
 * Records in the audit log. Without CONFIG_AUDIT there is never one to write.
 */

#include <linux/audit.h>
#include <linux/gfp.h>

#include "helpers.h"

/*
 * A new record about the calling process, or NULL if there is to be none, or, unless
 * it @may_wait, no room for it.
 */
void *io_ring_audit_begin(bool may_wait)
{
	if (!audit_enabled)
		return NULL;
	return audit_log_start(audit_context(), may_wait ? GFP_KERNEL : GFP_NOWAIT | __GFP_NOWARN,
			       AUDIT_KERNEL_OTHER);
}

/* Adds @len bytes of @text: printable, and in values neither space nor quote. */
void io_ring_audit_text(void *record, const u8 *text, size_t len)
{
	audit_log_format(record, "%.*s", (int)len, (const char *)text);
}

void io_ring_audit_number(void *record, u64 number)
{
	audit_log_format(record, "%llu", number);
}

/* Adds who did it and whether it was allowed, and hands the record in. */
void io_ring_audit_end(void *record, bool allowed)
{
	audit_log_task_info(record);
	audit_log_format(record, " res=%d", allowed);
	audit_log_end(record);
}
