#!/usr/bin/env bash
# Checks the report in headless Chromium: every chart is drawn, the page makes no requests, and the
# console shows no errors. It fails without a browser, where the tests alone would be skipped.
#   MOORING_CHROMIUM=...  the browser; by default chromium on the PATH
#   INSTALL=1             fetch it with apt-get if it is missing (Debian)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
browser=${MOORING_CHROMIUM:-chromium}
if ! command -v "$browser" >/dev/null; then
	if [[ -z ${INSTALL:-} ]]; then
		echo "$0: $browser is missing: run apt-get install chromium, or set INSTALL=1 or MOORING_CHROMIUM" >&2
		exit 1
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
	browser=chromium
fi
MOORING_CHROMIUM=$(command -v "$browser")
export MOORING_CHROMIUM
"$MOORING_CHROMIUM" --version 2>/dev/null || true
go test -run Chromium -count 1 -timeout 5m .
