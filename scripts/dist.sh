#!/bin/sh
# The program for each system, into dist/, with checksums. The same source and
# the same Go give the same bytes.
set -eu
cd "$(dirname "$0")/.."
version=${1:?usage: scripts/dist.sh VERSION}

rm -rf dist
mkdir dist
for target in linux/amd64 linux/arm64 darwin/arm64 darwin/amd64 windows/amd64; do
	os=${target%/*} arch=${target#*/}
	file=belfry-$os-$arch
	if [ "$os" = windows ]; then file=$file.exe; fi
	echo "build dist/$file"
	GOOS=$os GOARCH=$arch CGO_ENABLED=0 go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X main.version=$version" -o "dist/$file" ./cmd/belfry
done
cd dist
if command -v sha256sum >/dev/null; then sum=sha256sum; else sum='shasum -a 256'; fi
$sum belfry-* >SHA256SUMS
cat SHA256SUMS
