package config

import "time"

// Trace says how much is remembered of events and connections, for
// `belfry explain` and the console. Data of events is never kept.
type Trace struct {
	// Whether anything is remembered.
	Enabled bool `yaml:"enabled" default:"true"`
	// What the memory may take; the oldest goes when it is full.
	Memory int `yaml:"memory" default:"64MB" kind:"size" min:"4MB" max:"4GB"`
	// How long it reaches back.
	Keep time.Duration `yaml:"keep" default:"1h" min:"1m" max:"24h"`
	// Events a second that are traced whole. When more come, one in 2, 4, 8 … is,
	// and all that fail. `unlimited` traces all, whatever that costs.
	EventsPerSecond int `yaml:"events_per_second" default:"1000" kind:"quota"`
	// How long failed events and refused requests are kept in the database.
	Failures time.Duration `yaml:"failures" default:"168h" min:"1h" max:"2160h"`
}

// Console says what administrators may see in the console.
type Console struct {
	// Whether they may look at the data of events in the live log: each for 15
	// minutes at most, for one app, noted in the audit log. Nothing of it is kept.
	Payloads bool `yaml:"payloads" env:"BELFRY_CONSOLE_PAYLOADS" default:"false" live:"true"`
}
