# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Test programs in a guest: run them one after another, and count their cases.
# shellcheck disable=SC2154 # kernel and names are the calling script's

# What the programs have in their environment: NAME=VALUE.
environment=()

# judge NAME: count the cases of one program, how it ended and what it left.
judge() {
	local name=$1 end status seconds left good=1
	end=$(grep "^@end $name " "$out/output" || true)
	if [[ ! $end ]]; then
		fail "$name: did not finish"
		return
	fi
	read -r _ _ status seconds left <<<"$end"
	sed -n "/^@begin $name\$/,/^@end $name /{/^@/!p}" "$out/output" >"$out/$name.ktap"
	count_ktap "$name ($seconds s)" "$out/$name.ktap" || good=''
	sed -n 's/^# figure: /  /p' "$out/$name.ktap"
	if [[ ! $good ]]; then
		grep -E '^# .*(:[0-9]+:|Expected)|^# cycle' "$out/$name.ktap" | head -n 20 || true
	elif ((status)); then
		fail "$name: every case passed, yet the exit status is $status"
	fi
	[[ ! $left ]] || fail "$name: the module was left with $left"
}

# run_programs RESULTS SECONDS OPTION...: run the programs ${names[@]}, each for
# SECONDS at most, in one guest that scripts/guest-run starts with OPTION..., and
# count. What was printed stays in build/results/RESULTS.
run_programs() {
	local results=$BUILD/results/$1 seconds=$2 status=0 name
	shift 2
	out=$(mktemp -d "$CACHE/run.XXXXXX")
	trap 'rm -rf -- "$out"' EXIT
	"$TOP/scripts/guest-run" --kernel "$kernel" --keep "$out" --add "$TOP/scripts/guest/selftests" --add "$TOP/scripts/guest/leaks" "$@" \
		-- env ${environment[@]+"${environment[@]}"} selftests "$seconds" "${names[@]}" |
		sed -u -n 's/^@begin /running /p; s/^# progress: /  /p' >&2 || status=$?
	for name in "${names[@]}"; do
		judge "$name"
	done
	((status == 0)) || fail_guest "$status" "$out/console"
	rm -rf -- "$results"
	mkdir -p "$BUILD/results"
	cp -r -- "$out" "$results"
}
