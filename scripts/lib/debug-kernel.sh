# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The debug kernel: KUnit, KASAN and lock checking, built here with clang.

DEBUG_CONFIG=$TOP/tests/kunit/x86_64.config

# debug_key: names what the built kernel depends on.
debug_key() {
	local source=$KVERSION
	[[ ! ${KERNEL_SRC:-} ]] || source=$KERNEL_SRC:$(make -s -C "$KERNEL_SRC" kernelversion </dev/null)
	echo "$KVERSION-$(digest "$source" "$(toolchain_key)" "$(grep -v '^# [^C]' "$DEBUG_CONFIG")")"
}

# check_config FILE: every line of the fragment has to have survived.
check_config() {
	local line name bad=()
	while read -r line; do
		case $line in
			CONFIG_*) grep -qFx -- "$line" "$1" || bad+=("${line%%=*}") ;;
			'# CONFIG_'*) name=${line#\# } && name=${name%% *} && ! grep -q "^$name=" "$1" || bad+=("$name") ;;
		esac
	done <"$DEBUG_CONFIG"
	((${#bad[@]} == 0)) || die "the kernel's configuration did not take: ${bad[*]} (a dependency is missing from $DEBUG_CONFIG)"
}

# build_debug DIR
build_debug() {
	local dir=$1 kdir=$1/kdir args=("${MAKE[@]}" -C "$KSRC" "O=$1/kdir" LLVM=-19 "LOCALVERSION=-io-ring-debug")
	mkdir "$kdir"
	step "configuring the debug kernel" debug-config.log "${args[@]}" "KCONFIG_ALLCONFIG=$DEBUG_CONFIG" allnoconfig
	check_config "$kdir/.config"
	step "building the debug kernel (about 10 minutes on two processors)" debug-build.log "${args[@]}" bzImage modules
	cp "$kdir/arch/x86/boot/bzImage" "$dir/vmlinuz"
	cp "$kdir/include/config/kernel.release" "$dir/release"
	echo LLVM=-19 >"$dir/make.args"
}
