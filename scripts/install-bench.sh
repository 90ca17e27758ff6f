#!/usr/bin/env bash
# Puts on this machine what the benchmark needs beside the servers of install-valkey.sh: a C
# compiler, which GLIDE's client is linked with, and Webdis (Debian package webdis), one of
# those that the service is measured beside. Does nothing where they are there already.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

missing=()
have "$(go env CC)" || missing+=(gcc libc6-dev)
have webdis || missing+=(webdis)
[ "${#missing[@]}" -gt 0 ] || exit 0

have apt-get || {
  echo "install-bench: not found: ${missing[*]}. This system has no apt-get: install them with its own package manager, or do without Webdis: make bench BENCH_ARGS='-skip webdis'." >&2
  exit 1
}

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)

apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

# The package would start a system service; the benchmark starts its own process.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod +x "$policy"
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi

apt update
apt install --no-install-recommends "${missing[@]}" >/dev/null
