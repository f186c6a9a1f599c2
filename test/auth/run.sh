#!/usr/bin/env bash
# Lets real clients log in: `mooring serve` as a resource server, npm's oidc-provider as the
# authorization server, the TypeScript SDK and mcp-remote as clients, all on loopback. Then it
# rotates the provider's key, stops the provider, and checks who is still served. It prints a line
# for each step, and exits with 0 only if every step succeeded.
# The arguments of mooring are those of docs/auth.md, whose other set-ups docs.sh runs.
#   ONLY=...  some of: login mcp-remote rotation introspection guid docs
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"
install_node "$here"
(cd "$ROOT" && go build -buildvcs=false -o bin/mooring ./cmd/mooring) || die "mooring does not build"

# start_provider RESOURCE [ARG...] starts an authorization server for tokens of RESOURCE. It sets
# ISSUER and PROVIDER_PID.
start_provider() {
	local resource=$1 i out
	shift
	out=$(mktemp -p "$WORKDIR")
	node "$here/provider.mjs" --resource "$resource" --life 300 "$@" >"$out" 2>"$WORKDIR/provider.log" &
	PROVIDER_PID=$!
	STARTED+=("$PROVIDER_PID")
	for ((i = 0; i < 100; i++)); do
		ISSUER=$(head -n 1 "$out")
		[[ -z $ISSUER ]] || return 0
		kill -0 "$PROVIDER_PID" 2>/dev/null || die "the provider exited: $(cat "$WORKDIR/provider.log")"
		sleep 0.1
	done
	die "the provider printed no issuer within 10 s"
}

# start_resource BLOCK starts mooring on PORT as a block of docs/auth.md says, with the provider of the
# test and its own URL in place of the examples. It sets SERVER_PID.
start_resource() {
	local i command
	command=$(awk -v name="$1" '$0 == "```sh " name { inside = 1; next } inside && $0 == "```" { exit } inside { print }' "$ROOT/docs/auth.md" |
		sed "s#https://mcp\.example\.com#$BASE#; s#https://id\.example\.com/realms/staff#$ISSUER#")
	[[ $command == "mooring serve "* ]] || die "docs/auth.md has no block \"sh $1\""
	(cd "$WORKDIR" && PATH=$ROOT/bin:$PATH eval "exec $command --listen 127.0.0.1:$PORT") >"$WORKDIR/server.log" 2>&1 &
	SERVER_PID=$!
	STARTED+=("$SERVER_PID")
	for ((i = 0; i < 100; i++)); do
		kill -0 "$SERVER_PID" 2>/dev/null || die "mooring exited before it answered"
		! healthy "$BASE/healthz" || return 0
		sleep 0.1
	done
	die "mooring did not answer GET /healthz within 10 s"
}

failed=()
PORT=$(free_port) BASE=http://127.0.0.1:$PORT
for part in ${ONLY:-login mcp-remote rotation introspection guid docs}; do
	if [[ $part == docs ]]; then
		ONLY='' bash "$here/docs.sh" || failed+=(docs)
		continue
	fi
	case $part in
	login | mcp-remote | rotation)
		start_provider "$BASE/mcp"
		start_resource issuer-serve
		;;
	introspection)
		start_provider "$BASE/mcp" --opaque
		echo machine-secret >"$WORKDIR/secret"
		start_resource introspection-serve
		;;
	guid)
		guid=6d1f2f5e-0a3c-4c0e-9a36-5b8f6f0f2a11
		start_provider "$BASE/mcp" --audience "$guid"
		start_resource guid-serve
		;;
	*) die "no part \"$part\"" ;;
	esac
	case $part in
	login)
		for era in modern legacy; do
			timeout 60 node "$here/login-flow.mjs" "$BASE/mcp" "$ISSUER" "$era" || failed+=("login $era")
		done
		;;
	mcp-remote) HOME=$WORKDIR timeout 60 node "$here/mcp-remote.mjs" "$BASE/mcp" || failed+=(mcp-remote) ;;
	*) timeout 60 node "$here/tokens.mjs" "$part" "$BASE/mcp" "$ISSUER" "$PROVIDER_PID" || failed+=("$part") ;;
	esac
	server_alive
	stop_server
	stop_all
done
[[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
echo "auth: all steps succeeded"
