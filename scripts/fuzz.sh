#!/bin/sh
# Runs each fuzz target for the given time: fuzz.sh 30s
set -eu
cd "$(dirname "$0")/.."
time=${1:-30s}

fuzz() { # fuzz PACKAGE TARGET
	echo "fuzz $1 $2 for $time"
	go test "./$1" -run '^$' -fuzz "^$2\$" -fuzztime "$time"
}
fuzz internal/socket/wsframe FuzzReader
fuzz internal/socket FuzzOpening
fuzz internal/socket FuzzPostHead
fuzz pusher FuzzParseMessage
fuzz pusher FuzzJSON
fuzz pusher FuzzParseEvent
fuzz internal/api FuzzBodies
fuzz internal/config FuzzFile
fuzz webhook FuzzVerify
fuzz internal/ingest FuzzTake
fuzz internal/report FuzzRead
fuzz internal/trace FuzzKeys
fuzz internal/doctor FuzzEnv
fuzz internal/web FuzzEvents
fuzz internal/control FuzzRemote
fuzz internal/queue/asynqqueue FuzzMessage
