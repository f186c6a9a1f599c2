#!/usr/bin/env bash
# Runs the official MCP conformance suite (two versions of it, pinned in package.json) against cmd/mooring-conformance: one
# process, one URL, every revision. The six suites of a run are started at once, so that the eras also mix in time.
#   RUNS=n        how many runs in a row, each against the same server (default 1)
#   SEQUENTIAL=1  the six suites of a run one after the other
#   SUITES=...    only these, for example SUITES="required-2025-11-25 all-2025-06-18" (default: all of those listed below)
#   URL=...       test a server that is already running instead, for example http://127.0.0.1:3000/mcp
#   OUT=dir       keep the suite's own results there (default: a temporary folder, named at the end if a run failed)
# Exits 0 only if every wanted scenario of every suite of every run passed, see summary.mjs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

suites=${SUITES:-required-2025-11-25 required-2026-07-28 all-2025-11-25 all-2025-06-18 all-2025-03-26 0.1.16-all}
runs=${RUNS:-1}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS must be a positive number, is \"$runs\""
out=${OUT:-$WORKDIR/out}
new=$here/node_modules/@modelcontextprotocol/conformance/dist/index.js
old=$here/node_modules/conformance-0116/dist/index.js

# arguments SUITE: sets program, which (what to list and to run) and count, the number of scenarios that must be wanted:
# a suite that lists fewer than it once did would otherwise pass for what it no longer asks.
arguments() {
	program=$new
	case $1 in
	required-2025-11-25) which=(--requirements 2025-11-25) count=30 ;;
	required-2026-07-28) which=(--requirements 2026-07-28) count=37 ;;
	all-2025-11-25) which=(--spec-version 2025-11-25) count=33 ;;
	all-2025-06-18) which=(--spec-version 2025-06-18) count=27 ;;
	all-2025-03-26) which=(--spec-version 2025-03-26) count=1 ;;
	0.1.16-all) program=$old which=() count=32 ;;
	*) die "no suite \"$1\"" ;;
	esac
	run=(--suite all)
	[[ ${which[0]:-} != --requirements ]] || run=() # it replaces --suite, and runs the not yet scored scenarios besides
}

# start SUITE DIR: runs it, with what it printed in DIR/suite.log and its exit code in DIR/rc.
start() {
	local rc=0
	arguments "$1"
	mkdir -p "$2"
	timeout 300 node "$program" server --url "$url" ${run[@]+"${run[@]}"} ${which[@]+"${which[@]}"} -o "$2" >"$2/suite.log" 2>&1 || rc=$?
	echo "$rc" >"$2/rc"
}

install_node "$here"
if [[ -n ${URL:-} ]]; then
	url=$URL
else
	start_server mooring-conformance
	url=$BASE/mcp
fi
for suite in $suites; do
	arguments "$suite"
	node "$program" list --server ${which[@]+"${which[@]}"} >"$WORKDIR/list-$suite" || die "the suite does not list its scenarios"
done

failed=0
for ((round = 1; round <= runs; round++)); do
	echo "conformance run $round of $runs at $url"
	jobs=()
	for suite in $suites; do
		start "$suite" "$out/run-$round/$suite" &
		jobs+=($!)
		[[ -z ${SEQUENTIAL:-} ]] || wait "$!"
	done
	wait "${jobs[@]}"
	server_alive
	good=1
	for suite in $suites; do
		arguments "$suite"
		dir=$out/run-$round/$suite
		node "$here/summary.mjs" "$suite" "$WORKDIR/list-$suite" "$count" "$dir" "$(cat "$dir/rc")" || good=0
	done
	[[ $good -eq 1 ]] || failed=$((failed + 1))
done

[[ $failed -eq 0 ]] || die "$failed of $runs runs failed"
stop_server
echo "conformance: $runs of $runs runs passed"
