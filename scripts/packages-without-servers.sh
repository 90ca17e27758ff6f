#!/usr/bin/env bash
# Prints the packages whose tests start no Valkey server.
set -euo pipefail
cd "$(dirname "$0")/.."
go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
  awk '!/internal\/valkeytest/ {print $1}'
