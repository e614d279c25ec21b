package appstore

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/belfryhq/belfry"
)

// Record is one app as the database keeps it.
type Record struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Keys are the app's credentials, the newest first. After a rotation the
	// old secret stands second until it is retired.
	Keys              []Key     `json:"keys"`
	ClientEvents      bool      `json:"client_events,omitempty"`
	SubscriptionCount bool      `json:"subscription_count,omitempty"`
	Watchlist         bool      `json:"watchlist,omitempty"`
	Created           time.Time `json:"created"`
	Disabled          bool      `json:"disabled,omitempty"`
	// AllowedOrigins are as in belfry.App; none, or "*", means any.
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	// Limits are those that are not the defaults, by their names in the
	// configuration.
	Limits   map[string]int64 `json:"limits,omitempty"`
	Webhooks []Webhook        `json:"webhooks,omitempty"`
	// Generated marks the app that a server made for itself because it had none.
	Generated bool `json:"generated,omitempty"`
}

// Key is a key and its secret.
type Key struct {
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

// whole reports whether the record can be served.
func (r Record) whole() bool {
	return r.ID != "" && len(r.Keys) > 0 && !slices.ContainsFunc(r.Keys, func(k Key) bool { return k.Key == "" || k.Secret == "" })
}

// clone gives a copy whose lists may be changed.
func (r Record) clone() Record {
	r.Keys, r.AllowedOrigins = slices.Clone(r.Keys), slices.Clone(r.AllowedOrigins)
	r.Limits, r.Webhooks = maps.Clone(r.Limits), slices.Clone(r.Webhooks)
	return r
}

// App gives the record as a server serves it.
func (r Record) App() *belfry.App {
	app := &belfry.App{
		ID:                r.ID,
		Name:              r.Name,
		ClientEvents:      r.ClientEvents,
		SubscriptionCount: r.SubscriptionCount,
		Watchlist:         r.Watchlist,
		Disabled:          r.Disabled,
		AllowedOrigins:    slices.Clone(r.AllowedOrigins),
		Limits:            belfry.DefaultLimits(),
	}
	if slices.Contains(app.AllowedOrigins, "*") {
		app.AllowedOrigins = nil
	}
	for name, n := range r.Limits {
		setLimit(&app.Limits, name, n) // one that only newer programs know is left out
	}
	for _, w := range r.Webhooks {
		w.Events, w.Headers = slices.Clone(w.Events), maps.Clone(w.Headers)
		app.Webhooks = append(app.Webhooks, belfry.Webhook(w))
	}
	if app.Name == "" {
		app.Name = r.ID
	}
	for _, k := range r.Keys {
		app.Keys = append(app.Keys, belfry.Credential{Key: k.Key, Secret: k.Secret})
	}
	return app
}

// New describes an app to add. Empty fields are made up: an id of decimal
// digits (HTTP-10), a key of 20 hexadecimal digits and a random secret.
type New struct {
	ID                string `json:"id,omitempty"`
	Name              string `json:"name,omitempty"`
	Key               string `json:"key,omitempty"`
	ClientEvents      bool   `json:"client_events,omitempty"`
	SubscriptionCount bool   `json:"subscription_count,omitempty"`
	Watchlist         bool   `json:"watchlist,omitempty"`
	// These are as in Record.
	AllowedOrigins []string         `json:"allowed_origins,omitempty"`
	Limits         map[string]int64 `json:"limits,omitempty"`
	Webhooks       []Webhook        `json:"webhooks,omitempty"`
}

func (n New) record(now time.Time) (Record, error) {
	if n.ID == "" {
		n.ID = newID()
	}
	if n.Key == "" {
		n.Key = randomHex(10)
	}
	for what, text := range map[string]string{"id": n.ID, "key": n.Key} {
		if err := checkWord(what, text); err != nil {
			return Record{}, err
		}
	}
	if err := n.check(); err != nil {
		return Record{}, err
	}
	return Record{
		ID:                n.ID,
		Name:              n.Name,
		Keys:              []Key{{Key: n.Key, Secret: newSecret()}},
		ClientEvents:      n.ClientEvents,
		SubscriptionCount: n.SubscriptionCount,
		Watchlist:         n.Watchlist,
		Created:           now.UTC().Truncate(time.Second),
		AllowedOrigins:    n.AllowedOrigins,
		Limits:            n.Limits,
		Webhooks:          n.Webhooks,
	}, nil
}

// checkWord keeps out what would have to be escaped in a URL, a shell or an
// auth string, where a colon parts key from signature.
func checkWord(what, text string) error {
	ok := text != "" && len(text) <= 100
	for _, c := range text {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return &belfry.Error{
			Code:    belfry.CodeInvalid,
			Message: fmt.Sprintf("%q cannot be an app's %s", text, what),
			Hint:    "use 1 to 100 letters, digits, dots, hyphens and underscores; some SDKs want digits alone in an id",
		}
	}
	return nil
}

func newID() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprint(n.Int64() + 100_000_000)
}

// newSecret makes 160 random bits.
func newSecret() string { return randomHex(20) }

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
