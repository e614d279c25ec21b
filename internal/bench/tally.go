package bench

import "maps"

// tally is what the sessions of a swarm have counted.
type tally struct {
	ready      int            // sessions that are subscribed
	failed     int            // sessions that never were
	failures   map[string]int // why
	closed     map[int]int    // sessions that the server closed, by code; 1006 without a close frame
	complaints map[string]int // what the server said in errors, or did wrong
	pings      uint64         // messages that ask for a pong
	framePings uint64         // the same of the WebSocket protocol; a server may send either or both
	counts
}

// counts are of one measured window.
type counts struct {
	delivered  uint64
	bytes      uint64
	duplicated uint64
	reordered  uint64
	last       int64 // when the last delivery came, in nanoseconds of the run
	latency    [2]Histogram
}

// pinged is how often the server has asked whether a session is there.
func (t *tally) pinged() uint64 { return max(t.pings, t.framePings) }

func newTally() *tally {
	return &tally{failures: map[string]int{}, closed: map[int]int{}, complaints: map[string]int{}}
}

// copy gives the tally as it is now.
func (t *tally) copy() *tally {
	c := *t
	c.failures, c.closed, c.complaints = maps.Clone(t.failures), maps.Clone(t.closed), maps.Clone(t.complaints)
	return &c
}
