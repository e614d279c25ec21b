package api

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
)

const (
	maxKeyLength = 255
	maxKeyBytes  = 32 << 20 // of answers remembered for one app
)

// keys remembers the answers to publishes that carried an Idempotency-Key. Only
// a success is remembered: after a refusal or a fault nothing was published, so
// the same key may try again.
type keys struct {
	window time.Duration
	most   int // of one app
	now    func() time.Time
	logger *slog.Logger

	mu   sync.Mutex // guards apps and all below it
	apps map[string]*appKeys
}

type appKeys struct {
	byKey  map[string]*attempt
	oldest []*attempt // finished ones, by age
	bytes  int
	warned time.Time // when a key was last dropped early
}

// attempt is one key's first request, under way or finished. All fields but
// done are guarded by keys.mu.
type attempt struct {
	key         string
	fingerprint [sha256.Size]byte
	done        chan struct{} // closed at the end
	finished    bool
	expires     time.Time
	answer      answer
}

func (a *attempt) size() int { return len(a.key) + len(a.answer.body) + len(a.answer.eventIDs) + 200 }

func newKeys(cfg Config) *keys {
	return &keys{window: cfg.IdempotencyWindow, most: cfg.IdempotencyKeys, now: cfg.Now, logger: cfg.Logger, apps: map[string]*appKeys{}}
}

// once publishes, unless a request with the same Idempotency-Key and content
// did so within the window: then its answer is given again. A duplicate that
// comes meanwhile waits for the first. Another content is a conflict.
func (d *Door) once(c *call) (answer, error) {
	key := c.key
	if key == "" {
		return c.serve(d, c)
	}
	if len(key) > maxKeyLength {
		return answer{}, belfry.Errorf(belfry.CodeInvalid, "Idempotency-Key has %d characters: at most %d are allowed", len(key), maxKeyLength)
	}
	fingerprint := c.fingerprint()
	for {
		first, mine := d.keys.begin(c.app.ID, key, fingerprint)
		if mine {
			return d.attempt(c, first)
		}
		if first.fingerprint != fingerprint {
			return answer{}, belfry.Errorf(belfry.CodeConflict,
				"Idempotency-Key %q was used for another request within the last %s: use a new key for a new event", clip(key), d.keys.window)
		}
		if err := c.await(first.done); err != nil {
			return answer{}, err
		}
		if got, ok := d.keys.result(first); ok {
			got.replayed = true
			return got, nil
		}
	}
}

// await waits for another request's end.
func (c *call) await(done <-chan struct{}) error {
	if c.now {
		select {
		case <-done:
			return nil
		default:
			return hub.ErrWouldWait
		}
	}
	select {
	case <-done:
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// attempt carries the first request out to its end, even when its caller hangs
// up: duplicates may be waiting.
func (d *Door) attempt(c *call, first *attempt) (got answer, err error) {
	done := false
	defer func() { d.keys.end(c.app.ID, first, got, done && err == nil) }()
	c.ctx = context.WithoutCancel(c.ctx)
	got, err = c.serve(d, c)
	done = true // not reached in a panic
	return got, err
}

// fingerprint covers what tells one publish from another: route, path, body and
// the parameters that are not the signature's.
func (c *call) fingerprint() (sum [sha256.Size]byte) {
	h := sha256.New()
	part := func(s string) {
		var size [8]byte
		for i, n := 0, len(s); i < 8; i, n = i+1, n>>8 {
			size[i] = byte(n)
		}
		h.Write(size[:])
		h.Write([]byte(s))
	}
	part(http.MethodPost)
	part(c.name)
	part(c.subject)
	for _, p := range c.query {
		if !strings.HasPrefix(p.Name, "auth_") && p.Name != "body_md5" {
			part(p.Name)
			part(p.Value)
		}
	}
	h.Write(c.body)
	h.Sum(sum[:0])
	return sum
}

// begin gives the attempt under that key; mine means that it is new and the
// caller's to carry out and end.
func (k *keys) begin(app, key string, fingerprint [sha256.Size]byte) (a *attempt, mine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.apps[app]
	if known == nil {
		known = &appKeys{byKey: map[string]*attempt{}}
		k.apps[app] = known
	}
	known.expire(k.now())
	if a := known.byKey[key]; a != nil {
		return a, false
	}
	a = &attempt{key: key, fingerprint: fingerprint, done: make(chan struct{})}
	known.byKey[key] = a
	return a, true
}

// result gives a finished attempt's answer; ok is false when it failed.
func (k *keys) result(a *attempt) (got answer, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return a.answer, a.finished
}

// end keeps a success for the window and forgets everything else.
func (k *keys) end(app string, a *attempt, got answer, success bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(a.done)
	known := k.apps[app]
	if !success {
		delete(known.byKey, a.key)
		return
	}
	now := k.now()
	a.finished, a.answer, a.expires = true, got, now.Add(k.window)
	known.oldest = append(known.oldest, a)
	known.bytes += a.size()
	for len(known.oldest) > k.most || known.bytes > maxKeyBytes {
		known.dropOldest()
		if now.Sub(known.warned) >= k.window {
			known.warned = now
			k.logger.Warn("idempotency keys forgotten early: the app sends more than are kept",
				slog.String("app", app), slog.Int("kept", len(known.oldest)))
		}
	}
}

func (k *appKeys) expire(now time.Time) {
	for len(k.oldest) > 0 && !now.Before(k.oldest[0].expires) {
		k.dropOldest()
	}
}

func (k *appKeys) dropOldest() {
	a := k.oldest[0]
	k.oldest[0] = nil
	k.oldest = k.oldest[1:]
	k.bytes -= a.size()
	delete(k.byKey, a.key)
}
