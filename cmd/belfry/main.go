// Command belfry is realtime broadcasting in one program; see belfry --help.
package main

import (
	"os"
	_ "time/tzdata" // zones, also where the system has none

	"github.com/belfryhq/belfry/internal/cli"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version string

func main() { os.Exit(cli.Main(version)) }
