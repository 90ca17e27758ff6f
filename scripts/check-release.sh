#!/usr/bin/env bash
# Builds a release for two targets, and the archive of linux/amd64 again, from another clone and
# with a build cache of its own, and compares: scripts/check-release.sh
# The two differ in both halves, so that every file of this repository that a target chooses is built.
# Says what is wrong with the release where --version, the bill of materials or the digests do
# not say what they should.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "release: $*" >&2
  exit 1
}

# By way of a bundle: git asks who owns the repository that it clones, and this may be another user's.
git bundle create -q "$scratch/bundle" HEAD --tags
for clone in one another; do git -c advice.detachedHead=false clone -q "$scratch/bundle" "$scratch/$clone"; done
mkdir "$scratch/release"
echo 'from before' >"$scratch/release/valkeybatch-server-v0-linux-amd64.tar.gz"

"$scratch/one/scripts/release.sh" "$scratch/release" linux/amd64 darwin/arm64
# With the cache of the first nothing would be compiled again.
GOCACHE=$scratch/cache "$scratch/another/scripts/release.sh" "$scratch/again" linux/amd64

for file in "$scratch"/again/*.{tar.gz,cdx.json}; do
  cmp "$file" "$scratch/release/${file##*/}" || fail "${file##*/} is not the same when it is built again"
done
(cd "$scratch/release" && sha256sum --check --quiet SHA256SUMS) || fail 'SHA256SUMS is not what lies beside it'
wanted=4 # an archive and a bill of materials for each of two targets
[ "$(wc -l <"$scratch/release/SHA256SUMS")" -eq "$wanted" ] || fail "SHA256SUMS is to have $wanted lines: $(cat "$scratch/release/SHA256SUMS")"

tar -C "$scratch" -xzf "$scratch"/again/*.tar.gz
said=$("$scratch"/valkeybatch-server-*/valkeybatch-server --version)
commit=$(git rev-parse HEAD)
[[ $said == *"commit $commit"* && $said == *"$(go env GOVERSION)"* ]] ||
  fail "--version says '$said', not commit $commit and $(go env GOVERSION)"

for module in google.golang.org/grpc std; do
  case $module in
  std) version=$(go env GOVERSION) ;;
  *) version=$(go list -m -f '{{.Version}}' "$module") ;;
  esac
  for bom in "$scratch"/release/*.cdx.json; do
    grep -qF "\"purl\": \"pkg:golang/$module@$version?" "$bom" || fail "${bom##*/} does not name $module $version"
  done
done
echo "the release of $said can be built again"
