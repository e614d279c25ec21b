// Package pushercast brings events out through any server that speaks Pusher's
// HTTP API: pusher.com, soketi, Reverb, another Belfry.
package pushercast

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	pusherhttp "github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/broadcast"
	"github.com/belfryhq/belfry/pusher"
)

// Driver is the driver "pusher". It is safe for concurrent use.
type Driver struct {
	cfg       Config
	transport http.RoundTripper
	own       *http.Transport // to be closed; nil when the caller gave one
	key64     string
}

// New makes the driver; nothing is dialled yet.
func New(cfg Config) (*Driver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Driver{cfg: cfg, transport: cfg.Transport}
	if d.transport == nil {
		d.own = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		}
		d.transport = d.own
	}
	if cfg.EncryptionMasterKey != nil {
		d.key64 = base64.StdEncoding.EncodeToString(cfg.EncryptionMasterKey)
	}
	return d, nil
}

// Close gives up unused connections.
func (d *Driver) Close() {
	if d.own != nil {
		d.own.CloseIdleConnections()
	}
}

// Name implements broadcast.Driver.
func (*Driver) Name() string { return "pusher" }

// Target implements broadcast.Remote.
func (d *Driver) Target() string { return d.cfg.address() }

// Batch implements broadcast.Batcher: the target's limit, 10 where there is none.
func (d *Driver) Batch() int {
	if n := d.cfg.Limits.BatchSize; n > 0 {
		return n
	}
	return 10
}

// Send implements broadcast.Driver. Events for one channel each that follow
// each other share a call; others have calls of their own.
func (d *Driver) Send(ctx context.Context, events []belfry.Event) ([]belfry.Outcome, error) {
	done := make([]belfry.Outcome, 0, len(events))
	for len(events) > 0 {
		n := 0
		for n < len(events) && n < d.Batch() && batchable(events[n]) {
			n++
		}
		var err error
		if n > 1 {
			err = d.batch(ctx, events[:n])
		} else {
			n = 1
			err = d.one(ctx, events[0])
		}
		if err != nil {
			return done, err
		}
		for _, e := range events[:n] {
			done = append(done, belfry.Outcome{ID: e.ID})
		}
		events = events[n:]
	}
	return done, nil
}

// batchable reports whether the client library takes the event in a batch: it
// knows no user channels there, and encrypts what is encrypted already.
func batchable(e belfry.Event) bool {
	if len(e.Channels) != 1 {
		return false
	}
	_, user := pusher.UserOfChannel(e.Channels[0])
	return !user && !sealed(e)
}

// sealed reports whether the publisher encrypted the data.
func sealed(e belfry.Event) bool {
	return pusher.KindOf(e.Channels[0]).Is(pusher.Encrypted) && broadcast.Encrypted(e.Data)
}

func (d *Driver) batch(ctx context.Context, events []belfry.Event) error {
	batch := make([]pusherhttp.Event, len(events))
	ids := sha256.New()
	for i, e := range events {
		text, err := plain(e)
		if err != nil {
			return err
		}
		batch[i] = pusherhttp.Event{Channel: e.Channels[0], Name: e.Name, Data: text, SocketID: socket(e)}
		ids.Write([]byte(e.ID + "\n"))
	}
	return d.do(ctx, "batch-"+hex.EncodeToString(ids.Sum(nil)[:16]), func(c *pusherhttp.Client) error {
		_, err := c.TriggerBatch(batch)
		return err
	})
}

// maxChannels is the client library's own limit for one call.
const maxChannels = 100

// one sends an event of any number of channels.
func (d *Driver) one(ctx context.Context, e belfry.Event) error {
	if sealed(e) {
		return d.raw(ctx, e)
	}
	text, err := plain(e)
	if err != nil {
		return err
	}
	var channels, users []string
	for _, channel := range e.Channels {
		if id, ok := pusher.UserOfChannel(channel); ok {
			users = append(users, id)
		} else {
			channels = append(channels, channel)
		}
	}
	calls := 0
	key := func() string { // the first call has the event's own id
		if calls++; calls == 1 {
			return e.ID
		}
		return e.ID + "-" + strconv.Itoa(calls)
	}
	for len(channels) > 0 {
		some := channels[:min(len(channels), maxChannels)]
		channels = channels[len(some):]
		err := d.do(ctx, key(), func(c *pusherhttp.Client) error {
			_, err := c.TriggerMultiWithParams(some, e.Name, text, pusherhttp.TriggerParams{SocketID: socket(e)})
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, id := range users {
		err := d.do(ctx, key(), func(c *pusherhttp.Client) error { return c.SendToUser(id, e.Name, text) })
		if err != nil {
			return err
		}
	}
	return nil
}

// plain is the event's data as text.
func plain(e belfry.Event) (string, error) {
	encoded, err := broadcast.Encode(e)
	if err != nil {
		return "", err
	}
	return pusher.StringValue(encoded.Data), nil
}

func socket(e belfry.Event) *string {
	if e.ExcludeSocket == "" {
		return nil
	}
	return &e.ExcludeSocket
}

// Check implements broadcast.Driver: it asks for the channels that begin with a
// name that none has.
func (d *Driver) Check(ctx context.Context) error {
	none := "belfry-check-"
	return d.do(ctx, "", func(c *pusherhttp.Client) error {
		_, err := c.Channels(pusherhttp.ChannelsParams{FilterByPrefix: &none})
		return err
	})
}

// Occupied implements broadcast.Occupancy. A channel whose state the target
// does not give counts as occupied.
func (d *Driver) Occupied(ctx context.Context, _ string, channels []string) (bool, error) {
	for _, name := range channels {
		if _, user := pusher.UserOfChannel(name); user {
			return true, nil
		}
		occupied := false
		err := d.do(ctx, "", func(c *pusherhttp.Client) error {
			state, err := c.Channel(name, pusherhttp.ChannelParams{})
			occupied = err == nil && state.Occupied
			return err
		})
		if err != nil {
			return false, err
		}
		if occupied {
			return true, nil
		}
	}
	return false, nil
}

// do makes one call with a client of its own: the library's has no contexts and
// gives a status as text.
func (d *Driver) do(ctx context.Context, idempotency string, f func(c *pusherhttp.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	call := &call{ctx: ctx, next: d.transport, key: idempotency}
	client := pusherhttp.Client{
		AppID: d.cfg.AppID, Key: d.cfg.Key, Secret: d.cfg.Secret, Host: d.cfg.address(), Secure: d.cfg.Scheme == "https",
		EncryptionMasterKeyBase64:   d.key64,
		OverrideMaxMessagePayloadKB: d.payload(),
		HTTPClient: &http.Client{Transport: call, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}},
	}
	return d.explain(call, f(&client))
}

// payload is the limit of data in KB, rounded up.
func (d *Driver) payload() int {
	if d.cfg.Limits.EventData == belfry.Unlimited {
		return 1 << 20
	}
	return max(1, (d.cfg.Limits.EventData+1023)/1024)
}

var (
	_ broadcast.Driver    = (*Driver)(nil)
	_ broadcast.Batcher   = (*Driver)(nil)
	_ broadcast.Remote    = (*Driver)(nil)
	_ broadcast.Occupancy = (*Driver)(nil)
)
