package broadcast

import (
	"sync/atomic"
	"time"
)

// Stats are the numbers of one Broadcaster since it was made.
type Stats struct {
	Driver   string
	Accepted int64 // events taken in
	Refused  int64 // events with a fault
	Sent     int64
	Skipped  int64 // expired, condition, delivered already
	Failed   int64 // tries
	Calls    int64 // of the driver; fewer than events where it batches
	// Sending is the time that all sent events took together, from the call of
	// the driver, with the wait for a free one, to its end.
	Sending time.Duration
	// Circuit is "closed", "open" or "probing"; Until is when an open one is tried.
	Circuit string
	Until   time.Time
}

type counters struct {
	accepted, refused, sent, skipped, failed, calls, sending atomic.Int64
}

// Stats gives the numbers.
func (b *Broadcaster) Stats() Stats {
	s := Stats{
		Driver: b.cfg.Driver.Name(), Accepted: b.count.accepted.Load(), Refused: b.count.refused.Load(), Sent: b.count.sent.Load(),
		Skipped: b.count.skipped.Load(), Failed: b.count.failed.Load(), Calls: b.count.calls.Load(), Sending: time.Duration(b.count.sending.Load()),
	}
	s.Circuit, s.Until = b.circuit.state()
	return s
}
