package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
)

// Config says which server, and how patiently. Token is required.
type Config struct {
	// URL is the server's public address, with the path that a proxy serves it
	// under, if any. Default "http://localhost:6001".
	URL string
	// Token is an API token with the scope events.
	Token string
	// Tries is how often a request is made in all; default 4.
	Tries int
	// Backoff is the pause before the second try, doubled before each further
	// one, half of it at random; default 250 ms. The server's Retry-After wins.
	Backoff time.Duration
	// LongestBackoff bounds the pauses; a server that asks for more gets no
	// further try. Default 30 s.
	LongestBackoff time.Duration
	// Timeout bounds one try; default 10 s.
	Timeout time.Duration
	// HTTPClient makes the requests; default one of net/http's. Redirects are not
	// followed unless its CheckRedirect says so: one would turn a POST into a GET.
	HTTPClient *http.Client
}

// Client hands events over to one server. It is safe for concurrent use, holds
// nothing that must be closed, and is best made once.
type Client struct {
	cfg  Config
	base string
}

// New makes a client; nothing is dialled yet. It refuses an address that is no
// http or https URL, and a missing token, with an *Error.
func New(cfg Config) (*Client, error) {
	cfg.URL = cmp.Or(cfg.URL, "http://localhost:6001")
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, &Error{Code: belfry.CodeInvalid, Message: "client: Config.URL is no address of a server: write https://HOST"}
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, &Error{Code: belfry.CodeInvalid, Message: "client: Config.URL is more than an address: leave out user, query and fragment"}
	case cfg.Token == "" || strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, &Error{Code: belfry.CodeInvalid, Message: "client: Config.Token is missing or malformed: make one with belfry user:token EMAIL --scope events"}
	}
	if cfg.Tries <= 0 {
		cfg.Tries = 4
	}
	cfg.Backoff = cmp.Or(cfg.Backoff, 250*time.Millisecond)
	cfg.LongestBackoff = cmp.Or(cfg.LongestBackoff, 30*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	own := http.Client{}
	if cfg.HTTPClient != nil {
		own = *cfg.HTTPClient
	}
	if own.CheckRedirect == nil {
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	cfg.HTTPClient = &own
	return &Client{cfg: cfg, base: strings.TrimRight(cfg.URL, "/") + "/api"}, nil
}

// Event is an event to broadcast. Name and Channels are required.
type Event struct {
	Name     string
	Channels []string
	// Data is what receivers get: a string as its characters, anything else as
	// its JSON. A json.RawMessage goes as it is. nil means an empty object.
	Data any
	// App is the id of the app; empty means the token's.
	App string

	// Queue is where the event waits; empty means "default". Events of one
	// channel keep their order within a queue.
	Queue string
	// Delay is how long it waits at least.
	Delay time.Duration
	// Tries is how often sending is tried; 0 means the worker's setting.
	Tries int
	// Now sends the event at once instead of queueing it, and gives its receipt.
	// It is then not kept: when the server dies meanwhile, nobody gets it.
	Now bool

	// ExcludeSocket is the socket id of the page that caused the event and is not
	// to get it.
	ExcludeSocket string
	// ExpiresIn is the time after which the event is not sent any more; 0 means
	// never.
	ExpiresIn time.Duration
	// WithID adds the event's id to the data as event_id, so that receivers can
	// tell a repeat; the data must then be an object.
	WithID bool
	// Condition names what must hold when the event is sent, such as "occupied".
	Condition string

	// Key is the Idempotency-Key: within a day the server accepts one event under
	// it. Empty means a random one for each Publish, so that its own tries are
	// harmless. Give one of your own, such as an order's id, to make a repeated
	// Publish harmless too.
	Key string
}

// Result is what the server answered.
type Result struct {
	// ID is the event's; see Client.Find.
	ID string `json:"id"`
	// Status is "queued", or with Now "sent" or "skipped".
	Status string `json:"status"`
	// Receipt counts the subscribers of an event that was sent; nil where the
	// server's target does not count.
	Receipt *belfry.Receipt `json:"receipt"`
	// Reason says why the event was skipped.
	Reason string `json:"reason"`
	// Replayed says that an event was accepted under this key before, and that
	// this is its answer.
	Replayed bool `json:"-"`
}

// Publish hands an event over and returns when the server has it durably, or,
// with Now, has sent it. It blocks for all tries and the pauses between them.
//
// An error of the server, or of the way to it, is an *Error. When ctx ends, the
// error is ctx's, with the last try's behind it; the event may then have been
// accepted, which a further Publish with the same Key makes certain.
func (c *Client) Publish(ctx context.Context, e Event) (Result, error) {
	body, err := e.body()
	if err != nil {
		return Result{}, err
	}
	key := e.Key
	if key == "" {
		key = rand.Text()
	}
	var result Result
	head, err := c.ask(ctx, http.MethodPost, "/events", body, key, &result)
	if err != nil {
		return Result{}, err
	}
	result.Replayed = head.Get("Idempotency-Replayed") == "true"
	return result, nil
}

// body is the request's. Members that were not set are left out.
func (e Event) body() ([]byte, error) {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return nil, &Error{Code: belfry.CodeInvalid, Message: "client: Event.Data cannot be made JSON", Err: err}
	}
	if e.Data == nil {
		data = nil
	}
	written := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	return json.Marshal(struct {
		Event         string          `json:"event"`
		Channels      []string        `json:"channels"`
		Data          json.RawMessage `json:"data,omitempty"`
		App           string          `json:"app,omitempty"`
		Queue         string          `json:"queue,omitempty"`
		Delay         string          `json:"delay,omitempty"`
		Tries         int             `json:"tries,omitempty"`
		Now           bool            `json:"now,omitempty"`
		ExcludeSocket string          `json:"exclude_socket_id,omitempty"`
		ExpiresIn     string          `json:"expires_in,omitempty"`
		WithID        bool            `json:"with_id,omitempty"`
		Condition     string          `json:"condition,omitempty"`
	}{e.Name, e.Channels, data, e.App, e.Queue, written(e.Delay), e.Tries, e.Now, e.ExcludeSocket, written(e.ExpiresIn), e.WithID, e.Condition})
}

// State is what the server knows of an event.
type State struct {
	ID string `json:"id"`
	// Status is "queued", "waiting", "delayed", "running", "retrying", "failed",
	// "sent" or "skipped"; "done" when another process of the server sent or
	// skipped it.
	Status   string   `json:"status"`
	App      string   `json:"app"`
	Event    string   `json:"event"`
	Channels []string `json:"channels"` // the first ten
	Queue    string   `json:"queue"`
	Tries    int      `json:"tries"` // that failed
	// RunAt is when it is tried next; zero where that is at once or over.
	RunAt    time.Time `json:"run_at"`
	Timeline []Step    `json:"timeline"`
}

// Step is one thing that happened to an event.
type Step struct {
	At time.Time `json:"at"`
	// What is "accepted", "queued", "failed", "skipped" or "sent".
	What    string          `json:"what"`
	Error   string          `json:"error"`   // why a try failed
	Reason  string          `json:"reason"`  // why it was skipped
	Receipt *belfry.Receipt `json:"receipt"` // of one that was sent
}

// Find tells what became of an event that this token handed over; a token of an
// admin sees all. Events are remembered for about an hour; of others the error
// is an *Error with belfry.CodeNotFound.
func (c *Client) Find(ctx context.Context, id string) (State, error) {
	var state State
	_, err := c.ask(ctx, http.MethodGet, "/events/"+url.PathEscape(id), nil, "", &state)
	return state, err
}
