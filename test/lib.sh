# Shared by conformance/run.sh and clients/run.sh, which source it. Each function documents what it
# needs and what it sets. The scripts run under `set -euo pipefail`. Processes started by
# start_server are stopped when the script ends, however it ends; no others are.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORKDIR=$(mktemp -d)
STARTED=()

# die TEXT prints the reason and the server's log, if there is one, and ends the script with 1.
die() {
	echo "$0: $*" >&2
	if [[ -s $WORKDIR/server.log ]]; then
		echo "--- the server's last lines" >&2
		tail -n 20 "$WORKDIR/server.log" >&2
	fi
	exit 1
}

# finish runs when the script ends. It keeps the directory with logs and results if something
# failed.
finish() {
	local rc=$?
	stop_all
	if [[ $rc -eq 0 ]]; then
		rm -rf "$WORKDIR"
	else
		echo "logs and results are kept in $WORKDIR" >&2
	fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# stop_all sends TERM to the processes that start_server started, and KILL to those that are still
# there five seconds later.
stop_all() {
	local pid i
	for pid in ${STARTED[@]+"${STARTED[@]}"}; do
		kill -TERM "$pid" 2>/dev/null || continue
		for ((i = 0; i < 50; i++)); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	STARTED=()
}

# install_node DIR runs `npm ci` there, unless the committed lock file is the one installed, and
# puts its node (24) first in PATH. No package runs an install script: node itself comes as a plain
# file from node-linux-*.
install_node() {
	local dir=$1 stamp=$1/node_modules/.installed-lock
	command -v npm >/dev/null || die "npm is required (any version that supports lockfile version 3)"
	if ! cmp -s "$dir/package-lock.json" "$stamp"; then
		(cd "$dir" && npm ci --loglevel=error --no-progress) || die "npm ci failed in $dir"
		cp "$dir/package-lock.json" "$stamp"
	fi
	PATH=$dir/node_modules/.bin:$PATH
	local version
	version=$(node --version) || die "node does not run on this machine: install node 24"
	[[ ${version#v} =~ ^(2[4-9]|[3-9][0-9])\. ]] || die "node 24 or later is required, found $version"
}

# free_port prints a TCP port of 127.0.0.1 that was free a moment ago. It needs node in PATH.
free_port() {
	node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# start_server NAME [ARG...] builds cmd/NAME (or FOLDER/NAME) into bin/, starts it on a free port, and waits until
# GET /healthz returns 200. It sets BASE (http://127.0.0.1:PORT, or another SCHEME) and SERVER_PID.
start_server() {
	local name=$1 port i
	shift
	(cd "$ROOT" && go build -o "bin/$name" "./${FOLDER:-cmd}/$name") || die "$name does not build"
	port=$(free_port)
	BASE=${SCHEME:-http}://127.0.0.1:$port
	"$ROOT/bin/$name" "$@" --listen "127.0.0.1:$port" >"$WORKDIR/server.log" 2>&1 &
	SERVER_PID=$!
	STARTED+=("$SERVER_PID")
	for ((i = 0; i < 100; i++)); do
		kill -0 "$SERVER_PID" 2>/dev/null || die "$name exited before it answered"
		if healthy "$BASE/healthz"; then
			return 0
		fi
		sleep 0.1
	done
	die "$name did not answer GET /healthz within 10 s"
}

# healthy URL succeeds if GET URL returns 200 within a second.
healthy() {
	node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(1000) }).then(r => process.exit(r.status === 200 ? 0 : 1), () => process.exit(1))' "$1"
}

# stop_server sends TERM to the server that start_server started last. The script fails unless that
# server exits with 0 within 15 s.
stop_server() {
	local i rc=0
	[[ -n ${SERVER_PID:-} ]] || return 0
	kill -TERM "$SERVER_PID" || die "the server had exited before it was stopped"
	for ((i = 0; i < 150; i++)); do
		kill -0 "$SERVER_PID" 2>/dev/null || break
		sleep 0.1
	done
	[[ $i -lt 150 ]] || die "the server is still running 15 s after SIGTERM"
	wait "$SERVER_PID" || rc=$?
	[[ $rc -eq 0 ]] || die "the server exited with code $rc after SIGTERM"
	SERVER_PID=
}

# server_alive fails the script if the server has died.
server_alive() {
	[[ -z ${SERVER_PID:-} ]] || kill -0 "$SERVER_PID" 2>/dev/null || die "the server died"
}
