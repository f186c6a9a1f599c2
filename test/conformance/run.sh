#!/usr/bin/env bash
# Runs the official MCP conformance suite (pinned in package.json) against cmd/mooring-conformance.
#   RUNS=n   how many runs in a row, each against the same server (default 1)
#   URL=...  test a server that is already running instead, for example http://127.0.0.1:3000/mcp
#   OUT=dir  keep the suite's own results there (default: a temporary folder, named at the end if a run failed)
# Exits 0 only if every required scenario of every run passed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

revision=2026-07-28
extra=(http-header-validation http-custom-header-server-validation json-schema-2020-12)
runs=${RUNS:-1}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS must be a positive number, is \"$runs\""
out=${OUT:-$WORKDIR/out}
failed=0

install_node "$here"
if [[ -n ${URL:-} ]]; then
	url=$URL
else
	start_server mooring-conformance
	url=$BASE/mcp
fi
suite=$here/node_modules/@modelcontextprotocol/conformance/dist/index.js
node "$suite" list --server --requirements "$revision" >"$WORKDIR/required.txt" || die "the suite does not list its scenarios"

for ((run = 1; run <= runs; run++)); do
	dir=$out/run-$run
	mkdir -p "$dir"
	# Beside the required scenarios --requirements runs the not yet scored ones, the three of $extra among them.
	timeout 300 node "$suite" server --url "$url" --requirements "$revision" -o "$dir" >"$dir/suite.log" 2>&1 && rc=0 || rc=$?
	server_alive
	echo "conformance run $run of $runs: $revision at $url"
	if ! node "$here/summary.mjs" "$WORKDIR/required.txt" "$dir" "$rc" "${extra[@]}"; then
		failed=$((failed + 1))
	fi
done

[[ $failed -eq 0 ]] || die "$failed of $runs runs failed"
stop_server
echo "conformance: $runs of $runs runs passed"
