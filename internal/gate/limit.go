package gate

import (
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/identity"
)

// maxKeys bounds what a Limiter remembers; the key used longest ago goes first.
const maxKeys = 50_000

// Limiter limits how often each of many callers may do something. A nil Limiter
// limits nothing. It may be used concurrently.
type Limiter struct {
	perMinute int
	now       func() time.Time

	mu      sync.Mutex // guards buckets, for look-up and addition in one
	buckets *simplelru.LRU[string, *rate.Limiter]
}

// Limiter makes one that allows each key so many a minute, all at once if need
// be; nil when perMinute is below one.
func (g *Gate) Limiter(perMinute int) *Limiter {
	if perMinute < 1 {
		return nil
	}
	l := &Limiter{perMinute: perMinute, now: g.now}
	l.buckets, _ = simplelru.NewLRU[string, *rate.Limiter](maxKeys, nil) // fails for sizes below one only
	return l
}

// Take counts one for the key, such as Caller.Key gives, or gives an
// *identity.LimitError of CodeRateLimited.
func (l *Limiter) Take(key string) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	bucket, ok := l.buckets.Get(key)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.perMinute)/60, l.perMinute)
		l.buckets.Add(key, bucket)
	}
	l.mu.Unlock()
	now := l.now()
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	return &identity.LimitError{After: wait, Err: &belfry.Error{Code: belfry.CodeRateLimited,
		Message: "too many requests: " + strconv.Itoa(l.perMinute) + " a minute are allowed", Hint: "wait for as long as Retry-After says"}}
}
