package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/belfryhq/belfry"
)

const (
	keysFresh    = time.Hour      // then they are fetched again
	keysStale    = 24 * time.Hour // then old ones do not count any more
	keysPause    = time.Minute    // between fetches for keys that are not known
	maxKeySet    = 1 << 20
	maxKeys      = 100
	keysPatience = 5 * time.Second
)

// keySet is an issuer's public keys. They are fetched by whoever needs them,
// one at a time; a fetch that fails leaves the old ones for a day.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	all    *issuers

	mu     sync.Mutex                 // guards the rest, and is held during a fetch
	byID   map[string]keyfunc.Keyfunc // by kid
	single keyfunc.Keyfunc            // the only key, for tokens without kid
	got    time.Time                  // of the keys
	tried  time.Time                  // of the last fetch
	broken error                      // of the last fetch
}

// find gives the key for a token.
func (k *keySet) find(ctx context.Context, token *jwt.Token) (any, error) {
	kid, _ := token.Header["kid"].(string)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	known := k.pick(kid)
	if age := now.Sub(k.got); (known == nil || age > keysFresh) && (k.tried.IsZero() || now.Sub(k.tried) >= keysPause) {
		k.fetch(ctx, now)
		known = k.pick(kid)
	}
	if now.Sub(k.got) > keysStale {
		return nil, &belfry.Error{Code: belfry.CodeUnavailable, Message: "the issuer's keys cannot be fetched",
			Hint: "look at the server's log", Err: k.broken}
	}
	if known == nil {
		return nil, belfry.Errorf(belfry.CodeUnauthenticated, "the token is signed with a key that its issuer does not publish")
	}
	return known.KeyfuncCtx(ctx)(token)
}

func (k *keySet) pick(kid string) keyfunc.Keyfunc {
	if kid == "" {
		return k.single
	}
	return k.byID[kid]
}

func (k *keySet) fetch(ctx context.Context, now time.Time) {
	// The answer serves others too: one caller's going away must not spoil it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysPatience)
	defer cancel()
	k.tried = now
	raw, err := k.get(ctx)
	if err == nil {
		err = k.take(raw)
	}
	if k.broken = err; err != nil {
		k.all.failed.Add(1)
		k.all.log.Warn("keys of a JWT issuer not fetched", "url", k.url, "error", err)
		return
	}
	k.all.fetched.Add(1)
	k.got = now
}

func (k *keySet) get(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err == nil && len(raw) > maxKeySet {
		err = fmt.Errorf("the answer is longer than %d bytes", maxKeySet)
	}
	return raw, err
}

// take replaces the keys. Those of kinds that are not known are left out.
func (k *keySet) take(raw []byte) error {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return fmt.Errorf("the answer is no key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return fmt.Errorf("the key set has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	byID := map[string]keyfunc.Keyfunc{}
	var usable []keyfunc.Keyfunc
	var last error
	for _, one := range set.Keys {
		var about struct {
			ID  string `json:"kid"`
			Use string `json:"use"`
		}
		if err := json.Unmarshal(one, &about); err != nil || about.Use != "" && about.Use != "sig" {
			continue
		}
		key, err := keyfunc.NewJWKJSON(one)
		if err != nil {
			last = err
			continue
		}
		usable = append(usable, key)
		if about.ID != "" {
			byID[about.ID] = key
		}
	}
	if len(usable) == 0 {
		return fmt.Errorf("the key set has no usable key (%w)", last)
	}
	k.byID, k.single = byID, nil
	if len(usable) == 1 {
		k.single = usable[0]
	}
	return nil
}
