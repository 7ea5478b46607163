# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Long steps: what, for how long, how far; the whole output in a log.

# size_of PATH: what lies there now, in MB.
size_of() { du -sm --apparent-size -- "$1" 2>/dev/null | cut -f1; }

# step_detail LOG: how far the running step is: the size of STEP_WATCH out of
# STEP_TOTAL (MB) if the caller set them, else the last line of the log.
step_detail() {
	if [[ ${STEP_WATCH:-} ]]; then
		printf '%s of %s MB' "$(size_of "$STEP_WATCH")" "$STEP_TOTAL"
	else
		tail -c 300 -- "$1" | tr '\r\t' '\n ' | tr -cd '[:print:]\n' | grep . | tail -n 1 | cut -c1-60 || true
	fi
}

# step LABEL LOG COMMAND...: run COMMAND with its output in LOGS/LOG.
step() {
	local label=$1 log=$LOGS/$2 begin=$SECONDS next pid status=0
	shift 2
	mkdir -p "$LOGS"
	: >"$log"
	"$@" >>"$log" 2>&1 </dev/null &
	pid=$!
	trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
	[[ -t 2 ]] || note "$label"
	next=$((begin + 15))
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.2
		if [[ -t 2 ]]; then
			printf '\r\e[Kio_ring: %s: %d s  %s' "$label" $((SECONDS - begin)) "$(step_detail "$log")" >&2
		elif ((SECONDS >= next)); then
			note "$label: $((SECONDS - begin)) s so far: $(step_detail "$log")"
			next=$((next + 15))
		fi
	done
	wait "$pid" || status=$?
	trap - INT TERM
	[[ ! -t 2 ]] || printf '\r\e[K' >&2
	if ((status)); then
		note "$label: FAILED with status $status after $((SECONDS - begin)) s; the end of $log:"
		tail -n 30 -- "$log" >&2
		exit "$status"
	fi
	note "$label: done in $((SECONDS - begin)) s"
}
