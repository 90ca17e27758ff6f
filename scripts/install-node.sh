#!/usr/bin/env bash
# Puts Node.js on this machine (Debian package nodejs), whose fetch is what a test calls the
# HTTP listener with. Does nothing where it is there already.
set -euo pipefail

! command -v node >/dev/null 2>&1 || exit 0

command -v apt-get >/dev/null 2>&1 || {
  echo "install-node: not found: node. This system has no apt-get: install Node.js 18 or newer with its own package manager." >&2
  exit 1
}

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)

apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

apt update
apt install --no-install-recommends nodejs >/dev/null
