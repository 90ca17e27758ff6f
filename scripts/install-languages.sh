#!/usr/bin/env bash
# Puts on this machine what the examples are built and run with, beside Go: scripts/install-languages.sh
# [LANGUAGE]... (python typescript java rust; all when none is named). It installs Debian packages, and only
# what is missing. Where a program is older than its example can do with it fails and says so: what
# was installed by hand it leaves alone.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

fail() {
  echo "install-languages: $*" >&2
  exit 1
}

# at_least VERSION MINIMUM
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# The first number with dots that a program says of itself.
version() { "$@" 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

# What the examples' READMEs ask for.
python=3.10 node=20.0 java=17.0 rust=1.88
older_node="the TypeScript example needs Node.js $node or newer (https://nodejs.org)"
older_rust="the Rust example needs Rust $rust or newer (https://rustup.rs): Debian 13 and older have no such package"

missing=()
for language in "${@:-python typescript java rust}"; do
  for name in $language; do
    case $name in
    python) python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv) ;;
    typescript)
      have node || missing+=(nodejs)
      have npm || missing+=(npm)
      ;;
    java)
      have javac || missing+=(default-jdk-headless)
      have mvn || missing+=(maven)
      ;;
    rust)
      have cargo || missing+=(cargo)
      have cc || missing+=(gcc libc6-dev)
      ;;
    esac
  done
done

candidate() { apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" {print $2}' | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

if [ "${#missing[@]}" -gt 0 ]; then
  have apt-get || fail "not found: ${missing[*]} (Debian's names). This system has no apt-get: install them with its own package manager, or choose languages: make test-examples LANGS='go'."
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@"; }
  apt update
  # A package that is too old is not put in the way of a newer one.
  for package in "${missing[@]}"; do
    case $package in
    nodejs) at_least "$(candidate nodejs)" "$node" || fail "$older_node; this system's package is $(candidate nodejs)." ;;
    # Its own package cargo has numbers of its own in Debian 12.
    cargo) at_least "$(candidate rustc)" "$rust" || fail "$older_rust; this system's is $(candidate rustc). Without Rust: make test-examples LANGS='python typescript java go'." ;;
    esac
  done
  apt install --no-install-recommends "${missing[@]}" >/dev/null
fi

for language in "${@:-python typescript java rust}"; do
  for name in $language; do
    case $name in
    python) at_least "$(version python3 --version)" "$python" || fail "the Python example needs Python $python or newer; this is $(version python3 --version)." ;;
    typescript) at_least "$(version node --version)" "$node" || fail "$older_node; this is $(version node --version)." ;;
    java) at_least "$(version javac -version)" "$java" || fail "the Java example needs Java $java or newer; this is $(version javac -version)." ;;
    rust) at_least "$(version cargo --version)" "$rust" || fail "$older_rust; this is $(version cargo --version)." ;;
    esac
  done
done
