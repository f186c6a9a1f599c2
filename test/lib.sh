# Shared by conformance/run.sh and clients/run.sh: sourced, never run. Each function says what it needs and what it sets.
# The scripts run under `set -euo pipefail`. What start_server started is stopped when the script ends, however it ends; nothing else is.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORKDIR=$(mktemp -d)
STARTED=()

# die TEXT: says why, shows the server's log if there is one, and ends the script with 1.
die() {
	echo "$0: $*" >&2
	if [[ -s $WORKDIR/server.log ]]; then
		echo "--- the server's last lines" >&2
		tail -n 20 "$WORKDIR/server.log" >&2
	fi
	exit 1
}

# finish: the script's last act. The folder with logs and results stays if something failed.
finish() {
	local rc=$?
	stop_all
	if [[ $rc -eq 0 ]]; then
		rm -rf "$WORKDIR"
	else
		echo "kept for reading: $WORKDIR" >&2
	fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# stop_all: TERM to what start_server started, KILL five seconds later if that was not enough.
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

# install_node DIR: `npm ci` there unless the committed lock is the one installed; puts its node (24) first in PATH.
# No package runs an install script: node itself comes as a plain file from node-linux-*.
install_node() {
	local dir=$1 stamp=$1/node_modules/.installed-lock
	command -v npm >/dev/null || die "npm is needed (any version that knows lockfile version 3)"
	if ! cmp -s "$dir/package-lock.json" "$stamp"; then
		(cd "$dir" && npm ci --loglevel=error --no-progress) || die "npm ci failed in $dir"
		cp "$dir/package-lock.json" "$stamp"
	fi
	PATH=$dir/node_modules/.bin:$PATH
	local version
	version=$(node --version) || die "no node that runs on this machine: install node 24"
	[[ ${version#v} =~ ^(2[4-9]|[3-9][0-9])\. ]] || die "node 24 or later is needed, found $version"
}

# free_port: prints a TCP port of 127.0.0.1 that was free a moment ago. Needs node in PATH.
free_port() {
	node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# start_server NAME [ARG...]: builds cmd/NAME into bin/, starts it on a free port and waits until GET /healthz says 200.
# Sets BASE (http://127.0.0.1:PORT) and SERVER_PID.
start_server() {
	local name=$1 port i
	shift
	(cd "$ROOT" && go build -o "bin/$name" "./cmd/$name") || die "cmd/$name does not build"
	port=$(free_port)
	BASE=http://127.0.0.1:$port
	"$ROOT/bin/$name" "$@" --listen "127.0.0.1:$port" >"$WORKDIR/server.log" 2>&1 &
	SERVER_PID=$!
	STARTED+=("$SERVER_PID")
	for ((i = 0; i < 100; i++)); do
		kill -0 "$SERVER_PID" 2>/dev/null || die "$name ended before it answered"
		if healthy "$BASE/healthz"; then
			return 0
		fi
		sleep 0.1
	done
	die "$name did not answer GET /healthz within 10 s"
}

# healthy URL: true if GET URL says 200 within a second.
healthy() {
	node -e 'fetch(process.argv[1], { signal: AbortSignal.timeout(1000) }).then(r => process.exit(r.status === 200 ? 0 : 1), () => process.exit(1))' "$1"
}

# stop_server: TERM to the server that start_server started last; fails the script unless it ends with 0 within 15 s.
stop_server() {
	local i rc=0
	[[ -n ${SERVER_PID:-} ]] || return 0
	kill -TERM "$SERVER_PID" || die "the server was gone before it was told to stop"
	for ((i = 0; i < 150; i++)); do
		kill -0 "$SERVER_PID" 2>/dev/null || break
		sleep 0.1
	done
	[[ $i -lt 150 ]] || die "the server still runs 15 s after SIGTERM"
	wait "$SERVER_PID" || rc=$?
	[[ $rc -eq 0 ]] || die "the server answered SIGTERM with exit code $rc"
	SERVER_PID=
}

# server_alive: fails the script if the server has died meanwhile.
server_alive() {
	[[ -z ${SERVER_PID:-} ]] || kill -0 "$SERVER_PID" 2>/dev/null || die "the server died"
}
