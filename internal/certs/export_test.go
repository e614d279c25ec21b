package certs

import "time"

// Hurry makes a test's waits short: those for an authority, and those between
// two looks for certificates to be renewed.
func (c *Config) Hurry(retry, check time.Duration) { c.retry, c.check = retry, check }
