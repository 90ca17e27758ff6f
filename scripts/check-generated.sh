#!/usr/bin/env bash
# Fails when the generated code that is checked in is not what "make generate" makes now. It
# generates in a copy, so the work tree is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/before" "$copy/after"
# What git knows or would add: build output and other ignored files stay out.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
  tar -c --null -T - | tee >(tar -x -C "$copy/before") | tar -x -C "$copy/after"

make -s -C "$copy/after" generate
if ! diff -ru "$copy/before" "$copy/after"; then
  echo "check-generated: the generated code is not up to date; run 'make generate'" >&2
  exit 1
fi
