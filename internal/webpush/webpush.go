// Package webpush brings messages to browsers that may be closed, through the
// push services of their makers: RFC 8030, encrypted after RFC 8291 and signed
// after RFC 8292 (VAPID).
package webpush

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"
)

// The urgencies of a message.
const (
	UrgencyLow    = "low"
	UrgencyNormal = "normal"
	UrgencyHigh   = "high"
)

// MaxPayload is the most bytes that a message may have.
const MaxPayload = 3000

// Message is what a browser's service worker gets.
type Message struct {
	Payload []byte // up to MaxPayload bytes; the push service cannot read it
	// TTL is how long the push service keeps it for a browser that is away, in
	// whole seconds; at least one.
	TTL     time.Duration
	Urgency string // default UrgencyNormal
	// Topic has a later message take the place of one that still waits: up to 32
	// of the characters a-z A-Z 0-9 - _. Empty: nothing does.
	Topic string
}

// Result is what became of a message.
type Result int

// The results.
const (
	Sent    Result = iota // the push service has it
	Gone                  // the subscription is no more
	Later                 // it may be tried again
	Refused               // another try would be answered alike
)

// Answer is what a push service said.
type Answer struct {
	Result Result
	// After is when the push service wants the next try; 0: it did not say.
	After time.Duration
	// Err says why it was not sent. It names no endpoint, which is a secret.
	Err error
}

// Config is what a Sender is made of. Both are required.
type Config struct {
	// Subject is who answers for the messages, mailto:ADDRESS or an https
	// address: push services write there when something is wrong.
	Subject string
	// Client makes the requests. It should refuse private addresses and follow no
	// redirect: users name the endpoints.
	Client *http.Client
}

// Sender sends messages. It may be used concurrently.
type Sender struct {
	cfg             Config
	public, private string
}

// KeySize is the bytes that New makes the key pair of.
const KeySize = 32

// New makes a Sender. Its key pair follows from the seed: browsers subscribe to
// the public one, and subscriptions die with it.
func New(seed []byte, cfg Config) (*Sender, error) {
	if len(seed) != KeySize {
		return nil, fmt.Errorf("the key for Web Push has %d bytes: it must have %d", len(seed), KeySize)
	}
	key, err := ecdh.P256().NewPrivateKey(seed)
	for err != nil { // one in four billion is no number of the curve
		next := sha256.Sum256(seed)
		seed = next[:]
		key, err = ecdh.P256().NewPrivateKey(seed)
	}
	// The library puts the mailto: before everything that is no https address.
	cfg.Subject = strings.TrimPrefix(cfg.Subject, "mailto:")
	encode := base64.RawURLEncoding.EncodeToString
	return &Sender{cfg, encode(key.PublicKey().Bytes()), encode(key.Bytes())}, nil
}

// PublicKey is what browsers subscribe with, their applicationServerKey, in
// unpadded base64url.
func (s *Sender) PublicKey() string { return s.public }

// Send hands one message over to the subscription's push service. It waits for
// the answer as long as the client does.
func (s *Sender) Send(ctx context.Context, to Subscription, m Message) Answer {
	if len(m.Payload) > MaxPayload {
		return Answer{Result: Refused, Err: fmt.Errorf("the message has %d bytes: at most %d are sent", len(m.Payload), MaxPayload)}
	}
	if m.Urgency == "" {
		m.Urgency = UrgencyNormal
	}
	resp, err := webpush.SendNotificationWithContext(ctx, m.Payload,
		&webpush.Subscription{Endpoint: to.Endpoint, Keys: webpush.Keys{P256dh: to.P256DH, Auth: to.Auth}},
		&webpush.Options{
			HTTPClient: plain{s.cfg.Client}, Subscriber: s.cfg.Subject, TTL: max(1, int(m.TTL/time.Second)), Urgency: webpush.Urgency(m.Urgency),
			Topic: m.Topic, VAPIDPublicKey: s.public, VAPIDPrivateKey: s.private,
		})
	if err != nil {
		return Answer{Result: Later, Err: err}
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // best effort: the status is what counts
	answer := Answer{Result: resultOf(resp.StatusCode)}
	if answer.Result == Sent {
		return answer
	}
	answer.Err = fmt.Errorf("the push service answered %d %q", resp.StatusCode, said)
	if answer.Result == Later {
		answer.After = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	return answer
}

func resultOf(status int) Result {
	switch {
	case status >= 200 && status < 300:
		return Sent
	case status == http.StatusNotFound || status == http.StatusGone:
		return Gone
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return Later
	}
	return Refused
}

// retryAfter reads the header: seconds, or a time.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, most)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), most)
	}
	return 0
}

// plain is a client whose errors do not name the address.
type plain struct{ client *http.Client }

func (p plain) Do(r *http.Request) (*http.Response, error) {
	resp, err := p.client.Do(r)
	return resp, withoutURL(err)
}
