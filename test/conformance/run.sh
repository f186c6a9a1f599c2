#!/usr/bin/env bash
# Runs the official MCP conformance suite (two versions of it, pinned in package.json) against
# cmd/mooring-conformance: one process, one URL, every revision. The six suites of a run start at
# once, so that the eras also overlap in time.
#   RUNS=n        number of runs in a row, against the same server (default 1)
#   SEQUENTIAL=1  run the six suites one after the other
#   SUITES=...    only these, for example SUITES="required-2025-11-25 all-2025-06-18" (default: all)
#   OVER=...      how the fixture is served: loops (default), net/http, middleware, h2 (TLS and HTTP/2
#                 by a server of net/http), tls, bridge (stdio), or auth (loops, to callers with a token
#                 only; also after another and a +: tls+auth), or behind `mooring gateway`: gateway
#                 (as its child), gateway+http, gateway+legacy and gateway+modern (as its child, to
#                 which it speaks only such revisions), or several of them, one after another
#   URL=...       test a server that is already running, for example http://127.0.0.1:3000/mcp
#   OUT=dir       keep the suite's own results there (default: a temporary directory, whose name is
#                 printed at the end if a run failed)
# Exits with 0 only if every required scenario of every suite of every run passed; see summary.mjs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

everything="required-2025-11-25 required-2026-07-28 all-2025-11-25 all-2025-06-18 all-2025-03-26 0.1.16-all"
# Without those that resume a stream of HTTP, which a server on stdio does not have.
stdio="required-2025-11-25 required-2026-07-28 all-2025-06-18 all-2025-03-26"
runs=${RUNS:-1}
[[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS must be a positive number, not \"$runs\""
out=${OUT:-$WORKDIR/out}
new=$here/node_modules/@modelcontextprotocol/conformance/dist/index.js
old=$here/node_modules/conformance-0116/dist/index.js

# behind WAY starts the fixture behind a gateway and sets url. A child has one session for each client, so
# that its questions and messages have an addressee.
behind() {
	local server settings='"session": "client"' fixture
	case $1 in
	gateway) ;;
	gateway+legacy | gateway+modern) settings+=", \"era\": \"${1#*+}\"" ;;
	gateway+http) ;;
	*) die "no way \"$1\"" ;;
	esac
	if [[ $1 == gateway+http ]]; then
		start_server mooring-conformance
		server="\"url\": \"$BASE/mcp\""
	else
		fixture=$ROOT/bin/mooring-conformance
		(cd "$ROOT" && go build -o "$fixture" ./cmd/mooring-conformance) || die "mooring-conformance does not build"
		server="\"command\": \"$fixture\", \"args\": [\"-over\", \"stdio\"]"
	fi
	echo "{\"mcpServers\": {\"fixture\": {$server, \"x-mooring\": {$settings}}}}" >"$WORKDIR/mcp.json"
	start_server mooring gateway --config "$WORKDIR/mcp.json"
	url=$BASE/servers/fixture/mcp
}

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
	timeout 300 node ${preload[@]+"${preload[@]}"} "$program" server --url "$url" ${run[@]+"${run[@]}"} ${which[@]+"${which[@]}"} -o "$2" >"$2/suite.log" 2>&1 || rc=$?
	echo "$rc" >"$2/rc"
}

# list prints into WORKDIR the scenarios that the suites have.
list() {
	local suite
	for suite in ${SUITES:-$everything}; do
		arguments "$suite"
		node "$program" list --server ${which[@]+"${which[@]}"} >"$WORKDIR/list-$suite" || die "the suite does not list its scenarios"
	done
}

# round DIR runs all suites against $url. It returns 1 unless every required scenario passed.
round() {
	local dir=$1 jobs=() good=0 suite
	for suite in $suites; do
		start "$suite" "$dir/$suite" &
		jobs+=($!)
		[[ -z ${SEQUENTIAL:-} ]] || wait "$!"
	done
	wait "${jobs[@]}"
	server_alive
	for suite in $suites; do
		arguments "$suite"
		OVER=$over node "$here/summary.mjs" "$suite" "$WORKDIR/list-$suite" "$count" "$dir/$suite" "$(cat "$dir/$suite/rc")" || good=1
	done
	return "$good"
}

install_node "$here"
list
failed=0 all=0
for over in ${OVER:-loops}; do
	suites=${SUITES:-$everything}
	[[ $over != bridge ]] || suites=${SUITES:-$stdio}
	[[ $over != gateway* ]] || suites=${SUITES:-required-2025-11-25 required-2026-07-28}
	if [[ -n ${URL:-} ]]; then
		url=$URL
	elif [[ $over == gateway* ]]; then
		unset SCHEME
		behind "$over"
	else
		unset SCHEME
		way=${over%auth} way=${way%+} guard=off preload=()
		if [[ $over == *auth ]]; then
			guard=token preload=(--import "$here/authorization.mjs")
			export MOORING_CONFORMANCE_TOKEN=$WORKDIR/token
		fi
		# Scopes ask nothing of callers without a token, as most scenarios are.
		[[ $over != loops ]] || guard=scopes
		if [[ $way == tls ]]; then
			SCHEME=https
			export MOORING_CONFORMANCE_ROOTS=$WORKDIR/roots.pem NODE_EXTRA_CA_CERTS=$WORKDIR/roots.pem
		fi
		start_server mooring-conformance --over "${way:-loops}" --auth "$guard"
		url=$BASE/mcp
	fi
	for ((n = 1; n <= runs; n++)); do
		echo "conformance run $n of $runs over $over at $url"
		all=$((all + 1))
		round "$out/${over/\//-}-$n" || failed=$((failed + 1))
	done
	[[ $failed -eq 0 ]] || die "$failed of $all runs failed"
	stop_server
done
echo "conformance: $all of $all runs passed"
