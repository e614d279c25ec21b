package api

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/pusher"
)

// Publication is a publish that went out.
type Publication struct {
	At   time.Time // when it was taken in
	App  *belfry.App
	Key  string // that the request was signed with
	Peer string // address or "host:port" of whoever asked
	// Events are what was published, with one Published for each.
	Events    []pusher.Event
	Published []hub.Published
}

// Address gives the address of whoever asked, without a port.
func (p *Publication) Address() string { return addressOf(p.Peer) }

// Refusal is a publish that was refused.
type Refusal struct {
	App     string // as the request named it
	Key     string // likewise
	Address string
	Status  int
	// Code is "app" for an unknown one, "key", "signature", "limit", or else a
	// belfry.Code. Limit is the configuration key of a limit; Event, Channel and
	// Size are what met it.
	Code, Limit, Event, Channel string
	Size                        int64
	// Reason is a sentence without what was signed.
	Reason string
}

// refuse tells of a publish that was refused.
func (d *Door) refuse(q *request, err error) {
	if q.method != http.MethodPost || !strings.HasSuffix(q.path, "events") {
		return
	}
	m, ok := d.match(q.path)
	if !ok {
		return
	}
	status, text := explain(err)
	query := pusher.ParseQuery(q.query, false)
	r := Refusal{App: clip(m.app), Key: clip(query.Get("auth_key")), Address: addressOf(q.peer), Status: status, Code: string(belfry.CodeOf(err)), Reason: text}
	if s, ok := errors.AsType[*pusher.SignatureError](err); ok {
		r.Code, r.Reason = "signature", s.Reason
		if strings.HasPrefix(s.Reason, "auth_key") {
			r.Code = "key"
		}
	}
	if o, ok := errors.AsType[*pusher.OverLimit](err); ok {
		r.Code, r.Limit, r.Event, r.Channel, r.Size = "limit", o.Limit, o.Event, o.Channel, o.Size
	}
	if _, ok := errors.AsType[*rateError](err); ok {
		r.Code, r.Limit = "limit", "http_requests_per_second"
	}
	if errors.Is(err, hub.ErrDayOver) {
		r.Code, r.Limit = "limit", "messages_per_day"
	}
	if d.cfg.Hub.App(m.app) == nil {
		r.Code = "app"
	}
	d.cfg.Refused(r)
}

// addressOf leaves a port out.
func addressOf(peer string) string {
	if at, err := netip.ParseAddrPort(peer); err == nil {
		return at.Addr().Unmap().String()
	}
	return peer
}
