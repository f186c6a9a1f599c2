#!/usr/bin/env bash
# Runs the official MCP conformance suite (two versions of it, pinned in package.json) against
# cmd/mooring-conformance: one process, one URL, every revision. The six suites of a run start at
# once, so that the eras also overlap in time.
#   RUNS=n        number of runs in a row, against the same server (default 1)
#   SEQUENTIAL=1  run the six suites one after the other
#   SUITES=...    only these, for example SUITES="required-2025-11-25 all-2025-06-18" (default: all)
#   URL=...       test a server that is already running, for example http://127.0.0.1:3000/mcp
#   OUT=dir       keep the suite's own results there (default: a temporary directory, whose name is
#                 printed at the end if a run failed)
# Exits with 0 only if every required scenario of every suite of every run passed; see summary.mjs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

suites=${SUITES:-required-2025-11-25 required-2026-07-28 all-2025-11-25 all-2025-06-18 all-2025-03-26 0.1.16-all}
runs=${RUNS:-1}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS must be a positive number, not \"$runs\""
out=${OUT:-$WORKDIR/out}
new=$here/node_modules/@modelcontextprotocol/conformance/dist/index.js
old=$here/node_modules/conformance-0116/dist/index.js

# arguments SUITE sets program, which (what to list and to run) and count, the number of scenarios
# that must be required: otherwise a suite that lists fewer scenarios than before would still pass.
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
	[[ ${which[0]:-} != --requirements ]] || run=() # replaces --suite, and also runs scenarios without a score
}

# start SUITE DIR runs it. Its output is in DIR/suite.log and its exit code in DIR/rc.
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
