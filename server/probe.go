package server

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/socket/wsframe"
	"github.com/belfryhq/belfry/pusher"
)

// probeApp is the id of the app that probes run in. No other app may have it:
// ids do not begin with a space. It stands outside usage, webhooks, traces and
// every list.
const probeApp = " probe"

const (
	probeEvery   = 15 * time.Second
	probeTime    = 10 * time.Second // for one, from the connection to the event
	probeKept    = 60
	probeChannel = "probe"
	probeEvent   = "probe"
)

// probe sends an event the whole way now and then, as a stranger would: it opens
// a WebSocket at the server's own address, subscribes, publishes through the
// HTTP API, and waits for the event. Its methods may be called concurrently.
type probe struct {
	s     *Server
	app   *belfry.App
	every time.Duration // negative: never by itself

	mu   sync.Mutex      // guards last
	last []console.Probe // the newest first
}

func newProbe(s *Server) *probe {
	limits := belfry.DefaultLimits()
	return &probe{s: s, every: s.cfg.ProbeEvery,
		app: &belfry.App{ID: probeApp, Name: "probe", Keys: []belfry.Credential{{Key: "probe-" + rand.Text(), Secret: rand.Text()}}, Limits: limits}}
}

// serveApps gives the hub the apps, with the probe's own.
func (s *Server) serveApps(apps []*belfry.App) {
	s.hub.SetApps(append(slices.Clone(apps), s.probe.app))
}

// Run sends probes until ctx ends or the server stops.
func (p *probe) Run(ctx context.Context) error {
	if p.every < 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for p.s.state.Load() != draining {
		p.now(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

// now sends one and keeps what became of it.
func (p *probe) now(ctx context.Context) console.Probe {
	one := console.Probe{At: time.Now().UTC().Truncate(time.Millisecond)}
	limited, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	took, err := p.send(limited)
	if ctx.Err() != nil || p.s.state.Load() != serving {
		one.Error = "the server stops, or is not ready yet"
		return one
	}
	if err != nil {
		if limited.Err() != nil {
			err = fmt.Errorf("%w (no more than %s is waited)", err, probeTime)
		}
		one.Error = err.Error()
		p.s.log.Warn("the probe's event did not come back", "error", err)
	}
	one.Milliseconds = float64(took.Microseconds()) / 1000
	p.s.ops.Probed(err == nil, took)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = append([]console.Probe{one}, p.last[:min(len(p.last), probeKept-1)]...)
	return one
}

func (p *probe) probes() console.Probes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return console.Probes{EverySeconds: max(0, p.every.Seconds()), Last: append([]console.Probe{}, p.last...)}
}

// check is the health report's.
func (p *probe) check(context.Context) (note string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.last) == 0:
		return "", nil
	case p.last[0].Error != "":
		return "", errors.New("the event that goes the whole way did not come back: " + p.last[0].Error)
	}
	return fmt.Sprintf("an event went the whole way in %.1f ms", p.last[0].Milliseconds), nil
}

// send gives how long an event took from the call of the API until it came over
// the WebSocket.
func (p *probe) send(ctx context.Context) (took time.Duration, err error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	w := &probeWire{conn: conn, r: bufio.NewReader(conn)}
	if err := w.open(p.s.cfg.PathPrefix, p.app.Keys[0].Key); err != nil {
		return 0, fmt.Errorf("open a WebSocket: %w", err)
	}
	// A channel of its own, so that probes at the same time do not meet.
	channel := probeChannel + "-" + rand.Text()
	if _, err := w.expect("pusher:connection_established"); err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	if err := w.write(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`); err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	if _, err := w.expect("pusher_internal:subscription_succeeded"); err != nil {
		return 0, fmt.Errorf("subscribe: %w", err)
	}
	started := time.Now()
	if err := p.publish(ctx, channel); err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	if _, err := w.expect(probeEvent); err != nil {
		return 0, fmt.Errorf("wait for the event: %w", err)
	}
	took = time.Since(started)
	w.close()
	return took, nil
}

// dial connects to the server's own address.
func (p *probe) dial(ctx context.Context) (net.Conn, error) {
	to := dialable(p.s.public.Addr())
	if p.s.certs == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}
	// It is its own server, at an address that no certificate names.
	own := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	if domains := p.s.cfg.TLS.Domains; len(domains) > 0 {
		own.ServerName = domains[0]
	}
	return (&tls.Dialer{Config: own}).DialContext(ctx, "tcp", to)
}

// publish sends the event through the HTTP API.
func (p *probe) publish(ctx context.Context, channel string) error {
	body := `{"name":"` + probeEvent + `","channel":"` + channel + `","data":"{}"}`
	sum := md5.Sum([]byte(body)) // as the API's signature wants it
	key := p.app.Keys[0]
	path := "/apps/" + url.PathEscape(probeApp) + "/events"
	query := "auth_key=" + key.Key + "&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) + "&auth_version=1.0&body_md5=" + hex.EncodeToString(sum[:])
	query += "&auth_signature=" + pusher.Sign(key.Secret, "POST\n"+path+"\n"+query)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://probe"+p.s.prefixed(path)+"?"+query, strings.NewReader(body))
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) }}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the API answered %d: %.200s", res.StatusCode, text)
	}
	return err
}

// prefixed puts the configured prefix before a path.
func (s *Server) prefixed(path string) string {
	if prefix := trimSlashes(s.cfg.PathPrefix); prefix != "" {
		return "/" + prefix + path
	}
	return path
}

// probeWire is a WebSocket's client side, as far as a probe needs it.
type probeWire struct {
	conn net.Conn
	r    *bufio.Reader
}

func (w *probeWire) open(prefix, key string) error {
	path := "/app/" + key
	if prefix = trimSlashes(prefix); prefix != "" {
		path = "/" + prefix + path
	}
	nonce := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	_, err := io.WriteString(w.conn, "GET "+path+"?protocol=7&client=belfry-probe HTTP/1.1\r\nHost: probe\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+nonce+"\r\n\r\n")
	if err != nil {
		return err
	}
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("the server answered %s", res.Status)
	}
	return nil
}

// write sends a text message. The mask is zero: nobody stands between.
func (w *probeWire) write(text string) error { return w.frame(wsframe.Text, []byte(text)) }

func (w *probeWire) frame(op wsframe.Opcode, payload []byte) error {
	frame := wsframe.AppendHeader(nil, op, len(payload))
	frame[1] |= 0x80
	_, err := w.conn.Write(append(append(frame, 0, 0, 0, 0), payload...))
	return err
}

// close says goodbye.
func (w *probeWire) close() {
	_ = w.frame(wsframe.Close, binary.BigEndian.AppendUint16(nil, wsframe.CloseNormal)) // the connection is closed in any case
}

// maxProbe bounds what is read; every message to a probe is small.
const maxProbe = 64 << 10

// expect reads until a message with that event.
func (w *probeWire) expect(event string) (data json.RawMessage, err error) {
	for range 100 {
		op, payload, err := w.read()
		if err != nil {
			return nil, err
		}
		var m struct {
			Event string          `json:"event"`
			Data  json.RawMessage `json:"data"`
		}
		switch {
		case op == wsframe.Close:
			return nil, fmt.Errorf("the server closed the connection: %.100s", payload[min(2, len(payload)):])
		case op != wsframe.Text || json.Unmarshal(payload, &m) != nil:
		case m.Event == event:
			return m.Data, nil
		case m.Event == "pusher:error":
			return nil, fmt.Errorf("the server refused: %.200s", m.Data)
		}
	}
	return nil, errors.New("something else came all the time")
}

func (w *probeWire) read() (op wsframe.Opcode, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1] & 0x7f)
	switch size {
	case 126, 127:
		more := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(w.r, more); err != nil {
			return 0, nil, err
		}
		size = 0
		for _, b := range more {
			size = size<<8 | uint64(b)
		}
	}
	if size > maxProbe {
		return 0, nil, errors.New("a message is too large")
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(w.r, payload)
	return wsframe.Opcode(head[0] & 0x0f), payload, err
}
