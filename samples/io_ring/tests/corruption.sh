#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# io_ring-cp --verify over a device that corrupts what it writes. Prints TAP.
set -eu

if [ $# -ne 1 ]; then
	echo "Usage: corruption.sh BIN" >&2
	exit 2
fi
bin=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
head -c 300000 /dev/urandom >"$scratch/source"

failures=0

# Usage: notices NUMBER VARIABLE TEXT: with VARIABLE set the copy fails and says TEXT.
notices() {
	if env "$2=1" "$bin/io_ring-cp" --verify "$scratch/source" "$scratch/target" \
		2>"$scratch/err" || ! grep -q "$3" "$scratch/err"; then
		sed 's/^/# /' "$scratch/err"
		failures=$((failures + 1))
		printf 'not '
	fi
	echo "ok $1 cp --verify notices that $2 has been at work"
}

echo "TAP version 13"
echo "1..2"
notices 1 FAKE_CORRUPT "differ at byte 0\$"
notices 2 FAKE_EXTEND "has 1048576 bytes, should have 300000"
[ $failures -eq 0 ]
