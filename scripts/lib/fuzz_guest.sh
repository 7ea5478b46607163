# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Fuzzing in a guest: the programs of tests/fuzz, with a module that tells what they reach.
# shellcheck disable=SC2154 # kernel, names and seconds are the calling script's

FUZZ_CORPUS=$TOP/tests/fuzz/corpus

fuzz_guest() {
	local results=$BUILD/results/fuzz-$kernel output
	kernel_entry "$kernel"
	# As for the kernel's own code that is built to tell.
	OBJTOOL_ARGS=--no-unreachable build_module "reach-$kernel" IO_RING_REACH=y
	build_programs fuzz
	((${#names[@]})) || mapfile -t names <"$(programs_of "$KERNEL_ARCH")/fuzz/fuzz.list"
	environment+=("FUZZ_SECONDS=$seconds" FUZZ_CORPUS=/tests/corpus)
	run_programs "fuzz-$kernel" $((seconds + 600)) --fuzz --limit $((seconds + 1200)) --module "$KO" \
		--add "$FUZZ_CORPUS:/tests/corpus"
	output=$results/programs.ktap
	[[ ! -e $output ]] || { sed -n 's/^# corpus: //p' "$output" >"$results/corpus" && report_reach "$output"; }
}

# report_reach FILE: which lines of the module the programs have reached.
report_reach() {
	grep -q '^# reached: ' "$1" || return 0
	python3 "$TOP/scripts/lib/module_reached.py" --top "$TOP" --module "$KO" "$1"
}
