#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The inner half of scripts/in-root: runs as process 1 of the new namespaces,
# mounts what the root needs and changes into it.
#
# usage: scripts/lib/enter.sh ROOT DIRECTORY NAME=VALUE... -- COMMAND...
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

root=$1 directory=$2
shift 2
variables=()
while [[ $1 != -- ]]; do
	variables+=("$1")
	shift
done
shift

# show PATH: the same file or directory under the same name inside.
show() {
	if [[ -d $1 ]]; then
		mkdir -p -- "$root$1"
	else
		mkdir -p -- "$(dirname -- "$root$1")"
		[[ -e $root$1 ]] || : >"$root$1"
	fi
	mount --bind -- "$1" "$root$1"
}

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
for path in "$TOP" "$CACHE" ${KERNEL_SRC:+"$KERNEL_SRC"}; do
	[[ -e $path ]] || die "'$path' does not exist"
	show "$path"
done
# The network is the host's: its names and the authorities it trusts.
ca=/etc/ssl/certs/ca-certificates.crt
mount --bind -- "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
[[ ! -s ${SSL_CERT_FILE:-$ca} ]] || mount --bind -- "$(realpath -- "${SSL_CERT_FILE:-$ca}")" "$root$ca"
[[ -d $root$directory ]] || directory=$TOP

# As process 1 this shell survives an interrupt that ends the command, and
# its own end takes everything left over with it.
trap 'exit 130' INT
trap 'exit 143' TERM
chroot "$root" env -i -C "$directory" "${variables[@]}" "$@"
