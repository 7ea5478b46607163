# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Paths, messages and the cache: what every script here starts with.

# An error inside $(...) counts as well.
shopt -s inherit_errexit

# Git and some callers leave these set; they would redirect the tools below.
unset CDPATH MAKEFLAGS MFLAGS MAKEOVERRIDES

# Ordinary users lack the directories of chroot, depmod and mke2fs.
PATH=$PATH:/usr/sbin:/sbin
TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
CACHE=${IO_RING_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/io_ring}
LOGS=$CACHE/log
# Present inside the toolchain root only: written when the root is made.
ROOT_MARK=/etc/io_ring-toolchain
export TOP CACHE LOGS

[[ $CACHE == /* ]] || { echo "IO_RING_CACHE must be an absolute path, not '$CACHE'" >&2; exit 2; }

note() { printf '%s\n' "io_ring: $*" >&2; }
die() { printf '%s\n' "${0##*/}: $*" >&2; exit 1; }
usage_error() { printf '%s\n' "${0##*/}: $*" "Try '${0##*/} --help'." >&2; exit 2; }

# help: print the comment block at the top of the calling script.
help() { sed -n '3,/^[^#]/{/^#/!q;s/^# \{0,1\}//;p}' "$0"; exit 0; }

# enter_root ARG...: continue this script inside the toolchain root.
enter_root() {
	[[ -e $ROOT_MARK ]] || exec "$TOP/scripts/in-root" "$TOP/scripts/${0##*/}" "$@"
}

# become_root: set AS_ROOT to what makes an ordinary user root in a namespace of
# its own; empty for root.
become_root() {
	AS_ROOT=()
	((EUID != 0)) || return 0
	AS_ROOT=(unshare --user --map-root-user --map-auto)
	"${AS_ROOT[@]}" true 2>/dev/null || die "this needs root, or user namespaces with subordinate ids for $(id -un):" \
		"have the package uidmap installed, lines in /etc/subuid and /etc/subgid, and unprivileged user namespaces allowed"
}

# with_lock FILE COMMAND...: one run at a time; the others wait and say so.
with_lock() {
	local file=$1 lock
	shift
	mkdir -p "$(dirname -- "$file")"
	exec {lock}>"$file"
	if ! flock --nonblock "$lock"; then
		note "waiting for another run that holds $file"
		flock "$lock"
	fi
	"$@"
	exec {lock}>&-
}

# cache_entry NAME BUILDER...: have BUILDER fill $CACHE/NAME, once. The stamp is
# written last, so what an interrupted run left behind is thrown away, never used.
cache_entry() {
	[[ -e $CACHE/$1/.complete ]] || with_lock "$CACHE/lock/$1" fill_entry "$@"
}

fill_entry() {
	local dir=$CACHE/$1
	shift
	[[ -e $dir/.complete ]] && return
	rm -rf --one-file-system -- "$dir"
	mkdir -p "$dir"
	"$@" "$dir"
	sync -f "$dir"
	: >"$dir/.complete"
}

# digest TEXT...: a short name for whatever a cache entry depends on.
digest() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }
