# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernels that are built here, with clang: with KUnit and checkers.
#   debug   x86_64, KASAN
#   kcsan   x86_64, KCSAN, of Rust code as well
#   arm     32 bits, most of its memory highmem

# built_config NAME: what the kernel is configured from.
built_config() {
	case $1 in
		debug) cat "$TOP/tests/kunit/x86_64.config" ;;
		kcsan) without_options_of "$TOP/tests/kunit/kcsan.config" <"$TOP/tests/kunit/x86_64.config" ;;
		arm) cat "$TOP/tests/kunit/arm.config" ;;
	esac
}

# without_options_of FILE: the configuration on standard input, but with FILE's options.
without_options_of() {
	local file=$1
	grep -vwF -f <(grep -oE '\<CONFIG_[A-Z0-9_]+' "$file") || true
	cat "$file"
}

# built_key NAME: names what the built kernel depends on.
built_key() {
	local source=$KVERSION parts
	[[ ! ${KERNEL_SRC:-} ]] || source=$KERNEL_SRC:$(make -s -C "$KERNEL_SRC" kernelversion </dev/null)
	parts=("$source" "$(toolchain_key)" "$(built_config "$1" | grep -v '^# [^C]')")
	[[ $1 != kcsan ]] || parts+=("$(declare -f source_for_kcsan)")
	echo "$KVERSION-$(digest "${parts[@]}")"
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
	local name=$1 image=$2 dir=$3 kdir=$3/kdir config=$3/config args source=$KSRC
	shift 3
	built_config "$name" >"$config"
	if [[ $name == kcsan ]]; then
		source=$dir/source
		step "copying the kernel source" "$name-source.log" source_for_kcsan "$source"
	fi
	args=("${MAKE[@]}" -C "$source" "O=$kdir" "$@" "LOCALVERSION=-io-ring-$name")
	mkdir "$kdir"
	step "configuring the $name kernel" "$name-config.log" "${args[@]}" "KCONFIG_ALLCONFIG=$config" allnoconfig
	check_config "$kdir/.config" "$config"
	step "building the $name kernel (about 10 minutes on two processors)" "$name-build.log" \
		"${args[@]}" "$(basename "$image")" modules
	cp "$kdir/$image" "$dir/vmlinuz"
	cp "$kdir/include/config/kernel.release" "$dir/release"
	printf '%s\n' "$@" >"$dir/make.args"
}

# source_for_kcsan DIR: a copy of the source that has Rust code looked at, too: the flags of
# the C compiler have their like, only the kernel does not pass them on. Its files are the
# source's own, but for those that sed makes anew.
source_for_kcsan() {
	local dir=$1 file
	cp -al "$KSRC" "$dir" 2>/dev/null || { rm -rf -- "$dir" && cp -a "$KSRC" "$dir"; }
	# shellcheck disable=SC2016 # variables of make
	{
		sed -i 's/\["kcfi", "kernel-address"\]/["kcfi", "kernel-address", "thread"]/' "$dir/scripts/generate_rust_target.rs"
		sed -i '$a export RUSTFLAGS_KCSAN := -Zsanitizer=thread -Cllvm-args=-tsan-distinguish-volatile=1' "$dir/scripts/Makefile.kcsan"
		sed -i '/^\t$(CFLAGS_KCSAN))$/a _rust_flags += $(if $(patsubst n%,,$(KCSAN_SANITIZE_$(target-stem).o)$(KCSAN_SANITIZE)$(is-kernel-object)),$(RUSTFLAGS_KCSAN))' \
			"$dir/scripts/Makefile.lib"
	}
	for file in generate_rust_target.rs Makefile.kcsan Makefile.lib; do
		! cmp -s "$KSRC/scripts/$file" "$dir/scripts/$file" || { echo "scripts/$file: nothing to change" && return 1; }
	done
}

# build_kcsan DIR
build_kcsan() { build_kernel kcsan arch/x86/boot/bzImage "$1" LLVM=-19; }

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
