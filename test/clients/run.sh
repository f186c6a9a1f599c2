#!/usr/bin/env bash
# Drives `mooring serve` with real MCP clients, each over every transport and revision that it
# supports: the Inspector's command line, the TypeScript SDKs v1 and v2, the official Go SDK,
# mcp-go, and mcp-remote, the bridge for clients that support only stdio. There is one server and
# one URL (and another for HTTP+SSE of 2024-11-05); over stdio, each client starts a server of its
# own. It prints a line for each client and step, and exits with 0 only if every step succeeded.
#   OVER=net/http  serve the same features from a mux of net/http
#   URL=...      test a running server instead; it must have the built-in set of `mooring serve`
#   SSE_URL=...  its HTTP+SSE endpoint, if URL is given
#   CLIENTS=...  only these, for example CLIENTS="gosdk-http-2025-06-18 ts1-sse"; default: all
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

install_node "$here"
for client in gosdk mcpgo; do
	(cd "$here" && go build -o "$WORKDIR/$client" "./$client") || die "$client does not build"
done
(cd "$ROOT" && go build -buildvcs=false -o "$WORKDIR/mooring" ./cmd/mooring) || die "mooring does not build"
mkdir "$WORKDIR/home"

if [[ -n ${URL:-} ]]; then
	url=$URL sse_url=${SSE_URL:-}
else
	if [[ ${OVER:-} == net/http ]]; then FOLDER=test start_server mux; else start_server mooring serve --sse-path /sse; fi
	url=$BASE/mcp sse_url=$BASE/sse
fi

# The Inspector's configuration, as printed, and a copy for the other era.
mkdir "$WORKDIR/home/modern" "$WORKDIR/home/legacy"
(cd "$ROOT" && go run ./cmd/mooring print-config inspector --url "$url") >"$WORKDIR/home/modern/mcp.json" 2>"$WORKDIR/print-config.log" ||
	die "mooring print-config: $(cat "$WORKDIR/print-config.log")"
sed 's/"protocolEra": "modern"/"protocolEra": "legacy"/' "$WORKDIR/home/modern/mcp.json" >"$WORKDIR/home/legacy/mcp.json"

modern=2026-07-28 sessions="2025-11-25 2025-06-18 2025-03-26" newest=2025-11-25
clients="ts2-http-$modern ts1-http ts1-stdio"
for revision in $sessions; do clients+=" ts2-http-$revision"; done
for revision in $modern $sessions; do clients+=" gosdk-http-$revision mcpgo-http-$revision"; done
if [[ -n $sse_url ]]; then clients+=" ts1-sse ts2-sse-$newest gosdk-sse-$newest mcpgo-sse-$newest"; fi
clients+=" ts2-stdio-$modern gosdk-stdio-$modern"
for revision in $sessions; do clients+=" ts2-stdio-$revision gosdk-stdio-$revision"; done
# Over stdio a client starts a server of its own, so that net/http has no part in it.
[[ ${OVER:-} != net/http ]] || clients=$(tr ' ' '\n' <<<"$clients" | grep -v stdio | tr '\n' ' ')
# The Inspector changes nothing on the server, so it runs in parallel with the others.
clients="inspector-modern inspector-legacy ${clients}"

# drive CLIENT runs it against the server, for two minutes at most. The name of a client consists of
# its program, its transport and its revision.
drive() {
	local program kind revision to=$url
	IFS=- read -r program kind revision <<<"$1"
	[[ $kind != sse ]] || to=$sse_url
	[[ $kind != stdio || $program == ts1 ]] || to="$WORKDIR/mooring serve --stdio"
	case $program in
	inspector) timeout 120 node "$here/inspector.mjs" "$WORKDIR/home/$kind" "$kind" ;;
	ts1) HOME=$WORKDIR/home timeout 120 node "$here/typescript-v1.mjs" "$to" "$kind" ;;
	ts2)
		if [[ $revision == "$modern" ]]; then
			timeout 120 node "$here/typescript.mjs" "$to" "$kind"
		else
			timeout 120 node "$here/typescript-session.mjs" "$to" "$kind" "$revision"
		fi
		;;
	gosdk | mcpgo) timeout 120 "$WORKDIR/$program" "$to" "$kind" "$revision" ;;
	*) die "no client \"$1\"" ;;
	esac
}

failed=()
parallel=()
for client in ${CLIENTS:-$clients}; do
	if [[ $client == inspector-* ]]; then
		drive "$client" >"$WORKDIR/$client.log" 2>&1 &
		parallel+=("$client:$!")
		continue
	fi
	drive "$client" || failed+=("$client")
	server_alive
done
for job in ${parallel[@]+"${parallel[@]}"}; do
	wait "${job#*:}" || failed+=("${job%:*}")
	cat "$WORKDIR/${job%:*}.log"
done
[[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
stop_server
echo "clients: all steps succeeded"
