# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Counting test cases. A case that was skipped or that gave no result failed:
# nothing that a test here needs may be missing.

PASSED=0 FAILED=0

# count PASSED FAILED
count() {
	PASSED=$((PASSED + $1)) FAILED=$((FAILED + $2))
}

# fail REASON: a failed case that no program reports.
fail() {
	echo "  [FAILED] $1"
	count 0 1
}

# finish_tally: the last line of every test script, and its status.
finish_tally() {
	((PASSED + FAILED > 0)) || { note "no test ran" && FAILED=1; }
	echo "$PASSED passed, $FAILED failed"
	((FAILED == 0))
}

# count_ktap NAME FILE: count the cases of a KTAP stream, name those that failed.
# Needs KSRC, whose parser this is. False if there was none or any failed.
count_ktap() {
	local name=$1 file=$2 report summary passed all
	report=$(python3 "$KSRC/tools/testing/kunit/kunit.py" parse "$file" 2>&1) || true
	summary=$(grep -o 'Ran [0-9]* tests:.*' <<<"$report" || true)
	passed=$(sed -n 's/.* passed: \([0-9]*\).*/\1/p' <<<"$summary")
	all=$(sed -n 's/^Ran \([0-9]*\) tests:.*/\1/p' <<<"$summary")
	# Errors (a plan that was not kept) are reported beside the cases, not among them.
	local errors
	errors=$(sed -n 's/.* errors: \([0-9]*\).*/\1/p' <<<"$summary")
	passed=${passed:-0} all=${all:-0} errors=${errors:-0}
	local failed=$((all - passed + errors))
	((all)) || failed=1
	count "$passed" "$failed"
	echo "$name: $passed passed, $failed failed"
	((failed == 0)) && return
	grep -E '\[(FAILED|SKIPPED|CRASHED|ERROR)\]|TIMED_OUT' <<<"$report" | sed 's/^\[[0-9:]*\] /  /' || true
	return 1
}
