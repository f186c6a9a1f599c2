#!/usr/bin/env bash
# Abandons sessions of earlier revisions on `mooring serve` and measures what is left of them; see
# main.go. It prints a table, writes it to bin/bug.md, and exits with 1 if a row is not met.
#   COUNT=n      sessions in each of the five rounds of direct clients, and in all five rounds
#                behind a proxy together (default 20000)
#   PROXIES=...  default "nginx haproxy"; PROXIES= for none
#   INSTALL=1    install missing proxies with apt-get; they are not started as services
#   FIGURES=1    also compare the processor time of a session with mcp-go and the official Go SDK
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
count=${COUNT:-20000}
proxies=${PROXIES-nginx haproxy}
ulimit -n "$(ulimit -H -n)" || true
work=$(mktemp -d)
policy=
trap 'rm -rf "$work" $policy' EXIT

for proxy in $proxies; do
	command -v "$proxy" >/dev/null || [[ -x /usr/sbin/$proxy ]] && continue
	if [[ -z ${INSTALL:-} ]]; then
		echo "$0: $proxy is missing: run apt-get install $proxy, or set INSTALL=1, or PROXIES= to do without" >&2
		exit 1
	fi
	# A policy-rc.d that exits with 101 keeps packages from starting their services.
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$proxy" >/dev/null
done

(cd "$root" && go build -o bin/mooring ./cmd/mooring)
(cd "$root/test/bug" && go build -o "$root/bin/bug/" ./...)
cp "$root/bin/mooring" "$root/bin/bug/mooring"
storm=$((count < 8000 ? count : 8000))
figures=0
[[ -z ${FIGURES:-} || $FIGURES == 0 ]] || figures=$count
TMPDIR=$work timeout --kill-after=10s 900 "$root/bin/bug/bug" -bin "$root/bin/bug" ${BUSY:+-busy} -count "$count" -storm "$storm" \
	-proxies "$proxies" -figures "$figures" | tee "$root/bin/bug.md"
