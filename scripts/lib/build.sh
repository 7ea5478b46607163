# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Build the module and the programs that go into a guest, for the kernel that
# kernel_entry (lib/kernel.sh) has settled.

BUILD=$TOP/build

# locked_step LABEL LOG COMMAND...: a build step; one run at a time per checkout.
locked_step() { with_lock "$BUILD/.lock" step "$@"; }

# build_module NAME [VARIABLE=VALUE...]: set KO to the module in build/NAME.
build_module() {
	local name=$1 out=$BUILD/$1 args
	shift
	mapfile -t args <"$KERNEL/make.args"
	mkdir -p "$out"
	locked_step "building the module ($name)" "module-$name.log" \
		"${MAKE[@]}" -C "$KERNEL/kdir" "${args[@]}" M="$TOP/rust" MO="$out" W=e "$@" modules
	# shellcheck disable=SC2034 # for the caller
	KO=$out/io_ring.ko
}

build_samples() {
	locked_step "building the samples" samples.log \
		"${MAKE[@]}" -C "$TOP/samples/io_ring" OUT="$BUILD/samples" STATIC=1
}

# The word size of test programs, if not that of the machine.
BITS=

# build_programs KIND: the test programs of tests/KIND, with a list of them.
build_programs() {
	locked_step "building the programs of tests/$1${BITS:+ for $BITS bits}" "$1$BITS.log" \
		"${MAKE[@]}" -C "$TOP/tests/$1" OUT="$BUILD/$1$BITS" KSRC="$KSRC" BITS="$BITS"
}
