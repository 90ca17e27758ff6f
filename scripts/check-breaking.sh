#!/usr/bin/env bash
# Fails when the contract breaks clients of the one on the main branch. The base is
# origin/main, or main where there is no such remote; on main itself it is the commit before.
# Without a base that has a contract there is nothing to break.
set -euo pipefail
cd "$(dirname "$0")/.."

base=
for candidate in origin/main main; do
  if git rev-parse -q --verify "$candidate^{commit}" >/dev/null; then
    base=$(git rev-parse "$candidate^{commit}")
    break
  fi
done
if [ -n "$base" ] && [ "$base" = "$(git rev-parse HEAD)" ] && git diff --quiet HEAD -- proto; then
  base=$(git rev-parse -q --verify HEAD~1 || true)
fi
if [ -z "$base" ] || ! git cat-file -e "$base:buf.yaml" 2>/dev/null; then
  echo "check-breaking: no base with a contract to compare with"
  exit 0
fi

was=$(mktemp -d)
trap 'rm -rf "$was"' EXIT
git archive "$base" buf.yaml proto | tar -x -C "$was"
go tool -modfile=tools/go.mod buf breaking --against "$was"
