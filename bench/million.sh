#!/usr/bin/env bash
# Measures a million idle streams in ONE server process, with the real server and the real client
# (`mooring-bench run idle`). Run by `make million`; STREAMS=100000 opens fewer, ENGINE=gnet uses
# the other event loop. It writes the result to bin/million/million.json and prints its table.
#
# It runs natively if a process may have that many descriptors, and otherwise in a virtual machine
# started by the script that MOORING_VM names. The script is called as
#   $MOORING_VM --mem 18G --cpus 2 --timeout SECONDS --in DIR --out DIR --run COMMAND
# It must make the files of the first DIR available as /in in the guest, copy what is written to
# /out to the second, and run the command as root. An emulated machine takes half an hour or more;
# its memory figures are valid, its times are not. Both ends of a million connections take some 9 GB
# of the kernel's memory.
set -euo pipefail
cd "$(dirname "$0")/.."
streams=${STREAMS:-1000000}
need=$((streams + 2000))
out=$PWD/bin/million
rm -rf "$out"
mkdir -p "$out/in"
CGO_ENABLED=0 go build -trimpath -ldflags=-s -o "$out/in/" ./cmd/mooring ./cmd/mooring-bench

cat >"$out/in/run.sh" <<'EOF'
#!/bin/bash
# run.sh STREAMS OUTPUT runs in a guest or on the machine itself.
set -eu
here=$(dirname "$0")
ulimit -n $(($1 + 2000))
"$here/mooring" serve --listen 127.0.0.1:18180 --engine "${ENGINE:-epoll}" --max-connections $(($1 + 1000)) --heartbeat "${HEARTBEAT:-15s}" --keepalive "${KEEPALIVE:-1m}" --log-level warn &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
sleep 2
"$here/mooring-bench" run idle --url http://127.0.0.1:18180/mcp --label Mooring --era "${ERA:-modern}" --streams "$1" --concurrency 256 --wait 10s --duration 30s -o "$2/million.json" \
	--fail-if 'streams_open<'"$1"
kill -9 $server # a graceful shutdown of so many streams would take long
EOF
chmod +x "$out/in/run.sh"

if [[ $(ulimit -Hn) == unlimited || $(ulimit -Hn) -ge $need ]]; then
	bash "$out/in/run.sh" "$streams" "$out"
elif [[ -n ${MOORING_VM:-} ]]; then
	echo "this machine allows $(ulimit -Hn) descriptors per process, not $need: using a virtual machine" >&2
	timeout=$((1800 + streams / 200))
	"$MOORING_VM" --mem "${MEM:-18G}" --cpus 2 --timeout "$timeout" --in "$out/in" --out "$out" --run "
		echo 3000000 >/proc/sys/fs/nr_open; echo 6000000 >/proc/sys/fs/file-max
		echo '1024 65535' >/proc/sys/net/ipv4/ip_local_port_range; echo 18180 >/proc/sys/net/ipv4/ip_local_reserved_ports
		echo 65535 >/proc/sys/net/core/somaxconn; echo 65535 >/proc/sys/net/ipv4/tcp_max_syn_backlog
		echo 2000000 >/proc/sys/net/ipv4/tcp_max_orphans; echo '1000000 2000000 4000000' >/proc/sys/net/ipv4/tcp_mem
		# An emulated machine can send neither the 67,000 comments a second that a million streams
		# get by default, nor the 17,000 keepalive probes a second that they get without comments.
		KEEPALIVE=${KEEPALIVE:-0} ENGINE=${ENGINE:-epoll} ERA=${ERA:-modern} HEARTBEAT=${HEARTBEAT:-10m} bash /in/run.sh $streams /out"
else
	echo "a process may have only $(ulimit -Hn) descriptors here, but $need are needed: raise the limit (ulimit -Hn $need as root), or set MOORING_VM to a script that runs a virtual machine" >&2
	exit 1
fi
"$out/in/mooring-bench" compare "$out/million.json"
