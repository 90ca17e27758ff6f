#!/usr/bin/env bash
# Fails when the generated code that is checked in is not what "make generate" makes now. It
# generates in a copy, so the work tree is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/before"
# What git knows or would add: build output and other ignored files stay out.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' f; do if [ -e "$f" ]; then printf '%s\0' "$f"; fi; done |
  tar -c --null -T - | tar -x -C "$copy/before"
cp -a "$copy/before" "$copy/after"

make -s -C "$copy/after" generate

# The command table depends on the version of the server that was asked, which stands in its
# first line: only one made by the same version can be compared.
table=internal/command/commands.txt
if ! cmp -s <(head -n 1 "$copy/before/$table") <(head -n 1 "$copy/after/$table"); then
  echo "check-generated: $table was made by another version of valkey-server than this machine's and is not compared"
  cp "$copy/before/$table" "$copy/after/$table"
fi
if ! diff -ru "$copy/before" "$copy/after"; then
  echo "check-generated: the generated code is not up to date; run 'make generate'" >&2
  exit 1
fi
