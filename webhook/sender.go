package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Config is how a Sender works. FromEnv fills URL and Secrets.
type Config struct {
	// Where to post; without one, or without a secret, the sender does nothing
	// and says so once.
	URL string
	// The first signs; the others are tried when the receiver refuses it.
	Secrets []string
	// Whose headers are set. The default is both, so that a receiver of either
	// scheme understands.
	Schemes []Scheme
	// The range that messages name. The default is this_week.
	Range string
	// The least time from the start of one message to the next: what changes
	// meanwhile goes out as one message at its end. The default is 300 ms.
	Debounce time.Duration
	// Of one attempt. The default is 5 s.
	Timeout time.Duration
	// Pauses between attempts: the first and the longest; each is twice the one
	// before, less up to half of it by chance. A receiver that says how long it
	// wants to be left alone is heard. The defaults are 200 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration
	// How long a change is tried before it is given up. The default is 24 hours.
	Limit time.Duration
	// Folder that keeps what is not sent yet, so that it outlives the process;
	// up to 64 processes may share one. Without it a change lives in memory.
	Outbox string
	// Client to post with. The default is one of the sender's own.
	Client *http.Client
	// Where trouble is told. The default is slog.Default.
	Logger *slog.Logger
}

// Errors of Notify and Close.
var (
	// ErrClosed means that the sender takes no more changes.
	ErrClosed = errors.New("webhook: the sender is closed")
	// ErrNotConfigured means that there is no URL or no secret.
	ErrNotConfigured = errors.New("webhook: there is no URL or no secret to send with")
	// ErrUnsent means that a change was not sent before the sender had to end. It
	// waits in the outbox, if there is one.
	ErrUnsent = errors.New("webhook: the last change is not sent")
)

// maxReason bounds the reason of a change, in bytes.
const maxReason = 500

// Stats counts what a sender did.
type Stats struct {
	Changes  uint64 // told to Notify
	Sent     uint64 // messages that were accepted; one may stand for many changes
	Failures uint64 // attempts that failed
	GivenUp  uint64 // messages that were refused for good or grew too old
	Waiting  bool   // a change is not sent yet
	LastErr  string // of the last attempt; empty when it went well
}

// Sender tells a receiver that something changed. A message does not say what:
// the receiver looks for itself, so one message stands for all changes before
// it, and only the last has to arrive. The first change after a quiet time goes
// out at once; those that follow within Debounce go out as one at its end.
//
// Its methods may be called concurrently.
type Sender struct {
	cfg    Config
	poster *Poster // nil when there is nothing to send with
	log    *slog.Logger

	wake    chan struct{} // there is a change; holds one
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when the loop is over
	cancel  context.CancelFunc

	mu      sync.Mutex // guards what follows
	box     *outbox    // nil without one
	waiting *change    // stands for all changes that no attempt under way covers
	closed  bool
	stats   Stats
}

// change is one message to be.
type change struct {
	n      uint64    // in the outbox
	at     time.Time // of the first change that it stands for
	reason string    // of the last one
	period string    // the range
	id     string    // of the message, once it was tried; a retry keeps it
}

// ChangeBody is what tells a dashboard of a change. A receiver computes the
// figures itself, so stats is always null. An empty period is this_week.
func ChangeBody(reason, period string) []byte {
	if period == "" {
		period = "this_week"
	}
	text, _ := json.Marshal(struct {
		Reason string  `json:"reason"`
		Stats  *string `json:"stats"`
		Range  string  `json:"range"`
	}{reason, nil, period}) // texts always have a JSON
	return text
}

// NewSender starts a sender; Close ends it. What an outbox holds is sent at
// once. It fails when the URL or a secret cannot be used, or the outbox cannot be
// opened. When the URL or the secret is missing it says so as an error in the
// log, and gives a sender whose Notify fails with ErrNotConfigured, so that a
// program runs without.
func NewSender(cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	s := &Sender{
		cfg: cfg, log: cfg.Logger,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if cfg.URL == "" || len(cfg.Secrets) == 0 {
		s.sayMissing()
		close(s.ended)
		return s, nil
	}
	var err error
	s.poster, err = NewPoster(PostConfig{URL: cfg.URL, Secrets: cfg.Secrets, Schemes: cfg.Schemes, Timeout: cfg.Timeout, Client: cfg.Client})
	if err != nil {
		return nil, err
	}
	if cfg.Outbox != "" {
		if s.box, s.waiting, err = openOutbox(cfg.Outbox); err != nil {
			return nil, err
		}
	}
	if s.waiting != nil {
		s.wake <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
	return s, nil
}

func (cfg Config) withDefaults() Config {
	cfg.Secrets = usable(cfg.Secrets)
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	or(&cfg.Debounce, 300*time.Millisecond)
	or(&cfg.Timeout, defaultTimeout)
	or(&cfg.MinBackoff, 200*time.Millisecond)
	or(&cfg.MaxBackoff, 10*time.Second)
	or(&cfg.Limit, 24*time.Hour)
	cfg.MaxBackoff = max(cfg.MaxBackoff, cfg.MinBackoff)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

// sayMissing names the variables, since that is where both usually come from.
func (s *Sender) sayMissing() {
	var missing []string
	if s.cfg.URL == "" {
		missing = append(missing, EnvURL+" (or "+EnvURLToo+")")
	}
	if len(s.cfg.Secrets) == 0 {
		missing = append(missing, EnvSecrets)
	}
	s.log.Error("dashboards will NOT be told of changes: the webhook sender is not set up", "missing", missing,
		"hint", "set the variables and start again")
}

// Notify takes note that something changed, and returns at once: it never waits
// for the receiver. With an outbox it returns when the change is on the disk,
// which takes a write for the first change that waits and nothing for those that
// join it. The reason is for people, 500 bytes at most; of changes that go out
// together the last reason is sent.
//
// It fails with ErrNotConfigured or ErrClosed. Any other error is of the outbox:
// the change is sent all the same, but would not outlive the process.
func (s *Sender) Notify(reason string) error {
	reason = clip(reason, maxReason)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.poster == nil:
		return ErrNotConfigured
	case s.closed:
		return ErrClosed
	}
	s.stats.Changes++
	if s.waiting != nil {
		// Another message than the one that may have been tried.
		s.waiting.reason, s.waiting.id = reason, ""
		return nil
	}
	s.waiting = &change{at: time.Now(), reason: reason, period: s.cfg.Range}
	var err error
	if s.box != nil {
		if err = s.box.add(s.waiting); err != nil {
			s.log.Error("the webhook outbox cannot be written: a change would not outlive this process", "error", err)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

// Stats tells what the sender did so far.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Waiting = s.stats.Waiting || s.waiting != nil
	return stats
}

// Close takes no more changes, sends what waits without any debounce, and ends
// the sender. It tries until ctx ends; then it fails with ErrUnsent, and the
// change stays in the outbox. Calling it again waits for the same end.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.closing)
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		if s.cancel != nil {
			s.cancel()
		}
		<-s.ended
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.box != nil {
		err = s.box.close()
		s.box = nil
	}
	if s.poster != nil {
		s.poster.Close()
	}
	if s.waiting != nil {
		return ErrUnsent
	}
	return err
}
