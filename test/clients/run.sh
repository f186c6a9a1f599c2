#!/usr/bin/env bash
# Drives `mooring serve` with real MCP clients at revision 2026-07-28: the Inspector's command line, the TypeScript v2
# client, the official Go SDK's client and mcp-go's; the last two over HTTP+SSE of 2024-11-05 as well. Prints a line per client and step; exits 0 only if every step succeeded.
#   URL=...      test a server that is already running instead; it must have the built-in set of `mooring serve`
#   SSE_URL=...  and its HTTP+SSE endpoint, if URL is given
#   CLIENTS=...  only these, for example CLIENTS="gosdk mcpgo" (default: inspector typescript gosdk mcpgo gosdk-sse mcpgo-sse)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

install_node "$here"
for client in gosdk mcpgo; do
	(cd "$here" && go build -o "$WORKDIR/$client" "./$client") || die "$client does not build"
done
mkdir "$WORKDIR/home"

if [[ -n ${URL:-} ]]; then
	url=$URL sse_url=${SSE_URL:-}
else
	start_server mooring serve --sse-path /sse
	url=$BASE/mcp sse_url=$BASE/sse
fi

(cd "$ROOT" && go run ./cmd/mooring print-config inspector --url "$url") >"$WORKDIR/home/mcp.json" 2>"$WORKDIR/print-config.log" ||
	die "mooring print-config: $(cat "$WORKDIR/print-config.log")"

# drive CLIENT: runs it against $url for two minutes at most.
drive() {
	case $1 in
	inspector) timeout 120 node "$here/inspector.mjs" "$WORKDIR/home" ;;
	typescript) timeout 120 node "$here/typescript.mjs" "$url" ;;
	gosdk | mcpgo) timeout 120 "$WORKDIR/$1" "$url" ;;
	gosdk-sse | mcpgo-sse) timeout 120 "$WORKDIR/${1%-sse}" "$sse_url" sse ;;
	*) die "no client \"$1\"" ;;
	esac
}

failed=()
for client in ${CLIENTS:-inspector typescript gosdk mcpgo ${sse_url:+gosdk-sse mcpgo-sse}}; do
	drive "$client" || failed+=("$client")
	server_alive
done
[[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
stop_server
echo "clients: all steps succeeded"
