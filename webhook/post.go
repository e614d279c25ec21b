package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// PostConfig is where and how webhooks are posted. URL and Secrets are needed.
type PostConfig struct {
	URL     string        // absolute, http or https
	Secrets []string      // the first signs; the others are tried when it is refused
	Schemes []Scheme      // whose headers are set; default: both
	Timeout time.Duration // of one attempt; default 5 s
	Client  *http.Client  // default: one of its own; redirects are never followed
}

// Poster posts signed webhooks, one attempt at a time. Its methods may be
// called concurrently.
type Poster struct {
	cfg    PostConfig
	client *http.Client
	own    *http.Transport // nil with a client of the caller's
	first  atomic.Int32    // index of the secret that was accepted last
}

// Message is one webhook. A retry has the same ID.
type Message struct {
	ID   string // default: a new one
	Body []byte
}

// Result is an accepting answer.
type Result struct {
	Status   int
	Answer   []byte // the first 4 KB of its body
	Duration time.Duration
}

// PostError is why a webhook was not taken.
type PostError struct {
	Status int           // of the answer; 0 when there was none
	Answer string        // the beginning of its body, as one printable line
	After  time.Duration // how long the receiver wants to be left alone; 0 when it does not say
	Err    error         // why there was no answer
}

// Error says what the receiver answered. It does not hold the URL's password or
// query.
func (e *PostError) Error() string {
	if e.Err != nil {
		return "webhook: no answer: " + e.Err.Error()
	}
	text := "webhook: the receiver answered " + strconv.Itoa(e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.Answer != "" {
		text += ": " + e.Answer
	}
	return text
}

// Unwrap gives why there was no answer.
func (e *PostError) Unwrap() error { return e.Err }

// Final reports whether the same message would be refused again whatever
// changes at the receiver.
func (e *PostError) Final() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// refused reports whether the receiver has to be set up otherwise first.
func (e *PostError) refused() bool {
	return e.Status >= 300 && e.Status < 500 && e.Status != http.StatusRequestTimeout &&
		e.Status != http.StatusTooEarly && e.Status != http.StatusTooManyRequests
}

const (
	maxAnswer      = 4 << 10
	defaultTimeout = 5 * time.Second
)

// NewPoster checks cfg. It fails when the URL or a secret is missing or cannot
// be used.
func NewPoster(cfg PostConfig) (*Poster, error) {
	if err := checkURL(cfg.URL); err != nil {
		return nil, err
	}
	cfg.Secrets = usable(cfg.Secrets)
	if len(cfg.Schemes) == 0 {
		cfg.Schemes = []Scheme{Plain, Standard}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if err := SetHeaders(http.Header{}, cfg.Schemes, cfg.Secrets, "msg", time.Time{}, nil); err != nil {
		return nil, err
	}
	p := &Poster{cfg: cfg, client: &http.Client{}}
	if cfg.Client != nil {
		*p.client = *cfg.Client
	} else {
		p.own = http.DefaultTransport.(*http.Transport).Clone()
		p.client.Transport = p.own
	}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return p, nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("webhook: there is no URL to post to")
	case err != nil: // its text holds the URL, and that perhaps a password
		return errors.New("webhook: the URL cannot be read")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return errors.New("webhook: the URL must begin with http:// or https:// and name a host")
	}
	return nil
}

// Post makes one attempt. With several secrets a refusal as unsigned (401 or
// 403) is tried again at once with the next, since in the middle of a rotation
// the receiver may know only one of them. It fails with a *PostError, or with
// ctx's error when that has ended.
func (p *Poster) Post(ctx context.Context, m Message) (Result, error) {
	if m.ID == "" {
		m.ID = NewID()
	}
	begun := time.Now()
	for tries := 1; ; tries++ {
		first := int(p.first.Load())
		r, err := p.once(ctx, m, rotate(p.cfg.Secrets, first))
		r.Duration = time.Since(begun)
		var refusal *PostError
		if errors.As(err, &refusal) && (refusal.Status == http.StatusForbidden || refusal.Status == http.StatusUnauthorized) && tries < len(p.cfg.Secrets) {
			p.first.CompareAndSwap(int32(first), int32((first+1)%len(p.cfg.Secrets)))
			continue
		}
		return r, err
	}
}

// rotate gives the list from its i-th on.
func rotate(list []string, i int) []string {
	return append(append([]string{}, list[i:]...), list[:i]...)
}

func (p *Poster) once(ctx context.Context, m Message, secrets []string) (Result, error) {
	limited, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, p.cfg.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Result{}, &PostError{Err: errors.New("the request cannot be made")}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "belfry-webhook/1")
	if err := SetHeaders(req.Header, p.cfg.Schemes, secrets, m.ID, time.Now(), m.Body); err != nil {
		return Result{}, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return Result{}, p.noAnswer(ctx, limited, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		return Result{Status: resp.StatusCode, Answer: answer}, nil // what it says no longer matters
	}
	if err != nil && ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	return Result{}, &PostError{Status: resp.StatusCode, Answer: line(answer, 200), After: retryAfter(resp.Header, time.Now())}
}

// noAnswer takes the URL out of a client's error.
func (p *Poster) noAnswer(ctx, limited context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	if limited.Err() != nil {
		err = fmt.Errorf("none within %s", p.cfg.Timeout)
	}
	return &PostError{Err: err}
}

// Close lets go of idle connections. It does nothing to a client of the
// caller's.
func (p *Poster) Close() {
	if p.own != nil {
		p.own.CloseIdleConnections()
	}
}

// retryAfter reads Retry-After, in seconds or as a time, up to an hour.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	var d time.Duration
	if n, err := strconv.Atoi(text); err == nil {
		d = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, time.Hour))
}

// line gives the beginning of a foreign text as one line for a log.
func line(text []byte, most int) string {
	s := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), "\uFFFD"), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	return clip(s, most)
}

// clip shortens a text to at most that many bytes, at a character's edge.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
