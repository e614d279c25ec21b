package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/belfryhq/belfry/internal/store"
)

// Config is what an Identity is made of. DB is required.
type Config struct {
	DB     *store.DB
	Now    func() time.Time // default: time.Now
	Logger *slog.Logger     // default: nothing is logged
	// Issuers are whose JWTs count; default none.
	Issuers []Issuer
	// Client fetches the key sets of issuers; default one with a timeout of 5 s
	// that follows no redirect.
	Client *http.Client
	// SessionIdle ends a session that made no request for so long; default two
	// hours.
	SessionIdle time.Duration
	// SessionLifetime ends a session whatever it does; default 30 days.
	SessionLifetime time.Duration
	// TokenLifetime is how long an API token holds that names no end; default a
	// year.
	TokenLifetime time.Duration
	// Hashing sets the cost of a password's hash.
	Hashing Hashing
	// LoginDelay bounds the growing pause after wrong passwords; default 30 s.
	LoginDelay time.Duration
	// Changed is called after a change of Changes has committed in this process;
	// it must return quickly. Default: nothing is called.
	Changed func()
}

// Hashing is the cost of argon2id. Hashes made at another cost stay good and
// are made anew at the next sign-in.
type Hashing struct {
	Memory uint32 // in KiB; default 19 MiB
	Time   uint32 // passes; default 2
	// AtOnce is how many passwords are hashed at a time; default as many as
	// there are cores.
	AtOnce int
}

// withDefaults gives the configuration with every zero value replaced.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	c.SessionIdle = cmp.Or(c.SessionIdle, 2*time.Hour)
	c.SessionLifetime = cmp.Or(c.SessionLifetime, 30*24*time.Hour)
	c.TokenLifetime = cmp.Or(c.TokenLifetime, 365*24*time.Hour)
	c.LoginDelay = cmp.Or(c.LoginDelay, 30*time.Second)
	c.Hashing.Memory = cmp.Or(c.Hashing.Memory, 19<<10)
	c.Hashing.Time = cmp.Or(c.Hashing.Time, 2)
	c.Hashing.AtOnce = cmp.Or(c.Hashing.AtOnce, runtime.GOMAXPROCS(0))
	return c
}

// Identity is the engine. Its methods may be called concurrently. Errors that
// callers cause have a code and a message that may be shown; a database that
// cannot be reached gives CodeUnavailable.
type Identity struct {
	cfg     Config
	db      *store.DB
	hasher  *hasher
	delays  *delays
	issuers *issuers
	tokens  *lru.Cache[int64, cachedToken]
	epoch   atomic.Uint64 // a new one with each change made or read of; tokens cached before are void
	count   counters

	keyMu sync.Mutex // guards key
	key   []byte     // signs guests and CSRF tokens; nil until it was needed
}

// New makes an Identity. It does not touch the database, so that a server may
// start while that is down; its errors are faults of the issuers' settings, all
// at once.
func New(cfg Config) (*Identity, error) {
	if cfg.DB == nil {
		return nil, errors.New("identity: no database")
	}
	cfg = cfg.withDefaults()
	known, err := newIssuers(&cfg)
	if err != nil {
		return nil, err
	}
	tokens, err := lru.New[int64, cachedToken](1024)
	if err != nil {
		return nil, err
	}
	return &Identity{cfg: cfg, db: cfg.DB, hasher: newHasher(cfg.Hashing), delays: newDelays(cfg.LoginDelay), issuers: known, tokens: tokens}, nil
}

// Run removes what has expired, once an hour, until ctx ends.
func (i *Identity) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		if err := i.Clean(ctx); err != nil && ctx.Err() == nil {
			i.cfg.Logger.Warn("expired sessions and tokens not removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// Clean removes sessions and set-up links that have expired, tokens 30 days
// after they did, and changes of a week ago.
func (i *Identity) Clean(ctx context.Context) error {
	now := i.cfg.Now()
	for _, c := range []struct {
		statement string
		before    time.Duration
	}{
		{`DELETE FROM sessions WHERE seen < $1`, i.cfg.SessionIdle},
		{`DELETE FROM sessions WHERE created < $1`, i.cfg.SessionLifetime},
		{`DELETE FROM setup_links WHERE expires < $1`, 0},
		{`DELETE FROM api_tokens WHERE expires < $1`, 30 * 24 * time.Hour},
		{`DELETE FROM user_changes WHERE at < $1`, 7 * 24 * time.Hour},
	} {
		if _, err := i.db.Exec(ctx, c.statement, store.Millis(now.Add(-c.before))); err != nil {
			return fmt.Errorf("remove what has expired: %w", err)
		}
	}
	return nil
}

// signingKey gives the key of this database's servers for guests and CSRF
// tokens.
func (i *Identity) signingKey(ctx context.Context) ([]byte, error) {
	i.keyMu.Lock()
	defer i.keyMu.Unlock()
	if i.key == nil {
		key, err := i.db.Key(ctx, "session", 32)
		if err != nil {
			return nil, fmt.Errorf("read the sessions' key: %w", err)
		}
		i.key = key
	}
	return i.key, nil
}
