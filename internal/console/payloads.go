package console

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/pusher"
)

// Bounds of the view of payloads.
const (
	payloadFor   = 15 * time.Minute // at most, and the default
	payloadLeast = 5 * time.Second
	payloadViews = 20 // at a time
	payloadMost  = 4 << 10
	payloadRaw   = 2 * payloadMost // of what is kept until it is read as JSON
)

// payloadKind is the kind of the log's entries with the data of an event.
const payloadKind = "payload"

// Payload is the data of an event that goes to the subscribers of a channel.
type Payload struct {
	At                      time.Time
	App, Channel, Event, ID string
	By                      string // who sent it, as in the log
	Size                    int64
	// Data is the data as a JSON string token, or else Text as it is. Neither is
	// kept.
	Data []byte
	Text string
}

// payloads lets administrators look at the data of events: each for a while, for
// one app, in their own session, and never of the past. Nothing of it is kept.
type payloads struct {
	on   atomic.Int32  // how many views there are, so that publishing pays one load
	wake chan struct{} // has a value when there is something to do for Run

	mu      sync.Mutex // guards all below
	allowed bool
	views   []*payloadView // the first first
	ended   []endedView
	readers map[*stream]struct{}
}

// payloadView is what one administrator looks at.
type payloadView struct {
	ID      string    `json:"id"`
	User    person    `json:"user"`
	App     string    `json:"app"`
	Channel string    `json:"channel,omitempty"` // empty: all
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	holder  string    // the session, or the token
	request *call     // that began it
	again   func(context.Context) error
	checked time.Time
	doubt   bool // whether it still may be is to be asked first
}

// endedView is one that ended, still to be written down.
type endedView struct {
	view *payloadView
	by   *call
	why  string
}

// Why a view ends, as the log of what administrators did has it.
const (
	endTime     = "its time was over"
	endRights   = "signed out, or no administrator any more"
	endSetting  = "the setting console.payloads was taken away"
	endReplaced = "another was begun"
	endShutdown = "the server stopped"
	endAsked    = "ended by hand"
)

func (p *payloads) init(allowed bool) {
	p.allowed, p.wake, p.readers = allowed, make(chan struct{}, 1), make(map[*stream]struct{})
}

// AllowPayloads says whether administrators may look at the data of events: the
// setting console.payloads. Taking it away ends all views at once.
func (c *Console) AllowPayloads(allowed bool) {
	p := &c.payloads
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = allowed
	if !allowed {
		p.end(func(*payloadView) bool { return true }, nil, endSetting)
	}
	p.tell()
}

// WatchesPayloads reports whether anybody looks at the data of events. It costs
// one atomic load.
func (c *Console) WatchesPayloads() bool { return c.payloads.on.Load() > 0 }

// Payload shows the data of an event to those who look at its channel. It does
// not block and may be called under the hub's locks.
func (c *Console) Payload(one Payload) {
	p := &c.payloads
	if p.on.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.views {
		if v.doubt || v.App != one.App || v.Channel != "" && v.Channel != one.Channel || !one.At.Before(v.Until) {
			continue
		}
		for s := range p.readers {
			if s.holder == v.holder {
				s.sample.seePayload(&one)
			}
		}
	}
}

// end takes views away and has it written down. mu is held.
func (p *payloads) end(which func(*payloadView) bool, by *call, why string) (found bool) {
	p.views = slices.DeleteFunc(p.views, func(v *payloadView) bool {
		if !which(v) {
			return false
		}
		found = true
		p.ended = append(p.ended, endedView{v, by, why})
		return true
	})
	p.on.Store(int32(len(p.views)))
	if found {
		p.tell()
		p.nudge()
	}
	return found
}

// tell has all streams tell their readers of the views. mu is held.
func (p *payloads) tell() {
	for s := range p.readers {
		select {
		case s.views <- struct{}{}:
		default:
		}
	}
}

func (p *payloads) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// doubts has Run ask whether a user's views still may be; until then they show
// nothing. "" stands for everybody.
func (p *payloads) doubts(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.views {
		if user == "" || v.User.ID == user {
			v.doubt = true
			p.nudge()
		}
	}
}

func (p *payloads) read(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readers[s] = struct{}{}
}

func (p *payloads) leave(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.readers, s)
}

// keepPayloads ends the views whose time or right is over, and writes down what
// ended. Run calls it each second and when there is something to do.
func (c *Console) keepPayloads(ctx context.Context) {
	p, now := &c.payloads, c.cfg.Now()
	p.mu.Lock()
	p.end(func(v *payloadView) bool { return !now.Before(v.Until) }, nil, endTime)
	var ask []*payloadView
	for _, v := range p.views {
		if v.doubt || now.Sub(v.checked) >= c.cfg.Recheck {
			ask = append(ask, v)
			v.doubt, v.checked = true, now
		}
	}
	p.mu.Unlock()
	for _, v := range ask {
		err := v.again(ctx)
		p.mu.Lock()
		if v.doubt = false; err != nil { // while the database cannot say, nobody may
			p.end(func(o *payloadView) bool { return o == v }, nil, endRights)
		}
		p.mu.Unlock()
	}
	p.mu.Lock()
	ended := p.ended
	p.ended = nil
	p.mu.Unlock()
	for _, e := range ended {
		c.writeEnd(ctx, e)
	}
}

// endPayloads ends all views, at the end of Run.
func (c *Console) endPayloads(ctx context.Context) {
	p := &c.payloads
	p.mu.Lock()
	p.allowed = false
	p.end(func(*payloadView) bool { return true }, nil, endShutdown)
	p.mu.Unlock()
	c.keepPayloads(ctx)
}

// writeEnd writes down that a view ended, in the name of whoever began it, unless
// another ended it: that is their own line.
func (c *Console) writeEnd(ctx context.Context, e endedView) {
	if e.by != nil {
		return
	}
	one := &call{Caller: e.view.request.Caller, subject: e.view.App}
	one.note("view", e.view.ID)
	one.note("why", e.why)
	c.write(ctx, "payloads.end", one, nil)
}

// shownView is a view as one reader sees it.
type shownView struct {
	payloadView
	Own bool `json:"own"`
}

// shownViews is what readers are told of views.
type shownViews struct {
	Allowed bool        `json:"allowed"`
	Views   []shownView `json:"views"`
}

func (p *payloads) shown(holder string) shownViews {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := shownViews{Allowed: p.allowed, Views: []shownView{}}
	for _, v := range p.views {
		all.Views = append(all.Views, shownView{*v, v.holder == holder})
	}
	return all
}

var errPayloadsOff = &belfry.Error{Code: belfry.CodeForbidden, Message: "the data of events is not shown: the setting console.payloads is off",
	Hint: "set console.payloads to true in the configuration and reload it"}

func (p *payloads) allow() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.allowed {
		return errPayloadsOff
	}
	return nil
}

// payloadViews answers with who looks at the data of events.
func (c *Console) payloadViews(_ *http.Request, one *call) (any, error) {
	return c.payloads.shown(one.SessionID()), nil
}

// beginPayloads lets an administrator look at the data of an app's events.
func (c *Console) beginPayloads(r *http.Request, one *call) (any, error) {
	if err := c.payloads.allow(); err != nil {
		return nil, err
	}
	ask := struct {
		App     string `json:"app"`
		Channel string `json:"channel"`
		Seconds int    `json:"seconds"`
	}{Seconds: int(payloadFor / time.Second)}
	if err := one.read(r, &ask); err != nil {
		return nil, err
	}
	one.subject = ask.App
	one.note("channel", clip(ask.Channel, 200))
	one.note("seconds", ask.Seconds)
	length := time.Duration(ask.Seconds) * time.Second
	switch {
	case c.cfg.Hub.App(ask.App) == nil:
		return nil, fault("app", "there is no app "+strconv.Quote(clip(ask.App, 100))+"; choose one")
	case len(ask.Channel) > 200:
		return nil, fault("channel", "a channel's name has at most 200 bytes")
	case ask.Seconds < int(payloadLeast/time.Second) || ask.Seconds > int(payloadFor/time.Second):
		return nil, fault("seconds", "write a number from "+strconv.Itoa(int(payloadLeast/time.Second))+" to "+strconv.Itoa(int(payloadFor/time.Second)))
	case one.SessionID() == "":
		return nil, &belfry.Error{Code: belfry.CodeForbidden, Message: "a JWT cannot look at the data of events: nobody would notice its end",
			Hint: "sign in, or use an API token"}
	}
	now := c.cfg.Now()
	request := r.Clone(context.WithoutCancel(r.Context()))
	request.Method, request.Body = http.MethodGet, http.NoBody // it only asks who it is
	v := &payloadView{ID: belfry.NewID(now), User: person{one.User.ID, one.User.Name}, App: ask.App, Channel: ask.Channel,
		Since: now.UTC(), Until: now.Add(length).UTC(), holder: one.SessionID(), request: &call{Caller: one.Caller}, checked: now}
	v.again = func(ctx context.Context) error { return c.same(request.WithContext(ctx), v.holder) }
	one.note("view", v.ID)
	p := &c.payloads
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.allowed { // taken away just now
		return nil, errPayloadsOff
	}
	p.end(func(o *payloadView) bool { return o.holder == v.holder }, nil, endReplaced)
	if len(p.views) >= payloadViews {
		return nil, &belfry.Error{Code: belfry.CodeConflict, Message: "too many look at the data of events at a time", Hint: "end one of theirs first"}
	}
	p.views = append(p.views, v)
	p.on.Store(int32(len(p.views)))
	p.tell()
	one.status = http.StatusCreated
	return shownView{*v, true}, nil
}

// same reports, by an error, that a request is not any more what it was: an
// administrator's in that session.
func (c *Console) same(r *http.Request, holder string) error {
	caller, err := c.caller(r)
	if err == nil && caller.SessionID() != holder {
		err = belfry.Errorf(belfry.CodeForbidden, "another session")
	}
	return err
}

// stopPayloads ends a view, one's own or another's.
func (c *Console) stopPayloads(r *http.Request, one *call) (any, error) {
	id := r.PathValue("id")
	one.note("view", clip(id, 100))
	p := &c.payloads
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.allowed {
		return nil, errPayloadsOff
	}
	found := p.end(func(v *payloadView) bool {
		if v.ID != id {
			return false
		}
		one.subject = v.App
		one.note("why", endAsked)
		one.note("of", cmp.Or(v.User.Name, v.User.ID))
		return true
	}, one, endAsked)
	if !found {
		return nil, unknown("view of payloads", id, nil)
	}
	return map[string]bool{"ended": true}, nil
}

// shownPayload is the data of an event as a reader sees it.
type shownPayload struct {
	Data      string `json:"data"`
	Cut       bool   `json:"cut,omitempty"`       // there is more
	Encrypted bool   `json:"encrypted,omitempty"` // and cannot be shown
}

// entry is the log's entry of a payload, without its data.
func (p *Payload) entry() trace.Entry {
	return trace.Entry{At: p.At, What: payloadKind, App: p.App, ID: p.ID, Event: p.Event, Channel: p.Channel, By: p.By, Size: p.Size}
}

// rawPayload is the beginning of what an event had, to be read when it is shown.
type rawPayload struct {
	token     []byte // a JSON string, maybe cut off
	text      string
	cut       bool
	encrypted bool
}

// take copies as much of the data as is shown.
func (p *Payload) take() *rawPayload {
	raw := &rawPayload{encrypted: pusher.KindOf(p.Channel).Is(pusher.Encrypted)}
	switch {
	case raw.encrypted:
	case p.Data != nil:
		raw.cut = len(p.Data) > payloadRaw
		raw.token = slices.Clone(p.Data[:min(len(p.Data), payloadRaw)])
	default:
		raw.cut = len(p.Text) > payloadMost
		raw.text = p.Text[:min(len(p.Text), payloadMost)]
	}
	return raw
}

// shown gives the data as text, 4 KiB at most. Data that is JSON is left as it is
// written.
func (raw *rawPayload) shown() *shownPayload {
	one := &shownPayload{Data: raw.text, Cut: raw.cut, Encrypted: raw.encrypted}
	if raw.token != nil {
		one.Data = unquoted(raw.token)
	}
	if len(one.Data) > payloadMost {
		one.Data, one.Cut = one.Data[:payloadMost], true
	}
	if one.Cut {
		one.Data = strings.TrimRight(strings.ToValidUTF8(one.Data, "\uFFFD"), "\uFFFD")
	}
	return one
}

// unquoted gives the text of a JSON string that may be cut off anywhere.
func unquoted(token []byte) string {
	if len(token) == 0 || token[0] != '"' {
		return string(token)
	}
	end := 1 // behind the last character that is whole
	for end < len(token) && token[end] != '"' {
		size := 1
		if token[end] == '\\' {
			if size = 2; end+1 < len(token) && token[end+1] == 'u' {
				size = 6
			}
		}
		if end+size > len(token) {
			break
		}
		end += size
	}
	var text string
	if err := json.Unmarshal(append(slices.Clip(token[:end]), '"'), &text); err != nil {
		return strings.ToValidUTF8(string(token), "\uFFFD")
	}
	return text
}
