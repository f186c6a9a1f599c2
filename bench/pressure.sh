#!/usr/bin/env bash
# Measures how the server is under loads that are meant to hurt, and under none at all, on both engines, and writes it, with machine, date and commands, to bench/results/DATE-pressure.md. Run by
# `make pressure`. It takes half an hour with five rounds; GROUP=idle or another for a part. A machine with other work to do spoils the times, less so the ratios.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
group=${GROUP:-pressure}
out=${OUT:-bench/results/$(date +%F)-pressure.md}
mkdir -p "$(dirname "$out")"
ulimit -n "$(ulimit -Hn)"

{
	[[ $group == list ]] || (cd bench/compare && go run ./figures -rounds "$rounds" -only "$group")
	if [[ $group == pressure || $group == list ]]; then
		command="go test -run '^\$' -bench LargeList -benchmem -count $rounds ./server"
		printf '\n## A list of 300 tools (329 KB), the time and garbage of its loop for each: at most 60 µs and 4 KB\n\n`%s`\n\n```\n' "$command"
		go test -run '^$' -bench LargeList -benchmem -count "$rounds" ./server | grep '^Benchmark'
		printf '```\n'
	fi
} | tee "$out"
echo "written to $out" >&2
