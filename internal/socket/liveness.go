package socket

import (
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
)

// silence is how long a client without ping support may say nothing (WS-26).
const silence = 24 * time.Hour

// vitals is what an engine knows about a peer's being alive. Times are whole
// seconds of the engine's clock, which begins at 1.
type vitals struct {
	seen   atomic.Int64 // when something last came in (WS-22)
	pinged int64        // when an unanswered ping was sent, or 0; the watcher's own
}

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
	seen := v.seen.Load()
	after := seconds(min(cfg.PingAfter, activityTimeout(app)+15*time.Second))
	if v.pinged != 0 && seen >= v.pinged {
		v.pinged = 0
	}
	switch {
	case protocol < 5 && now-seen >= seconds(silence):
		return stale, now + 1
	case protocol < 5 && v.pinged != 0 && now-v.pinged < after:
		return alive, v.pinged + after
	case protocol >= 5 && v.pinged != 0:
		if deadline := v.pinged + seconds(cfg.PingTimeout); now < deadline {
			return alive, deadline
		}
		return lost, now + 1
	case now-seen < after:
		return alive, seen + after
	}
	v.pinged = now
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
