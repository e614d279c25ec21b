package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/store"
	"github.com/belfryhq/belfry/pusher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeHub is one app with the channels of the tests.
type fakeHub struct {
	app *belfry.App

	mu        sync.Mutex // guards all below
	published []pusher.Event
	taps      map[*func(string, []byte)]string
	tapped    chan struct{}
}

func newFakeHub() *fakeHub {
	return &fakeHub{
		app:    &belfry.App{ID: "7", Limits: belfry.DefaultLimits()},
		taps:   make(map[*func(string, []byte)]string),
		tapped: make(chan struct{}, 16),
	}
}

func (h *fakeHub) App(id string) *belfry.App {
	if id == h.app.ID {
		return h.app
	}
	return nil
}

func (h *fakeHub) Channels(_ context.Context, _, prefix string) (map[string]hub.ChannelInfo, error) {
	all := map[string]hub.ChannelInfo{"b": {Subscriptions: 2}, "presence-a": {Subscriptions: 3, Users: 1}}
	for name := range all {
		if !strings.HasPrefix(name, prefix) {
			delete(all, name)
		}
	}
	return all, nil
}

func (h *fakeHub) Channel(_ context.Context, _, name string) (hub.ChannelState, error) {
	return hub.ChannelState{Occupied: true, ChannelInfo: hub.ChannelInfo{Subscriptions: 3},
		Cache: &hub.CacheState{Event: "e", TTL: time.Minute}}, nil
}

func (h *fakeHub) Users(context.Context, string, string) ([]string, error) {
	return []string{"2", "1"}, nil
}

func (h *fakeHub) Publish(_ context.Context, _ string, events []pusher.Event) ([]hub.Published, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published = append(h.published, events...)
	return []hub.Published{{ID: "ev1", Receipt: hub.Receipt{Matched: 4, Written: 4}}}, nil
}

func (h *fakeHub) PublishOnce(_ context.Context, _, id string, event pusher.Event) (hub.Published, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published = append(h.published, event)
	return hub.Published{ID: id, Receipt: hub.Receipt{Matched: 3}}, id == "again", nil
}

func (h *fakeHub) Tap(_ string, channels []string, f func(string, []byte)) func() {
	h.mu.Lock()
	h.taps[&f] = strings.Join(channels, " ")
	h.mu.Unlock()
	h.tapped <- struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.taps, &f)
		h.tapped <- struct{}{}
	}
}

func (h *fakeHub) send(message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.taps {
		(*f)("", []byte(message))
	}
}

type fakeSettings struct{ err error }

func (s fakeSettings) Effective() []control.Setting {
	return []control.Setting{{Key: "listen", Value: ":6001", Source: "default"}}
}
func (s fakeSettings) Diff(context.Context) ([]control.Change, error) { return nil, s.err }
func (s fakeSettings) Reload(context.Context) ([]control.Change, error) {
	return []control.Change{{Key: "listen", Old: ":6001", New: ":7001", NeedsRestart: true}}, s.err
}

// shortDir is a folder whose path fits a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// longDir is one whose path does not.
func longDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 24))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start serves b on dir until the test ends, or until stop.
func start(t *testing.T, dir string, b control.Backend) (stop func()) {
	t.Helper()
	l, err := control.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := control.NewServer(l, b, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	stop = sync.OnceFunc(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, dir string) *control.Client {
	t.Helper()
	c, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func backend(t *testing.T, h *fakeHub) control.Backend {
	t.Helper()
	db, err := store.Open(store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return control.Backend{
		Status:   func() control.Status { return control.Status{PID: os.Getpid(), Version: "v1", DefaultApp: "7"} },
		Hub:      h,
		Apps:     appstore.NewRoster(appstore.Open(db, ""), nil),
		Settings: fakeSettings{},
	}
}

func TestLink_EveryRequest(t *testing.T) {
	for name, folder := range map[string]func(*testing.T) string{"socket": shortDir, "token": longDir} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			h := newFakeHub()
			start(t, dir, backend(t, h))
			c, ctx := dial(t, dir), t.Context()

			if st, err := c.Status(ctx); err != nil || st.PID != os.Getpid() || st.Version != "v1" {
				t.Errorf("Status = %+v, %v", st, err)
			}
			if s, err := c.Effective(ctx); err != nil || len(s) != 1 || s[0].Key != "listen" {
				t.Errorf("Effective = %+v, %v", s, err)
			}
			if s, err := c.Diff(ctx); err != nil || s == nil || len(s) != 0 {
				t.Errorf("Diff = %+v, %v", s, err)
			}
			if s, err := c.Reload(ctx); err != nil || len(s) != 1 || !s[0].NeedsRestart {
				t.Errorf("Reload = %+v, %v", s, err)
			}
			if s, err := c.Channels(ctx, "", ""); err != nil || len(s) != 2 || s[0].Name != "b" || s[0].Users != nil || *s[1].Users != 1 {
				t.Errorf("Channels = %+v, %v", s, err)
			}
			if s, err := c.Channels(ctx, "7", "presence-"); err != nil || len(s) != 1 {
				t.Errorf("Channels by prefix = %+v, %v", s, err)
			}
			if s, err := c.Channel(ctx, "", "presence-a"); err != nil || !s.Occupied || s.CachedEvent != "e" || s.CacheTTL != 60 || fmt.Sprint(s.Users) != "[1 2]" {
				t.Errorf("Channel = %+v, %v", s, err)
			}
			p, err := c.Publish(ctx, "", json.RawMessage(`{"name":"e","channel":"c","data":"{\"a\":1}"}`))
			if err != nil || p.ID != "ev1" || p.Receipt.Matched != 4 || len(h.published) != 1 || h.published[0].Name != "e" {
				t.Errorf("Publish = %+v, %v", p, err)
			}
			created, err := c.Apps().Add(ctx, appstore.New{ID: "shop"})
			if err != nil || created.Secret == "" {
				t.Errorf("Add = %+v, %v", created, err)
			}
			if s, err := c.Apps().Rotate(ctx, "shop", appstore.RotateNow); err != nil || s.Secret == created.Secret {
				t.Errorf("Rotate = %+v, %v", s, err)
			}
			if s, err := c.Apps().List(ctx); err != nil || len(s) != 1 || s[0].ID != "shop" {
				t.Errorf("List = %+v, %v", s, err)
			}
			if err := c.Apps().Remove(ctx, "shop"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLink_ErrorsKeepTheirCodeAndHint(t *testing.T) {
	dir := shortDir(t)
	b := backend(t, newFakeHub())
	b.Settings = fakeSettings{err: &belfry.Error{Code: belfry.CodeInvalid, Message: "belfry.yaml:3: no", Hint: "mend it"}}
	start(t, dir, b)
	c := dial(t, dir)

	_, err := c.Reload(t.Context())
	e, ok := errors.AsType[*belfry.Error](err)
	if !ok || e.Code != belfry.CodeInvalid || e.Message != "belfry.yaml:3: no" || e.Hint != "mend it" {
		t.Errorf("Reload: %#v", err)
	}
	for what, tc := range map[string]struct {
		do   func() error
		want belfry.Code
	}{
		"unknown app":  {func() error { _, err := c.Channels(t.Context(), "nope", ""); return err }, belfry.CodeNotFound},
		"bad channel":  {func() error { _, err := c.Channel(t.Context(), "", "a b"); return err }, belfry.CodeInvalid},
		"bad event":    {func() error { _, err := c.Publish(t.Context(), "", json.RawMessage(`{}`)); return err }, belfry.CodeInvalid},
		"missing app":  {func() error { return c.Apps().Remove(t.Context(), "nope") }, belfry.CodeNotFound},
		"bad tail":     {func() error { return c.Subscribe(t.Context(), "", []string{"a b"}, nil, nil) }, belfry.CodeInvalid},
		"bad rotation": {func() error { _, err := c.Apps().Rotate(t.Context(), "x", "y"); return err }, belfry.CodeInvalid},
	} {
		if err := tc.do(); belfry.CodeOf(err) != tc.want {
			t.Errorf("%s: %v (%s), want %s", what, err, belfry.CodeOf(err), tc.want)
		}
	}
}

func TestLink_SaysWhatIsNotOffered(t *testing.T) {
	dir := shortDir(t)
	start(t, dir, control.Backend{})
	c := dial(t, dir)
	if _, err := c.Channels(t.Context(), "", ""); belfry.CodeOf(err) != belfry.CodeUnavailable || control.IsNotRunning(err) {
		t.Errorf("Channels: %v", err)
	}
}

func TestListen_OnlyTheOwnerMayOpenTheLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such mode bits")
	}
	for name, tc := range map[string]struct {
		dir  string
		file string
	}{
		"socket": {filepath.Join(shortDir(t), "data"), control.SocketName},
		"token":  {filepath.Join(longDir(t), "data"), control.TokenName},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := control.Listen(tc.dir)
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]os.FileMode{
				tc.dir:                                 0o700,
				filepath.Join(tc.dir, tc.file):         0o600,
				filepath.Join(tc.dir, control.PIDName): 0o600,
			} {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm() != want {
					t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if err := l.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			left, _ := os.ReadDir(tc.dir)
			for _, f := range left {
				if f.Name() != control.PIDName {
					t.Errorf("%s is left behind", f.Name())
				}
			}
		})
	}
}

func TestListen_ALiveServerIsNamed(t *testing.T) {
	dir := shortDir(t)
	start(t, dir, control.Backend{})
	_, err := control.Listen(dir)
	if belfry.CodeOf(err) != belfry.CodeConflict || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("Listen: %v", err)
	}
	dial(t, dir) // still there
}

// A killed server leaves its socket and its process id; both are in nobody's
// way.
func TestListen_WhatAKilledServerLeftIsReplaced(t *testing.T) {
	dir := shortDir(t)
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, control.SocketName), Net: "unix"})
	if err != nil {
		t.Skip(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	for name, text := range map[string]string{control.PIDName: "1\n", control.TokenName: `{"address":"127.0.0.1:1","token":"x"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := control.Dial(t.Context(), dir); !control.IsNotRunning(err) {
		t.Errorf("Dial: %v", err)
	}
	start(t, dir, control.Backend{})
	dial(t, dir)
	if text, _ := os.ReadFile(filepath.Join(dir, control.PIDName)); strings.TrimSpace(string(text)) != fmt.Sprint(os.Getpid()) {
		t.Errorf("process id = %q", text)
	}
}

func TestDial_SaysThatNoServerRunsAndHowToStartOne(t *testing.T) {
	for name, dir := range map[string]string{"empty": t.TempDir(), "missing": filepath.Join(t.TempDir(), "none")} {
		_, err := control.Dial(t.Context(), dir)
		e, ok := errors.AsType[*belfry.Error](err)
		if !control.IsNotRunning(err) || !ok || !strings.Contains(e.Message, dir) || !strings.Contains(e.Hint, "belfry serve") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToken_WithoutItNothingIsAnswered(t *testing.T) {
	dir := longDir(t)
	start(t, dir, backend(t, newFakeHub()))
	text, err := os.ReadFile(filepath.Join(dir, control.TokenName))
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Address, Token string }
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "Bearer", "Bearer x", "Bearer " + e.Token + "x"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Address+"/v1/status", nil)
		req.Header.Set("Authorization", header)
		req.Close = true
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %s", header, resp.Status)
		}
	}
}

func TestSubscribe_GivesEventsAsTheyCome(t *testing.T) {
	dir := shortDir(t)
	h := newFakeHub()
	start(t, dir, backend(t, h))
	c := dial(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan control.Message, 4)
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		ended <- c.Subscribe(ctx, "", []string{"c", "d"}, func() { close(ready) }, func(m control.Message) error { got <- m; return nil })
	}()
	<-ready
	h.mu.Lock()
	for _, channels := range h.taps {
		if channels != "c d" {
			t.Errorf("tapped %q", channels)
		}
	}
	h.mu.Unlock()
	h.send(`{"event":"e","channel":"c","data":"{\"a\":\"é\"}","user_id":"9"}`)
	if m := <-got; m.Event != "e" || m.Channel != "c" || m.Data != `{"a":"é"}` || m.UserID != "9" || m.Time.IsZero() || m.Missed != 0 {
		t.Errorf("message = %+v", m)
	}
	h.send(`{"event":"e","channel":"c","data":{"a":1}}`)
	if m := <-got; m.Data != `{"a":1}` {
		t.Errorf("message = %+v", m)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe: %v", err)
	}
	<-h.tapped // begun
	<-h.tapped // ended: nothing of it is left in the hub
}

func TestSubscribe_EndsWhenTheServerStops(t *testing.T) {
	dir := shortDir(t)
	h := newFakeHub()
	stop := start(t, dir, backend(t, h))
	c := dial(t, dir)
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		ended <- c.Subscribe(t.Context(), "", nil, func() { close(ready) }, func(control.Message) error { return nil })
	}()
	<-ready
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Subscribe: %v", err)
	}
}

func TestSubscribe_ASlowReaderIsToldWhatItMissed(t *testing.T) {
	dir := shortDir(t)
	h := newFakeHub()
	start(t, dir, backend(t, h))
	c := dial(t, dir)
	ready, resume := make(chan struct{}), make(chan struct{})
	const sent = 30_000
	message := `{"event":"e","channel":"c","data":"` + strings.Repeat("x", 1000) + `"}`
	var received, missed int
	done := errors.New("done")
	ended := make(chan error, 1)
	go func() {
		ended <- c.Subscribe(t.Context(), "", nil, func() { close(ready) }, func(m control.Message) error {
			<-resume
			if m.Missed > 0 {
				missed += m.Missed
			} else {
				received++
			}
			if received+missed == sent {
				return done
			}
			return nil
		})
	}()
	<-ready
	for range sent { // never blocks, though nobody reads
		h.send(message)
	}
	close(resume)
	if err := <-ended; !errors.Is(err, done) {
		t.Fatal(err)
	}
	if missed == 0 || received == 0 {
		t.Errorf("%d received, %d missed", received, missed)
	}
}
