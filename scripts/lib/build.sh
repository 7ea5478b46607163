# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Build the module and the programs that go into a guest, for the kernel that
# kernel_entry (lib/kernel.sh) has settled.

. "$TOP/scripts/lib/objects.sh"

BUILD=$TOP/build

# locked_step LABEL LOG COMMAND...: a build step; one run at a time per checkout.
locked_step() { with_lock "$BUILD/.lock" step "$@"; }

# build_module NAME [VARIABLE=VALUE...]: set KO to the module in build/NAME, and judge
# what its object files refer to.
build_module() {
	local name=$1 out=$BUILD/$1 args found
	shift
	mapfile -t args <"$KERNEL/make.args"
	mkdir -p "$out"
	locked_step "building the module ($name)" "module-$name.log" \
		"${MAKE[@]}" -C "$KERNEL/kdir" "${args[@]}" M="$TOP/rust" MO="$out" W=e "$@" modules
	found=$(judge_objects "$out" "$KERNEL/kdir/.config")
	[[ ! $found ]] || die "object files of the module refer to what they must not (lib/objects.sh):" "$found"
	# shellcheck disable=SC2034 # for the caller
	KO=$out/io_ring.ko
}

# programs_of ARCHITECTURE: where programs for it go.
programs_of() {
	case $1 in
		x86_64) echo "$BUILD" ;;
		*) echo "$BUILD/$1" ;;
	esac
}

# The word size of test programs, if not that of the machine.
BITS=

# build_for_guest DIRECTORY NAME [VARIABLE=VALUE...]: programs that run in the guest.
build_for_guest() {
	local source=$1 name=$2 cross=()
	shift 2
	[[ $KERNEL_ARCH != arm ]] || cross=(CC=arm-linux-gnueabihf-gcc AR=arm-linux-gnueabihf-ar)
	locked_step "building $source for $KERNEL_ARCH${BITS:+, $BITS bits}" "$name.log" \
		"${MAKE[@]}" -C "$TOP/$source" OUT="$(programs_of "$KERNEL_ARCH")/$name" "${cross[@]}" "$@"
}

build_samples() { build_for_guest samples/io_ring samples STATIC=1; }

# build_programs KIND: the test programs of tests/KIND, with a list of them.
build_programs() { build_for_guest "tests/$1" "$1$BITS" KSRC="$KSRC" BITS="$BITS"; }
