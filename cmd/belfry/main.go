// Command belfry is realtime broadcasting in one program; see belfry --help.
package main

import (
	"os"

	"github.com/belfryhq/belfry/internal/cli"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version string

func main() { os.Exit(cli.Main(version)) }
