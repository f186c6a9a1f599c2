#!/usr/bin/env bash
# Builds the servers of the comparison: the Go servers into bin/peers/ and the packages of the
# TypeScript SDK into typescript/node_modules. It also checks whether nginx has nchan. What is
# missing on the machine is reported, but is not an error: the rest can be measured.
#   INSTALL=1   install nginx and nchan with apt-get if they are missing; no service is started
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
policy=
trap '[[ -z $policy ]] || rm -f "$policy"' EXIT

mkdir -p "$root/bin/peers"
for peer in mux gosdk mcpgo gnet nethttp nchan; do
	(cd "$here" && "${GO:-go}" build -trimpath -o "$root/bin/peers/$peer" "./$peer")
done

# No package runs an install script. The committed lock file decides the versions.
lock=$here/typescript/package-lock.json stamp=$here/typescript/node_modules/.installed-lock
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
	echo "peers: the TypeScript SDK is left out: node 20 or later and npm are missing" >&2
elif ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
	echo "peers: the TypeScript SDK is left out: it needs node 20 or later, this is $(node --version)" >&2
elif ! cmp -s "$lock" "$stamp"; then
	(cd "$here/typescript" && npm ci --ignore-scripts --loglevel=error --no-progress)
	cp "$lock" "$stamp"
fi

nchan=/usr/lib/nginx/modules/ngx_nchan_module.so
has_nchan() { [[ -e $nchan ]] && { command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]]; }; }
if ! has_nchan && [[ -n ${INSTALL:-} && ${INSTALL:-} != 0 ]]; then
	# A policy-rc.d that exits with 101 keeps packages from starting their services.
	if [[ ! -e /usr/sbin/policy-rc.d ]]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx libnginx-mod-nchan >/dev/null
fi
has_nchan || echo "peers: nchan is left out: run apt-get install nginx libnginx-mod-nchan, or INSTALL=1 make peers" >&2
