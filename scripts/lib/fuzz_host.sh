# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Fuzzing on the host: the targets of tests/fuzz/host under libFuzzer, and the lines of the
# module that their inputs reach.
# shellcheck disable=SC2154 # names, seconds and minimise are the calling script's

HOST_TARGETS=(names prepare queues sizes)
HOST_CRATE=$TOP/tests/fuzz/host
HOST_BUILD=$TOP/build/fuzz/host
# Longest input, in bytes.
HOST_INPUT=512
# The files that are fuzzed, and how many of their lines have to be reached, in percent. Those
# that the compiler itself executes, which make the constants of rules.rs, cannot be.
HOST_FILES=(rust/nodes.rs rust/op.rs rust/op rust/ring)
HOST_LINES=95

# What libFuzzer is told by; all of it is of the stable compiler.
HOST_SANITIZER=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1)

# host_cargo KIND FLAGS ARGUMENT...: build the crate with these flags. The target is named so
# that what cargo itself runs is built without them.
host_cargo() {
	local kind=$1 flags=$2
	shift 2
	CARGO_TARGET_DIR=$HOST_BUILD/cargo RUSTFLAGS=$flags step \
		"building tests/fuzz/host ($kind)" "fuzz-host-$kind.log" cargo build --locked --release \
		--manifest-path "$HOST_CRATE/Cargo.toml" --target x86_64-unknown-linux-gnu "$@"
}

host_program() { echo "$HOST_BUILD/cargo/x86_64-unknown-linux-gnu/release/$1"; }

# host_fuzz TARGET SECONDS: look for new inputs, beginning with those of the checkout.
host_fuzz() {
	local target=$1 found=$HOST_BUILD/$1-found log=$HOST_BUILD/$1.log words=() status=0
	[[ ! -e $HOST_CRATE/$target.dict ]] || words=("-dict=$HOST_CRATE/$target.dict")
	mkdir -p "$found" "$HOST_BUILD/$target-corpus"
	"$(host_program "$target")" "-max_total_time=$2" "-max_len=$HOST_INPUT" -len_control=0 -timeout=20 "${words[@]}" \
		-print_final_stats=1 "-artifact_prefix=$found/" "$HOST_BUILD/$target-corpus" "$HOST_CRATE/corpus/$target" \
		>"$log" 2>&1 </dev/null || status=$?
	if ((status)); then
		fail "$target: an input fails: $(sed -n "s,.*Test unit written to $TOP/,,p" "$log")"
		grep -A 2 panicked "$log" | head -n 3 || true
	else
		count 1 0
		echo "$target: $(sed -n 's/stat::number_of_executed_units: *//p' "$log") inputs in $2 s, none fails"
	fi
}

# host_minimise TARGET: keep in the checkout what reaches every edge that is known.
host_minimise() {
	local target=$1 kept
	kept=$(mktemp -d "$HOST_BUILD/kept.XXXXXX")
	"$(host_program "$target")" -set_cover_merge=1 -use_counters=0 "-max_len=$HOST_INPUT" "$kept" \
		"$HOST_CRATE/corpus/$target" "$HOST_BUILD/$target-corpus" >"$HOST_BUILD/$target-merge.log" 2>&1
	rm -rf -- "$HOST_CRATE/corpus/$target"
	mv -- "$kept" "$HOST_CRATE/corpus/$target"
	chmod 755 "$HOST_CRATE/corpus/$target"
}

# host_reach TARGET: run the inputs of the checkout, and note which lines they reach.
host_reach() {
	local status=0
	LLVM_PROFILE_FILE=$HOST_BUILD/$1.profraw "$(host_program replay)" "$1" "$HOST_CRATE/corpus/$1"/* \
		>"$HOST_BUILD/$1-replay.log" 2>&1 || status=$?
	if ((status)); then
		fail "$1: an input of tests/fuzz/host/corpus fails: $(grep -m 1 -A 1 panicked "$HOST_BUILD/$1-replay.log" | tr '\n' ' ')"
	else
		count 1 0
	fi
}

# host_lines: judge the lines reached by all targets, file by file.
host_lines() {
	local files=("${HOST_FILES[@]/#/$TOP/}") profile=$HOST_BUILD/profdata
	llvm-profdata-19 merge -sparse -o "$profile" "$HOST_BUILD"/*.profraw
	llvm-cov-19 export -format=lcov -instr-profile "$profile" "$(host_program replay)" "${files[@]}" >"$HOST_BUILD/lcov"
	python3 "$TOP/scripts/lib/lines_reached.py" --least "$HOST_LINES" --top "$TOP" "$HOST_BUILD/lcov"
}

fuzz_host() {
	local name
	((${#names[@]})) || names=("${HOST_TARGETS[@]}")
	host_cargo coverage -Cinstrument-coverage --bin replay
	host_cargo fuzzer "${HOST_SANITIZER[*]}" --features fuzzer \
		"${HOST_TARGETS[@]/#/--bin=}"
	for name in "${names[@]}"; do
		host_fuzz "$name" $((seconds / ${#names[@]}))
		[[ ! $minimise ]] || host_minimise "$name"
	done
	for name in "${HOST_TARGETS[@]}"; do
		host_reach "$name"
	done
	if host_lines; then
		count 1 0
	else
		fail "the inputs of tests/fuzz/host/corpus reach too few lines"
	fi
}

# The planted faults (scripts/mutants) that the inputs of the checkout have to show.
HOST_MUTANTS=(cq-lie-is-room cq-newer-overtakes cq-room-not-looked-at cq-tail-not-advanced index-element-without-mask
	index-full-is-a-lie sq-head-read-back)

# host_shows MUTANT: whether an input fails with it.
host_shows() {
	local target
	(cd "$copy" && sed 1,2d "$TOP/tests/mutants/$1.diff" | busybox patch -p1 >/dev/null) || die "$1: does not apply any more"
	CARGO_TARGET_DIR=$HOST_BUILD/planted cargo build --locked --quiet --release \
		--manifest-path "$copy/tests/fuzz/host/Cargo.toml" --bin replay >"$HOST_BUILD/planted.log" 2>&1 ||
		die "$1: does not compile"
	for target in "${HOST_TARGETS[@]}"; do
		timeout 60 "$HOST_BUILD/planted/release/replay" "$target" "$HOST_CRATE/corpus/$target"/* \
			>"$HOST_BUILD/planted.log" 2>&1 || { echo "ok   $1: shown by $target" && return; }
	done
	return 1
}

# fuzz_host_self_test: plant faults in a copy, one after the other.
fuzz_host_self_test() {
	local name copy
	mkdir -p "$HOST_BUILD"
	copy=$(mktemp -d)
	for name in "${HOST_MUTANTS[@]}"; do
		rm -rf -- "${copy:?}"/*
		tar -C "$TOP" -cf - rust tests/fuzz/host | tar -xf - -C "$copy"
		if host_shows "$name"; then
			count 1 0
		else
			fail "$name: no input shows it"
		fi
	done
	rm -rf -- "$copy"
}
