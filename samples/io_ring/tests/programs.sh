#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The programs, from the outside. Runs in a busybox shell too. Prints TAP.
set -eu

usage="Usage: programs.sh BIN [DIRECTORY]...
Tests the programs in BIN; copies inside each DIRECTORY (default: a temporary
one) and from the first one to the others."

case ${1:---help} in
-h | --help)
	echo "$usage"
	exit 0
	;;
esac
bin=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ $# -gt 0 ] || set -- "$scratch"
count=0
failures=0

# Usage: check NAME COMMAND...: the command, and each one in it, is to succeed.
check() {
	name=$1
	shift
	count=$((count + 1))
	# Not as a condition of if, where "set -e" would be without effect.
	set +e
	(
		set -e
		"$@"
	) >"$scratch/log" 2>&1
	status=$?
	set -e
	if [ $status -eq 0 ]; then
		echo "ok $count $name"
	else
		sed 's/^/# /' "$scratch/log"
		echo "not ok $count $name"
		failures=$((failures + 1))
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count $1 # SKIP $2"
}

# Usage: fails STATUS TEXT COMMAND...: the command is to exit with STATUS and say TEXT.
fails() {
	expected=$1
	text=$2
	shift 2
	status=0
	"$@" >"$scratch/out" 2>"$scratch/err" || status=$?
	echo "status $status, expected $expected with '$text':"
	cat "$scratch/err"
	[ "$status" -eq "$expected" ] && grep -q -e "$text" "$scratch/err"
}

# Usage: make_file FILE BYTES
make_file() {
	head -c "$2" /dev/urandom >"$1"
}

# Usage: copy SOURCE TARGET OPTION...
copy() {
	source=$1
	target=$2
	shift 2
	rm -f "$target"
	"$bin/io_ring-cp" --quiet "$@" "$source" "$target"
	cmp "$source" "$target"
}

# Usage: prints TEXT COMMAND...: the command is to succeed and print TEXT.
prints() {
	text=$1
	shift
	"$@" >"$scratch/out"
	cat "$scratch/out"
	grep -q -e "$text" "$scratch/out"
}

test_sizes() {
	for size in 0 1 511 4096 4097 131072 1048577 50000000; do
		make_file "$1/source" $size
		for direct in "" --direct; do
			check "cp $size bytes on $1${direct:+ with $direct}" \
				copy "$1/source" "$1/target" --verify $direct
			check "cp $size bytes on $1${direct:+ with $direct}, to the device" \
				copy "$1/source" "$1/target" --fsync --qd 3 --bs 64K $direct
		done
		[ $size -gt 1048577 ] ||
			check "cp $size bytes on $1, one small block at a time" \
				copy "$1/source" "$1/target" --qd 1 --bs 512
	done
	rm -f "$1/source" "$1/target"
}

test_across() {
	make_file "$1/source" 1048577
	check "cp from $1 to $2" copy "$1/source" "$2/target" --verify
	rm -f "$1/source" "$2/target"
}

test_overwrite() {
	make_file "$scratch/long" 100000
	make_file "$scratch/short" 5000
	check "cp makes a longer target shorter" overwrite --verify
	check "cp --direct makes a longer target shorter" overwrite --verify --direct
	check "cp of a file that does not know its size" unknown_size
}

overwrite() {
	cp "$scratch/long" "$scratch/target"
	"$bin/io_ring-cp" --quiet "$@" "$scratch/short" "$scratch/target"
	cmp "$scratch/short" "$scratch/target"
}

unknown_size() {
	"$bin/io_ring-cp" --quiet /proc/version "$scratch/target"
	cmp /proc/version "$scratch/target"
}

test_output() {
	make_file "$scratch/source" 1000000
	set -- "$bin/io_ring-cp" "$scratch/source" "$scratch/target"
	check "cp --stats counts bytes" prints "^bytes=1000000 seconds=" "$@" --quiet --stats
	check "cp --stats counts verified bytes" \
		prints " verified=1000000 " "$@" --quiet --stats --verify
	check "cp shows throughput" fails 0 "^1000000 bytes in .* MB/s" "$@"
	check "cp --quiet is quiet" quiet "$@" --quiet
}

quiet() {
	"$@" >"$scratch/out" 2>&1
	[ ! -s "$scratch/out" ]
}

test_refusals() {
	make_file "$scratch/source" 3000
	cp "$scratch/source" "$scratch/untouched"
	ln -sf source "$scratch/link"
	mkfifo "$scratch/fifo"
	set -- "$bin/io_ring-cp"
	check "cp refuses the same file" \
		fails 1 "are the same file" "$@" "$scratch/source" "$scratch/source"
	check "cp refuses a link to the same file" \
		fails 1 "are the same file" "$@" "$scratch/source" "$scratch/link"
	check "cp has left the source alone" cmp "$scratch/source" "$scratch/untouched"
	check "cp refuses a directory as source" \
		fails 1 "is a directory" "$@" "$scratch" "$scratch/target"
	check "cp refuses a directory as target" \
		fails 1 "is a directory" "$@" "$scratch/source" "$scratch"
	check "cp refuses a FIFO" fails 1 "neither a regular" "$@" "$scratch/fifo" "$scratch/target"
	check "cp names a source that is not there" \
		fails 1 "nowhere: No such file" "$@" "$scratch/nowhere" "$scratch/target"
	check "cp needs two names" fails 2 "SOURCE and TARGET" "$@" "$scratch/source"
	check "cp refuses depth 0" fails 2 "must be from 1" "$@" --qd 0 a b
	check "cp refuses a size that is no number" fails 2 "not a number" "$@" --bs 1X a b
	check "cp refuses a huge size" fails 2 "must be from" "$@" --bs 99999999999999G a b
	check "cp --direct refuses unaligned blocks" \
		fails 2 "multiple of 4096" "$@" --direct --bs 1000 a b
	check "cp refuses an unknown option" fails 2 "try --help" "$@" --nonsense a b
}

# A file system of 1 MB; needs the right to mount.
test_no_space() {
	mkdir "$scratch/small"
	if ! mount -t tmpfs -o size=1m tmpfs "$scratch/small" 2>"$scratch/log"; then
		skip "cp says that the target is full" "cannot mount: $(head -n 1 "$scratch/log")"
		return
	fi
	make_file "$scratch/source" 3000000
	check "cp says that the target is full" fails 1 "target: cannot write .* No space left" \
		"$bin/io_ring-cp" --quiet "$scratch/source" "$scratch/small/target"
	umount "$scratch/small"
}

test_cat() {
	make_file "$scratch/a" 300000
	make_file "$scratch/b" 11
	cat "$scratch/a" "$scratch/b" "$scratch/a" >"$scratch/expected"
	check "cat joins files and standard input" cat_files
	check "cat from a pipe to a pipe" cat_pipes
	check "cat appends" cat_appends
	check "cat goes on after a file that is not there" cat_missing
	check "cat refuses to read what it writes" cat_self
	check "cat says that the output is full" cat_full
	check "cat goes on after having been stopped" cat_stopped
	check "cat says that it cannot read a directory" \
		fails 1 "Is a directory" "$bin/io_ring-cat" "$scratch"
}

cat_files() {
	"$bin/io_ring-cat" "$scratch/a" - "$scratch/a" <"$scratch/b" >"$scratch/out"
	cmp "$scratch/expected" "$scratch/out"
}

cat_pipes() {
	# shellcheck disable=SC2002 # the point is that it is a pipe
	cat "$scratch/expected" | "$bin/io_ring-cat" | cat >"$scratch/out"
	cmp "$scratch/expected" "$scratch/out"
}

cat_appends() {
	cp "$scratch/a" "$scratch/out"
	"$bin/io_ring-cat" "$scratch/b" "$scratch/a" >>"$scratch/out"
	cmp "$scratch/expected" "$scratch/out"
}

cat_missing() {
	fails 1 "nowhere: No such file" "$bin/io_ring-cat" "$scratch/nowhere" "$scratch/b"
	cmp "$scratch/b" "$scratch/out"
}

cat_self() {
	cp "$scratch/b" "$scratch/self"
	ulimit -f 2048 # else a cat that does not refuse goes on until the disk is full
	status=0
	# shellcheck disable=SC2094 # that is what must be refused
	"$bin/io_ring-cat" "$scratch/self" >>"$scratch/self" || status=$?
	[ $status -eq 1 ]
	cmp "$scratch/b" "$scratch/self"
}

cat_full() {
	status=0
	"$bin/io_ring-cat" "$scratch/b" >/dev/full 2>"$scratch/err" || status=$?
	[ $status -eq 1 ]
	grep "No space left" "$scratch/err"
}

cat_stopped() {
	mkfifo "$scratch/input"
	"$bin/io_ring-cat" <"$scratch/input" >"$scratch/out" &
	exec 3>"$scratch/input"
	sleep 1 # until it waits for input
	kill -STOP $!
	kill -CONT $!
	echo late >&3
	exec 3>&-
	wait $!
	echo late | cmp - "$scratch/out"
}

test_others() {
	check "query prints a table" prints "^NOP .*user_data" "$bin/io_ring-query"
	check "query --json names operations" prints '"name": "NOP"' "$bin/io_ring-query" --json
	check "nop makes as many requests as asked" \
		prints "^1000 requests in .* at depth 7: .*143 enters" \
		"$bin/io_ring-nop" --count 1000 --qd 7
	for program in query cat cp nop; do
		check "$program --help" prints "^Usage: io_ring-$program" \
			"$bin/io_ring-$program" --help
	done
}

echo "TAP version 13"
first=$1
for directory; do
	test_sizes "$directory"
	[ "$directory" = "$first" ] || test_across "$first" "$directory"
done
test_overwrite
test_output
test_refusals
test_no_space
test_cat
test_others
echo "1..$count"
[ $failures -eq 0 ]
