# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the kernel's log of a guest says of the run.

# What no kernel log of a passing run may hold (the console holds nothing else).
SPLATS='BUG:|WARNING:|Oops|KASAN|KCSAN|KFENCE|UBSAN|refcount_t|possible (circular|recursive) locking|suspicious RCU'
SPLATS+='|inconsistent lock state|sleeping function|scheduling while atomic|INFO: task .* blocked|soft lockup|hard LOCKUP'
SPLATS+='|Bad page|unreferenced object|ODEBUG|list_(add|del) corruption|rust_kernel: panicked|Kernel panic|DEBUG_LOCKS_WARN|io_ring: .* is leaked'

# check_console FILE: print what the kernel complained of; false if it did.
check_console() {
	! grep -nE "$SPLATS" "$1"
}
