#!/usr/bin/env bash
# Prints the packages with tests that start no Valkey server: those whose test binary does
# not hold the package that does. Those below test/ try the product as a whole.
set -euo pipefail
cd "$(dirname "$0")/.."
go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... |
  awk '$1 ~ /\.test$/ && !/internal\/valkeytest/ && $1 !~ /\/test\// {sub(/\.test$/, "", $1); print $1}'
