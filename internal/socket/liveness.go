package socket

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// silence is how long a client without ping support may say nothing (WS-26).
const silence = 24 * time.Hour

// vitals is what an engine knows about a peer's being alive. Times are whole
// seconds of the engine's clock, which begins at 1.
type vitals struct {
	heard  atomic.Int32 // when something last came in (WS-22)
	pinged int32        // when an unanswered ping was sent, or 0; the watcher's own
}

// The clock of an engine that runs for longer, or a limit that lasts longer, ends
// here: after 68 years.
const maxSecond = math.MaxInt32

// hear notes that something came in, in second now.
func (v *vitals) hear(now int64) { v.heard.Store(int32(min(now, maxSecond))) }

// seen is when something last came in.
func (v *vitals) seen() int64 { return int64(v.heard.Load()) }

// ask notes that something is to come in after second at.
func (v *vitals) ask(at int64) { v.pinged = int32(min(at, maxSecond)) }

// asked is the second of the last ask, or 0.
func (v *vitals) asked() int64 { return int64(v.pinged) }

// verdict is what is to be done about a connection.
type verdict uint8

const (
	alive verdict = iota
	ping          // send a ping
	lost          // close with 4201
	stale         // close with 4202
)

// judge says what is to be done about a connection in second now, and when to
// look again. Only one goroutine, the watcher, may call it.
func (v *vitals) judge(now int64, cfg *Config, protocol int, app *belfry.App) (do verdict, again int64) {
	seen, pinged := v.seen(), v.asked()
	after := seconds(min(cfg.PingAfter, activityTimeout(app)+15*time.Second))
	if pinged != 0 && seen >= pinged {
		v.pinged, pinged = 0, 0
	}
	switch {
	case protocol < 5 && now-seen >= seconds(silence):
		return stale, now + 1
	case protocol < 5 && pinged != 0 && now-pinged < after:
		return alive, pinged + after
	case protocol >= 5 && pinged != 0:
		if deadline := pinged + seconds(cfg.PingTimeout); now < deadline {
			return alive, deadline
		}
		return lost, now + 1
	case now-seen < after:
		return alive, seen + after
	}
	v.ask(now)
	if protocol < 5 {
		return ping, now + after
	}
	return ping, now + seconds(cfg.PingTimeout)
}

// activityTimeout is what the app announces (WS-25).
func activityTimeout(app *belfry.App) time.Duration {
	if app == nil || app.ActivityTimeout <= 0 {
		return 30 * time.Second
	}
	return app.ActivityTimeout
}
