#!/usr/bin/env bash
# Measures the figures that docs/benchmarks.md quotes and writes them, with machine, date and
# commands, to bench/results/DATE.md. `make bench` runs it; it takes about ten minutes. Other work on
# the machine spoils the absolute figures, and the ratios less.
set -euo pipefail
[[ $# -eq 0 ]] || { grep "^# " "$0" >&2; exit 2; } # it takes no arguments, and no -h
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
out=${OUT:-bench/results/$(date +%F).md}
mkdir -p "$(dirname "$out")" bin
ulimit -n "$(ulimit -Hn)"

section() { printf '\n## %s\n\n`%s`\n\n' "$1" "$2"; }
# bench PACKAGE-DIR REGEXP [flags]: the medians of a Go benchmark.
bench() {
	local dir=$1 re=$2; shift 2
	section "$re in ${dir#./}" "cd $dir && go test -run '^\$' -bench '$re' -benchmem $*"
	(cd "$dir" && go test -run '^$' -bench "$re" -benchmem "$@" .) >bin/bench.txt
	printf '```\n'
	go tool -modfile=tools/go.mod benchstat bin/bench.txt
	printf '```\n'
}

{
	(cd bench/compare && go run ./figures -rounds "$rounds")
	bench bench/compare 'Head' -benchtime 3000x -count 40
	bench jsonrpc 'Decode/' -count "$rounds"
	bench sse 'AppendData|AppendComment' -count "$rounds"
	bench mcp 'Call' -count "$rounds"
	bench server 'MillionStreams' -benchtime 1x -count "$rounds" -timeout 20m
	bench server/internal/wheel 'Million' -benchtime 1x -count "$rounds"
} | tee "$out"
echo "written to $out" >&2
