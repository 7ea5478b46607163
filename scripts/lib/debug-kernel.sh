# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernels that are built here, with clang: with KUnit and checkers.
#   debug   x86_64, KASAN
#   arm     32 bits, most of its memory highmem

# built_config NAME: what the kernel is configured from.
built_config() {
	case $1 in
		debug) echo "$TOP/tests/kunit/x86_64.config" ;;
		arm) echo "$TOP/tests/kunit/arm.config" ;;
	esac
}

# built_key NAME: names what the built kernel depends on.
built_key() {
	local source=$KVERSION
	[[ ! ${KERNEL_SRC:-} ]] || source=$KERNEL_SRC:$(make -s -C "$KERNEL_SRC" kernelversion </dev/null)
	echo "$KVERSION-$(digest "$source" "$(toolchain_key)" "$(grep -v '^# [^C]' "$(built_config "$1")")")"
}

# check_config FILE FRAGMENT: every line of the fragment has to have survived.
check_config() {
	local line name bad=()
	while read -r line; do
		case $line in
			CONFIG_*) grep -qFx -- "$line" "$1" || bad+=("${line%%=*}") ;;
			'# CONFIG_'*) name=${line#\# } && name=${name%% *} && ! grep -q "^$name=" "$1" || bad+=("$name") ;;
		esac
	done <"$2"
	((${#bad[@]} == 0)) || die "the kernel's configuration did not take: ${bad[*]} (a dependency is missing from $2)"
}

# build_kernel NAME IMAGE DIR MAKE-VARIABLE...
build_kernel() {
	local name=$1 image=$2 dir=$3 kdir=$3/kdir config args
	shift 3
	config=$(built_config "$name")
	args=("${MAKE[@]}" -C "$KSRC" "O=$kdir" "$@" "LOCALVERSION=-io-ring-$name")
	mkdir "$kdir"
	step "configuring the $name kernel" "$name-config.log" "${args[@]}" "KCONFIG_ALLCONFIG=$config" allnoconfig
	check_config "$kdir/.config" "$config"
	step "building the $name kernel (about 10 minutes on two processors)" "$name-build.log" \
		"${args[@]}" "$(basename "$image")" modules
	cp "$kdir/$image" "$dir/vmlinuz"
	cp "$kdir/include/config/kernel.release" "$dir/release"
	printf '%s\n' "$@" >"$dir/make.args"
}

# build_debug DIR
build_debug() { build_kernel debug arch/x86/boot/bzImage "$1" LLVM=-19; }

# build_arm DIR: comes with the program that does the work of the guest's shell.
build_arm() {
	build_kernel arm arch/arm/boot/zImage "$1" ARCH=arm LLVM=-19
	# The root is not for programs of that machine; its lists stay as they are.
	mkdir -p "$1/lists/partial"
	printf '%s\n' 'APT::Architectures { "amd64"; "armhf"; };' "Dir::State::lists \"$1/lists\";" >"$1/apt.conf"
	local -x APT_CONFIG=$1/apt.conf
	step "looking up busybox for arm" busybox-version.log apt-get -q update
	fetch "$1/busybox" "$(madison busybox-static:armhf | tail -n 1)" busybox-static:armhf
	rm -r "$1/lists" "$1/apt.conf"
}
