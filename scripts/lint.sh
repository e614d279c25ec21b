#!/bin/sh
# Formatting, vet and static checks of Go, types and style of TypeScript, and
# that the program builds for the other systems.
set -eu
cd "$(dirname "$0")/.."

unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
	echo "gofmt would change:" "$unformatted" >&2
	exit 1
fi
go mod tidy -diff >/dev/null || { echo "go mod tidy would change go.mod or go.sum" >&2; exit 1; }
go mod verify >/dev/null
# The database's C library, translated, must be the one that it was made with.
wanted=$(sed -n 's/^[[:space:]]*modernc.org\/libc \(v[^ ]*\).*/\1/p' "$(go list -m -f '{{.GoMod}}' modernc.org/sqlite)")
[ "$(go list -m -f '{{.Version}}' modernc.org/libc)" = "$wanted" ] || { echo "go.mod: modernc.org/sqlite wants modernc.org/libc $wanted" >&2; exit 1; }
go vet ./...
go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...
for os in darwin windows; do
	echo "build for $os"
	GOOS=$os CGO_ENABLED=0 go build -o /dev/null ./...
done
for dir in ui test/clients clients/js; do
	(cd "$dir" && npm run --silent check)
done
sh -n scripts/*.sh
