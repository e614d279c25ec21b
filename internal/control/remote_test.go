package control_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry"
	"github.com/belfryhq/belfry/internal/control"
	"github.com/belfryhq/belfry/internal/gate"
	"github.com/belfryhq/belfry/internal/identity"
)

// fakeGate knows one token, as long as its user is an administrator.
type fakeGate struct {
	mu    sync.Mutex // guards roles
	roles []string
}

func (g *fakeGate) Caller(r *http.Request) (gate.Caller, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := gate.Caller{Kind: gate.Guest, Address: netip.MustParseAddr("192.0.2.1")}
	if r.Header.Get("Authorization") != "Bearer "+farToken {
		return c, nil
	}
	c.Kind, c.User = gate.Token, &belfry.User{ID: "7", Roles: slices.Clone(g.roles)}
	c.Token = &identity.Token{ID: "3", Name: "laptop", User: c.User, Scopes: []string{identity.ScopeAdmin}}
	return c, nil
}

func (g *fakeGate) Fail(w http.ResponseWriter, _ *http.Request, _ gate.Caller, err error) {
	status, problem := gate.Explain(err)
	w.WriteHeader(status)
	io.WriteString(w, `{"error":"`+strings.ReplaceAll(problem.Error, `"`, "'")+`","code":"`+string(problem.Code)+`"}`)
}

func (g *fakeGate) Limiter(int) *gate.Limiter { return nil }

// farServer is a door over the app of the tests.
func farServer(t testing.TB, beat time.Duration, h *fakeHub, g *fakeGate) (*control.Remote, *httptest.Server, *[]control.Deed) {
	t.Helper()
	deeds, mu := new([]control.Deed), new(sync.Mutex)
	d := control.NewRemote(control.RemoteConfig{
		Backend: control.Backend{Hub: h, Settings: fakeSettings{}, Status: func() control.Status { return control.Status{DefaultApp: "7"} }},
		Gate:    g, Version: "v1", Beat: beat, Recheck: time.Hour,
		Record: func(_ context.Context, one control.Deed) {
			mu.Lock()
			defer mu.Unlock()
			*deeds = append(*deeds, one)
		},
	})
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	return d, s, deeds
}

func TestRemote_AStreamShowsThatItLives(t *testing.T) {
	h, g := newFakeHub(), &fakeGate{roles: []string{belfry.RoleAdmin}}
	d, s, deeds := farServer(t, time.Millisecond, h, g)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+control.Path+"/v1/subscribe?channel=c", nil)
	req.Header.Set("Authorization", "Bearer "+farToken)
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for range 3 {
		if line, err := lines.ReadString('\n'); err != nil || line != "\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if len(*deeds) != 1 || (*deeds)[0].Action != "events.listen" || (*deeds)[0].Subject != "7" || (*deeds)[0].Caller.User.ID != "7" {
		t.Errorf("written down: %+v", *deeds)
	}
	g.mu.Lock()
	g.roles = nil
	g.mu.Unlock()
	d.Doubt("8") // another's
	d.Doubt("7")
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ends without a word: %v", err)
		}
		if strings.Contains(line, `"end":"the API token holds no more`) {
			break
		}
	}
	if _, err := lines.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	<-h.tapped
	<-h.tapped // nothing of it is left in the hub
}

func TestRemote_AnOwnStopEndsStreams(t *testing.T) {
	h, g := newFakeHub(), &fakeGate{roles: []string{belfry.RoleAdmin}}
	d, s, _ := farServer(t, time.Hour, h, g)
	c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Subscribe(t.Context(), "", nil, func() { d.Stop(); d.Stop() }, nil); err != nil {
		t.Errorf("Subscribe: %v", err)
	}
	if err := c.Subscribe(t.Context(), "", nil, nil, nil); belfry.CodeOf(err) != belfry.CodeUnavailable {
		t.Errorf("Subscribe after the stop: %v", err)
	}
	if _, err := c.Channels(t.Context(), "", ""); err != nil {
		t.Errorf("Channels after the stop: %v", err)
	}
}

// A stream of which nothing comes is taken for dead.
func TestDialElsewhere_ASilentStreamEnds(t *testing.T) {
	_, s, _ := farServer(t, time.Hour, newFakeHub(), &fakeGate{roles: []string{belfry.RoleAdmin}})
	c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	control.SetQuiet(c, 50*time.Millisecond)
	if err := c.Subscribe(t.Context(), "", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "taken for dead") {
		t.Errorf("Subscribe: %v", err)
	}
}

// At most so many listen at a time, and a stream that has ended counts no more.
func TestRemote_StreamsAreCounted(t *testing.T) {
	h := newFakeHub()
	h.tapped = make(chan struct{}, 1000)
	_, s, _ := farServer(t, time.Millisecond, h, &fakeGate{roles: []string{belfry.RoleAdmin}})
	c, err := control.DialElsewhere(t.Context(), control.Elsewhere{URL: s.URL, Token: farToken})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var open sync.WaitGroup
	for range 50 {
		listening := make(chan struct{})
		open.Go(func() { c.Subscribe(ctx, "", nil, func() { close(listening) }, nil) })
		<-listening
	}
	if err := c.Subscribe(t.Context(), "", nil, nil, nil); belfry.CodeOf(err) != belfry.CodeRateLimited {
		t.Errorf("one more: %v", err)
	}
	cancel()
	open.Wait()
	for range 100 {
		<-h.tapped // all begun and ended
	}
	done := errors.New("listens")
	for {
		ctx, cancel := context.WithCancelCause(t.Context())
		err := c.Subscribe(ctx, "", nil, func() { cancel(done) }, nil)
		if errors.Is(context.Cause(ctx), done) {
			return
		}
		if belfry.CodeOf(err) != belfry.CodeRateLimited { // counted out a moment after it ended
			t.Fatal(err)
		}
	}
}

// Whatever comes, the door answers, and a stranger learns nothing.
func FuzzRemote(f *testing.F) {
	f.Add("GET", "/v1/status", "", "", "")
	f.Add("POST", "/v1/send", "channel=x", `{"event":{"event":"a","channels":["b"]}}`, "Bearer "+farToken)
	f.Add("POST", "/v1/jobs/retry", "", `{"ids":["a"]}`, "Bearer "+farToken)
	f.Add("POST", "/v1/apps/rotate", "id=%00&how=x", "", "Bearer "+farToken)
	f.Add("GET", "/../v1/config", "app=%zz", "", "Bearer x")
	f.Add("BREW", "//v1//status", "", "{", "Basic x")
	g := &fakeGate{roles: []string{belfry.RoleAdmin}}
	d, _, _ := farServer(f, time.Hour, newFakeHub(), g)
	d.Stop() // no stream
	f.Fuzz(func(t *testing.T, method, path, query, body, authorization string) {
		r := httptest.NewRequest(http.MethodPost, control.Path, strings.NewReader(body))
		r.Method, r.URL.Path, r.URL.RawQuery = method, control.Path+path, query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("Cookie", "belfry_session=x")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		known := authorization == "Bearer "+farToken
		if !known && w.Code != http.StatusUnauthorized || w.Header().Get("Belfry-Version") != "v1" {
			t.Errorf("%s %q: %d %s", method, path, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), farToken) {
			t.Errorf("%s %q shows the token", method, path)
		}
	})
}
