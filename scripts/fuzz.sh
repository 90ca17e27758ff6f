#!/usr/bin/env bash
# Fuzzes every fuzz target of the module for a while each: scripts/fuzz.sh [TIME], TIME as Go
# writes durations (10s by default). Fails at the first target that finds something; go test
# says where it left the input.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:-10s}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# One line per target: the package's directory and the function's name.
targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd internal test |
  sed -E 's|/[^/]+:func | |' | sort -u)
[ -n "$targets" ] || { echo "fuzz: no targets found" >&2; exit 1; }

# Built so that memory which is used after it was given back shows (internal/poison).
fuzz() { go test -tags poison -run '^$' -fuzz "^$2\$" -fuzztime "$time" "./$1" 2>&1 | tee "$output"; }

while read -r dir name; do
  echo "== $dir $name"
  for attempt in 1 2 3; do
    fuzz "$dir" "$name" && continue 2
    # At the very end of its time go test at times takes its own deadline for a failure,
    # the more so on a busy machine. A target that found something says "Failing input".
    if grep -q 'Failing input' "$output" || ! grep -q 'context deadline exceeded' "$output"; then
      break
    fi
    echo "== $dir $name, again after attempt $attempt"
  done
  echo "fuzz: $name in $dir failed" >&2
  exit 1
done <<<"$targets"
