# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Kernels as cache entries. Each has
#   kdir/      a tree that external modules build against
#   make.args  the make variables that tree was built with, one a line
#   vmlinuz    what QEMU boots
#   release    uname -r of it
#   modules/   lib/modules/RELEASE below it (absent if all is built in)
#   busybox/   where the guest's busybox is unpacked, if this root's does not run there
# shellcheck disable=SC2034 # KERNEL, KERNEL_ARCH, KSRC and KTAR are for the callers

SERIES=7.3
MAKE=(make --no-print-directory "-j$(nproc)")

# toolchain_key: changes when a tool that kernels and modules are built with does.
toolchain_key() {
	digest "$(dpkg-query -W -f '${Package}=${Version}\n' rustc bindgen gcc-14 clang-19 lld-19 pahole)"
}

# kernel_versions: package versions of SERIES in the apt lists that have both
# the source and the stock cloud kernel, newest first: VERSION RELEASE.
kernel_versions() {
	local release version
	apt-cache pkgnames "linux-binary-$SERIES." | sed -n 's/^linux-binary-\(.*+deb13-cloud-amd64\)$/\1/p' |
		while read -r release; do
			while read -r version; do
				echo "$version $release"
			done < <(madison "linux-binary-$release" | grep -Fx -f <(madison "linux-source-$SERIES"))
		done | sort -rV
}

madison() { apt-cache madison "$1" | awk -F ' *\\| *' '{ print $2 }' | sort -u; }

# find_kernel DIR: settle which kernel to use; kept until the cache entry goes.
find_kernel() {
	local found
	step "looking up the newest Linux $SERIES" kernel-version.log apt-get -q update
	found=$(kernel_versions | head -n 1)
	[[ $found ]] || die "the Debian mirror has no linux-source-$SERIES with a stock cloud kernel of the same version"
	printf '%s\n' "$found" >"$1/version"
}

# kernel_version: set KVERSION (package) and KRELEASE (uname -r).
kernel_version() {
	cache_entry "kernel-$SERIES" find_kernel
	read -r KVERSION KRELEASE <"$CACHE/kernel-$SERIES/version"
	note "kernel: Linux $KRELEASE, Debian package version $KVERSION"
}

# fetch DIR VERSION PACKAGE...: download and unpack Debian packages into DIR.
fetch() {
	local dir=$1 version=$2 total
	shift 2
	mkdir -p "$dir/deb"
	total=$(apt-cache show "${@/%/=$version}" | awk '/^Size:/ { n += $2 } END { printf "%d", n / 1000000 }')
	STEP_WATCH=$dir/deb STEP_TOTAL=$total step "downloading $1${2:+ and $(($# - 1)) more} ($total MB)" "fetch-$1.log" \
		env -C "$dir/deb" apt-get -q -o APT::Sandbox::User=root download "${@/%/=$version}"
	step "unpacking $1${2:+ and $(($# - 1)) more}" "unpack-$1.log" \
		unpack_all "$dir"
}

unpack_all() {
	local deb
	for deb in "$1"/deb/*.deb; do
		dpkg-deb -x "$deb" "$1"
	done
	rm -r "$1/deb"
}

# unpack_source DIR: DIR/linux.tar.xz and, unpacked from it, DIR/linux.
unpack_source() {
	fetch "$1" "$KVERSION" "linux-source-$SERIES"
	mv "$1/usr/src/linux-source-$SERIES.tar.xz" "$1/linux.tar.xz"
	rm -r "${1:?}/usr"
	mkdir "$1/linux"
	step "unpacking the kernel source" unpack-source.log tar -xf "$1/linux.tar.xz" -C "$1/linux" --strip-components=1
}

# kernel_source: set KSRC to a kernel source tree: KERNEL_SRC= or Debian's.
kernel_source() {
	kernel_version
	cache_entry "source-$KVERSION" unpack_source
	KTAR=$CACHE/source-$KVERSION/linux.tar.xz
	KSRC=${KERNEL_SRC:-$CACHE/source-$KVERSION/linux}
}

# prepare_stock DIR: Debian's own kernel binary, and the build tree its header
# package lacks: same configuration and compilers, hence the same Rust symbols.
prepare_stock() {
	local dir=$1 source=$CACHE/source-$KVERSION/linux kdir=$1/kdir
	local version_args=("LOCALVERSION=${KRELEASE#"${KRELEASE%%+*}"}" CC=gcc-14)
	fetch "$dir" "$KVERSION" "linux-base-$KRELEASE" "linux-binary-$KRELEASE" "linux-modules-$KRELEASE" "linux-headers-$KRELEASE"
	mkdir "$kdir"
	cp "$dir/usr/lib/modules/$KRELEASE/config" "$kdir/.config"
	step "preparing the Rust metadata of $KRELEASE" stock-prepare.log \
		"${MAKE[@]}" -C "$source" O="$kdir" "${version_args[@]}" olddefconfig modules_prepare
	[[ $(<"$kdir/include/config/kernel.release") == "$KRELEASE" ]] ||
		die "the prepared tree calls itself $(<"$kdir/include/config/kernel.release"), not $KRELEASE"
	find "$dir/usr/src" -name Module.symvers -exec cp {} "$kdir/" \;
	[[ -s $kdir/Module.symvers ]] || die "linux-headers-$KRELEASE brought no Module.symvers"
	mkdir -p "$dir/modules/lib"
	cp "$dir/usr/lib/modules/$KRELEASE/vmlinuz" "$dir/vmlinuz"
	mv "$dir/usr/lib/modules" "$dir/modules/lib/modules"
	rm -r "${dir:?}/usr"
	depmod -b "$dir/modules" "$KRELEASE"
	echo "$KRELEASE" >"$dir/release"
	echo CC=gcc-14 >"$dir/make.args"
}

# kernel_entry NAME: set KERNEL to the directory of the kernel NAME, KERNEL_ARCH to
# what it runs on.
kernel_entry() {
	local entry
	kernel_source
	KERNEL_ARCH=x86_64
	case $1 in
		stock) entry=stock-$KVERSION-$(toolchain_key) && cache_entry "$entry" prepare_stock ;;
		debug | kcsan) entry=$1-$(built_key "$1") && cache_entry "$entry" "build_$1" ;;
		arm) entry=arm-$(built_key arm) && cache_entry "$entry" build_arm && KERNEL_ARCH=arm ;;
		*) die "no kernel is called '$1' (stock, debug, kcsan, arm)" ;;
	esac
	KERNEL=$CACHE/$entry
}
