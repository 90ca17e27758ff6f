#!/usr/bin/env bash
# Builds a release twice, from two clones in different directories, and compares: scripts/check-release.sh
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# By way of a bundle: git asks who owns the repository that it clones, and this may be another user's.
git bundle create -q "$scratch/bundle" HEAD --tags
for clone in one another; do
  git clone -q "$scratch/bundle" "$scratch/$clone"
  "$scratch/$clone/scripts/release.sh" "$scratch/$clone-release" linux/amd64
done
diff -r "$scratch/one-release" "$scratch/another-release"
tar -C "$scratch" -xzf "$scratch"/one-release/*.tar.gz
said=$("$scratch"/valkeybatch-server-*/valkeybatch-server --version)
commit=$(git rev-parse HEAD)
if [[ $said != *"commit $commit"* || $said != *"$(go env GOVERSION)"* ]]; then
  echo "release: --version says '$said', not commit $commit and $(go env GOVERSION)" >&2
  exit 1
fi
echo "the release of $said can be built again"
