package api

import (
	"sync"

	"github.com/belfryhq/belfry"
	"golang.org/x/time/rate"
)

// rates holds a token bucket for each app that has a rate.
type rates struct {
	mu    sync.Mutex // guards byApp
	byApp map[string]*rateEntry
}

type rateEntry struct {
	limit   int
	limiter *rate.Limiter
}

// get gives the app's bucket, full and anew when its limit has changed, nil
// when it has none.
func (r *rates) get(app *belfry.App) *rate.Limiter {
	limit := app.Limits.HTTPRequestsPerSecond
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit == belfry.Unlimited {
		delete(r.byApp, app.ID)
		return nil
	}
	e := r.byApp[app.ID]
	if e == nil || e.limit != limit {
		e = &rateEntry{limit, rate.NewLimiter(rate.Limit(limit), limit)}
		r.byApp[app.ID] = e
	}
	return e.limiter
}

// admit takes one request off the app's allowance of http_requests_per_second
// (HTTP-80). A second's worth may come at once.
func (d *Door) admit(app *belfry.App) error {
	const key = "http_requests_per_second"
	limit := app.Limits.HTTPRequestsPerSecond
	if limit == 0 {
		d.cfg.Limit(app, key, "", "", 1, 0, false)
		return belfry.Errorf(belfry.CodeForbidden, "the HTTP API is switched off for this app: limits.%s is 0", key)
	}
	limiter := d.rates.get(app)
	if limiter == nil {
		return nil
	}
	now := d.cfg.Now()
	reservation := limiter.ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		d.cfg.Limit(app, key, "", "", int64(limit)+1, int64(limit), false)
		return &rateError{limit, wait}
	}
	d.near(app, key, "", "", limit-int(limiter.TokensAt(now)), limit)
	return nil
}
