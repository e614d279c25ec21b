//go:build !linux

package bench

// newSwarm gives the portable swarm, which is all there is here.
func newSwarm(cfg swarmConfig) (swarm, error) { return newPortable(cfg), nil }

// link is what a swarm keeps with a session.
type link struct{ portableLink }
