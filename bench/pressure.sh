#!/usr/bin/env bash
# Measures the server under adverse loads, and idle, on both engines, and writes the figures with
# machine, date and commands to bench/results/DATE-pressure.md. Run by `make pressure`. It takes
# half an hour with five rounds; GROUP=idle, or another group, measures only that. Other work on the
# machine spoils the times, less so the ratios.
set -euo pipefail
[[ $# -eq 0 ]] || { grep "^# " "$0" >&2; exit 2; } # it takes no arguments, and no -h
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
		printf '\n## A list of 300 tools (329 KB), loop time and garbage for each: at most 60 µs and 4 KB\n\n`%s`\n\n```\n' "$command"
		go test -run '^$' -bench LargeList -benchmem -count "$rounds" ./server | grep '^Benchmark'
		printf '```\n'
	fi
} | tee "$out"
echo "written to $out" >&2
