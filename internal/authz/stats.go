package authz

import "sync/atomic"

// results lists every Result, for counting.
func results() [7]Result {
	return [7]Result{Allowed, NotSignedIn, NoRule, Refused, Failed, Invalid, Unavailable}
}

// Stats are an Authorizer's counts since it was made.
type Stats struct {
	// Channels and Users count decisions on channels and on sign-ins by result.
	// Every Result is there.
	Channels, Users map[Result]uint64
	// AuditWritten, AuditDropped and AuditWaiting are denials in the log, lost
	// because the database could not keep up, and still to be written.
	AuditWritten, AuditDropped uint64
	AuditWaiting               int
}

// Stats gives the counts.
func (a *Authorizer) Stats() Stats {
	s := Stats{
		Channels: a.counts.channels.read(), Users: a.counts.users.read(),
		AuditWritten: a.audit.written.Load(), AuditDropped: a.audit.dropped.Load(), AuditWaiting: int(a.audit.waiting.Load()),
	}
	return s
}

type counts struct{ channels, users tally }

type tally [7]atomic.Uint64

func (t *tally) add(r Result) {
	for i, known := range results() {
		if known == r {
			t[i].Add(1)
		}
	}
}

func (t *tally) read() map[Result]uint64 {
	m := make(map[Result]uint64, len(t))
	for i, r := range results() {
		m[r] = t[i].Load()
	}
	return m
}

func (c *counts) channel(d Decision) Decision {
	c.channels.add(d.Result)
	return d
}

func (c *counts) user(r Result) { c.users.add(r) }
