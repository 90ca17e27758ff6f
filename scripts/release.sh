#!/usr/bin/env bash
# Builds the release archives: scripts/release.sh DIRECTORY [GOOS/GOARCH]...
# Beside each stands the bill of materials of its binary (CycloneDX), and SHA256SUMS has the digests
# of what this run made, whatever else lies in the directory.
# The same commit and Go version give the same bytes, on any machine: paths are trimmed, C is left
# out, and what is in the archives has the commit's time and no owner. The checkout must be
# clean, for what is built to be what the commit says.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: scripts/release.sh DIRECTORY [GOOS/GOARCH]...}
shift
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
if [ -n "$(git status --porcelain)" ]; then
  echo 'release: the checkout has changes that are not committed' >&2
  exit 1
fi
version=${VERSION:-$(git describe --tags --always)}
time=$(git log -1 --format=%ct)
mkdir -p "$out"
out=$(cd "$out" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

go -C tools build -o "$stage/sbom" ./sbom
made=()
for target in "$@"; do
  name=valkeybatch-server-$version-${target/\//-}
  mkdir "$stage/$name"
  CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} GOAMD64=v1 GOARM64=v8.0 GOFLAGS= \
    go build -trimpath -buildvcs=true -ldflags "-s -w -X main.version=$version" \
    -o "$stage/$name/valkeybatch-server" ./cmd/server
  cp README.md "$stage/$name/"
  chmod 755 "$stage/$name" "$stage/$name/valkeybatch-server"
  chmod 644 "$stage/$name/README.md"
  tar -C "$stage" --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner --format=ustar -cf - "$name" |
    gzip -n -9 >"$out/$name.tar.gz"
  "$stage/sbom" -version "$version" "$stage/$name/valkeybatch-server" >"$out/$name.cdx.json"
  made+=("$name.tar.gz" "$name.cdx.json")
done
cd "$out"
sha256sum -- "${made[@]}" >SHA256SUMS
