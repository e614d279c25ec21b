// Package asynqqueue keeps the queue's jobs in Redis, as tasks of asynq, so that
// asynq's inspector serves and its tools show them.
//
// Putting them in and taking them out is this package's own, over asynq's keys.
// Its client asks Redis once for every task. Its server cannot give what
// queue.Driver promises: jobs in order with several handlers, those of a worker
// that died given back at once and not as a failure, results that outlive a
// Redis that is away for longer than a lease, and a start within a millisecond
// without asking Redis two hundred times a second. The package must therefore
// be the only one that runs the tasks of its queues; a prefix keeps those apart
// from others.
//
// It works with one Redis, with or without replicas, not with a Redis Cluster.
package asynqqueue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/queue"
)

// Config says which Redis. The zero value is 127.0.0.1:6379 without a password.
type Config struct {
	// URL is redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// with TLS. When it
	// is set, Addr, Password and DB are ignored.
	URL string
	// Addr is HOST:PORT; default 127.0.0.1:6379.
	Addr string
	// Password is empty for none, and so is the word null, also in URL.
	Password string
	DB       int
	// Prefix stands before the names of the queues in Redis; default "belfry.".
	// Servers that share a Redis and a prefix share their jobs.
	Prefix string
	Logger *slog.Logger // default: nothing is logged
}

// Driver implements queue.Driver. Its methods may be called concurrently.
// Errors that say that Redis cannot be reached, or refuses, have the code
// CodeUnavailable.
type Driver struct {
	prefix  string
	place   string // for people, without a password
	log     *slog.Logger
	client  *redis.Client
	inspect *asynq.Inspector
	last    atomic.Int64 // of stamp
	old     atomic.Bool  // Redis is older than version 7
	taking  sync.Mutex   // held while a worker fetches jobs and takes them
}

var _ queue.Driver = (*Driver)(nil)

const (
	// answerTime is how long Redis may take for one answer.
	answerTime = 2 * time.Second
	// enqueueTime is how long Enqueue tries.
	enqueueTime = 3 * time.Second
)

// New prepares the driver. It connects when it is first used, so that a server
// can start while Redis is down.
func New(cfg Config) (*Driver, error) {
	options := &redis.Options{Addr: cmp.Or(cfg.Addr, "127.0.0.1:6379"), Password: cfg.Password, DB: cfg.DB}
	if cfg.URL != "" {
		parsed, err := redis.ParseURL(cfg.URL)
		if err != nil {
			// The parser's message may quote the address, which may hold a password.
			return nil, &belfry.Error{Code: belfry.CodeInvalid, Message: "the address of Redis cannot be read",
				Hint: "write redis://USER:PASSWORD@HOST:6379/0, or rediss:// for TLS, with %-escapes for special characters"}
		}
		options = parsed
	}
	if options.Password == "null" {
		options.Password = ""
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = answerTime, answerTime, answerTime
	// Whoever calls decides about trying again: a command whose answer was lost
	// may have been carried out.
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(quiet{})
	client := redis.NewClient(options)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Driver{
		prefix:  cmp.Or(cfg.Prefix, "belfry."),
		place:   options.Addr,
		log:     cfg.Logger,
		client:  client,
		inspect: asynq.NewInspectorFromRedisClient(client),
	}, nil
}

// quiet drops what the Redis client would write to standard error. All that it
// says comes back as an error too.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Close ends the connections. Work must have returned.
func (d *Driver) Close() error { return d.client.Close() }

// String says where the jobs are, without a password.
func (d *Driver) String() string { return "redis " + d.place }

// Transactional implements queue.Driver: Redis takes no part in transactions of
// the database.
func (d *Driver) Transactional() bool { return false }

// wrap makes an error of Redis one that says so.
func (d *Driver) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case isNetwork(err):
		return &belfry.Error{Code: belfry.CodeUnavailable, Message: "Redis at " + d.place + " cannot be reached",
			Hint: "start it, or check REDIS_HOST, REDIS_PORT and REDIS_URL", Err: err}
	}
	return &belfry.Error{Code: belfry.CodeUnavailable, Message: "Redis at " + d.place + " refuses",
		Hint: "the cause is in the log: a wrong password, full memory, a read-only replica or a disk that cannot be written are usual ones", Err: err}
}

// isNetwork reports whether Redis was not reached at all. asynq gives some
// errors as text only.
func isNetwork(err error) bool {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrClosed) {
		return true
	}
	text := err.Error()
	for _, part := range []string{"EOF", "dial ", "i/o timeout", "connection re", "broken pipe", "connection pool"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
