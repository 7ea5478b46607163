# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the kernel's log of a guest says of the run.

# What no kernel log of a passing run may hold (the console holds nothing else).
SPLATS='BUG:|WARNING:|Oops|KASAN|KCSAN|KFENCE|UBSAN|refcount_t|possible (circular|recursive) locking|suspicious RCU'
SPLATS+='|inconsistent lock state|sleeping function|scheduling while atomic|INFO: task .* blocked|soft lockup|hard LOCKUP'
SPLATS+='|Bad page|unreferenced object|ODEBUG|list_(add|del) corruption|rust_kernel: panicked|Kernel panic|DEBUG_LOCKS_WARN|io_ring: .* is leaked'

# What the kernel itself does wrong, seen without this module as well: where sizes of files
# have two words (32 bits), ext4 reads one in a softirq when an O_DIRECT write has ended,
# though others write it with softirqs on; lockdep says so once. The line, and another one of
# the same report.
KERNELS_OWN='inconsistent lock state' KERNELS_OWN_DETAIL='i_size_seqcount'
REPORT_LINES=80
# Two accesses that the kernel does itself: its first line names no module. Those kernels
# have no modules but what is tested. And the position of a file that has no lock for it,
# which read(2) and write(2) take no care with.
KERNELS_OWN_RACE='BUG: KCSAN: ([^[]*$|.* ksys_(read|write))'

# check_console FILE: print what the kernel complained of; false if it did, but for its own
# defects.
check_console() {
	awk -v splats="$SPLATS" -v first="$KERNELS_OWN" -v second="$KERNELS_OWN_DETAIL" -v most="$REPORT_LINES" \
		-v race="$KERNELS_OWN_RACE" '
		{ line[NR] = $0 }
		function is_own(at, end) {
			if (line[at] ~ race)
				return 1
			if (line[at] !~ first)
				return 0
			for (end = at + most; at < end; at++)
				if (line[at] ~ second)
					return 1
			return 0
		}
		END {
			for (n = 1; n <= NR; n++) {
				if (line[n] !~ splats)
					continue
				if (is_own(n)) {
					print "io_ring: a defect of the kernel, not counted: " line[n] >"/dev/stderr"
				} else {
					print n ":" line[n]
					bad = 1
				}
			}
			exit bad
		}' "$1"
}

# fail_guest STATUS FILE: a guest that failed is a failed case; with the first complaint in FILE.
fail_guest() {
	fail "guest: status $1$(check_console "$2" | sed -n '1s/^/, its kernel said: /p' || true)"
}
