package config

import "time"

// Health says how the server watches itself.
type Health struct {
	// Time between two events that the server sends itself the whole way, through
	// the HTTP API to a WebSocket: its health report, metrics, console and the
	// alert rules go by them, so they cannot be switched off.
	ProbeEvery time.Duration `yaml:"probe_every" default:"15s" min:"1s" max:"1m"`
}
