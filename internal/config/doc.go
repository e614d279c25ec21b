// Package config reads the server's settings: flags, environment, .env file,
// configuration file and defaults, in that order of precedence.
//
// [Load] gives a checked [Config], or an [*Error] that lists every fault at
// once, each with its place and what to write instead. No value of a secret
// setting, and no line of a file, appears in a fault. Every value remembers
// where it came from; [Config.Effective] lists them with secrets masked,
// [Diff] compares two of them.
//
// The package opens nothing but the files it reads and starts nothing.
package config

//go:generate go test -run TestReference . -update
