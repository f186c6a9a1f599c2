#!/usr/bin/env bash
# Runs the set-ups of docs/auth.md as they are written there: keys in a file, client certificates, a
# proxy that authenticates (nginx), and a unix socket. A block of the page that begins with ```sh
# NAME-PART is a part of a set-up: prepare, nginx, serve, call. Of a line with a comment "# NNN" in a
# call, the status must be NNN. It needs curl and openssl; without nginx, that set-up is left out.
#   ONLY=...  some of: keys certificates proxy socket
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../lib.sh
source "$here/../lib.sh"

# The page has fixed ports. For root they are those of a network of its own.
if [[ -z ${AUTH_DOCS_NETWORK:-} && $(id -u) -eq 0 ]] && unshare -n ip link set lo up 2>/dev/null; then
	rm -rf "$WORKDIR"
	trap - EXIT
	AUTH_DOCS_NETWORK=own exec unshare -n bash -c 'ip link set lo up && exec bash "$0"' "${BASH_SOURCE[0]}"
fi
(cd "$ROOT" && go build -buildvcs=false -o bin/mooring ./cmd/mooring) || die "mooring does not build"
PATH=$ROOT/bin:$PATH

# block NAME prints a block of the page.
block() {
	awk -v name="$1" '$0 == "```sh " name { inside = 1; found = 1; next } inside && $0 == "```" { exit } inside { print } END { exit !found }' "$ROOT/docs/auth.md" ||
		die "docs/auth.md has no block \"sh $1\""
}

# background NAME URL [CURL-ARG...] runs a block in the background and waits until something answers.
background() {
	local name=$1 url=$2 i
	shift 2
	(eval "exec $(block "$name")") >>"$WORKDIR/server.log" 2>&1 &
	STARTED+=("$!")
	for ((i = 0; i < 100; i++)); do
		kill -0 "$!" 2>/dev/null || die "$name exited"
		! curl -sko /dev/null "$@" "$url" || return 0
		sleep 0.1
	done
	die "$name does not answer at $url"
}

failed=0
# calls NAME runs the calls of a block, one after another, and checks what their comments say.
calls() {
	local line want got
	while IFS= read -r line; do
		want=${line##*# }
		got=$(eval "$line" 2>&1) || true
		if [[ $want == [0-9][0-9][0-9]* && ${got##* } == "${want:0:3}" && (${want:0:3} != 200 || $got == *'"sum":42'*) ]] ||
			[[ $want == 'the handshake fails' && $got == *'curl: ('* && $got != *'"sum"'* ]]; then
			echo "ok   $name: ${line%% #*}"
		else
			echo "FAIL $name: $line"$'\n'"     $got"
			failed=1
		fi
	done < <(block "$1")
}

eval "$(block call)"
chmod 755 "$WORKDIR" # for nginx, whose workers are not root
for name in ${ONLY:-keys certificates proxy socket}; do
	if [[ $name == proxy ]] && ! command -v nginx >/dev/null; then
		echo "skip proxy: there is no nginx"
		continue
	fi
	mkdir "$WORKDIR/$name"
	cd "$WORKDIR/$name"
	[[ $name == socket ]] || eval "$(block "$name-prepare")"
	case $name in
	keys) background keys-serve http://127.0.0.1:8080/healthz ;;
	certificates) background certificates-serve https://localhost:8443/healthz --cert ann.pem --key ann.key ;;
	proxy)
		background proxy-nginx http://127.0.0.1:8090/
		background proxy-serve http://127.0.0.1:8080/healthz
		;;
	socket) background socket-serve http://localhost/healthz --unix-socket mooring.sock ;;
	*) die "no set-up \"$name\"" ;;
	esac
	calls "$name-call"
	stop_all
	cd "$ROOT"
done
[[ $failed -eq 0 ]] || die "docs/auth.md does not work as it is written"
echo "auth: docs/auth.md works as it is written"
