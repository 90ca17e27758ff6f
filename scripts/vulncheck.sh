#!/usr/bin/env bash
# Looks for known vulnerabilities in what the modules in these directories are built of
# (scripts/vulncheck.sh DIRECTORY...; none: the repository's own), in the database at
# https://vuln.go.dev or the one that GOVULNDB names (https:// or file://).
# Where the database cannot be reached nothing is checked: that is said, and fails only with
# VULNCHECK=strict. VULNCHECK=off leaves it out. What is found always fails.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${VULNCHECK:-}
case "$mode" in
'' | strict) ;;
off) echo 'vulncheck: left out (VULNCHECK=off)' && exit 0 ;;
*) echo "vulncheck: VULNCHECK is $mode: strict, off or nothing is allowed" >&2 && exit 2 ;;
esac

said=$(mktemp)
trap 'rm -f "$said"' EXIT
database=${GOVULNDB:-https://vuln.go.dev}

tools=$PWD/tools/go.mod

check() { # DIRECTORY
  (cd "$1" && go tool -modfile="$tools" govulncheck -db "$database" ./...) 2>"$said" && return
  local code=$?
  cat "$said" >&2
  # The tool has no exit code of its own for this.
  if [ "$code" -eq 1 ] && grep -q '^govulncheck: fetching vulnerabilities: ' "$said"; then
    echo "vulncheck: vulnerability database not reachable ($database): NOT CHECKED" >&2
    [ "$mode" != strict ] || exit 1
    exit 0
  fi
  exit "$code"
}

for directory in "${@:-.}"; do
  check "$directory"
done
