#!/usr/bin/env bash
# Puts the servers that the tests run against on this machine: valkey-server and
# valkey-cli (Debian packages valkey-server and valkey-tools, from
# bookworm-backports) and Debian's own redis-server. Does nothing where they are
# there already. The mirror's address is read from the machine's own apt sources.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

fail() {
  echo "install-valkey: $*" >&2
  exit 1
}

missing=()
have valkey-server || missing+=(valkey-server)
have valkey-cli || missing+=(valkey-tools)
have redis-server || missing+=(redis-server)
[ "${#missing[@]}" -gt 0 ] || exit 0

have apt-get || fail "not found: ${missing[*]}. This system has no apt-get; install Valkey 8 or newer (valkey-server, valkey-cli) and redis-server with its own package manager, then run this again."

sudo=()
if [ "$(id -u)" -ne 0 ]; then
  have sudo || fail "not found: ${missing[*]}. Installing them needs root: run 'sudo $0' once."
  sudo=(sudo)
fi

apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }

# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

candidate() { apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" {print $2}'; }

apt update
if [ -z "$(candidate valkey-server)" ]; then
  [ "$codename" = bookworm ] || fail "the package valkey-server is not in this system's apt sources (${codename:-unknown release}); it is in Debian trixie and bookworm-backports and Ubuntu 24.10 and newer."
  # apt's own word for where it fetches this release's main archive from.
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "bookworm" && $3 == "main" {print $1; exit}')
  [ -n "$mirror" ] || fail "the apt sources name no mirror for bookworm main, so there is nowhere to take bookworm-backports from."
  echo "deb $mirror bookworm-backports main" | "${sudo[@]}" tee /etc/apt/sources.list.d/bookworm-backports.list >/dev/null
  apt update
fi

# The packages would start system services on the default port; the tests start
# their own processes on free ports and want nothing else running.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod +x "$policy"
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi

for package in "${missing[@]}"; do
  # Only Valkey comes from backports: redis-server is to be the release's own.
  if [[ $package == valkey-* && $(apt-cache madison "$package") == *bookworm-backports* ]]; then
    apt install --no-install-recommends -t bookworm-backports "$package" >/dev/null
  else
    apt install --no-install-recommends "$package" >/dev/null
  fi
done

for binary in valkey-server valkey-cli redis-server; do
  have "$binary" || fail "$binary is still not found after installing ${missing[*]}."
done
