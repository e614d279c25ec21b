//go:build !linux

package socket

// Open makes the best engine for this system: the portable one.
func Open(cfg Config) (Engine, error) { return New(cfg), nil }
